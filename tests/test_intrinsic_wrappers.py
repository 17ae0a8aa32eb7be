"""Door 1: the Gymnasium wrapper and vector wrapper, in every autoreset mode."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from adapter_worlds import LANES, Clock, Walk, same, sync
from corridor import Corridor, EndBonus
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from stable_baselines3.common.vec_env import DummyVecEnv
from wrapper_worlds import STEPS, Age, actions, play

from curiosity_rl import checkpoint
from curiosity_rl.adapters.intrinsic import IntrinsicVecEnv
from curiosity_rl.adapters.wrappers import IntrinsicVectorWrapper, IntrinsicWrapper
from curiosity_rl.rewards import make_reward


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
