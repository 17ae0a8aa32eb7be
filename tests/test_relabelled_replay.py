"""Relabelled replay: what is stored, what is sampled, what the reward is shown."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch as th
from gymnasium import spaces
from intrinsic_worlds import Drift
from replay_worlds import (
    BOTH,
    BOX,
    MOVES,
    Age,
    Model,
    both,
    build,
    goal_buffer,
    plain,
    record,
    worth,
)
from stable_baselines3 import DQN
from stable_baselines3.common.buffers import (
    DictReplayBuffer,
    NStepReplayBuffer,
    ReplayBuffer,
)
from stable_baselines3.common.type_aliases import ReplayBufferSamples
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

from curiosity_rl.adapters.replay import (
    RelabelledDictReplayBuffer,
    RelabelledHerReplayBuffer,
    RelabelledNStepReplayBuffer,
    RelabelledReplayBuffer,
    relabelled,
)
from curiosity_rl.protocols import Transitions


@pytest.mark.parametrize("lanes", [1, 3])
@pytest.mark.parametrize("kind", ["plain", "dict"])
def test_a_sample_pays_the_bonus_of_todays_model(kind: str, lanes: int) -> None:
    model = Model()
    buffer = build(kind, lanes, intrinsic=model, coef=0.5, update_every=1000, seed=9)
    record(buffer, 60)
    stored = buffer.rewards.copy()
    assert model.seeds == [9]
    for weight in (1.0, 4.0):
        model.weight = weight
        paid, stock = both(buffer)
        first, moved = plain(paid.observations), plain(paid.actions)
        bonus = weight * worth(first, moved, plain(paid.next_observations), lead=1)
        expected = stock.rewards.numpy()[:, 0] + 0.5 * bonus
        np.testing.assert_allclose(paid.rewards.numpy()[:, 0], expected, rtol=1e-5)
        assert paid.rewards.dtype == th.float32
    np.testing.assert_array_equal(buffer.rewards, stored)
    assert [batch.shape for batch in model.scored] == [(1, 64)] * 2


@pytest.mark.parametrize("lanes", [1, 3])
@pytest.mark.parametrize("count", [25, 57])  # 57: the buffer has wrapped around
@pytest.mark.parametrize("stored", [False, True])
def test_n_step_bonuses_are_summed_as_the_rewards(
    lanes: int, count: int, stored: bool
) -> None:
    reward: Any = Age() if stored else Model()
    buffer = build("n-step", lanes, intrinsic=reward, coef=0.5, update_every=1000)
    tape = record(buffer, count)
    if not stored:
        reward.weight = 3.0
    paid, _ = both(buffer, size=300)
    ages = np.zeros(lanes)
    place, bonus = {}, np.zeros((count, lanes))
    for t, step in enumerate(tape.steps):
        ages += 1
        for lane in range(lanes):
            place[step["obs"][lane].tobytes()] = (t, lane)
            made = [step[key][lane] for key in ("obs", "action", "next_obs")]
            bonus[t, lane] = ages[lane] if stored else 3 * worth(*made, lead=0)
        ages[step["done"]] = 0
    lengths, cuts = set(), 0
    for obs, value in zip(paid.observations.numpy(), paid.rewards[:, 0], strict=True):
        t, lane = place[obs.tobytes()]
        assert t >= count - 40
        expected, summed, done = 0.0, 0, False
        while summed < 4 and t + summed < count and not done:
            step = tape.steps[t + summed]
            paid_then = step["reward"][lane] + 0.5 * bonus[t + summed, lane]
            expected += 0.9**summed * paid_then
            done = bool(step["done"][lane])
            cuts += int(step["cut"][lane])
            summed += 1
        lengths.add((summed, done))
        assert value.item() == pytest.approx(expected, rel=1e-4)
    ended = {(1, True), (2, True), (3, True), (4, True)}
    assert ended | {(4, False), (2, False)} <= lengths  # 2: nothing more is known
    assert cuts > 0


@pytest.mark.parametrize("lanes", [1, 3])
def test_a_virtual_transition_is_scored_with_its_virtual_goal(lanes: int) -> None:
    class Distance(Model):
        """Pays how far what was reached is from the goal: no two bits weigh equal."""

        def _worth(self, batch: Transitions) -> np.ndarray:
            assert all(v.shape[:2] == batch.shape for v in batch.obs.values())
            np.testing.assert_array_equal(
                batch.obs["desired_goal"], batch.next_obs["desired_goal"]
            )
            reached, goal = (
                batch.next_obs[key] for key in ("achieved_goal", "desired_goal")
            )
            far = (reached != goal) @ 2.0 ** np.arange(4)
            return (self.weight * far).astype(np.float32)

    model = Distance()
    buffer, _ = goal_buffer(lanes, intrinsic=model, coef=0.5, update_every=1000)
    for weight in (1.0, 3.0):
        model.weight = weight
        paid, stock = both(buffer, size=100)
        following = plain(paid.next_observations)
        goals = following["desired_goal"]
        far = (following["achieved_goal"] != goals) @ 2.0 ** np.arange(4)
        expected = stock.rewards[:, 0].numpy() + 0.5 * weight * far
        np.testing.assert_allclose(paid.rewards[:, 0].numpy(), expected)
    assert [batch.shape for batch in model.scored] == [(1, 100)] * 2
    pursued = {goal.tobytes() for goal in buffer.observations["desired_goal"][:, 0]}
    virtual = np.array([goal.tobytes() not in pursued for goal in goals])
    assert not virtual[:20].any()  # a fifth is real
    assert virtual[20:].any()


def test_a_stored_bonus_follows_its_transition_through_her() -> None:
    buffer, _ = goal_buffer(3, intrinsic=Age(), coef=1.0)
    # A step is known by the observation and by the age at which it was made.
    bonuses: dict[bytes, set[float]] = {}
    for row, lane in np.ndindex(40, 3):
        key = buffer.observations["observation"][row, lane].tobytes()
        bonuses.setdefault(key, set()).add(buffer.bonuses[row, lane])
    paid, stock = both(buffer, size=100)
    extra = (paid.rewards - stock.rewards)[:, 0].numpy()
    assert set(extra) == {1.0, 2.0, 3.0, 4.0, 5.0}
    for obs, bonus in zip(paid.observations["observation"], extra, strict=True):
        assert bonus in bonuses[obs.numpy().tobytes()]


@pytest.mark.parametrize("kind", ["plain", "dict"])
@pytest.mark.parametrize("lanes", [1, 3])
def test_an_episodic_bonus_is_stored_when_the_step_is_made(
    kind: str, lanes: int
) -> None:
    reward = Age()
    buffer = build(kind, lanes, intrinsic=reward, update_every=5)
    tape = record(buffer, 55)
    age = np.zeros(lanes)
    expected = []
    for step in tape.steps:
        age += 1
        expected.append(age.copy())
        age[step["done"]] = 0
    newest = np.array(expected)[-40:]
    np.testing.assert_array_equal(np.roll(buffer.bonuses, -15, axis=0), newest)
    paid, stock = both(buffer, size=600)
    extra = (paid.rewards - stock.rewards).numpy()
    assert set(extra.round(5).ravel()) == set(newest.ravel())
    assert reward.forgotten == 0


@pytest.mark.parametrize("scored", [True, False])
def test_the_reward_sees_every_step_in_time_and_learns_now_and_then(
    scored: bool,
) -> None:
    model = Model()
    model.per_transition = scored
    buffer = build("plain", 3, intrinsic=model, update_every=4)
    tape = record(buffer, 10)
    computed = [batch.shape for batch in model.computed]
    assert computed == ([(4, 3)] * 2 if scored else [(1, 3)] * 10)
    assert [batch.shape for batch in model.learnt] == [(4, 3)] * 2
    assert buffer.metrics == {"weight": 3.0}
    steps = tape.steps[4:8]
    batch = model.learnt[1]
    for name in ("obs", "next_obs", "action", "reward", "done"):
        expected = np.stack([step[name] for step in steps])
        np.testing.assert_array_equal(getattr(batch, name), expected, name)
    cut = np.stack([step["cut"] for step in steps])
    np.testing.assert_array_equal(batch.truncated, cut)
    assert cut.any()
    np.testing.assert_array_equal(batch.terminated, batch.done & ~cut)
    assert batch.terminated.any()


def test_under_vec_normalize_the_bonus_sees_the_world_and_stays_unscaled() -> None:
    model = Model()
    venv = VecNormalize(DummyVecEnv([Drift] * 2))
    kwargs = {"intrinsic": model, "coef": 0.5, "update_every": 10**6}
    agent = DQN(
        "MlpPolicy",
        venv,
        replay_buffer_class=RelabelledReplayBuffer,
        replay_buffer_kwargs=kwargs,
        learning_starts=10**6,
        buffer_size=80,
        device="cpu",
    )
    agent.learn(100)
    buffer: Any = agent.replay_buffer
    paid, stock = both(buffer, env=venv)
    assert not np.allclose(buffer.rewards.std(), stock.rewards.std(), rtol=0.1)
    raw = {obs.tobytes() for obs in buffer.next_observations.reshape(-1, 2)}
    seen = model.scored[-1].next_obs[0]
    assert {obs.tobytes() for obs in seen} <= raw
    np.testing.assert_array_equal(
        venv.normalize_obs(seen), paid.next_observations.numpy()
    )
    extra = (paid.rewards - stock.rewards)[:, 0].numpy()
    expected = 0.5 * model._worth(model.scored[-1])[0]
    np.testing.assert_allclose(extra, expected, rtol=1e-4, atol=1e-4)


def test_the_world_s_reward_can_be_left_out() -> None:
    buffer = build("plain", 3, intrinsic=Model(), coef=2.0, extrinsic=False)
    record(buffer, 20)
    paid = buffer.sample(30)
    seen = [plain(x) for x in (paid.observations, paid.actions, paid.next_observations)]
    np.testing.assert_allclose(
        paid.rewards[:, 0].numpy(), 2 * worth(*seen, lead=1), rtol=1e-5
    )
    buffer.coef = 0.0
    assert not buffer.sample(30).rewards.any()


def test_with_coef_0_nothing_is_scored() -> None:
    model = Model()
    for buffer in (
        build("plain", 3, intrinsic=model, coef=0.0),
        build("n-step", 3, intrinsic=model, coef=0.0),
        goal_buffer(3, intrinsic=model, coef=0.0)[0],
    ):
        if not buffer.size():
            record(buffer, 20)
        buffer.sample(30)
    assert not model.scored


def test_a_score_of_another_shape_is_refused() -> None:
    class Flat(Model):
        def score(self, batch: Transitions) -> np.ndarray:
            return super().score(batch)[0]

    buffer = build("plain", 2, intrinsic=Flat())
    record(buffer, 5)
    with pytest.raises(ValueError, match=r"shape \(8,\); it must be \(1, 8\)"):
        buffer.sample(8)


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ({"optimize_memory_usage": True}, "last observation of an episode"),
        ({"coef": float("nan")}, "coef is nan"),
        ({"update_every": 0}, "update_every is 0"),
    ],
)
def test_impossible_settings_are_refused(setting: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        build("plain", 1, intrinsic=Model(), **setting)


@pytest.mark.parametrize("base", [ReplayBuffer, NStepReplayBuffer])
@pytest.mark.parametrize("by_name", [False, True])
def test_dict_observations_need_the_buffer_for_them(base: Any, by_name: bool) -> None:
    given: Any = {"observation_space": BOTH, "action_space": MOVES}
    args = [] if by_name else list(given.values())
    with pytest.raises(
        ValueError, match=r"Dict obs.*; use RelabelledDictReplayBuffer$"
    ):
        relabelled(base)(10, *args, intrinsic=Model(), **(given if by_name else {}))


def test_a_name_is_no_bonus() -> None:
    intrinsic: Any = "rnd"
    with pytest.raises(ValueError, match=r"'rnd', a name; pass make_reward\('rnd'\)"):
        build("plain", 1, intrinsic=intrinsic)


def test_a_base_class_may_draw_as_it_likes_but_not_hide_what() -> None:
    class Own(ReplayBuffer):
        def _get_samples(self, batch_inds: np.ndarray, env: Any = None) -> Any:
            np.random.random()  # noqa: NPY002
            return super()._get_samples(np.sort(batch_inds), env)

    class Hidden(ReplayBuffer):
        def _get_samples(self, batch_inds: np.ndarray, env: Any = None) -> Any:
            return ReplayBufferSamples(*[th.zeros(len(batch_inds), 1)] * 5)

    own: Any = relabelled(Own)(120, BOX, MOVES, n_envs=3, intrinsic=Model())
    record(own, 30)
    paid, stock = both(own)
    seen = [plain(x) for x in (paid.observations, paid.actions, paid.next_observations)]
    expected = stock.rewards[:, 0].numpy() + worth(*seen, lead=1)
    np.testing.assert_allclose(paid.rewards[:, 0].numpy(), expected, rtol=1e-5)
    hidden: Any = relabelled(Hidden)(120, BOX, MOVES, n_envs=3, intrinsic=Model())
    record(hidden, 30)
    with pytest.raises(RuntimeError, match="cannot tell what was sampled"):
        hidden.sample(50)


def test_rewards_see_actions_and_observations_as_the_spaces_have_them() -> None:
    low, high = np.array([[[-2, 0]], [[2, 10]]], np.float32)
    moves = spaces.Box(low, high)
    model = Model()
    buffer: Any = RelabelledReplayBuffer(
        20,
        spaces.Discrete(30, start=5),
        moves,
        n_envs=2,
        intrinsic=model,
        update_every=1,
    )
    scaled = np.array([[[-1.0, -1.0]], [[0.5, 0.2]]], np.float32)
    for t in range(4):
        seen = np.array([5 + t, 15 + t])
        zero = np.zeros(2)
        buffer.add(seen, seen + 1, scaled, zero, zero, [{}, {}])
    batch = model.computed[-1]
    np.testing.assert_array_equal(batch.obs, [[8, 18]])
    expected = np.array([[[-2.0, 0.0]], [[1.0, 6.0]]])
    np.testing.assert_allclose(batch.action[0], expected, rtol=1e-6)
    buffer.sample(6)
    again = model.scored[-1]
    assert again.next_obs.shape == (1, 6)
    assert again.next_obs.dtype == batch.next_obs.dtype
    lanes = (again.obs[0] >= 15).astype(int)
    np.testing.assert_allclose(again.action[0], expected[lanes], rtol=1e-6)


def test_the_variants_have_names() -> None:
    assert relabelled(ReplayBuffer) is RelabelledReplayBuffer
    assert relabelled(DictReplayBuffer) is RelabelledDictReplayBuffer
    assert relabelled(NStepReplayBuffer) is RelabelledNStepReplayBuffer
    assert relabelled(RelabelledHerReplayBuffer) is RelabelledHerReplayBuffer
