"""Cut a run where it was saved, resume it, and compare it with the uncut one."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch as th
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from curiosity_rl import checkpoint
from curiosity_rl.agents import runs
from curiosity_rl.agents.config import ExperimentConfig
from curiosity_rl.agents.experiment import build, finish
from curiosity_rl.agents.resuming import reopen
from curiosity_rl.agents.runs import RunFolder, begin

SHARES = {f"time/share_{part}" for part in ("world", "policy", "bonus", "update")}
CLOCK = {"time/fps", "time/time_elapsed", "time/steps_per_second", *SHARES}
"""What is logged of the clock, and so differs between any two runs."""


def uncut(folder: Path, settings: Mapping[str, Any]) -> RunFolder:
    """Train to the end, saving before every rollout and keeping all of it."""
    config = ExperimentConfig.load(
        **{"eval_students": 2, "progress": False, "save_freq": 1, **settings},
        log_folder=str(folder),
    )
    with mock.patch.object(runs, "KEPT", 10**6):
        return finish(build(config), begin(config), baselines=False).folder


def cuts(run: RunFolder) -> list[str]:
    """Names of the checkpoints of a run before its last."""
    return sorted(path.name for path in run.checkpoints.iterdir())[:-1]


def resumed(run: RunFolder, cut: str, folder: Path) -> RunFolder:
    """Resume from one checkpoint of a run, as if it had been killed at its end."""
    copy = RunFolder(folder / f"{run.path.name}-{cut}")
    left = shutil.ignore_patterns("checkpoints", "result.json", "timing.json", ".lock")
    shutil.copytree(run.path, copy.path, ignore=left)
    shutil.copytree(run.checkpoints / cut, copy.checkpoints / cut)
    stopped = reopen(copy.path)
    finish(stopped.experiment, copy, stopped.state, baselines=False)
    return copy


def assert_same_run(run: RunFolder, other: RunFolder) -> None:
    """Compare results, the last checkpoints, scalars and tables, but for the clock."""
    names = ("result.json", "config.yaml")
    for name in names:
        assert (run.path / name).read_bytes() == (other.path / name).read_bytes()
    one, two = (checkpoint.newest_whole(r.checkpoints)[1] for r in (run, other))
    difference = first_difference(without_clock(one), without_clock(two))
    assert difference is None, difference
    assert table(run) == table(other)
    assert scalars(run) == scalars(other)


def table(run: RunFolder) -> list[dict[str, str]]:
    """Rows of `progress.csv`, in order, with columns in order, without the clock."""
    with (run.path / "progress.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    return [{k: v for k, v in row.items() if k not in CLOCK} for row in rows]


def scalars(run: RunFolder) -> dict[str, list[tuple[int, float]]]:
    """TensorBoard's curves by tag, as a plain reader of all files finds them."""
    found: dict[str, list[tuple[int, float]]] = {}
    for file in sorted(run.path.glob("events.out.tfevents.*")):
        events = EventAccumulator(str(file), purge_orphaned_data=False).Reload()
        for tag in events.Tags()["scalars"]:
            if tag not in CLOCK:
                points = [(e.step, e.value) for e in events.Scalars(tag)]
                found.setdefault(tag, []).extend(points)
    return found


def without_clock(state: dict[str, Any]) -> dict[str, Any]:
    """Leave out of a checkpoint what depends on when it was made."""
    kept = {key: value for key, value in state.items() if key != "seconds"}
    kept["config"] = {k: v for k, v in state["config"].items() if k != "log_folder"}
    kept["log"] = {
        **{k: v for k, v in state["log"].items() if k != "events"},
        "pending": [p for p in state["log"]["pending"] if p[0] not in CLOCK],
    }
    model = dict(state["model"])
    model["episodes"] = [
        {k: v for k, v in episode.items() if k != "t"} for episode in model["episodes"]
    ]
    kept["model"] = model
    return kept


def first_difference(a: Any, b: Any, where: str = "") -> str | None:
    """Say where two states differ in a bit or a type; None if nowhere."""
    if type(a) is not type(b):
        return f"{where}: {type(a)} and {type(b)}"
    if isinstance(a, Mapping):
        if list(a) != list(b):
            return f"{where}: {list(a)} and {list(b)}"
        pairs = [(f"{where}/{key}", a[key], b[key]) for key in a]
    elif isinstance(a, list | tuple):
        if len(a) != len(b):
            return f"{where}: {len(a)} and {len(b)} items"
        pairs = [
            (f"{where}/{i}", x, y) for i, (x, y) in enumerate(zip(a, b, strict=True))
        ]
    elif isinstance(a, th.Tensor | np.ndarray):
        one, two = np.asarray(a), np.asarray(b)
        same = one.dtype == two.dtype and one.shape == two.shape
        return None if same and one.tobytes() == two.tobytes() else f"{where} differs"
    else:
        same = json.dumps(a, default=repr) == json.dumps(b, default=repr)
        return None if same else f"{where}: {a!r} and {b!r}"
    for place, x, y in pairs:
        found = first_difference(x, y, place)
        if found:
            return found
    return None
