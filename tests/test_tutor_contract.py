"""What every registered tutor promises in every tutor world that it can read.

Lanes end at different steps here, by a reset of some lanes, as they do in worlds where
students leave. A tutor that draws is given the same draws in every lane.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from tutor_desk import with_one_draw

import curiosity_rl  # noqa: F401  registers the worlds
from curiosity_rl.agents.tutors import Tutor, available_tutors, make_tutor
from curiosity_rl.protocols import ActivityLayout
from curiosity_rl.registry import TUTORS, WORLDS

SCHOOLS: dict[str, tuple[str, dict[str, Any]]] = {
    **{name: (name, {}) for name in sorted(WORLDS) if name.startswith("tutor-")},
    "three representations": ("tutor-v0", {"representations": 3, "probe": True}),
    "many parents": (
        "tutor-v0",
        {"curriculum": {"a": [], "b": [], "c": [], "d": ["a", "b", "c"]}, "goals": 1},
    ),
    "graph inferred": ("tutor-noisy-v0", {"belief": "graph", "particles": 4}),
    "nothing shown": ("tutor-blind-v0", {"belief": False, "lesson": 7}),
}
"""Every tutor world, and settings that change what a tutor reads or may do."""
LANES, BUDGET, STEPS, SEED = 3, 16, 42, 5
LEAVES = {9: [False, True, False], 20: [True, False, False]}
"""Lanes that begin anew before their time, by step."""
QUICK = {"perseus": {"points": 60}}
EVERY = pytest.mark.parametrize("world", SCHOOLS)


def school(world: str, lanes: int = LANES) -> Any:
    name, settings = SCHOOLS[world]
    return gym.make_vec(name, lanes, budget=BUDGET, **settings)


def made(name: str, layout: ActivityLayout, seed: int = 0) -> Tutor:
    """A tutor; a planner plans for few beliefs, which takes it no seconds."""
    return make_tutor(name, layout, seed, **QUICK.get(name, {}))


def names(world: str, privileged: bool | None = None) -> list[str]:
    """Names of the tutors that can read a world."""
    layout = school(world, 1).unwrapped.layout
    return [
        name
        for name in available_tutors(layout)
        if privileged in (None, make_tutor(name, layout).privileged)
    ]


def lessons(
    world: str, tutor: Any
) -> Iterator[tuple[np.ndarray, dict[str, Any], np.ndarray, np.ndarray]]:
    """Teach; give observations, info, which lanes have just begun, and activities."""
    venv = school(world)
    obs, info = venv.reset(seed=SEED)
    tutor.reset(obs, info)
    begun = np.ones(LANES, bool)
    for t in range(STEPS):
        actions = tutor.act(obs, info)
        yield obs, info, begun, actions
        obs, _, terminated, truncated, info = venv.step(actions)
        begun = terminated | truncated
        if t in LEAVES:
            mask = np.array(LEAVES[t]) & ~begun
            stay = dict(info["truth"])
            obs, info = venv.reset(options={"reset_mask": mask})
            info["truth"] = _joined(stay, info["truth"], mask)
            begun = begun | mask
    venv.close()


def _joined(
    before: Mapping[str, Any], after: Mapping[str, Any], mask: np.ndarray
) -> dict[str, Any]:
    """The truth of a step in which the lanes in `mask` have begun anew, too."""
    truth = dict(after)
    for key, old in before.items():
        if key.startswith("_"):
            truth[key] = old | after.get(key, mask)
        else:
            anew = mask.reshape(-1, *[1] * (np.ndim(old) - 1))
            truth[key] = np.where(anew, after[key], old)
    return truth


def lane_of(info: Mapping[str, Any], lane: int) -> dict[str, Any]:
    """The info of one lane, as a batch of one."""
    return {
        key: lane_of(value, lane) if isinstance(value, Mapping) else value[lane:][:1]
        for key, value in info.items()
        if key not in ("final_obs", "final_info", "_final_obs", "_final_info")
    }


def test_there_are_worlds_and_tutors_to_hold_to_it() -> None:
    assert len(SCHOOLS) >= 4
    assert set().union(*map(names, SCHOOLS)) == set(TUTORS)


@EVERY
def test_activities_are_allowed_and_lanes_are_students_of_their_own(world: str) -> None:
    """Each lane is taught as a tutor of one student alone would, episode by episode."""
    venv = school(world)
    layout, space = venv.unwrapped.layout, venv.action_space
    venv.close()
    for name in names(world):
        alone = [with_one_draw(made(name, layout)) for _ in range(LANES)]
        begun_again = 0
        tutor = with_one_draw(made(name, layout))
        for obs, info, begun, actions in lessons(world, tutor):
            assert actions.dtype == np.int64, name
            assert space.contains(actions), name
            assert actions.max() < layout.activities, name
            begun_again += begun.sum()
            for lane, own in enumerate(alone):
                one, told = obs[lane : lane + 1], lane_of(info, lane)
                if begun[lane]:
                    alone[lane] = own = with_one_draw(made(name, layout))
                    own.reset(one, told)
                assert own.act(one, told)[0] == actions[lane], (name, lane)
        assert begun_again >= LANES + 2, name


class Sealed(dict[str, Any]):
    """An info that nobody may read the truth from."""

    def __getitem__(self, key: str) -> Any:
        assert key != "truth", "reads the truth"
        return super().__getitem__(key)

    def get(self, key: str, default: Any = None) -> Any:
        assert key != "truth", "reads the truth"
        return super().get(key, default)


@EVERY
def test_a_seed_and_what_is_shown_decide_a_lesson_unless_a_tutor_is_privileged(
    world: str,
) -> None:
    """A second tutor of the same seed, which cannot read the truth, acts alike."""
    layout = school(world, 1).unwrapped.layout
    for name in names(world, privileged=False):
        honest = made(name, layout, 3)
        blindfolded = made(name, layout, 3)
        for t, (obs, info, _, actions) in enumerate(lessons(world, honest)):
            sealed = Sealed({**info, "truth": None})
            if t == 0:
                blindfolded.reset(obs, sealed)
            np.testing.assert_array_equal(blindfolded.act(obs, sealed), actions)
    for name in names(world, privileged=True):
        obs, info = school(world, 1).reset(seed=0)
        with pytest.raises(AssertionError, match="reads the truth"):
            made(name, layout).reset(obs, Sealed(info))
