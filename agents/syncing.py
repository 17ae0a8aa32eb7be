"""`--track`: what TensorBoard is shown, Weights & Biases is shown too."""

from __future__ import annotations

import dataclasses
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from curiosity_rl.agents.config import ExperimentConfig
from curiosity_rl.agents.endings import FAILED, RunEnded
from curiosity_rl.agents.runs import RunFolder, write_text

PROJECT = "curiosity-rl"
NAME_FILE = "wandb_id"
"""File of a run folder with the name of its tracked run, so that a resumed run goes on
in the same one."""


def check_track(config: ExperimentConfig) -> None:
    """Raise a ValueError if settings ask for what is not installed."""
    if config.track and find_spec("wandb") is None:
        raise ValueError(
            "track sends the logs to Weights & Biases and needs wandb, which is not "
            'installed: pip install wandb, or curiosity-rl with its extra "track"; or '
            "leave track off: TensorBoard has all of it"
        )


@contextmanager
def synced(config: ExperimentConfig, folder: RunFolder) -> Iterator[None]:
    """Copy TensorBoard's logs to Weights & Biases, if the settings ask for it.

    Where to, and whether at all, its own environment variables say: `WANDB_PROJECT`
    (else `curiosity-rl`), `WANDB_ENTITY`, `WANDB_MODE=offline`. What is written to
    TensorBoard inside of the block counts; nothing else is sent but the settings.

    Raises:
        ValueError: If wandb is not installed.
        RunEnded: If it does not accept the run.
    """
    check_track(config)
    if not config.track:
        yield
        return
    wandb: Any = import_module("wandb")  # no part of any test's environment

    file = folder.path / NAME_FILE
    if not file.is_file():
        write_text(file, secrets.token_hex(4))
    try:
        run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", PROJECT),
            id=file.read_text("utf-8").strip(),
            resume="allow",
            name=f"{config.env} {folder.path.name}",
            dir=folder.path,
            config=dataclasses.asdict(config),
            sync_tensorboard=True,
        )
    except wandb.errors.Error as error:
        sentence = (
            f"error: Weights & Biases cannot be reached: {error}; set "
            "WANDB_MODE=offline to send the logs later, or leave track off"
        )
        raise RunEnded(sentence, FAILED) from error
    try:
        yield
    finally:
        run.finish()
