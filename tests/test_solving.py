"""The learning table: when a run stops, what its file holds, what the table says."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from stable_baselines3 import PPO

from curiosity_rl.adapters.sb3 import VectorEnvAdapter
from curiosity_rl.agents import outcomes, solving
from curiosity_rl.agents.experiment import build
from curiosity_rl.agents.outcomes import append, play_all, read
from curiosity_rl.agents.solving import (
    Outcome,
    best_return,
    configurations,
    markdown,
    play,
    solve,
)
from curiosity_rl.agents.stopping import EpisodeLog, StopWhenSolved
from curiosity_rl.agents.tasks import TASKS, Task, chosen_tasks
from curiosity_rl.registry import WORLDS

TINY = Task(
    "empty-v0",
    12_000,
    level=0.8,
    env_kwargs={"size": 4, "obs": "onehot"},
    settings={
        "algo_kwargs": {"n_steps": 16, "batch_size": 128},
        "n_envs": 16,
        "intrinsic": "count",
        "eval_students": 40,
    },
    window=40,
)
OUTCOME = Outcome("a", "count", 0, "0123abcd", 100, 9, 2.0, 1.5, True, 0.9, 0.8, 0.7)


class Script(gym.Env[np.ndarray, Any]):
    """Plays episodes from a list for ever: the rewards of each, and how it ends."""

    observation_space = spaces.Box(0.0, 1.0, (1,), np.float32)
    action_space = spaces.Discrete(2)

    def __init__(self, *episodes: tuple[Sequence[float], str]) -> None:
        self.episodes, self.number, self.t = episodes, -1, 0

    def reset(self, **_: Any) -> tuple[np.ndarray, dict[str, Any]]:
        self.number, self.t = (self.number + 1) % len(self.episodes), 0
        return np.zeros(1, np.float32), {}

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        rewards, end = self.episodes[self.number]
        self.t += 1
        over = self.t == len(rewards)
        obs, reward = np.zeros(1, np.float32), rewards[self.t - 1]
        return obs, reward, over and end == "goal", over and end == "limit", {}


def lanes(*envs: gym.Env) -> SyncVectorEnv:
    made: list[Callable[[], gym.Env]] = [lambda env=env: env for env in envs]
    return SyncVectorEnv(made, autoreset_mode=AutoresetMode.SAME_STEP)


def test_finished_episodes_by_hand() -> None:
    first = Script(([0.0, 0.5], "goal"), ([0.25, 0.0, 0.0], "limit"))
    second = Script(([1.0, 1.0, -4.0], "goal"), ([0.0, 2.0], "goal"))
    log = EpisodeLog(lanes(first, second), window=3)
    log.reset(seed=0)
    seen = []
    for _ in range(5):
        log.step(np.zeros(2, int))
        seen.append((log.count, log.average("return"), log.average("success")))
    # Ends: step 2 (.5, goal), step 3 (-2, ended without pay), step 5 (.25 at the limit;
    # 2, goal): the window of three forgets the first.
    assert [count for count, _, _ in seen] == [0, 1, 2, 2, 4]
    assert all(math.isnan(mean) for _, *means in seen[:4] for mean in means)
    assert seen[4][1:] == pytest.approx(((-2 + 0.25 + 2) / 3, 1 / 3))


def test_episodes_reset_half_way_do_not_count() -> None:
    log = EpisodeLog(lanes(Script(([7.0, 7.0], "goal")), Script(([1.0], "goal"))), 1)
    log.reset(seed=0)
    log.step(np.zeros(2, int))
    log.reset(options={"reset_mask": np.array([True, False])})
    assert log.count == 1
    log.step(np.zeros(2, int))
    log.step(np.zeros(2, int))
    assert log.count == 4
    assert log.average("return") == 1.0  # of the second lane, noted after the first


@pytest.mark.parametrize(
    ("level", "window", "frames"),
    [
        (1.0, 5, 24),  # two episodes of four steps per rollout of eight: 2, 4, 6
        (1.0, 4, 16),
        (1.1, 4, 80),  # never
    ],
)
def test_training_stops_after_the_rollout_that_reaches_the_level(
    level: float, window: int, frames: int
) -> None:
    log = EpisodeLog(lanes(Script(([0.0, 0.0, 0.0, 1.0], "goal"))), window)
    venv = VectorEnvAdapter(log, 0)
    model = PPO("MlpPolicy", venv, n_steps=8, batch_size=8, n_epochs=1, device="cpu")
    stop = StopWhenSolved(log, "success", level, 8)
    model.learn(80, callback=stop)
    assert model.num_timesteps == frames
    assert stop.solved == (frames < 80)


def test_the_bonus_is_all_that_runs_without_it_lack() -> None:
    known = {name: task for name, task in TASKS.items() if task.env in WORLDS}
    assert {"door-key-8x8", "river-swim", "obstructed-maze-1dlh"} <= set(known)
    assert len(configurations(known.pop("point-maze-goal-u"), 3)) == 1  # hindsight
    for task in known.values():
        config, plain = configurations(task, seed=3)
        assert (plain.intrinsic, plain.coef, plain.seed) == ("none", 0.0, 3)
        assert config.n_timesteps == plain.n_timesteps == task.most
        changed = {k for k, v in asdict(config).items() if asdict(plain)[k] != v}
        may = {"intrinsic", "intrinsic_kwargs", "coef", "algo_kwargs", "name"}
        assert changed <= may
        lost = set(config.algo_kwargs.items()) - set(plain.algo_kwargs.items())
        assert {name for name, _ in lost} <= {"extrinsic_coef"}
        assert configurations(task, 3, without=False) == [config]
    config, plain = configurations(TASKS["door-key-8x8"], seed=0)
    assert config.env_kwargs == {"obs": "onehot", "size": 8}
    assert build(plain).reward is None


def test_chosen_tasks() -> None:
    assert list(chosen_tasks(["key-corridor-s4r3"])) == ["key-corridor-s4r3"]
    usual = chosen_tasks([])
    assert not any(task.stretch for task in usual.values())
    assert {"door-key-8x8", "multi-room-n6", "deep-sea-20"} <= set(usual)
    with pytest.raises(ValueError, match="did you mean door-key-8x8"):
        chosen_tasks(["door-key"])


def test_a_task_is_solved_in_one_process() -> None:
    config, _ = configurations(TINY, seed=0)
    outcome = play("tiny", TINY, config)
    assert (outcome.task, outcome.bonus, outcome.seed) == ("tiny", "count", 0)
    assert outcome.solved
    assert 0.8 <= outcome.reached <= 1
    assert outcome.frames < TINY.most
    assert outcome.frames % 256 == 0
    assert outcome.episodes >= 40
    assert outcome.success > 0.6
    assert 0 < outcome.mean_return < outcome.success
    assert outcome.seconds > 0 < outcome.cpu_seconds


def test_a_run_is_given_up_before_it_takes_more_than_it_may() -> None:
    task = replace(TINY, most=700, level=1.0)
    outcome = play("tiny", task, configurations(task, seed=0)[1])
    assert (outcome.solved, outcome.bonus) == (False, "none")
    assert outcome.frames == 512  # two rollouts of 16 x 16


def test_runs_of_the_file_are_not_repeated_and_the_failed_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    played: list[tuple[str, str, int]] = []
    broken: set[int] = {1}

    def pretend(_: Any, runs: Sequence[Any], jobs: int) -> Iterator[tuple[Any, Any]]:
        assert jobs == 3
        for run in runs:
            name, task, config = run
            if config.seed in broken:
                yield run, RuntimeError("its process died")
                continue
            key = solving._planned(name, task, config)
            played.append(key[:3])
            rest = asdict(replace(OUTCOME, frames=config.seed))
            for part in ("task", "bonus", "seed", "settings"):
                del rest[part]
            yield run, Outcome(*key, **rest)

    monkeypatch.setattr(outcomes, "play_all", pretend)
    file = tmp_path / "new" / "solving.csv"
    tasks = {"tiny": TINY}
    with pytest.raises(RuntimeError, match="tiny, count, seed 1; tiny, none, seed 1"):
        solve([], [0, 1], file, jobs=3, tasks=tasks)
    assert played == [("tiny", "count", 0), ("tiny", "none", 0)]
    assert "[3/4] tiny, count, seed 1: failed: RuntimeError" in capsys.readouterr().err
    played.clear()
    broken.clear()
    found = solve([], [0, 1], file, jobs=3, tasks=tasks)
    assert played == [("tiny", "count", 1), ("tiny", "none", 1)]
    assert [(o.bonus, o.seed) for o in found] == [
        ("count", 0), ("none", 0), ("count", 1), ("none", 1)
    ]  # fmt: skip
    assert [o.frames for o in found] == [0, 0, 1, 1]
    assert "solved after 1 frames" in capsys.readouterr().err
    played.clear()
    assert solve([], [1], file, jobs=3, without=False, tasks=tasks) == [found[2]]
    assert played == []
    # Other settings are other runs; the file keeps both.
    harder = {"tiny": replace(TINY, level=0.9)}
    (other,) = solve([], [1], file, jobs=3, without=False, tasks=harder)
    assert played == [("tiny", "count", 1)]
    assert other.settings != found[2].settings
    assert len(read(file, Outcome)) == 5


def test_outcomes_survive_the_file(tmp_path: Path) -> None:
    file = tmp_path / "solving.csv"
    other = replace(OUTCOME, solved=False, seed=7)
    append(file, OUTCOME)
    append(file, other)
    assert read(file, Outcome) == [OUTCOME, other]
    file.write_text("task,frames\na,1\n")
    with pytest.raises(ValueError, match="has the columns task, frames"):
        read(file, Outcome)


def test_processes_that_die_or_fail_take_no_other_with_them() -> None:
    ended = dict(play_all(os._exit, [(1,)], 1))
    assert str(ended[(1,)]) == "its process died"
    results = dict(play_all(math.sqrt, [(4.0,), (-1.0,), (9.0,)], 2))
    assert results[(4.0,)] == 2.0
    assert results[(9.0,)] == 3.0
    assert isinstance(results[(-1.0,)], ValueError)


def test_table_golden() -> None:
    task = Task("x", 500, bar_frames=250, bar_seconds=2.5)
    frames = ((300, True), (100, True), (500, False), (200, True), (250, True))
    group = [
        replace(
            OUTCOME,
            seed=seed,
            frames=count,
            solved=solved,
            cpu_seconds=count / 100,
            success=0.5 + seed / 10,
            mean_return=seed / 10,
        )
        for seed, (count, solved) in enumerate(frames)
    ]
    none = [replace(o, bonus="none", solved=o.frames == 100) for o in group]
    lines = markdown([*group, *none], {"a": task}).splitlines()
    assert lines[2] == (
        "| a | success .9 | count | 4 of 5 | 250 (100 to more than 500) | 2.5 | 0.700 "
        "| 0.200 | 250 frames and 2.5 s: met |"
    )
    assert lines[3] == (
        "| a | success .9 | none | 1 of 5 | more than 500 (100 to more than 500) | "
        "more than 2.8 | 0.700 | 0.200 |  |"
    )
    assert lines[5].startswith("Only 5 seeds in a row, fewer than 10")
    slower = [replace(o, cpu_seconds=o.cpu_seconds + 0.1) for o in group]
    assert "2.5 s: missed" in markdown(slower, {"a": task})
    many = [replace(OUTCOME, seed=seed) for seed in range(10)]
    assert "Only" not in markdown(many, {"a": task})


def test_optimum_of_the_river_is_that_of_its_published_chain() -> None:
    """Osband, Russo & Van Roy (2013), figure 2: always right, 200 steps, by matrix."""
    move = np.zeros((6, 6))
    for place in range(6):
        ahead = 0.6 if place == 0 else 0.35
        stay = {0: 0.4, 5: 0.6}.get(place, 0.6)
        if place < 5:
            move[place, place + 1] = ahead
        move[place, place] = stay
        if place > 0:
            move[place, place - 1] = 0.4 if place == 5 else 0.05
    assert np.allclose(move.sum(axis=1), 1)
    at, expected = np.eye(6)[0], 0.0
    for _ in range(200):
        expected += at[5]
        at = at @ move
    task = TASKS["river-swim"]
    measured = best_return(task, configurations(task, 0)[0])
    assert measured == pytest.approx(expected, rel=0.02)
