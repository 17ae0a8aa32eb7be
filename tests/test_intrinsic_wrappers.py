"""Door 1: the Gymnasium wrapper and vector wrapper, in every autoreset mode."""

from __future__ import annotations

import copy
import subprocess
import sys
import threading
from functools import partial
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from adapter_worlds import LANES, Clock, Walk, same, sync
from corridor import Corridor, EndBonus
from gymnasium import spaces
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from stable_baselines3.common.vec_env import DummyVecEnv

from curiosity_rl import checkpoint
from curiosity_rl.adapters.intrinsic import IntrinsicVecEnv
from curiosity_rl.adapters.paying import NotFinite
from curiosity_rl.adapters.wrappers import IntrinsicVectorWrapper, IntrinsicWrapper
from curiosity_rl.protocols import Transitions
from curiosity_rl.rewards import make_reward
from curiosity_rl.rewards.statistics import lane_rows

STEPS = 60


class Age:
    """Pays the age of the episode, 1 at its first step, plus 100 x what it learnt."""

    def __init__(self) -> None:
        self.age: np.ndarray | None = None
        self.learnt, self.forgotten = 0, 0
        self.paid: list[Transitions] = []
        self.updated: list[Transitions] = []

    def compute(self, batch: Transitions) -> np.ndarray:
        self.paid.append(batch)
        age = np.zeros(batch.shape[1]) if self.age is None else self.age
        rows = lane_rows(len(age), batch.shape[1], batch.lanes)
        out = np.zeros(batch.shape, np.float32)
        for t in range(batch.shape[0]):
            age[rows] += 1
            out[t] = age[rows] + 100 * self.learnt
            age[rows] *= ~batch.done[t]
        self.age = age
        return out

    def update(self, batch: Transitions) -> dict[str, float]:
        self.updated.append(batch)
        self.learnt += 1
        return {"learnt": float(self.learnt)}

    def forget(self) -> None:
        self.age, self.forgotten = None, self.forgotten + 1

    def state_dict(self) -> dict[str, Any]:
        age = None if self.age is None else self.age.copy()
        return {"age": age, "learnt": self.learnt}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        age = state["age"]
        self.age, self.learnt = None if age is None else np.array(age), state["learnt"]


def actions(lanes: int = LANES, steps: int = STEPS) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 5, (steps, lanes))


def play(env: IntrinsicWrapper, moves: np.ndarray, seed: int) -> list[tuple]:
    """Play one lane; one row per step, with the true next observation."""
    rows = []
    obs, _ = env.reset(seed=seed)
    for action in moves:
        after, reward, terminated, truncated, info = env.step(int(action))
        bonus = info["intrinsic_reward"]
        rows.append((obs, action, reward, after, terminated, truncated, bonus))
        obs = env.reset()[0] if terminated or truncated else after
    return rows


def test_pays_one_environment_and_passes_the_rest_on() -> None:
    reward = Age()
    env = IntrinsicWrapper(Walk(), reward, coef=0.5, update_every=4)
    twin = Walk()
    env.reset(seed=1)
    twin.reset(seed=1)
    age = 0
    for step in range(STEPS):
        obs, paid, *ends, info = env.step(step % 5)
        expected, plain, *twin_ends, twin_info = twin.step(step % 5)
        age += 1
        assert info.pop("intrinsic_reward") == age + 100 * (step // 4)
        assert paid == plain + 0.5 * (age + 100 * (step // 4))
        assert isinstance(paid, float)
        same(obs, expected)
        assert ends == twin_ends
        assert info.keys() == twin_info.keys()
        assert env.metrics == ({"learnt": (step + 1) // 4} if step >= 3 else {})
        if any(ends):
            age = 0
            env.reset()
            twin.reset()
    assert reward.forgotten > 5
    assert set(reward.paid[0].info) == {"place", "answer", "pair"}  # never the truth
    assert {batch.shape for batch in reward.updated} == {(4, 1)}
    learnt = np.concatenate([batch.obs for batch in reward.updated])
    same(learnt, np.concatenate([batch.obs for batch in reward.paid]))


class Ones(Corridor):
    """A corridor whose every step is worth 7."""

    def step(self, action: Any) -> Any:
        obs, _, *rest = super().step(action)
        return obs, 7.0, *rest


def test_extrinsic_off_and_on_again() -> None:
    env = IntrinsicWrapper(Ones(), Age(), extrinsic=False)
    env.reset()
    assert [env.step(1)[1] for _ in range(3)] == [1, 2, 3]
    env.extrinsic = True
    assert env.step(1)[1] == 4 + 7

    vector = IntrinsicVectorWrapper(sync(), Age(), coef=2.0, extrinsic=False)
    vector.reset(seed=1)
    np.testing.assert_array_equal(vector.step(np.full(LANES, 4))[1], [2.0] * LANES)


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_every_mode_pays_each_true_transition_once(mode: AutoresetMode) -> None:
    """Against one `IntrinsicWrapper` per lane, which has no autoreset at all."""
    reward = Age()
    env = IntrinsicVectorWrapper(sync(mode), reward, coef=0.5, update_every=10**9)
    env.reset(seed=3)
    rows: list[list[tuple]] = [[] for _ in range(LANES)]
    moves: list[list[int]] = [[] for _ in range(LANES)]
    ended, fakes = np.zeros(LANES, bool), 0
    for action in actions():
        obs, paid, terminated, truncated, info = env.step(action)
        fake = ended if mode == AutoresetMode.NEXT_STEP else np.zeros(LANES, bool)
        np.testing.assert_array_equal(info["_intrinsic_reward"], ~fake)
        assert np.all(info["intrinsic_reward"][fake] == 0)
        assert np.all(paid[fake] == 0)
        fakes += fake.sum()
        ended = terminated | truncated
        if fake.all():
            continue
        batch = reward.paid[-1]
        lanes = np.flatnonzero(~fake)
        if fake.any():
            np.testing.assert_array_equal(batch.lanes, lanes)
        else:
            assert batch.lanes is None
        assert set(batch.info) == {"place", "answer", "pair"}
        np.testing.assert_array_equal(batch.info["answer"][0], action[lanes])
        for column, lane in enumerate(lanes):
            at = (0, column)
            moves[lane].append(int(action[lane]))
            rows[lane].append(
                (
                    batch.obs[at],
                    batch.action[at],
                    paid[lane],
                    batch.next_obs[at],
                    batch.terminated[at],
                    batch.truncated[at],
                    info["intrinsic_reward"][lane],
                )
            )
        if mode == AutoresetMode.DISABLED and ended.any():
            obs, _ = env.reset(options={"reset_mask": ended})
            assert np.all(obs[ended, 0] == 0)
    assert (fakes > 0) == (mode == AutoresetMode.NEXT_STEP)
    for lane in range(LANES):
        single = IntrinsicWrapper(Walk(), Age(), coef=0.5, update_every=10**9)
        expected = play(single, np.array(moves[lane]), seed=3 + lane)
        for ours, theirs in zip(rows[lane], expected, strict=True):
            for left, right in zip(ours, theirs, strict=True):
                np.testing.assert_array_equal(left, right)


def test_one_lane_that_resets_in_the_next_step_makes_no_empty_batch() -> None:
    reward = Age()
    world = SyncVectorEnv([Walk], autoreset_mode=AutoresetMode.NEXT_STEP)
    env = IntrinsicVectorWrapper(world, reward)
    env.reset(seed=0)
    real = [env.step(np.array([2]))[4]["_intrinsic_reward"][0] for _ in range(30)]
    assert 0 < real.count(False) < 15
    assert len(reward.paid) == real.count(True)
    assert all(batch.lanes is None for batch in reward.paid)


@pytest.mark.parametrize("update_every", [1, 7])
@pytest.mark.parametrize("name", ["age", "count", "rnd"])
def test_all_doors_pay_alike(name: str, update_every: int) -> None:
    """The vector wrapper that resets in the step or by mask, and the SB3 door."""

    def reward() -> Any:
        return Age() if name == "age" else make_reward(name, scale=False)

    settings: dict[str, Any] = {"coef": 0.5, "seed": 5, "update_every": update_every}
    inside = IntrinsicVectorWrapper(sync(), reward(), **settings)
    masked = IntrinsicVectorWrapper(sync(AutoresetMode.DISABLED), reward(), **settings)
    door = IntrinsicVecEnv(DummyVecEnv([Walk] * LANES), reward(), **settings)
    door.seed(3)
    inside.reset(seed=3)
    masked.reset(seed=3)
    door.reset()
    total = 0.0
    for action in actions(steps=30):
        _, paid, terminated, truncated, info = inside.step(action)
        _, masked_paid, *_, masked_info = masked.step(action)
        _, door_paid, dones, door_infos = door.step(action)
        bonus = info["intrinsic_reward"]
        np.testing.assert_array_equal(masked_info["intrinsic_reward"], bonus)
        np.testing.assert_array_equal(
            [i["intrinsic_reward"] for i in door_infos], bonus
        )
        np.testing.assert_array_equal(masked_paid, paid)
        np.testing.assert_allclose(door_paid, paid, rtol=1e-6)
        ended = terminated | truncated
        np.testing.assert_array_equal(dones, ended)
        if ended.any():
            masked.reset(options={"reset_mask": ended})
        total += bonus.sum()
    assert total > 0
    assert inside.metrics == masked.metrics == door.metrics


@pytest.mark.parametrize("name", ["age", "count", "rnd"])
def test_one_lane_is_a_vector_of_one(name: str) -> None:
    def reward() -> Any:
        return Age() if name == "age" else make_reward(name, scale=False)

    single = IntrinsicWrapper(Walk(), reward(), seed=5, update_every=3)
    world = SyncVectorEnv([Walk], autoreset_mode=AutoresetMode.SAME_STEP)
    vector = IntrinsicVectorWrapper(world, reward(), seed=5, update_every=3)
    vector.reset(seed=3)
    moves = actions(1, 30)
    rows = play(single, moves[:, 0], seed=3)
    for action, row in zip(moves, rows, strict=True):
        _, paid, *_, info = vector.step(action)
        assert info["intrinsic_reward"][0] == row[-1]
        assert paid[0] == row[2]
    assert single.metrics == vector.metrics


def test_reward_learns_from_stacks_and_alone_from_steps_without_all_lanes() -> None:
    reward = Age()
    env = IntrinsicVectorWrapper(sync(AutoresetMode.NEXT_STEP), reward, update_every=8)
    env.reset(seed=3)
    for action in actions():
        env.step(action)
    shapes = [batch.shape for batch in reward.updated]
    assert all(t == 1 for t, lanes in shapes if lanes < LANES)
    assert any(t > 1 for t, _ in shapes)
    assert any(lanes < LANES for _, lanes in shapes)
    learnt = sum(t for t, _ in shapes)
    assert 0 <= len(reward.paid) - learnt < 8
    same(
        np.concatenate([b.next_obs.reshape(-1, 3) for b in reward.updated]),
        np.concatenate([b.next_obs.reshape(-1, 3) for b in reward.paid[:learnt]]),
    )


def test_a_full_reset_forgets_and_a_reset_of_running_lanes_is_refused() -> None:
    env = IntrinsicVectorWrapper(sync(AutoresetMode.DISABLED), Age())
    env.reset(seed=1)
    env.step(np.zeros(LANES, int))
    env.reset(seed=1)  # in the middle of all episodes
    bonus = env.step(np.zeros(LANES, int))[4]["intrinsic_reward"]
    np.testing.assert_array_equal(bonus, [1.0] * LANES)
    mask = np.arange(LANES) == 2
    with pytest.raises(ValueError, match=r"resets lane 2 in the middle of its episode"):
        env.reset(options={"reset_mask": mask})
    # A bonus of the transition alone does not mind.
    corridors = SyncVectorEnv([Corridor] * 2, autoreset_mode=AutoresetMode.DISABLED)
    env = IntrinsicVectorWrapper(corridors, EndBonus())
    env.reset()
    env.step(np.ones(2, int))
    env.reset(options={"reset_mask": np.array([True, False])})
    _, paid, *_ = env.step(np.ones(2, int))
    np.testing.assert_array_equal(paid, [0, 0])
    state = env.state_dict()
    np.testing.assert_allclose(state["collected"][-1]["obs"], [[[0.0], [1 / 8]]])


def test_a_lane_reset_by_hand_moves_in_the_next_step() -> None:
    """Where lanes reset in the next step, a mask can reset one before."""
    reward = Age()
    env = IntrinsicVectorWrapper(sync(AutoresetMode.NEXT_STEP), reward)
    env.reset(seed=3)
    still = np.full(LANES, 2)
    while not (ended := env.state_dict()["ended"]).any():
        env.step(still)
    first, _ = env.reset(options={"reset_mask": ended.copy()})
    info = env.step(still)[4]
    assert info["_intrinsic_reward"].all()
    same(reward.paid[-1].obs[0], first)
    np.testing.assert_array_equal(info["intrinsic_reward"][ended], 1)
    assert info["intrinsic_reward"][~ended].min() > 1


class Shared(Corridor):
    """Hands out one observation array again and again, as some environments do."""

    seen = np.zeros(1, np.float32)

    def _obs(self) -> Any:
        self.seen[:] = super()._obs()
        return self.seen


class Terse(Clock):
    """Resets lanes by a mask and shows the others' places as -1; reuses its arrays."""

    metadata = {"autoreset_mode": AutoresetMode.DISABLED}  # noqa: RUF012

    def __init__(self, lanes: int) -> None:
        super().__init__(lanes)
        self.seen = np.zeros((lanes, 1), np.float32)

    def step(self, actions: np.ndarray) -> Any:
        self.t += 1
        self.seen[:] = self.t[:, None]
        still = np.zeros(self.num_envs, bool)
        return self.seen, np.zeros(self.num_envs), self.t == (2, 5), still, {}

    def reset(self, *, seed: Any = None, options: dict | None = None) -> Any:
        mask = (options or {}).get("reset_mask", np.ones(self.num_envs, bool))
        self.t[mask] = 0
        self.seen[:] = np.where(mask, 0, -1)[:, None]
        return self.seen, {}


def test_what_the_environment_reuses_is_copied() -> None:
    reward = Age()
    single = IntrinsicWrapper(Shared(), reward)
    single.reset()
    for _ in range(3):
        single.step(1)
    places = [(b.obs.item() * 8, b.next_obs.item() * 8) for b in reward.paid]
    assert places == [(0, 1), (1, 2), (2, 3)]

    reward = Age()
    vector = IntrinsicVectorWrapper(Terse(2), reward)
    vector.reset()
    vector.step(np.zeros(2, int))
    vector.step(np.zeros(2, int))
    vector.reset(options={"reset_mask": np.array([True, False])})
    vector.step(np.zeros(2, int))
    seen = [b.obs[0, :, 0].tolist() for b in reward.paid]
    assert seen == [[0, 0], [1, 1], [0, 2]]
    assert reward.paid[-1].next_obs[0, :, 0].tolist() == [1, 3]


def test_a_vector_world_with_its_own_info() -> None:
    reward = Age()
    env = IntrinsicVectorWrapper(Clock(3), reward)
    env.reset()
    for step in range(6):
        env.step(np.array([0, 1, 1]))
        np.testing.assert_array_equal(reward.paid[step].next_obs[0, :, 0], step + 1)
    np.testing.assert_array_equal(reward.paid[-1].info["answer"], [[0, 1, 1]])
    assert "goal" not in reward.paid[-1].info  # the final info does not report it


def test_what_cannot_work_says_why() -> None:
    class Unsaid(Clock):
        metadata = {}  # noqa: RUF012

    class Silent(Clock):
        def step(self, actions: np.ndarray) -> Any:
            *out, info = super().step(actions)
            info.pop("final_obs", None)
            return *out, info

    with pytest.raises(ValueError, match=r"autoreset_mode'\] is None"):
        IntrinsicVectorWrapper(Unsaid(2), Age())
    env = IntrinsicVectorWrapper(Silent(2), Age())
    with pytest.raises(ValueError, match="before the first reset"):
        env.step(np.zeros(2, int))
    env.reset()
    for _ in range(5):
        env.step(np.zeros(2, int))
    with pytest.raises(ValueError, match=r"lane 0 ended, but info has no 'final_obs'"):
        env.step(np.zeros(2, int))
    with pytest.raises(ValueError, match="update_every is 0"):
        IntrinsicWrapper(Walk(), Age(), update_every=0)
    with pytest.raises(ValueError, match="before the first reset"):
        IntrinsicWrapper(Walk(), Age()).step(0)


@pytest.mark.parametrize("name", ["age", "count", "rnd"])
@pytest.mark.parametrize("mode", [*AutoresetMode, None, "sb3"])
def test_save_load_continue(mode: Any, name: str, tmp_path: Path) -> None:
    """Cut where steps wait to be learnt from, in NEXT_STEP just after an end."""

    def door(world: Any) -> Any:
        reward = Age() if name == "age" else make_reward(name)
        kind = {None: IntrinsicWrapper, "sb3": IntrinsicVecEnv}
        wrapper = kind.get(mode, IntrinsicVectorWrapper)
        return wrapper(world, reward, seed=2, update_every=4)

    def play_on(env: Any, moves: np.ndarray) -> list[Any]:
        seen = []
        for action in moves:
            out = env.step(int(action[0]) if mode is None else action)
            infos = out[-1] if mode == "sb3" else [out[-1]]
            seen.append((out[1], [np.array(i["intrinsic_reward"]) for i in infos]))
            ended = out[2] if mode == "sb3" else out[2] | out[3]
            if mode is None and ended:
                env.reset()
            elif mode == AutoresetMode.DISABLED and ended.any():
                env.reset(options={"reset_mask": ended})
        return seen

    if mode is None:
        world: Any = Walk()
    else:
        world = DummyVecEnv([Walk] * LANES) if mode == "sb3" else sync(mode)
    first = door(world)
    if mode == "sb3":
        first.seed(3)
        first.reset()
    else:
        first.reset(seed=3)
    cut = 14  # not a multiple of 4
    while True:
        play_on(first, actions()[:cut])
        if mode != AutoresetMode.NEXT_STEP or first.state_dict()["ended"].any():
            break
        cut = 1
    checkpoint.save(tmp_path / "kept", first.state_dict())
    second = door(copy.deepcopy(world))
    second.load_state_dict(checkpoint.load(tmp_path / "kept"))
    moves = actions()[-20:]
    for left, right in zip(play_on(first, moves), play_on(second, moves), strict=True):
        np.testing.assert_array_equal(left[0], right[0])
        np.testing.assert_array_equal(left[1], right[1])
    assert first.metrics == second.metrics


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
