"""What holds for every test, and the table of promises."""

from __future__ import annotations

import os
from collections import defaultdict
from typing import Any

import pytest

# Set before anything imports torch, so that child processes inherit it too.
os.environ.setdefault("OMP_NUM_THREADS", "1")
LONG_FORM = "CURIOSITY_RL_PROMISE_FULL"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--promise-full",
        action="store_true",
        help="the long form of every promise; with -m promise",
    )


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--promise-full"):
        os.environ[LONG_FORM] = "1"  # before tests are collected, here and in workers


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        marker = item.get_closest_marker("promise")
        if marker is not None:
            item.user_properties.append(("promise", marker.args[0]))


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Print a row for each promise, where promises are what was asked for."""
    if "promise" not in config.option.markexpr:
        return
    rows: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for outcome in ("passed", "failed", "error", "skipped"):
        for report in terminalreporter.stats.get(outcome, []):
            promise = dict(report.user_properties).get("promise")
            if promise is not None:
                rows[promise][outcome] += 1
                rows[promise]["seconds"] += report.duration
    terminalreporter.section("promises")
    terminalreporter.write_line(f"{'':>6} {'tests':>6} {'seconds':>8}  promise")
    for promise, row in sorted(rows.items()):
        broken = row["failed"] + row["error"]
        state = "BROKEN" if broken else "kept" if row["passed"] else "skipped"
        tests = row["passed"] + broken + row["skipped"]
        terminalreporter.write_line(
            f"{state:>6} {tests:6.0f} {row['seconds']:8.1f}  {promise}"
        )


@pytest.fixture(autouse=True, scope="session")
def one_torch_thread() -> None:
    """Keep to one thread per process: the tests themselves run in parallel."""
    import torch

    torch.set_num_threads(1)
