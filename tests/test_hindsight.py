"""Hindsight replay by its name, in the settings of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from stable_baselines3 import HerReplayBuffer

from curiosity_rl.adapters.replay import RelabelledHerReplayBuffer
from curiosity_rl.agents.cli import train_main
from curiosity_rl.agents.config import ExperimentConfig
from curiosity_rl.agents.experiment import build
from curiosity_rl.agents.runs import open_run

LIMIT, LANES = 10, 3
HER: dict[str, Any] = {
    "env": "point-maze-goal-v0",
    "env_kwargs": {"maze": "u", "goal_cells": "free", "max_steps": LIMIT},
    "algo": "sac",
    "algo_kwargs": {
        "replay_buffer_class": "her",
        "replay_buffer_kwargs": {"n_sampled_goal": 4},
        "learning_starts": LANES * LIMIT,
        "batch_size": 16,
        "buffer_size": 600,
    },
    "policy_kwargs": {"net_arch": [8]},
    "intrinsic": "none",
    "n_envs": LANES,
    "progress": False,
}


def changed(**more: Any) -> ExperimentConfig:
    kwargs = {**HER["algo_kwargs"], **more.pop("algo_kwargs", {})}
    return ExperimentConfig(**{**HER, **more, "algo_kwargs": kwargs})


def relabelled_share(model: Any) -> float:
    """Return the share of sampled goals that no episode was about."""
    buffer = model.replay_buffer
    np.random.seed(0)  # noqa: NPY002
    goals = buffer.sample(400).observations["desired_goal"].numpy()
    stored = buffer.observations["desired_goal"][: buffer.pos].reshape(-1, 2)
    return float(np.mean(~(goals[:, None] == stored).all(2).any(1)))


@pytest.mark.parametrize("goals", [4, 1])
def test_goals_are_replaced_by_places_that_were_reached(goals: int):
    kwargs = {"replay_buffer_kwargs": {"n_sampled_goal": goals}}
    model: Any = build(changed(algo_kwargs=kwargs)).model
    assert type(model.replay_buffer) is HerReplayBuffer
    model.learn(LANES * (LIMIT + 4))  # the first updates: at least one episode is over
    assert abs(relabelled_share(model) - goals / (goals + 1)) < 0.1


def test_a_bonus_is_scored_at_every_sample_of_hindsight():
    model: Any = build(
        changed(intrinsic="rnd", intrinsic_kwargs={"scale": False})
    ).model
    assert type(model.replay_buffer) is RelabelledHerReplayBuffer
    model.learn(LANES * (LIMIT + 4))
    paid = model.replay_buffer.sample(64).rewards.numpy()
    assert len(np.unique(paid)) > 10  # 0 and 1 alone without the bonus


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"algo_kwargs": {"replay_buffer_class": "hre"}}, "did you mean her"),
        ({"algo_kwargs": {"replay_buffer_class": 3}}, "known: her"),
        ({"algo_kwargs": {"replay_buffer_class": "os:system"}}, "unknown replay_buff"),
        ({"algo_kwargs": {"learning_starts": 29}}, "use at least 30"),
        ({"algo_kwargs": {"n_steps": 3}}, "use n_steps 1"),
        ({"algo_kwargs": {"replay_buffer_kwargs": {"n_goals": 4}}}, "n_goals"),
        ({"intrinsic": "rnd", "door": "wrapper"}, "use door replay or auto"),
        ({"env": "point-maze-v0", "env_kwargs": {}}, "such as point-maze-goal-v0"),
        ({"algo": "ppo"}, "unknown setting of ppo 'replay_buffer_class'"),
    ],
)
def test_what_would_fail_in_training_is_refused_before(
    settings: dict[str, Any], message: str
):
    with pytest.raises(ValueError, match=message):
        build(changed(**settings))


def test_a_command_line_names_it(tmp_path: Path):
    flags = ["--env", "point-maze-goal-v0", "--algo", "sac", "--intrinsic", "none"]
    flags += ["--env-kwargs.maze", "u", "--env-kwargs.max_steps", "10"]
    flags += ["--algo-kwargs.replay_buffer_class", "her", "-n", "40"]
    flags += ["--algo-kwargs.learning_starts", "20", "--n-envs", "2"]
    flags += ["--eval-students", "3", "--progress", "false"]
    assert train_main([*flags, "--log-folder", str(tmp_path)]) == 0
    (run,) = (tmp_path / "point-maze-goal-v0").iterdir()
    config = open_run(run).config()
    assert config.algo_kwargs["replay_buffer_class"] == "her"
    model: Any = build(config).model
    assert isinstance(model.replay_buffer, HerReplayBuffer)
