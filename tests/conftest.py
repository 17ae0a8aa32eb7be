"""What holds for every test."""

from __future__ import annotations

import os

import pytest

# Set before anything imports torch, so that child processes inherit it too.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(autouse=True, scope="session")
def one_torch_thread() -> None:
    """Keep to one thread per process: the tests themselves run in parallel."""
    import torch

    torch.set_num_threads(1)
