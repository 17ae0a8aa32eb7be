from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch as th
from stable_baselines3 import PPO, SAC

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


def test_an_algorithm_comes_back_with_optimizers_and_loose_tensors(
    tmp_path: Path,
) -> None:
    def make() -> SAC:
        return SAC(
            "MlpPolicy",
            "Pendulum-v1",
            policy_kwargs={"net_arch": [8]},
            learning_starts=10,
            device="cpu",
        )

    model, other = make(), make()
    model.learn(60)
    state = checkpoint.model_state(model)
    checkpoint.save(tmp_path / "step", state)
    checkpoint.load_model_state(other, checkpoint.load(tmp_path / "step"))
    assert _equal(checkpoint.model_state(other), state)
    entropies = [m.log_ent_coef.item() for m in (model, other)]  # type: ignore[union-attr]
    assert entropies[0] == entropies[1] != 0.0
    assert checkpoint.weights_sha256(model) == checkpoint.weights_sha256(other)
    with pytest.raises(CheckpointError, match="do not fit"):
        checkpoint.load_model_state(
            PPO("MlpPolicy", "Pendulum-v1", device="cpu"), state
        )


_WRITER = """
import sys
from pathlib import Path
import numpy as np
from curiosity_rl import checkpoint
folder, k = Path(sys.argv[1]), 0
state = {"a": np.arange(100_000)}
while True:
    checkpoint.save(folder / f"step_{k:06d}", {**state, "k": k})
    k += 1
    print(k, flush=True)
"""


def test_a_killed_writer_leaves_only_whole_checkpoints(tmp_path: Path) -> None:
    delays = np.random.default_rng(0).uniform(0.0, 0.05, 3)
    for trial, delay in enumerate(delays):
        folder = tmp_path / str(trial)
        with subprocess.Popen(
            [sys.executable, "-c", _WRITER, str(folder)], stdout=subprocess.PIPE
        ) as writer:
            assert writer.stdout is not None
            writer.stdout.readline()  # one is complete
            time.sleep(delay)
            os.kill(writer.pid, signal.SIGKILL)
        whole = [p for p in folder.iterdir() if p.name.startswith("step_")]
        assert whole
        for path in whole:
            assert checkpoint.load(path)["k"] == int(path.name[5:])
