"""VectorEnvAdapter against DummyVecEnv, over vector worlds of many makes."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from adapter_worlds import LANES, Clock, Walk, same, sync
from gymnasium.vector import AutoresetMode
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import (
    DummyVecEnv,
)

from curiosity_rl.adapters.sb3 import VectorEnvAdapter, to_vec_env
from curiosity_rl.adapters.transitions import TransitionRecorder


@pytest.mark.parametrize("as_dict", [False, True])
@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_equals_dummy_vec_env(mode: AutoresetMode, as_dict: bool) -> None:
    ours = VectorEnvAdapter(sync(mode, as_dict=as_dict))
    theirs = DummyVecEnv([lambda: Walk(as_dict=as_dict)] * LANES)
    ours.seed(3)
    theirs.seed(3)
    same(ours.reset(), theirs.reset())
    rng, ends, cuts = np.random.default_rng(0), 0, 0
    for _ in range(120):
        actions = rng.integers(0, 5, LANES)
        obs, rewards, dones, infos = ours.step(actions)
        obs_, rewards_, dones_, infos_ = theirs.step(actions)
        same(obs, obs_)
        same(rewards, rewards_)
        same(dones, dones_)
        for done, info, info_ in zip(dones, infos, infos_, strict=True):
            cut = info.get("TimeLimit.truncated", False)
            assert cut == info_["TimeLimit.truncated"]
            assert ("terminal_observation" in info) == done
            if done:
                same(info["terminal_observation"], info_["terminal_observation"])
                assert info["word"] == "no number"
                assert info["answer"] == info_["answer"]
            else:
                assert info == {}
            ends, cuts = ends + done, cuts + cut
    assert ends > cuts > 5


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_transition_info_is_that_of_the_finished_episode(mode: AutoresetMode) -> None:
    ours = VectorEnvAdapter(sync(mode), seed=3)
    theirs = DummyVecEnv([Walk] * LANES)
    theirs.seed(3)
    ours.reset()
    theirs.reset()
    rng = np.random.default_rng(0)
    for _ in range(60):
        actions = rng.integers(0, 5, LANES)
        ours.step(actions)
        infos = theirs.step(actions)[3]
        reported = ours.transition_info
        assert set(reported) == {"place", "answer", "pair"}
        for key, values in reported.items():
            np.testing.assert_array_equal(values, [info[key] for info in infos])


def test_entries_of_the_next_episode_are_not_the_transitions() -> None:
    """`goal` is in the reset info only: at an end it would be the next student's."""
    venv = VectorEnvAdapter(Clock(3))
    venv.reset()
    for t in range(1, 7):
        venv.step(np.array([1, 0, 1]))
        assert set(venv.transition_info) == (
            {"goal", "answer"} if t < 6 else {"answer"}
        )
        np.testing.assert_array_equal(venv.transition_info["answer"], [1, 0, 1])


def test_seeds() -> None:
    world = Clock(3)
    venv = VectorEnvAdapter(world)
    venv.seed(7)
    venv.reset()
    assert world.seeds == 7
    venv.reset()
    assert world.seeds is None  # used once
    venv = VectorEnvAdapter(world, seed=[5, 99, 2])
    venv.seed(7)  # as an algorithm would: the lanes keep their own
    venv.reset()
    assert world.seeds == [5, 99, 2]
    with pytest.raises(ValueError, match="2 seeds for 3 lanes"):
        VectorEnvAdapter(world, seed=[1, 2])


def test_stagger_spreads_first_episodes_only() -> None:
    lanes = 40
    world = Clock(lanes)
    venv = VectorEnvAdapter(world, stagger=5, stagger_seed=1)
    before: Any = venv.reset()
    obs: Any
    ends: list[list[tuple[int, bool]]] = [[] for _ in range(lanes)]
    for t in range(1, 31):
        obs, _, dones, infos = venv.step(np.zeros(lanes, np.int64))
        for lane in np.flatnonzero(dones):
            ends[lane].append((t, infos[lane]["TimeLimit.truncated"]))
            assert infos[lane]["terminal_observation"] == before[lane] + 1
            assert obs[lane] == 0
        assert np.all(obs[~dones] == before[~dones] + 1)
        before = obs
    first = [lane[0][0] for lane in ends]
    assert set(first) == {1, 2, 3, 4, 5}
    for lane in ends:
        assert lane[0][1]
        assert not any(cut for _, cut in lane[1:])
        assert set(np.diff([t for t, _ in lane])) == {6}
    same_draws = VectorEnvAdapter(Clock(lanes), stagger=5, stagger_seed=1)
    same_draws.reset()
    np.testing.assert_array_equal(same_draws._cut, first)


def test_attributes_and_methods_reach_the_vector_env() -> None:
    venv = VectorEnvAdapter(Clock(3))
    assert venv.get_attr("layout") == ["a layout"] * 3
    assert venv.get_attr("layout", indices=1) == ["a layout"]
    assert not venv.has_attr("nothing_like_it")
    venv.reset()
    venv.step(np.zeros(3, np.int64))
    assert venv.env_method("coverage") == [1, 1, 1]
    venv.venv.scaled = lambda rows: 2 * rows  # type: ignore[attr-defined]
    for given in (np.arange(3), np.arange(5)):  # an answer about what was given
        (whole,) = venv.env_method("scaled", given, indices=0)
        np.testing.assert_array_equal(whole, 2 * given)
    venv.set_attr("layout", "another")
    assert venv.get_attr("layout") == ["another"] * 3
    with pytest.raises(ValueError, match="without indices"):
        venv.set_attr("layout", "a third", indices=0)

    venv = VectorEnvAdapter(sync())
    venv.set_attr("colour", "blue")
    assert venv.get_attr("colour") == ["blue"] * LANES
    assert venv.env_method("double", 4, indices=[0, 1]) == [8, 8]
    assert venv.env_is_wrapped(Monitor) == [False] * LANES
    venv.close()


def test_tutor_world_through_both_faces() -> None:
    """The batch of lanes under the adapter is `DummyVecEnv` over single worlds."""
    lanes = 3
    ours = VectorEnvAdapter(gym.make_vec("tutor-chain-v0", num_envs=lanes))
    theirs = DummyVecEnv([lambda: gym.make("tutor-chain-v0")] * lanes)
    recorders = [TransitionRecorder(ours), TransitionRecorder(theirs)]
    for recorder in recorders:
        recorder.seed(11)
    same(*[recorder.reset() for recorder in recorders])
    rng, ends = np.random.default_rng(0), 0
    for _ in range(120):  # the exam ends the episode after 100
        actions = rng.integers(0, ours.get_attr("layout")[0].activities, lanes)
        (obs, rewards, dones, infos), other = [r.step(actions) for r in recorders]
        same(obs, other[0])
        same(rewards, other[1])
        same(dones, other[2])
        for lane in np.flatnonzero(dones).tolist():
            last = infos[lane]["terminal_observation"]
            same(last, other[3][lane]["terminal_observation"])
            assert not infos[lane]["TimeLimit.truncated"]
            ends += 1
    assert ends == lanes
    mine, other = [recorder.drain() for recorder in recorders]
    same(mine.next_obs, other.next_obs)
    assert {"activity", "outcome", "belief", "belief_before", "goal"} <= set(mine.info)
    assert "truth" not in mine.info
    assert set(mine.info) == set(other.info)
    for key, values in mine.info.items():
        np.testing.assert_array_equal(values, other.info[key])


def test_state_round_trip_in_the_middle_of_the_stagger() -> None:
    def build() -> VectorEnvAdapter:
        venv = gym.make_vec("tutor-chain-v0", num_envs=4)
        return VectorEnvAdapter(venv, seed=11, stagger=40, stagger_seed=2)

    def play(venv: VectorEnvAdapter, seed: int) -> list[np.ndarray]:
        rng, seen = np.random.default_rng(seed), []
        for _ in range(50):
            obs: Any
            obs, _, dones, _ = venv.step(rng.integers(0, 5, 4))
            seen += [obs, dones]
        return seen

    first = build()
    first.reset()
    for _ in range(10):
        first.step(np.zeros(4, int))
    state = first.get_state()
    second = build()
    second.reset()
    second.set_state(state)
    played = play(first, seed=1)
    for one, other in zip(played, play(second, seed=1), strict=True):
        np.testing.assert_array_equal(one, other)
    assert sum(dones.sum() for dones in played[1::2]) >= 3  # stagger was under way
    with pytest.raises(ValueError, match="has no get_state"):
        VectorEnvAdapter(Clock(2)).get_state()


def test_refusals() -> None:
    class NextStep(Clock):
        metadata = {"autoreset_mode": AutoresetMode.NEXT_STEP}  # noqa: RUF012

    with pytest.raises(ValueError, match="SAME_STEP"):
        VectorEnvAdapter(NextStep(2))
    with pytest.raises(ValueError, match="stagger must be"):
        VectorEnvAdapter(Clock(2), stagger=-1)
    venv = VectorEnvAdapter(Clock(2))
    venv.set_options([{"a": 1}, {"a": 2}])
    with pytest.raises(ValueError, match="one dict of reset options"):
        venv.reset()


def test_to_vec_env() -> None:
    venv = to_vec_env(Clock(2))
    assert isinstance(venv, VectorEnvAdapter)
    assert to_vec_env(venv) is venv
    assert isinstance(to_vec_env(Walk()), DummyVecEnv)
    with pytest.raises(ValueError, match="cannot make a VecEnv of str"):
        to_vec_env("CartPole-v1")  # type: ignore[arg-type]
