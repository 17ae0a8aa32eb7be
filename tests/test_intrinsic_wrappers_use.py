"""Door 1 as others use it: spaces, settings that are refused, specs."""

from __future__ import annotations

import copy
import subprocess
import sys
import threading
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from adapter_worlds import Walk, same, sync
from corridor import Corridor, EndBonus
from gymnasium import spaces
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from stable_baselines3.common.vec_env import DummyVecEnv
from wrapper_worlds import Age

from curiosity_rl.adapters.intrinsic import IntrinsicVecEnv
from curiosity_rl.adapters.wrappers import IntrinsicVectorWrapper, IntrinsicWrapper
from curiosity_rl.protocols import Transitions
from curiosity_rl.rewards import make_reward

KINDS = {
    "discrete": spaces.Discrete(4),
    "multidiscrete": spaces.MultiDiscrete([3, 4]),
    "multibinary": spaces.MultiBinary(5),
    "image": spaces.Box(0, 255, (3, 8, 8), np.uint8),
    "dict": spaces.Dict(
        {"image": spaces.Box(0, 255, (3, 8, 8), np.uint8), "place": spaces.Discrete(4)}
    ),
}


class Sampled(gym.Env):
    """Shows samples of a space, and ends every fourth step."""

    def __init__(self, kind: str) -> None:
        self.observation_space = copy.deepcopy(KINDS[kind])
        self.action_space = spaces.MultiDiscrete([2, 3])

    def reset(self, *, seed: int | None = None, options: dict | None = None) -> Any:
        super().reset(seed=seed)
        if seed is not None:
            self.observation_space.seed(seed)
        self.t = 0
        return self.observation_space.sample(), {}

    def step(self, action: Any) -> Any:
        self.t += 1
        return self.observation_space.sample(), 1.0, self.t == 4, False, {}


@pytest.mark.parametrize("kind", list(KINDS))
@pytest.mark.parametrize("mode", [*AutoresetMode, None])
def test_observations_of_every_kind_pass_through(kind: str, mode: Any) -> None:
    def build() -> Any:
        if mode is None:
            return Sampled(kind)
        return SyncVectorEnv([lambda: Sampled(kind)] * 2, autoreset_mode=mode)

    reward = make_reward("rnd", scale=False)
    wrapper = IntrinsicWrapper if mode is None else IntrinsicVectorWrapper
    env, twin = wrapper(build(), reward, update_every=3), build()
    same(env.reset(seed=1)[0], twin.reset(seed=1)[0])
    action = np.array([1, 2]) if mode is None else np.array([[1, 2], [0, 1]])
    ended, paid = False, 0.0
    for _ in range(10):
        if np.any(ended) and mode in (None, AutoresetMode.DISABLED):
            same(env.reset()[0], twin.reset()[0])
        obs, _, terminated, _, info = env.step(action)
        expected, _, ended, *_ = twin.step(action)
        same(obs, expected)
        assert np.all(terminated == ended)
        paid += np.sum(info["intrinsic_reward"])
    assert paid > 0


@pytest.mark.filterwarnings("ignore:.*different from the unwrapped version")
def test_gymnasium_accepts_the_wrapper() -> None:
    env = IntrinsicWrapper(Corridor(), EndBonus(), extrinsic=False)
    check_env(env, skip_render_check=True)


@pytest.mark.parametrize("coef", [np.nan, np.inf, None, "much"])
def test_a_weight_is_a_finite_number(coef: Any) -> None:
    said = rf"coef is {coef!r}; it must be a finite number"
    with pytest.raises(ValueError, match=said):
        IntrinsicWrapper(Walk(), Age(), coef=coef)
    with pytest.raises(ValueError, match=said):
        IntrinsicVectorWrapper(sync(), Age(), coef=coef)
    with pytest.raises(ValueError, match=said):
        IntrinsicVecEnv(DummyVecEnv([Walk]), Age(), coef=coef)


class Unlearned:
    def compute(self, batch: Transitions) -> np.ndarray:
        return np.zeros(batch.shape)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("rnd", r"^intrinsic is 'rnd', a name; pass make_reward\('rnd'\)$"),
        (Age, r"^intrinsic is the class Age; pass an object, Age\(\.\.\.\)$"),
        (None, "^intrinsic is None, which has no method compute; pass what make_rew"),
        (Unlearned(), r"Unlearned object .*, which has no method update; pass what"),
    ],
)
def test_what_is_no_reward_is_refused(given: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        IntrinsicWrapper(Walk(), given)
    with pytest.raises(ValueError, match=said):
        IntrinsicVectorWrapper(sync(), given)


class Mission(Walk):
    """Shows a text beside the numbers, as the worlds of MiniGrid do."""

    def __init__(self) -> None:
        super().__init__(as_dict=True)
        shown: Any = self.observation_space
        self.observation_space = spaces.Dict({**shown, "mission": spaces.Text(9)})

    def _obs(self) -> Any:
        return {**super()._obs(), "mission": "go on"}


@pytest.mark.parametrize("name", ["rnd", "count", "icm", "e3b"])
def test_texts_are_refused_with_the_way_out(name: str) -> None:
    way_out = r"leave it out with gymnasium\.wrappers\.FilterObservation$"

    def play(env: gym.Env) -> None:
        door = IntrinsicWrapper(env, make_reward(name))
        door.reset()
        door.step(0)

    with pytest.raises(ValueError, match=f"Text observations .*{way_out}"):
        play(Mission())
    play(gym.wrappers.FilterObservation(Mission(), ["seen", "clock"]))


@pytest.mark.filterwarnings("ignore:.*different from the unwrapped version")
def test_gymnasium_makes_it_anew_from_its_spec() -> None:
    reward = make_reward("count", scale=False)
    still = IntrinsicWrapper(gym.make("MountainCar-v0"), EndBonus())
    check_env(still, skip_render_check=True)  # it makes another one
    world = gym.make("MountainCar-v0")
    env = IntrinsicWrapper(world, reward, coef=0.5, extrinsic=False)
    assert env.reward is reward
    env.reset(seed=1)
    env.step(0)
    assert env.spec is not None
    twins = [env.spec.make() for _ in range(2)]
    for twin in twins:  # each counts for itself, from the beginning
        assert isinstance(twin, IntrinsicWrapper)
        twin.reset(seed=1)
        assert twin.step(0)[1] == 0.5
    assert len({id(each.get_wrapper_attr("reward")) for each in [env, *twins]}) == 3


def wrapped_corridor() -> gym.Env:
    return IntrinsicWrapper(Corridor(), EndBonus())


def test_a_wrapper_that_a_world_makes_itself_is_no_stranger_to_its_spec() -> None:
    name = "wrapped-corridor-v0"
    gym.register(name, f"{__name__}:wrapped_corridor")
    try:
        spec = gym.make(name).spec
        assert spec is not None
        spec.make()
    finally:
        del gym.registry[name]


def test_a_reward_that_cannot_be_copied_pays_all_the_same() -> None:
    class Locked(Age):
        def __init__(self) -> None:
            super().__init__()
            self.lock = threading.Lock()

    env = IntrinsicWrapper(gym.make("CartPole-v1"), Locked())
    env.reset(seed=1)
    assert env.step(0)[1] == 2
    assert env.spec is not None
    with pytest.raises(ValueError, match=r"Locked cannot be copied \(TypeError: "):
        env.spec.make()


def test_no_learning_library_is_needed() -> None:
    code = """
import sys
import curiosity_rl.adapters.wrappers
heavy = ("torch", "stable_baselines3", "numba")
print([name for name in heavy if name in sys.modules])
"""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
