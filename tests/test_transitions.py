"""What TransitionRecorder keeps of the steps that pass through it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from adapter_worlds import LANES, Walk, same, sync
from stable_baselines3.common.vec_env import (
    DummyVecEnv,
    VecMonitor,
    VecNormalize,
)

from curiosity_rl.adapters.infos import merge_info
from curiosity_rl.adapters.paying import NotFinite
from curiosity_rl.adapters.sb3 import VectorEnvAdapter
from curiosity_rl.adapters.transitions import TransitionRecorder, is_numeric


def test_recorder_gives_the_same_over_both() -> None:
    drained = []
    for venv in (VectorEnvAdapter(sync()), DummyVecEnv([Walk] * LANES)):
        venv.seed(1)
        recorder = TransitionRecorder(VecMonitor(venv))
        recorder.reset()
        rng = np.random.default_rng(0)
        for _ in range(40):
            recorder.step(rng.integers(0, 5, LANES))
        drained.append(recorder.drain())
    ours, theirs = drained
    for field in ("obs", "action", "reward", "next_obs", "terminated", "truncated"):
        same(getattr(ours, field), getattr(theirs, field))
    assert set(ours.info) == set(theirs.info) == {"place", "answer", "pair"}
    for key in ours.info:
        np.testing.assert_array_equal(ours.info[key], theirs.info[key])


@pytest.mark.parametrize("as_dict", [False, True])
def test_recorder_against_brute_force(as_dict: bool) -> None:
    recorder = TransitionRecorder(VectorEnvAdapter(sync(as_dict=as_dict), seed=5))
    seen = recorder.reset()
    rng, rows = np.random.default_rng(0), []
    for _ in range(30):
        actions = rng.integers(0, 5, LANES)
        obs, rewards, dones, infos = recorder.step(actions)
        for lane in range(LANES):
            pick = (
                (lambda o, i=lane: {k: v[i] for k, v in o.items()})
                if as_dict
                else (lambda o, i=lane: o[i])
            )
            last = infos[lane].get("terminal_observation")
            cut = infos[lane].get("TimeLimit.truncated", False)
            rows.append(
                (
                    pick(seen),
                    actions[lane],
                    rewards[lane],
                    pick(obs) if last is None else last,
                    bool(dones[lane]) and not cut,
                    cut,
                )
            )
        rewards += 1000.0  # SB3 changes rewards in place; the record must not follow
        seen = obs
    batch = recorder.drain()
    assert batch.shape == (30, LANES)
    assert batch.done.any()
    for i, (obs, action, reward, next_obs, terminated, truncated) in enumerate(rows):
        at = divmod(i, LANES)
        for ours, expected in ((batch.obs, obs), (batch.next_obs, next_obs)):
            got = {k: v[at] for k, v in ours.items()} if as_dict else ours[at]
            np.testing.assert_equal(got, expected)
        assert batch.action[at] == action
        assert batch.reward[at] == reward
        assert (batch.terminated[at], batch.truncated[at]) == (terminated, truncated)


def test_two_drains_equal_one() -> None:
    batches = []
    for pieces in ((20,), (7, 13)):
        recorder = TransitionRecorder(VectorEnvAdapter(sync(), seed=5))
        recorder.reset()
        rng = np.random.default_rng(0)
        parts = []
        for length in pieces:
            for _ in range(length):
                recorder.step(rng.integers(0, 5, LANES))
            parts.append(recorder.drain())
        batches.append(np.concatenate([part.next_obs for part in parts]))
    np.testing.assert_array_equal(*batches)


class Reusing(VecMonitor):
    """Hands out one observation array again and again, as some environments do."""

    def reset(self) -> Any:
        self.shared = np.array(super().reset())
        return self.shared

    def step_wait(self) -> Any:
        obs, *rest = super().step_wait()
        self.shared[:] = obs
        return self.shared, *rest


def test_recorder_copies_what_the_env_reuses() -> None:
    recorder = TransitionRecorder(Reusing(DummyVecEnv([Walk] * 2)))
    recorder.reset()
    seen = [np.array(recorder.step(np.array([4, 4]))[0]) for _ in range(5)]
    np.testing.assert_array_equal(recorder.drain().obs[1:], seen[:-1])


def test_recorder_under_vec_normalize_sees_normalised_ends() -> None:
    venv = VecNormalize(VectorEnvAdapter(sync(), seed=5))
    recorder = TransitionRecorder(venv)
    recorder.reset()
    rng, ends = np.random.default_rng(0), []
    for _ in range(30):
        _, _, dones, infos = recorder.step(rng.integers(0, 5, LANES))
        ends += [infos[i]["terminal_observation"] for i in np.flatnonzero(dones)]
    batch = recorder.drain()
    np.testing.assert_array_equal(batch.next_obs[batch.done], ends)
    assert np.abs(batch.next_obs).max() < 8  # raw places go further than that


def walk_to_the_end(venv: TransitionRecorder) -> None:
    for _ in range(7):
        venv.step(np.array([2]))


def test_recorder_needs_a_step_and_a_last_observation() -> None:
    recorder = TransitionRecorder(DummyVecEnv([Walk]))
    recorder.reset()
    with pytest.raises(ValueError, match="nothing was recorded"):
        recorder.drain()

    class Forgetful(VecMonitor):
        def step_wait(self) -> Any:
            obs, rewards, dones, _ = super().step_wait()
            return obs, rewards, dones, [{}]

    recorder = TransitionRecorder(Forgetful(DummyVecEnv([Walk])))
    recorder.reset()
    with pytest.raises(ValueError, match="terminal_observation"):
        walk_to_the_end(recorder)


def test_recorder_refuses_first_observations_that_are_not_finite() -> None:
    class Ill(Walk):
        """Begins each episode but the first with an infinite place."""

        def reset(self, **kwargs: Any) -> Any:
            obs, info = super().reset(**kwargs)
            obs[1] = np.inf if self.episode > 1 else obs[1]
            return obs, info

    first = r"first observation of an episode\[1\] is inf"
    recorder = TransitionRecorder(DummyVecEnv([Walk, Ill]))
    recorder.seed(4)
    recorder.reset()
    steps = 0

    def play() -> None:
        nonlocal steps
        while True:
            steps += 1
            assert not recorder.step(np.array([2, 2]))[2][1]
            recorder.drain()

    with pytest.raises(NotFinite, match=rf"^lane 1, step \d: {first}") as error:
        play()
    assert f"step {steps}: " in str(error.value)  # the step that would come next
    with pytest.raises(NotFinite, match=f"^lane 1, step {steps}: {first}"):
        recorder.reset()


class Ragged(Walk):
    """Reports entries of no regular shape, or whose shape goes with time or lane."""

    def __init__(self, width: int = 1, size: int = 3) -> None:
        super().__init__(size=size)
        self.width = width

    def step(self, action: Any) -> Any:
        obs, reward, *ends, info = super().step(action)
        info |= {
            "trail": np.arange(self.t),
            "m": [[1], [1, 2]],
            "wide": np.zeros(self.width),
            "turns": "none yet" if self.t == 1 else 1.0,
            "grows": 0 if self.t == 1 else 0.5,
            "bare": {1, 2},
        }
        return obs, reward, *ends, info


REGULAR = {"place", "answer", "pair", "grows"}


def test_recorder_keeps_the_info_of_one_shape() -> None:
    recorder = TransitionRecorder(DummyVecEnv([Ragged, lambda: Ragged(2)]))
    recorder.seed(8)
    recorder.reset()
    recorder.step(np.array([1, 1]))
    assert set(recorder.drain().info) == REGULAR | {"trail"}  # of one step
    recorder.reset()
    for _ in range(3):
        recorder.step(np.array([1, 1]))
    batch = recorder.drain()
    assert not batch.done.any()
    assert set(batch.info) == REGULAR
    np.testing.assert_array_equal(batch.info["grows"], [[0] * 2, [0.5] * 2, [0.5] * 2])


def test_what_counts_as_numbers() -> None:
    for value in (1, True, 0.5, np.float32(2), [1, 2], [[1, 2], [3, 4]], np.zeros(0)):
        assert is_numeric(value)
    ragged = [[1], [1, 2]]
    for value in ("a", ["a"], {}, {1}, None, [None, 1], ragged, 10**30, object()):
        assert not is_numeric(value)


def test_an_end_whose_info_has_another_shape_is_left_out() -> None:
    one_ended = np.array([True, False])
    info = {"a": np.ones((2, 3)), "b": np.ones(2), "c": np.array(["x", None])}
    final = {"a": np.zeros((2, 1)), "b": np.zeros(2), "c": np.zeros(2)}
    merged = merge_info(info, final, one_ended, 2)
    assert set(merged) == {"b"}
    np.testing.assert_array_equal(merged["b"], [0, 1])
