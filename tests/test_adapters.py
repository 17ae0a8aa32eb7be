"""The adapters: VectorEnvAdapter against DummyVecEnv, and what the recorder keeps."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import (
    DummyVecEnv,
    VecMonitor,
    VecNormalize,
)

import curiosity_rl  # noqa: F401  (registers the worlds)
from curiosity_rl.adapters.sb3 import VectorEnvAdapter, to_vec_env
from curiosity_rl.adapters.transitions import TransitionRecorder

LANES = 4


class Walk(gym.Env):
    """A walk that ends at random and is cut after 7 steps; counts its own episodes."""

    def __init__(self, as_dict: bool = False, size: int = 3) -> None:
        box = spaces.Box(-100, 100, (size,), np.float32)
        self.as_dict = as_dict
        both = spaces.Dict({"seen": box, "clock": spaces.Discrete(50)})
        self.observation_space = both if as_dict else box
        self.action_space = spaces.Discrete(5)
        self.render_mode, self.colour, self.episode = None, "red", 0

    def _obs(self) -> Any:
        seen = np.array([self.t, self.place, self.episode], np.float32)
        return {"seen": seen, "clock": np.int64(self.t)} if self.as_dict else seen

    def reset(self, *, seed: int | None = None, options: dict | None = None) -> Any:
        super().reset(seed=seed)
        self.t, self.place = 0, float(self.np_random.integers(9))
        self.episode += 1
        return self._obs(), {"place": self.place, "truth": {"secret": 1.0}}

    def step(self, action: Any) -> Any:
        self.t += 1
        self.place += float(action) - 2.0
        info = {
            "place": self.place,
            "answer": int(action),
            "pair": np.array([self.t, 1.0]),
            "truth": {"secret": 1.0},
            "word": "no number",
        }
        ended = bool(self.np_random.random() < 0.15)
        return self._obs(), self.place, ended, self.t >= 7, info

    def double(self, x: int) -> int:
        return 2 * x


def sync(mode: AutoresetMode = AutoresetMode.SAME_STEP, **kwargs: Any) -> SyncVectorEnv:
    return SyncVectorEnv([lambda: Walk(**kwargs)] * LANES, autoreset_mode=mode)


def same(left: Any, right: Any) -> None:
    if isinstance(left, dict):
        assert left.keys() == right.keys()
        for key in left:
            same(left[key], right[key])
        return
    np.testing.assert_array_equal(left, right)
    assert np.asarray(left).dtype == np.asarray(right).dtype


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


class Clock(VectorEnv):
    """A minimal vector world in the manner of EnvPool: counts steps, lasts 6 of them.

    Its info has masks, as Gymnasium's; at an end the top level is the next reset's.
    """

    metadata = {"autoreset_mode": AutoresetMode.SAME_STEP}  # noqa: RUF012
    layout = "a layout"

    def __init__(self, lanes: int) -> None:
        self.num_envs = lanes
        self.single_observation_space = spaces.Box(0, 9, (1,), np.float32)
        self.single_action_space = spaces.Discrete(2)
        self.observation_space = spaces.Box(0, 9, (lanes, 1), np.float32)
        self.action_space = spaces.MultiDiscrete([2] * lanes)
        self.t = np.zeros(lanes, np.int64)
        self.seeds: Any = None

    def _obs(self) -> np.ndarray:
        return self.t[:, None].astype(np.float32)

    def reset(self, *, seed: Any = None, options: dict | None = None) -> Any:
        if options is not None and "reset_mask" in options:
            self.t[options["reset_mask"]] = 0
        else:
            self.t[:], self.seeds = 0, seed
        return self._obs(), {}

    def step(self, actions: np.ndarray) -> Any:
        self.t += 1
        ended = self.t >= 6
        all_lanes = np.ones(self.num_envs, bool)
        info: dict[str, Any] = {"goal": self.t.copy(), "_goal": all_lanes}
        info |= {"answer": np.where(ended, 0, actions), "_answer": ~ended}
        info |= {"truth": {"secret": self.t.copy()}, "_truth": all_lanes}
        if ended.any():
            info["final_obs"] = np.full(self.num_envs, None, object)
            for lane in np.flatnonzero(ended):
                info["final_obs"][lane] = self._obs()[lane]
            answers = {"answer": np.where(ended, actions, 0), "_answer": ended}
            info |= {"final_info": answers, "_final_info": ended, "_final_obs": ended}
            self.t[ended] = 0
        still = np.zeros(self.num_envs, bool)
        return self._obs(), np.ones(self.num_envs), ended, still, info

    def coverage(self) -> np.ndarray:
        return self.t.copy()


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
