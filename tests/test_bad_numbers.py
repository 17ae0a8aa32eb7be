"""NaN and infinity stop a run with a sentence; what was saved before stays good."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch as th
from broken_worlds import EPISODE, NAME

from curiosity_rl import checkpoint
from curiosity_rl.adapters.paying import NotFinite
from curiosity_rl.agents import building
from curiosity_rl.agents.cli import train_main
from curiosity_rl.agents.config import ExperimentConfig
from curiosity_rl.agents.experiment import build, finish
from curiosity_rl.agents.resuming import reopen
from curiosity_rl.agents.runs import RunFolder, begin
from curiosity_rl.protocols import Transitions
from curiosity_rl.rewards import make_reward
from curiosity_rl.seeding import lane_seeds

LANES, LANE = 3, 1
ROLLOUT = {"n_steps": 8, "batch_size": 12, "n_epochs": 1}
REPLAY = {"learning_starts": 8, "batch_size": 4, "train_freq": 8, "buffer_size": 99}
ALGORITHMS: dict[str, dict[str, Any]] = {
    "ppo": {"algo_kwargs": ROLLOUT, "intrinsic": "none", "coef": 0.0},
    "intrinsic-ppo": {"algo_kwargs": ROLLOUT, "intrinsic": "rnd"},
    "a2c": {"algo_kwargs": {"n_steps": 8}, "intrinsic": "count", "normalize": True},
    "dqn": {"algo_kwargs": REPLAY, "intrinsic": "icm", "normalize": True},
    "sac": {"algo_kwargs": REPLAY, "intrinsic": "none", "coef": 0.0},
}


def settings(algo: str, folder: Path, **env_kwargs: Any) -> ExperimentConfig:
    kwargs = {"continuous": algo == "sac", **env_kwargs}
    return ExperimentConfig.load(
        **ALGORITHMS[algo],
        env=NAME,
        env_kwargs=kwargs,
        algo=algo,
        policy_kwargs={"net_arch": [4]},
        n_envs=LANES,
        n_timesteps=480,
        save_freq=1,
        eval_students=2,
        progress=False,
        log_folder=str(folder),
    )


def stopped(config: ExperimentConfig, capsys: pytest.CaptureFixture[str]) -> str:
    """Train by the command line to a bad end; return its sentence, check the rest."""
    folder = Path(config.log_folder)
    file = folder / "settings.yaml"
    file.write_text(config.to_yaml())
    assert train_main(["--config", str(file)]) == 1
    err = capsys.readouterr().err
    lines = [line for line in err.splitlines() if "compiling kernels" not in line]
    assert len(lines) == 1, err
    (path,) = (folder / NAME).iterdir()
    run = RunFolder(path)
    assert run.result() is None
    for saved in run.checkpoints.iterdir():
        state = checkpoint.load(saved)["model"]
        assert all(t.isfinite().all() for t in state["parameters"]["policy"].values())
    assert reopen(path).steps > 0
    newest = sorted(p.name for p in run.checkpoints.iterdir())[-1]
    assert f"saved: {newest}; go on: curiosity-rl train --resume {path}" in err
    return err


@pytest.mark.promise("NaN and infinity stop a run by name, and spoil nothing saved")
@pytest.mark.parametrize("algo", ALGORITHMS)
@pytest.mark.parametrize(
    ("field", "at", "value", "told"),
    [
        ("obs", 38, np.nan, "step 38: obs[1] is nan"),
        ("reward", 40, np.inf, "step 40: reward is inf"),
        ("last", 6 * EPISODE - 1, -np.inf, "step 41: last observation[1] is -inf"),
        ("first", 6 * EPISODE - 1, np.nan, "step 41: obs[1] is nan"),
    ],
)
def test_a_world_that_breaks_is_named(
    algo: str,
    field: str,
    at: int,
    value: float,
    told: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    seed = lane_seeds(0, "training", LANES)[LANE]
    config = settings(algo, tmp_path, field=field, seed=seed, at=at, value=value)
    assert f"error: lane {LANE}, {told}" in stopped(config, capsys)


@pytest.mark.promise("NaN and infinity stop a run by name, and spoil nothing saved")
@pytest.mark.parametrize("algo", ["intrinsic-ppo", "a2c", "dqn"])
def test_a_bonus_that_breaks_is_named(
    algo: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(config: ExperimentConfig) -> Any:
        reward: Any = make_reward(config.intrinsic)
        compute, steps = reward.compute, [0]

        def spoilt(batch: Transitions) -> np.ndarray:
            bonus = np.array(compute(batch))
            if batch.shape[1] == LANES:
                if steps[0] <= 100 < steps[0] + len(bonus):
                    bonus[100 - steps[0], LANE] = np.nan
                steps[0] += len(bonus)
            return bonus

        reward.compute = spoilt
        return reward

    monkeypatch.setattr(building, "make_bonus", broken)
    err = stopped(settings(algo, tmp_path), capsys)
    assert f"error: lane {LANE}, step 100: bonus of " in err


@pytest.mark.promise("NaN and infinity stop a run by name, and spoil nothing saved")
@pytest.mark.parametrize("algo", ALGORITHMS)
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_gradient_that_breaks_is_named_and_changes_nothing(
    algo: str, value: float, tmp_path: Path
) -> None:
    config = settings(algo, tmp_path)
    experiment = build(config)
    model = experiment.model
    name, parameter = list(model.policy.named_parameters())[1]
    before: list[dict[str, th.Tensor]] = []

    def spoil(gradient: th.Tensor) -> th.Tensor:
        if model.num_timesteps < 240:
            return gradient
        found = model.policy.state_dict().items()
        before.append({key: tensor.clone() for key, tensor in found})
        return gradient * value

    parameter.register_hook(spoil)
    run = begin(config)
    with pytest.raises(NotFinite) as raised:
        finish(experiment, run, baselines=False)
    assert str(raised.value).startswith("step 240: the gradient of ")
    if np.isinf(value):  # a NaN is spread by clipping
        assert f" {name} (" in str(raised.value)
    after = model.policy.state_dict()
    assert all(th.equal(after[key], tensor) for key, tensor in before[-1].items())
    assert reopen(run.path).steps > 0


def test_weights_that_are_not_finite_are_never_saved(tmp_path: Path) -> None:
    config = settings("ppo", tmp_path)
    experiment = build(config)
    model: Any = experiment.model
    train = model.train

    def spoil() -> None:
        train()
        if model.num_timesteps == 72:
            model.policy.value_net.bias.data.fill_(np.nan)

    model.train = spoil
    run = begin(config)
    with pytest.raises(NotFinite, match=r"value_net\.bias holds NaN.* 72 steps"):
        finish(experiment, run, baselines=False)
    assert reopen(run.path).steps == 48
