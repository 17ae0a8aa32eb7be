"""What every intrinsic reward of the catalogue promises, entry by entry."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch as th
from gymnasium import spaces
from reward_batches import rows

from curiosity_rl import checkpoint
from curiosity_rl.protocols import IntrinsicReward, Transitions
from curiosity_rl.registry import REWARDS, load
from curiosity_rl.rewards import make_reward, settings_of
from curiosity_rl.rewards.combinators import is_per_transition, score

LANES, STEPS, ACTIVITIES = 3, 24, 5
SMALL = {"hidden": 16, "features": 8, "outputs": 8, "batch_size": 16}
OBSERVATIONS: dict[str, spaces.Space] = {
    "box": spaces.Box(-2, 2, (3,), np.float32),
    "matrix": spaces.Box(-2, 2, (2, 2), np.float64),
    "discrete": spaces.Discrete(4, start=1),
    "multidiscrete": spaces.MultiDiscrete([3, 2]),
    "multibinary": spaces.MultiBinary(3),
    "small image": spaces.Box(0, 255, (7, 7, 3), np.uint8),
    "image": spaces.Box(0, 255, (16, 16, 3), np.uint8),
    "channels first": spaces.Box(0, 255, (1, 16, 20), np.uint8),
    "dict": spaces.Dict(
        {
            "camera": spaces.Box(0, 255, (16, 16, 1), np.uint8),
            "door": spaces.Discrete(2),
            "place": spaces.Box(-1, 1, (2,), np.float32),
        }
    ),
}
ACTIONS: dict[str, spaces.Space] = {
    "box": spaces.Box(-1, 1, (2,), np.float32),
    "discrete": spaces.Discrete(3),
    "multidiscrete": spaces.MultiDiscrete([2, 3]),
    "multibinary": spaces.MultiBinary(2),
}
PER_TRANSITION = [name for name in REWARDS if is_per_transition(make_reward(name))]
COUNTED_ONLY = {"dirichlet"}
"""Rewards over counted transitions: they refuse what is not discrete."""
LENIENT = {"recurring-novelty": {"bits": 3}, "region-progress": {"z": 0.0}}
"""Settings without which a reward rightly pays nothing in a world without rules."""


def sample(space: spaces.Space, steps: int, seed: int) -> Any:
    """Draw `(steps, LANES, ...)` of a space."""
    if isinstance(space, spaces.Dict):
        return {
            key: sample(part, steps, seed + i)
            for i, (key, part) in enumerate(space.spaces.items())
        }
    space.seed(seed)
    drawn = [[space.sample() for _ in range(LANES)] for _ in range(steps)]
    return np.array(drawn, dtype=space.dtype)


def play(
    observation: spaces.Space, action: spaces.Space, seed: int = 0, steps: int = STEPS
) -> Transitions:
    """Play at random in a world without rules, that reports what a tutor reports."""
    rng = np.random.default_rng(seed)
    shape = (steps, LANES)
    done = rng.random(shape) < 0.15
    cut = done & (rng.random(shape) < 0.5)
    goal = np.zeros((*shape, ACTIVITIES), bool)
    goal[..., :2] = True
    belief = rng.uniform(0.1, 0.9, (*shape, ACTIVITIES)).astype(np.float32)
    return Transitions(
        obs=sample(observation, steps, seed + 10),
        action=sample(action, steps, seed + 20),
        reward=rng.random(shape).astype(np.float32),
        next_obs=sample(observation, steps, seed + 30),
        terminated=done & ~cut,
        truncated=cut,
        info={
            "activity": rng.integers(0, ACTIVITIES, shape),
            "outcome": rng.integers(0, 2, shape).astype(np.int8),
            "belief": belief,
            "belief_before": np.roll(belief, 1, 0),
            "goal": goal,
            "needed": goal,
        },
    )


def build(
    name: str, observation: spaces.Space, action: spaces.Space, **kwargs: Any
) -> IntrinsicReward:
    small = {k: v for k, v in SMALL.items() if k in settings_of(load(REWARDS[name]))}
    reward = make_reward(name, **small, **LENIENT.get(name, {}), **kwargs)
    if hasattr(reward, "setup"):
        reward.setup(observation, action, 7)  # type: ignore[attr-defined]
    return reward


def made(name: str, seed: int = 7) -> tuple[IntrinsicReward, Iterator[Transitions]]:
    """Return a reward and batches, in spaces that every entry takes."""
    space = "discrete" if name in COUNTED_ONLY else "box"
    observation, action = OBSERVATIONS[space], ACTIONS["discrete"]
    batches = (play(observation, action, seed + 100 * i) for i in range(100))
    return build(name, observation, action), batches


def learn(reward: IntrinsicReward, batches: Iterator[Transitions], times: int) -> None:
    for _ in range(times):
        batch = next(batches)
        reward.compute(batch)
        reward.update(batch)


def assert_equal_states(one: Any, other: Any) -> None:
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one:
            assert_equal_states(one[key], other[key])
    elif isinstance(one, list | tuple):
        assert len(one) == len(other)
        for a, b in zip(one, other, strict=True):
            assert_equal_states(a, b)
    elif th.is_tensor(one) or isinstance(one, np.ndarray):
        np.testing.assert_array_equal(np.asarray(one), np.asarray(other))
    else:
        assert one == other


@pytest.mark.parametrize("name", REWARDS)
def test_docstring_says_formula_shapes_memory_and_source(name: str) -> None:
    text = load(REWARDS[name]).__doc__
    for word in ("Formula", "Shapes", "Source"):
        assert f"{word}:" in text, f"{name} has no {word}"
    assert "Memory:" in text or "Stateless." in text, f"{name} states no bound"


@pytest.mark.parametrize("name", REWARDS)
@pytest.mark.parametrize("space", OBSERVATIONS)
def test_every_observation_space(name: str, space: str) -> None:
    observation, action = OBSERVATIONS[space], ACTIONS["discrete"]
    batch = play(observation, action)
    reward = build(name, observation, action)
    counted = space in ("discrete", "multidiscrete", "multibinary", "small image")
    if name in COUNTED_ONLY and not counted:
        with pytest.raises(ValueError, match="discrete"):
            reward.compute(batch)
        return
    for _ in range(2):
        paid = reward.compute(batch)
        assert paid.shape == batch.shape
        assert paid.dtype == np.float32
        assert np.isfinite(paid).all()
        log = reward.update(batch)
        assert all(np.isfinite(value) for value in log.values())


@pytest.mark.parametrize("name", REWARDS)
@pytest.mark.parametrize("space", ACTIONS)
def test_every_action_space(name: str, space: str) -> None:
    observation, action = OBSERVATIONS["discrete"], ACTIONS[space]
    reward = build(name, observation, action)
    batch = play(observation, action)
    if name in COUNTED_ONLY and space == "box":
        with pytest.raises(ValueError, match="discrete"):
            reward.compute(batch)
        return
    for _ in range(2):
        assert np.isfinite(reward.compute(batch)).all()
        reward.update(batch)


@pytest.mark.parametrize("name", REWARDS)
def test_step_by_step_equals_the_whole_rollout(name: str) -> None:
    (whole, batches), (stepwise, again) = made(name), made(name)
    for reward, source in ((whole, batches), (stepwise, again)):
        learn(reward, source, 12)
    batch = next(batches)
    paid = whole.compute(batch)
    steps = [stepwise.compute(rows(batch, t, t + 1)) for t in range(STEPS)]
    np.testing.assert_allclose(np.concatenate(steps), paid, rtol=2e-4, atol=2e-6)
    assert np.abs(paid).max() > 0, "pays nothing: the test sees nothing"


@pytest.mark.parametrize("name", REWARDS)
def test_continues_bit_for_bit(name: str, tmp_path: Path) -> None:
    straight, batches = made(name)
    learn(straight, batches, 3)
    path = checkpoint.save(tmp_path / "reward", {"reward": straight.state_dict()})
    resumed, _ = made(name)
    resumed.load_state_dict(checkpoint.load(path)["reward"])
    for _ in range(3):
        batch = next(batches)
        np.testing.assert_array_equal(resumed.compute(batch), straight.compute(batch))
        assert resumed.update(batch) == straight.update(batch)
    assert_equal_states(resumed.state_dict(), straight.state_dict())


@pytest.mark.parametrize("name", REWARDS)
def test_state_is_a_copy(name: str) -> None:
    reward, batches = made(name)
    learn(reward, batches, 2)
    state, other = reward.state_dict(), made(name)[0]
    learn(reward, batches, 2)
    other.load_state_dict(state)
    late = other.state_dict()
    learn(other, batches, 1)  # what was loaded is no view of what was saved
    assert_equal_states(late, state)


def _numpy_words() -> np.ndarray:
    state: Any = np.random.get_state(legacy=False)  # noqa: NPY002
    return np.append(state["state"]["key"], state["state"]["pos"])


@pytest.mark.parametrize("name", REWARDS)
def test_draws_from_no_global_generator(name: str) -> None:
    np.random.seed(3)  # noqa: NPY002
    before_torch, before_numpy = th.get_rng_state(), _numpy_words()
    reward, batches = made(name)
    learn(reward, batches, 2)
    np.testing.assert_array_equal(th.get_rng_state(), before_torch)
    np.testing.assert_array_equal(_numpy_words(), before_numpy)


@pytest.mark.parametrize("name", REWARDS)
def test_equal_seeds_pay_equally(name: str) -> None:
    (one, batches), (other, again) = made(name), made(name)
    for _ in range(3):
        a, b = next(batches), next(again)
        np.testing.assert_array_equal(one.compute(a), other.compute(b))
        assert one.update(a) == other.update(b)


EPISODIC = [name for name in REWARDS if name not in PER_TRANSITION]


@pytest.mark.parametrize("name", EPISODIC)
def test_lanes_that_are_left_out_stand_still(name: str) -> None:
    """NEXT_STEP autoreset makes steps that are no transitions of some lanes."""
    chosen = np.array([0, 2])
    (some, batches), (everyone, again) = made(name), made(name)
    learn(some, batches, 12)
    learn(everyone, again, 12)
    first, second, third = (rows(next(batches), 0, 1) for _ in range(3))

    def columns(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {key: columns(part) for key, part in value.items()}
        return None if value is None else value[:, chosen]

    few = Transitions(
        **{f.name: columns(getattr(second, f.name)) for f in fields(second)}
    )
    few = replace(few, lanes=chosen)
    np.testing.assert_array_equal(some.compute(first), everyone.compute(first))
    paid = everyone.compute(second)[:, chosen]
    np.testing.assert_allclose(some.compute(few), paid, rtol=1e-5, atol=1e-7)
    without, _ = made(name)
    learn(without, made(name)[1], 12)
    without.compute(first)
    last = some.compute(third)
    expected = everyone.compute(third)[:, chosen]
    np.testing.assert_allclose(last[:, chosen], expected, rtol=1e-5, atol=1e-7)
    still = without.compute(third)[:, 1]
    np.testing.assert_allclose(last[:, 1], still, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("name", EPISODIC)
def test_forgetting_is_what_an_end_does(name: str) -> None:
    (ended, batches), (reset, again) = made(name), made(name)
    learn(ended, batches, 12)
    learn(reset, again, 12)
    batch, after = next(batches), next(batches)
    end = np.zeros(batch.shape, bool)
    ended.compute(
        replace(batch, terminated=end | (np.arange(STEPS) == STEPS - 1)[:, None])
    )
    reset.compute(replace(batch, terminated=end, truncated=end))
    if hasattr(reset, "forget"):
        reset.forget()  # type: ignore[attr-defined]
    # both episodes began before the batch, where the world's own ends are the same
    np.testing.assert_allclose(
        reset.compute(after), ended.compute(after), rtol=1e-5, atol=1e-7
    )


@pytest.mark.parametrize("name", REWARDS)
def test_constant_input_and_one_lane(name: str) -> None:
    observation, action = OBSERVATIONS["discrete"], ACTIONS["discrete"]
    reward = build(name, observation, action)
    batch = play(observation, action)

    def still(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: still(part) for key, part in value.items()}
        return np.repeat(np.asarray(value)[:1, :1], STEPS, axis=0)

    same = Transitions(
        obs=still(batch.obs),
        action=still(batch.action),
        reward=still(batch.reward),
        next_obs=still(batch.next_obs),
        terminated=np.zeros((STEPS, 1), bool),
        truncated=np.zeros((STEPS, 1), bool),
        info=still(dict(batch.info)),
    )
    for _ in range(15):  # the scale is trusted after 256 transitions
        paid = reward.compute(same)
        assert np.isfinite(paid).all()
        assert np.isfinite(list(reward.update(same).values())).all()


@pytest.mark.parametrize("name", PER_TRANSITION)
def test_scoring_moves_nothing_and_follows_the_model(name: str) -> None:
    reward, batches = made(name)
    learn(reward, batches, 12)
    batch = next(batches)
    state, first = reward.state_dict(), score(reward, batch)
    np.testing.assert_array_equal(score(reward, batch), first)
    assert_equal_states(reward.state_dict(), state)
    learn(reward, batches, 3)
    assert not np.array_equal(score(reward, batch), first)


@pytest.mark.parametrize("name", PER_TRANSITION)
def test_per_transition_ignores_time_and_lanes(name: str) -> None:
    """What is scored in a replay buffer may come in any order."""
    reward, batches = made(name)
    learn(reward, batches, 12)
    batch = next(batches)
    order = np.random.default_rng(1).permutation(STEPS)

    def shuffled(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: shuffled(part) for key, part in value.items()}
        return value[order]

    mixed = Transitions(
        **{
            field: shuffled(getattr(batch, field))
            for field in ("obs", "action", "reward", "next_obs")
        },
        terminated=np.zeros(batch.shape, bool),
        truncated=np.zeros(batch.shape, bool),
    )
    scored = reward.score if hasattr(reward, "score") else reward.compute  # type: ignore[attr-defined]
    np.testing.assert_allclose(
        scored(mixed), scored(batch)[order], rtol=1e-5, atol=1e-7
    )
