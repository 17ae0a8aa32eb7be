"""Door 1 in worlds that go wrong: what is not finite, infos without a shape."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
from adapter_worlds import LANES, Walk, sync
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from stable_baselines3.common.vec_env import DummyVecEnv
from wrapper_worlds import Age

from curiosity_rl.adapters.intrinsic import IntrinsicVecEnv
from curiosity_rl.adapters.paying import NotFinite
from curiosity_rl.adapters.wrappers import IntrinsicVectorWrapper, IntrinsicWrapper
from curiosity_rl.protocols import Transitions


class Broken(Walk):
    """Reports something that is no number from step 3 on."""

    def __init__(self, field: str, value: float, as_dict: bool = False) -> None:
        super().__init__(as_dict=as_dict, size=3)
        self.field, self.value = field, value

    def step(self, action: Any) -> Any:
        obs, reward, *_, info = super().step(action)
        if self.t == 3 and self.field == "obs":
            (obs["seen"] if self.as_dict else obs)[1] = self.value
        return obs, self.value if self.t == 3 else reward, False, False, info


@pytest.mark.parametrize("door", ["single", "vector", "sb3"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(
    ("field", "as_dict", "named"),
    [
        ("obs", False, r"next_obs\[1\]"),
        ("obs", True, r"next_obs\['seen'\]\[1\]"),
        ("reward", False, "reward"),
    ],
)
def test_what_is_not_finite_is_named_before_anything_learns(
    door: str, value: float, field: str, as_dict: bool, named: str
) -> None:
    def bad() -> Broken:
        return Broken(field, value, as_dict)

    def good() -> Broken:
        return Broken("none", 0.0, as_dict)

    reward = Age()
    said = rf"lane {int(door != 'single')}, step 2: {named} is {value}"
    still: Any = np.zeros(2, int)
    if door == "single":
        env: Any = IntrinsicWrapper(bad(), reward)
        still = 0
    elif door == "vector":
        both = SyncVectorEnv([good, bad], autoreset_mode=AutoresetMode.SAME_STEP)
        env = IntrinsicVectorWrapper(both, reward)
    else:
        env = IntrinsicVecEnv(DummyVecEnv([good, bad]), reward)
    env.reset()
    env.step(still)
    env.step(still)
    with pytest.raises(NotFinite, match=said):
        env.step(still)
    assert len(reward.paid) == 2  # the third step was not even paid
    assert reward.updated == []


class Trail(Walk):
    """Reports where it has been, and rows of unequal length."""

    def step(self, action: Any) -> Any:
        obs, reward, *_, info = super().step(action)
        info |= {"trail": np.arange(self.t), "m": [[1], [1, 2]]}
        return obs, reward, False, False, info


@pytest.mark.parametrize("door", ["single", "vector", "sb3"])
def test_info_without_a_lasting_shape_is_left_out(door: str) -> None:
    reward = Age()
    still: Any = np.zeros(2, int)
    if door == "single":
        env: Any = IntrinsicWrapper(Trail(), reward, update_every=3)
        still = 0
    elif door == "vector":
        env = IntrinsicVectorWrapper(SyncVectorEnv([Trail] * 2), reward, update_every=3)
    else:
        env = IntrinsicVecEnv(DummyVecEnv([Trail] * 2), reward, update_every=3)
    env.reset()
    for _ in range(3):
        env.step(still)
    regular = {"place", "answer", "pair"}
    assert set(reward.updated[0].info) == regular
    assert all(set(batch.info) == regular | {"trail"} for batch in reward.paid)


class Born(Walk):
    """Its episodes last 3 steps; those from `ill` on begin with a NaN."""

    def __init__(self, ill: int, as_dict: bool = False) -> None:
        super().__init__(as_dict=as_dict)
        self.ill = ill

    def reset(self, *, seed: int | None = None, options: dict | None = None) -> Any:
        obs, info = super().reset(seed=seed)
        if self.episode >= self.ill:
            (obs["seen"] if self.as_dict else obs)[2] = np.nan
        return obs, info

    def step(self, action: Any) -> Any:
        obs, reward, _, _, info = super().step(action)
        return obs, reward, self.t == 3, False, info


FIRST = r"first observation of an episode(\['seen'\])?\[2\] is nan"


@pytest.mark.parametrize("as_dict", [False, True])
def test_one_environment_may_not_begin_with_nan(as_dict: bool) -> None:
    with pytest.raises(NotFinite, match=rf"^lane 0, step 0: {FIRST}"):
        IntrinsicWrapper(Born(1, as_dict), Age()).reset()
    env = IntrinsicWrapper(Born(2, as_dict), Age())
    env.reset()
    for _ in range(3):
        env.step(0)
    with pytest.raises(NotFinite, match=rf"^lane 0, step 3: {FIRST}"):
        env.reset()


@pytest.mark.parametrize("as_dict", [False, True])
@pytest.mark.parametrize("mode", [*AutoresetMode, "sb3"])
def test_a_lane_may_not_begin_with_nan(mode: Any, as_dict: bool) -> None:
    """It is named when it is handed out, and not when its lane has moved on."""

    def door(ill: int) -> Any:
        lanes: Any = [lambda: Born(99, as_dict), lambda: Born(ill, as_dict)]
        if mode == "sb3":
            return IntrinsicVecEnv(DummyVecEnv(lanes), reward)
        return IntrinsicVectorWrapper(SyncVectorEnv(lanes, autoreset_mode=mode), reward)

    reward = Age()
    with pytest.raises(NotFinite, match=rf"^lane 1, step 0: {FIRST}"):
        door(1).reset()
    still = np.zeros(2, int)
    env = door(2)
    env.reset()
    env.step(still)
    env.step(still)
    go_on: Any = partial(env.step, still)
    if mode in (AutoresetMode.NEXT_STEP, AutoresetMode.DISABLED):
        go_on()
    if mode == AutoresetMode.DISABLED:
        mask = np.array([False, True])
        go_on = partial(env.reset, options={"reset_mask": mask})
    with pytest.raises(NotFinite, match=rf"^lane 1, step 3: {FIRST}"):
        go_on()
    assert reward.updated == []


def test_the_lane_is_named_where_lanes_are_left_out() -> None:
    class Wild(Age):
        def compute(self, batch: Transitions) -> np.ndarray:
            bonus = super().compute(batch)
            if batch.lanes is not None:
                bonus[0, -1] = np.nan
            return bonus

    reward = Wild()
    env = IntrinsicVectorWrapper(sync(AutoresetMode.NEXT_STEP), reward)
    env.reset(seed=3)
    while not env.state_dict()["ended"].any():
        env.step(np.zeros(LANES, int))
    with pytest.raises(ValueError, match=r"bonus of Wild is nan") as error:
        env.step(np.zeros(LANES, int))
    lanes = reward.paid[-1].lanes
    assert lanes is not None
    assert str(error.value).startswith(
        f"lane {lanes[-1]}, step {len(reward.paid) - 1}: "
    )
