from __future__ import annotations

import errno
import json
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch as th
from promises import long_form

from curiosity_rl import checkpoint
from curiosity_rl.checkpoint import CheckpointError


def _equal(a: Any, b: Any) -> bool:
    if isinstance(a, dict):
        return (
            isinstance(b, dict)
            and list(a) == list(b)
            and all(_equal(a[key], b[key]) for key in a)
        )
    if isinstance(a, list | tuple):
        return type(a) is type(b) and len(a) == len(b) and all(map(_equal, a, b))
    if isinstance(a, th.Tensor):
        return isinstance(b, th.Tensor) and a.dtype == b.dtype and th.equal(a, b)
    if isinstance(a, np.ndarray):
        return (
            isinstance(b, np.ndarray)
            and a.dtype == b.dtype
            and a.shape == b.shape
            and np.array_equal(a, b)
        )
    return type(a) is type(b) and a == b


STATE: dict[str, Any] = {
    "weights": {"a.b": th.arange(6.0).reshape(2, 3).T, "bf": th.ones(2).bfloat16()},
    "optimizer": {"state": {0: {"step": th.tensor(3.0)}, 1: {}}, "lr": 1e-3},
    "arrays": [np.arange(4, dtype=np.uint64), np.zeros((0, 3), np.float32)],
    "scalars": (np.float32(0.1), np.float64(0.1), np.int8(-3), np.bool_(True)),
    "zero_d": np.array(2.5),
    "plain": [None, True, 2**127 + 1, 0.1, float("inf"), "ü/..", {}],
}


def test_round_trip_keeps_every_type_and_bit(tmp_path: Path) -> None:
    path = checkpoint.save(tmp_path / "deep" / "step_1", STATE)
    assert _equal(checkpoint.load(path), STATE)
    assert sorted(p.name for p in path.parent.iterdir()) == ["step_1"]


@pytest.mark.parametrize("value", [object(), {1, 2}, b"x", np.array([None]), {0.5: 1}])
def test_other_things_are_refused_and_leave_nothing(tmp_path: Path, value: Any) -> None:
    with pytest.raises(CheckpointError, match="state/a/b"):
        checkpoint.save(tmp_path / "step_1", {"a": {"b": value}})
    assert list(tmp_path.iterdir()) == []


def test_a_checkpoint_is_never_replaced(tmp_path: Path) -> None:
    checkpoint.save(tmp_path / "step_1", {"x": 1})
    with pytest.raises(CheckpointError, match="exists already"):
        checkpoint.save(tmp_path / "step_1", {"x": 2})
    assert checkpoint.load(tmp_path / "step_1") == {"x": 1}


@pytest.mark.parametrize("name", [*checkpoint._FILES, "manifest.json"])
@pytest.mark.parametrize("damage", ["flip", "cut", "gone"])
def test_damage_is_named(tmp_path: Path, name: str, damage: str) -> None:
    path = checkpoint.save(tmp_path / "step_1", STATE)
    file = path / name
    content = file.read_bytes()
    if damage == "gone":
        file.unlink()
    elif damage == "cut":
        file.write_bytes(content[: len(content) // 2])
    else:
        file.write_bytes(bytes([content[0] ^ 1]) + content[1:])
    with pytest.raises(CheckpointError, match="step_1"):
        checkpoint.load(path)


class _Payload:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.target,))


@pytest.mark.parametrize("name", [*checkpoint._FILES, "manifest.json"])
def test_a_pickle_is_never_run(tmp_path: Path, name: str) -> None:
    target = tmp_path / "touched"
    path = checkpoint.save(tmp_path / "step_1", STATE)
    content = pickle.dumps(_Payload(target))
    (path / name).write_bytes(content)
    if name != "manifest.json":  # with a right hash, too
        manifest = json.loads((path / "manifest.json").read_text())
        manifest["files"][name]["sha256"] = checkpoint._sha256(content)
        (path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(CheckpointError, match="step_1"):
        checkpoint.load(path)
    assert not target.exists()


def test_an_unknown_format_is_named(tmp_path: Path) -> None:
    path = checkpoint.save(tmp_path / "step_1", {"x": 1})
    manifest = json.loads((path / "manifest.json").read_text())
    (path / "manifest.json").write_text(json.dumps({**manifest, "format": 99}))
    with pytest.raises(CheckpointError, match="format 99"):
        checkpoint.load(path)


def test_latest_skips_partial_folders(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no checkpoint"):
        checkpoint.latest(tmp_path / "missing")
    for step in (90, 1000):
        checkpoint.save(tmp_path / f"step_{step:012d}", {"step": step})
    (tmp_path / "step_999999999999").mkdir()
    (tmp_path / ".partial-step_2-1").mkdir()
    assert checkpoint.load(checkpoint.latest(tmp_path)) == {"step": 1000}


@pytest.mark.promise("A kill while a checkpoint is written leaves a whole one")
def test_killed_writers_leave_whole_checkpoints() -> None:
    kills = long_form(100, 1000)
    done = subprocess.run(
        [
            sys.executable,
            str(Path(__file__).with_name("killed_writers.py")),
            str(kills),
        ],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert f"{kills:,} of {kills:,} kills" in done.stdout
    assert " 0 hit" not in done.stdout


def test_a_broken_newest_one_gives_way_to_the_one_before(tmp_path: Path) -> None:
    for step in (1, 2, 3):
        checkpoint.save(tmp_path / f"step_{step}", {"step": step})
    for step in (2, 3):
        file = tmp_path / f"step_{step}" / "state.json"
        file.write_bytes(file.read_bytes()[:-1])
    path, state, broken = checkpoint.newest_whole(tmp_path)
    assert (path.name, state) == ("step_1", {"step": 1})
    assert "step_3/state.json is damaged" in broken[0]
    assert "step_2/state.json is damaged" in broken[1]
    (tmp_path / "step_1" / "state.json").unlink()
    with pytest.raises(CheckpointError, match=r"no whole checkpoint.*step_3.*step_1"):
        checkpoint.newest_whole(tmp_path)


def test_only_the_newest_are_kept_and_no_rest_of_a_killed_writer(
    tmp_path: Path,
) -> None:
    for step in range(5):
        checkpoint.save(tmp_path / f"step_{step}", {"step": step})
    (tmp_path / ".partial-step_9-77").mkdir()
    (tmp_path / "notes.txt").touch()
    checkpoint.keep_newest(tmp_path, 2)
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"step_3", "step_4", "notes.txt"}


@pytest.mark.promise("A full or read-only disk is a sentence, and nothing is lost")
@pytest.mark.parametrize("step", ["mkdir", "fsync", "rename"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_a_disk_that_cannot_be_written_loses_nothing(
    tmp_path: Path, step: str, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = checkpoint.save(tmp_path / "step_1", STATE)

    def fail(*_: Any, **__: Any) -> None:
        raise OSError(code, os.strerror(code))

    where = os if step == "fsync" else Path
    with monkeypatch.context() as patch:
        patch.setattr(where, step, fail)
        with pytest.raises(CheckpointError, match=os.strerror(code)):
            checkpoint.save(tmp_path / "step_2", STATE)
    assert [path.name for path in tmp_path.iterdir()] == ["step_1"]
    assert _equal(checkpoint.load(before), STATE)
