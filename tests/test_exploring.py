"""Exploring without a reward: what counts as found, what the file holds, the table."""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch as th
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, SyncVectorEnv

import curiosity_rl  # noqa: F401  registers the worlds
from curiosity_rl.agents import outcomes
from curiosity_rl.agents.building import make_bonus
from curiosity_rl.agents.experiment import build
from curiosity_rl.agents.exploring import (
    BELOW,
    BONUSES,
    GROUNDS,
    Finding,
    Ground,
    configuration,
    explore,
    markdown,
    play,
    write,
)
from curiosity_rl.agents.outcomes import append, read
from curiosity_rl.agents.visits import Visits
from curiosity_rl.agents.worlds import make_lanes

TINY = Ground(
    "noisy-corridor-v0",
    192,
    ("none", "count"),
    {"width": 2, "reward": "none"},
    {"algo_kwargs": {"n_steps": 48, "batch_size": 96, "n_epochs": 1}, "n_envs": 2},
    regions=("known", "unlearnable", "learnable", "hard"),
)
FINDING = Finding("a", "count", 0, "0123abcd", 100, 2.0, "cells", 12.0)

Step = tuple[dict[str, Any], float, str]
"""What a step tells, what it pays, and how it ends the episode, if it does."""


WRONG = {
    "moved": np.ones(4, np.float32),
    "region": np.int64(1),
    "is_success": True,
}


class Script(gym.Env[np.ndarray, Any]):
    """Plays steps from a list; what it tells at a reset is true of no step."""

    observation_space = spaces.Box(0.0, 1.0, (1,), np.float32)
    action_space = spaces.Discrete(8)

    def __init__(self, *steps: Step) -> None:
        self.steps = list(steps)
        self.wrong = {key: WRONG[key] for key in steps[0][0]}

    def reset(self, **_: Any) -> tuple[np.ndarray, dict[str, Any]]:
        return np.zeros(1, np.float32), self.wrong

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        told, reward, end = self.steps.pop(0)
        obs = np.zeros(1, np.float32)
        return obs, reward, end == "goal", end == "limit", told


def scripted(*scripts: Sequence[Step], **settings: Any) -> Visits:
    made = [lambda steps=steps: Script(*steps) for steps in scripts]
    lanes = SyncVectorEnv(made, autoreset_mode=AutoresetMode.SAME_STEP)
    visits = Visits(lanes, **settings)
    visits.reset(seed=0)
    return visits


def arm(stick: float, toy: float, walker: float, region: int) -> dict[str, Any]:
    moved = np.array([stick, toy, walker, 0.0], np.float32)
    return {"moved": moved, "region": np.int64(region)}


def test_findings_by_hand() -> None:
    visits = scripted(
        [
            (arm(0.0, 0, 0, 0), 0.0, ""),
            (arm(0.5, 0, 0, 2), 0.0, "limit"),
            (arm(0.0, 0, 0, 3), 0.0, ""),
            (arm(0.0, 0, 0, 3), 2.0, "goal"),
        ],
        [
            (arm(0, 0.1, 0, 2), 9.0, ""),  # paid, but no end: no success
            (arm(0, 0.1, 0, 2), 0.0, ""),
            (arm(0, 0.0, 0, 2), 0.0, "limit"),
            (arm(0, 0.0, 0.2, 0), 0.0, ""),  # an episode that never ends
        ],
        things=("stick", "toy", "walker", "far toy"),
        regions=("known", "unlearnable", "learnable", "hard"),
        watching=7,
    )
    for actions in ([7, 7], [7, 7], [7, 7], [0, 7]):
        _, reward, *_ = visits.step(np.array(actions))
        assert reward.tolist() == [0.0, 0.0]
    # Episodes in the order of their ends: stick, toy, success. The last fifth of three
    # is one. The last quarter of four steps is the fourth: regions 3 and 0.
    assert visits.measures() == pytest.approx(
        {
            "episodes": 3,
            "stick moved, ever": 1,
            "stick moved, all": 1 / 3,
            "stick moved, last fifth": 0,
            "toy moved, ever": 1,
            "toy moved, all": 1 / 3,
            "toy moved, last fifth": 0,
            "walker moved, ever": 1,
            "walker moved, all": 0,
            "walker moved, last fifth": 0,
            "far toy moved, ever": 0,
            "far toy moved, all": 0,
            "far toy moved, last fifth": 0,
            "success, ever": 1,
            "success, all": 1 / 3,
            "success, last fifth": 1,
            "known, last quarter": 0.5,
            "unlearnable, last quarter": 0,
            "learnable, last quarter": 0,
            "hard, last quarter": 0.5,
            "watching, last quarter": 0.5,
        }
    )


def test_a_success_on_the_way_counts_and_an_episode_cut_short_does_not() -> None:
    no, yes = {"is_success": False}, {"is_success": True}
    visits = scripted(
        [(no, 0.0, ""), (yes, 0.0, ""), (no, 0.0, "limit"), (no, 0.0, "limit")],
        [(yes, 0.0, ""), (no, 0.0, "limit"), (no, 5.0, "goal"), (no, 0.0, "limit")],
    )
    visits.step(np.zeros(2, int))
    visits.reset(options={"reset_mask": np.array([False, True])})
    assert visits.measures() == {"episodes": 0, "success, ever": 1}
    for _ in range(3):
        visits.step(np.zeros(2, int))
    found = visits.measures()  # a world that tells is believed, pay or no pay
    assert (found["episodes"], found["success, all"]) == (5, 1 / 5)


def corridor(reward: str, limit: int) -> Visits:
    lanes = gym.make_vec(
        "noisy-corridor-v0", 2, width=1, reward=reward, max_episode_steps=limit
    )
    visits = Visits(lanes, regions=("known", "unlearnable", "learnable", "hard"))
    visits.reset(seed=0)
    return visits


def test_the_last_cell_of_an_episode_counts() -> None:
    visits = corridor("none", 2)
    assert visits.measures() == {"episodes": 0, "cells": 1, "cells, share": 0.25}
    right, stay = 1, 2
    visits.step(np.array([right, stay]))
    visits.step(np.array([right, stay]))  # to place 2, and at once back to the start
    found = visits.measures()
    assert (found["cells"], found["cells, share"]) == (3, 0.75)
    assert found["learnable, last quarter"] == found["known, last quarter"] == 0.5
    assert "success, ever" not in found  # there is no door


def test_a_door_that_pays_nobody_is_found() -> None:
    visits = corridor("end", 100)
    for _ in range(3):
        visits.step(np.array([1, 2]))
    _, reward, terminated, _, _ = visits.step(np.array([1, 2]))
    assert terminated.tolist() == [True, False]
    assert reward.tolist() == [0.0, 0.0]
    found = visits.measures()
    assert (found["cells"], found["success, ever"], found["success, all"]) == (4, 1, 1)


def test_grounds_tell_what_their_worlds_tell() -> None:
    from curiosity_rl.envs.arm.rules import MOVED
    from curiosity_rl.envs.noisy_corridor import REGIONS

    assert GROUNDS["arm"].things == MOVED
    assert GROUNDS["noisy-corridor"].regions == REGIONS
    for ground in GROUNDS.values():
        if ground.usual:
            needed = {"none", "count", "noveld", "rnd", "bayes-linear"}
            assert needed < set(ground.bonuses)
        for label in ground.bonuses:
            config = configuration(ground, label, seed=3)
            if "reward" in ground.env_kwargs:  # grids have no form without one
                assert config.env_kwargs["reward"] == "none"
            assert config.n_timesteps % (config.n_envs * 64) == 0
            assert config.extrinsic == config.intrinsic.startswith("none")
            assert config.intrinsic_kwargs == BONUSES[label].kwargs
            assert config.seed == 3
            if config.intrinsic != "none":
                make_bonus(config)
    with pytest.raises(ValueError, match="did you mean noveld"):
        configuration(GROUNDS["arm"], "novel", 0)


@pytest.mark.parametrize("label", ["none", "none, learning", "count"])
def test_only_none_learns_nothing(label: str) -> None:
    config = configuration(TINY, label, seed=1)
    lanes = make_lanes(config.env, config.env_kwargs, config.n_envs)
    model = build(config, Visits(lanes)).model
    before = {k: v.clone() for k, v in model.policy.state_dict().items()}
    model.learn(96)
    after = model.policy.state_dict()
    same = all(th.equal(before[name], after[name]) for name in before)
    assert same == (label == "none")


def test_the_mazes_differ_in_the_television_only() -> None:
    still, noisy = GROUNDS["six-rooms"], GROUNDS["six-rooms-tv"]
    assert noisy.env_kwargs == {**still.env_kwargs, "noisy_tv": True}
    assert (noisy.frames, noisy.bonuses) == (still.frames, still.bonuses)
    lanes = make_lanes(noisy.env, dict(noisy.env_kwargs), 3)
    assert noisy.watching == lanes.single_action_space.n - 1  # type: ignore[attr-defined]
    lanes.reset(seed=0)
    assert len(set(lanes.unwrapped.coverage())) == 1  # type: ignore[attr-defined]


def test_prose_above_the_tables_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "found.md"
    write(file, "old\n")
    assert file.read_text("utf-8").startswith("# What is explored without a reward")
    file.write_text(f"Why.\n\n{BELOW}\nold\n", "utf-8")
    write(file, "new\n")
    assert file.read_text("utf-8") == f"Why.\n\n{BELOW}\nnew\n"


def test_a_run_is_played_kept_and_not_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    played: list[tuple[str, int]] = []

    def here(work: Any, runs: Sequence[Any], jobs: int) -> Iterator[tuple[Any, Any]]:
        assert (work, jobs) == (play, 3)
        for run in runs:
            name, ground, label, config = pickle.loads(pickle.dumps(run))
            if config.seed == 1:
                yield run, RuntimeError("its process died")
                continue
            played.append((label, config.seed))
            yield run, work(name, ground, label, config)

    monkeypatch.setattr(outcomes, "play_all", here)
    file, grounds = tmp_path / "new" / "found.csv", {"tiny": TINY}
    with pytest.raises(RuntimeError, match="tiny, none, seed 1; tiny, count, seed 1"):
        explore([], [], [0, 1], file, jobs=3, grounds=grounds)
    assert played == [("none", 0), ("count", 0)]
    assert "[2/4] tiny, count, seed 0: 192 frames" in capsys.readouterr().err
    held = read(file, Finding)
    found = explore(["tiny"], [], [0], file, jobs=3, grounds=grounds)
    assert played == [("none", 0), ("count", 0)]
    assert found == held
    # A hundred steps an episode, 96 steps a lane: none has ended.
    assert [f.measure for f in found if f.bonus == "count"] == [
        "episodes", "cells", "cells, share", "known, last quarter",
        "unlearnable, last quarter", "learnable, last quarter", "hard, last quarter",
    ]  # fmt: skip
    values = {f.measure: f.value for f in found if f.bonus == "count"}
    assert values["episodes"] == 0
    assert 1 < values["cells"] == 8 * values["cells, share"]
    shares = [value for name, value in values.items() if "quarter" in name]
    assert sum(shares) == pytest.approx(1)
    assert {f.frames for f in found} == {192}
    other = {"tiny": replace(TINY, env_kwargs={"width": 3, "reward": "none"})}
    assert explore([], ["none"], [0], file, jobs=3, grounds=other) != found[:7]
    assert played[2:] == [("none", 0)]
    with pytest.raises(ValueError, match="did you mean tiny"):
        explore(["tiniest"], [], [0], file, grounds=grounds)


def test_findings_survive_the_file(tmp_path: Path) -> None:
    file = tmp_path / "found.csv"
    share = replace(FINDING, measure="toy moved, last fifth", value=0.03125)
    append(file, FINDING, share)
    append(file, replace(FINDING, seed=1))
    assert read(file, Finding) == [FINDING, share, replace(FINDING, seed=1)]


def test_table_golden() -> None:
    def row(bonus: str, seed: int, **values: float) -> list[Finding]:
        names = {"share": "toy moved, all", "ever": "toy moved, ever"}
        return [
            replace(FINDING, bonus=bonus, seed=seed, measure=names.get(m, m), value=v)
            for m, v in {"episodes": 960, **values}.items()
        ]

    found = [
        *row("none", 0, cells=1200, share=0.0, ever=0),
        *row("none", 1, cells=900, share=0.0, ever=0),
        *row("rnd", 0, cells=1000, share=0.25, ever=1),
        *row("rnd", 1, cells=1001, share=0.5, ever=1),
        *row("rnd", 2, cells=2000, share=0.0, ever=0),
    ]
    lines = markdown(found).splitlines()
    assert lines[0] == "## a, 100 frames"
    assert lines[2] == "| bonus | runs | cells | toy moved, all | toy moved, ever |"
    assert lines[4:6] == [
        "| none | 2 | 1,050 (900 to 1,200) | 0.000 (0.000 to 0.000) | 0 of 2 |",
        "| rnd | 3 | 1,001 (1,000 to 2,000) | 0.250 (0.000 to 0.500) | 2 of 3 |",
    ]
    assert lines[7] == "The same in every run: episodes: 960."
    assert lines[9].startswith("Only 2 seeds in a row, fewer than 10")
    other = [replace(f, task="b", value=0.5) for f in found[:4]]
    tables = markdown([*found, *other])
    assert "\n\n## b, 100 frames\n" in tables
    assert "| none | 1 | 0 | 0.500 | no |" not in tables
    many = [replace(FINDING, seed=seed, value=seed) for seed in range(10)]
    assert "Only" not in markdown(many)
