"""Running moments and the running scale, against slow references."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from reward_batches import batch_of, rows

from curiosity_rl.protocols import IntrinsicReward, Transitions
from curiosity_rl.rewards import RewardNames, Scaled, make_reward
from curiosity_rl.rewards.information import BeliefGain
from curiosity_rl.rewards.novelty import Count
from curiosity_rl.rewards.statistics import DiscountedReturn, RunningMoments


class Given:
    """A bonus that is what info says; learns by counting."""

    def __init__(self) -> None:
        self.updates = 0
        self.seed: int | None = None

    def setup(self, observation_space: Any, action_space: Any, seed: int) -> None:
        self.seed = seed

    def compute(self, batch: Transitions) -> np.ndarray:
        return batch.info["bonus"].astype(np.float32)

    def update(self, batch: Transitions) -> dict[str, float]:
        self.updates += 1
        return {"updates": float(self.updates)}

    def state_dict(self) -> dict[str, Any]:
        return {"updates": self.updates}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.updates = state["updates"]


def paying(bonus: Any) -> Transitions:
    return batch_of({"bonus": np.asarray(bonus, np.float32)})


def slow_returns(bonus: np.ndarray, gamma: float) -> np.ndarray:
    """The discounted sum written out, per lane, from the first step on."""
    return np.array(
        [
            [
                sum(gamma ** (t - s) * float(bonus[s, i]) for s in range(t + 1))
                for i in range(bonus.shape[1])
            ]
            for t in range(bonus.shape[0])
        ]
    )


@settings(max_examples=50, deadline=None)
@given(
    hnp.arrays(
        np.float32,
        st.tuples(st.integers(1, 1500), st.just(2)),
        elements=st.floats(-100, 100, width=32),
    ),
    st.integers(0, 1500),
)
def test_moments_are_those_of_everything_seen(values, cut):
    moments = RunningMoments((2,))
    moments.update(values[:cut])
    moments.update(values[cut:])
    assert moments.count == len(values)
    exact = values.astype(np.float64)
    np.testing.assert_allclose(moments.mean, exact.mean(0), atol=1e-9)
    np.testing.assert_allclose(moments.var, exact.var(0), atol=1e-8, rtol=1e-9)


def test_moments_of_a_constant_far_from_zero():
    moments = RunningMoments()
    for _ in range(50):
        moments.update(np.full(100, 1e6, np.float32))
    assert moments.mean == 1e6
    assert moments.var == 0


def test_filter_golden():
    # two lanes, gamma 1/2: 4, 2 + 4, 3 + 0 and 0, 2, 1 + 8: over time, lane by lane
    filter_ = DiscountedReturn(0.5)
    out = filter_.update(np.array([[4.0, 0.0], [4.0, 2.0]]))
    np.testing.assert_array_equal(out, [[4, 0], [6, 2]])
    np.testing.assert_array_equal(filter_.update(np.array([[0.0, 8.0]])), [[3, 9]])


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 1000),
    lanes=st.integers(1, 4),
    gamma=st.sampled_from([0.0, 0.5, 0.99]),
    cuts=st.lists(st.integers(1, 29), max_size=4),
)
def test_scale_agrees_with_a_slow_reference(seed, lanes, gamma, cuts):
    bonus = np.random.default_rng(seed).normal(2, 3, (30, lanes)).astype(np.float32)
    whole = paying(bonus)
    reward = Scaled(Given(), gamma=gamma, warmup=1)
    edges = [0, *sorted(set(cuts)), 30]
    for start, stop in itertools.pairwise(edges):
        part = rows(whole, start, stop)
        paid = reward.compute(part)
        if start:
            sigma = slow_returns(bonus[:start], gamma).std()
            expected = bonus[start:stop] / (sigma if sigma > 1e-8 else 1)
            np.testing.assert_allclose(paid, expected, rtol=1e-4)
        else:
            np.testing.assert_array_equal(paid, 0)
        reward.update(part)


def test_scale_golden():
    # gamma 1/2, bonuses 4, 4, 0: returns 4, 6, 3; variance 14/9
    reward = Scaled(Given(), gamma=0.5, warmup=3)
    batch = paying([[4], [4], [0]])
    np.testing.assert_array_equal(reward.compute(batch), 0)  # no scale yet
    log = reward.update(batch)
    assert reward.deviation == pytest.approx((14 / 9) ** 0.5)
    assert log["bonus_deviation"] == reward.deviation
    assert log["unscaled_bonus"] == pytest.approx(8 / 3)
    assert log["updates"] == 1
    paid = reward.compute(paying([[-2]]))
    assert paid.dtype == np.float32
    assert paid[0, 0] == pytest.approx(-2 / (14 / 9) ** 0.5)  # no mean taken off


def test_compute_moves_nothing_and_updates_take_each_bonus_once():
    reward = Scaled(Given(), warmup=0)
    batch = paying(np.arange(12).reshape(6, 2))
    reward.compute(batch)
    assert reward.moments.count == 0
    reward.update(batch)
    reward.update(batch)  # nothing was computed since: the scale stays
    assert reward.moments.count == 12
    whole = Scaled(Given(), warmup=0)
    for t in range(6):
        whole.compute(rows(batch, t, t + 1))  # step by step, one update
    whole.update(batch)
    assert whole.deviation == pytest.approx(reward.deviation, rel=1e-12)


def test_the_filter_runs_over_episode_ends():
    bonus = {"bonus": np.ones((4, 1), np.float32)}
    ends = np.array([[True], [False], [True], [True]])
    cut, uncut = Scaled(Given()), Scaled(Given())
    for reward, done in ((cut, ends), (uncut, np.zeros_like(ends))):
        batch = batch_of(bonus, done)
        reward.compute(batch)
        reward.update(batch)
    assert cut.deviation == uncut.deviation


@pytest.mark.parametrize("constant", [0.0, 1e-30, 5.0])
def test_constant_bonus_divides_by_nothing_small(constant):
    reward = Scaled(Given(), gamma=0.0, warmup=1)
    batch = paying(np.full((50, 1), constant))
    for _ in range(3):
        reward.compute(batch)
        reward.update(batch)
    paid = reward.compute(batch)
    np.testing.assert_array_equal(paid, np.float32(constant))


def test_resumes_bit_for_bit():
    rng = np.random.default_rng(4)
    batches = [paying(rng.random((20, 3))) for _ in range(6)]
    straight = Scaled(Given(), warmup=10)
    for batch in batches[:3]:
        straight.compute(batch)
        straight.update(batch)
    straight.compute(batches[3])
    state = straight.state_dict()  # between compute and update: pending is kept
    resumed = Scaled(Given(), warmup=10)
    resumed.load_state_dict(state)
    for reward in (straight, resumed):
        reward.update(batches[3])
    for batch in batches[4:]:
        np.testing.assert_array_equal(resumed.compute(batch), straight.compute(batch))
        assert resumed.update(batch) == straight.update(batch)
    fresh = Scaled(Given(), warmup=10)
    fresh.load_state_dict(Scaled(Given()).state_dict())
    assert fresh.moments.count == 0


def test_refuses():
    with pytest.raises(ValueError, match=r"gamma is 1.0; it must lie in \[0, 1\)"):
        Scaled(Given(), gamma=1.0)
    with pytest.raises(ValueError, match="warmup is -1"):
        Scaled(Given(), warmup=-1)
    reward = Scaled(Given())
    for lanes, words in ((2, None), (3, "remembers 2 lanes and was given 3")):
        batch = paying(np.ones((4, lanes)))
        reward.compute(batch)
        if words is None:
            reward.update(batch)
        else:
            with pytest.raises(ValueError, match=words):
                reward.update(batch)


def test_setup_reaches_the_reward():
    inner = Given()
    Scaled(inner).setup(None, None, 17)
    assert inner.seed == 17
    Scaled(BeliefGain()).setup(None, None, 17)  # has none


def test_make_reward_builds_every_name():
    for name in RewardNames:
        assert isinstance(make_reward(name), IntrinsicReward)
    assert "belief-progress" in RewardNames


def test_make_reward_scales_what_has_no_unit():
    counted = make_reward("count", scale_gamma=0.9, bits=8)
    assert isinstance(counted, Scaled)
    assert counted.returns.gamma == 0.9
    assert isinstance(counted.reward, Count)
    assert counted.reward.code.bits == 8
    assert isinstance(make_reward("rnd"), Scaled)
    assert isinstance(make_reward("count", scale=False), Count)
    assert isinstance(make_reward("belief-gain"), BeliefGain)
    assert isinstance(make_reward("belief-gain", scale=True), Scaled)


def test_make_reward_refuses_with_suggestions():
    with pytest.raises(ValueError, match=r"unknown intrinsic reward 'rdn'.*mean rnd"):
        make_reward("rdn")
    words = "unknown setting of 'skill-progress' 'windows': did you mean window"
    with pytest.raises(ValueError, match=words):
        make_reward("skill-progress", windows=3)
    with pytest.raises(ValueError, match="kind is 'x'"):
        make_reward("skill-progress", kind="x")
