"""Sum, mix, product, clip, anneal, standardise, difference and first visit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces
from reward_batches import batch_of, column, reaching, rows

from curiosity_rl import checkpoint
from curiosity_rl.protocols import Transitions
from curiosity_rl.rewards import make_reward
from curiosity_rl.rewards.combinators import (
    Clip,
    Composite,
    Mix,
    Product,
    Scaled,
    Sum,
    is_per_transition,
    score,
)
from curiosity_rl.rewards.gates import Difference, FirstVisit
from curiosity_rl.rewards.modulators import Anneal, Fall, Standardised
from curiosity_rl.rewards.novelty import Count


class Says:
    """Pays what `next_obs` says, times a number that grows with each update."""

    per_transition = True
    scaled_by_default = False

    def __init__(self, factor: float = 1.0) -> None:
        self.factor = factor
        self.seed: int | None = None
        self.forgot = 0

    def setup(self, observation_space: Any, action_space: Any, seed: int) -> None:
        self.seed = seed

    def forget(self) -> None:
        self.forgot += 1

    def compute(self, batch: Transitions) -> np.ndarray:
        return (self.factor * np.asarray(batch.next_obs)).astype(np.float32)

    def update(self, batch: Transitions) -> dict[str, float]:
        self.factor += 1
        return {"factor": self.factor}

    def state_dict(self) -> dict[str, Any]:
        return {"factor": self.factor}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.factor = state["factor"]


def walk(obs: np.ndarray, done: np.ndarray | None = None) -> Transitions:
    """Follow states `(T + 1, N, ...)`; ends are marked, not jumped."""
    return replace(reaching(obs[1:], done), obs=obs[:-1])


def test_sum_mix_and_product_golden():
    batch = reaching(column(2, -3))
    np.testing.assert_array_equal(Sum(Says(), Says(10)).compute(batch), column(22, -33))
    mix = Mix([Says(), Says(10)], [0.5, -0.1])
    np.testing.assert_allclose(mix.compute(batch), column(-1, 1.5), rtol=1e-6)
    product = Product(Says(), Says(10), Says(0.5))
    np.testing.assert_array_equal(product.compute(batch), column(40, -135))
    for reward in (mix, product, Sum(Says())):
        assert reward.compute(batch).dtype == np.float32
    one = Says()
    before = one.compute(batch)
    Product(one, one).compute(batch)
    np.testing.assert_array_equal(before, column(2, -3))  # parts' arrays stay


def test_seeds_episodes_logs_and_state_reach_all_parts():
    parts = Says(), Says(5), Says()
    reward = Sum(*parts)
    reward.setup(spaces.Discrete(2), spaces.Discrete(2), 11)
    seeds = [part.seed for part in parts]
    assert len({11, *seeds}) == 4
    nested = Says(), Says(), Says()
    Sum(Product(nested[0], nested[1]), nested[2]).setup(None, None, 11)
    assert len({part.seed for part in nested}) == 3
    reward.forget()
    assert [part.forgot for part in parts] == [1, 1, 1]
    log = reward.update(reaching(column(1)))
    assert log == {"factor": 2.0, "factor_2": 6.0, "factor_3": 2.0}
    other = Sum(Says(), Says(), Says())
    other.load_state_dict(reward.state_dict())
    assert [part.state_dict()["factor"] for part in other.parts] == [2, 6, 2]


def test_per_transition_if_all_parts_are():
    assert is_per_transition(Product(Says(), Clip(Says(), 0, 1)))
    assert is_per_transition(Anneal(Scaled(Standardised(Difference(Says()))), 5))
    assert not is_per_transition(Sum(Says(), FirstVisit(Says())))
    assert not is_per_transition(Clip(Count(key="room"), 0))
    assert is_per_transition(Clip(Count(), 0))


def test_clip_golden():
    batch = reaching(column(-2, 0.5, 7))
    expected = {(-1, 1): (-1, 0.5, 1), (None, 1): (-2, 0.5, 1), (0, None): (0, 0.5, 7)}
    for (low, high), paid in expected.items():
        got = Clip(Says(), low, high).compute(batch)
        np.testing.assert_array_equal(got, column(*paid))
        assert got.dtype == np.float32


def test_anneal_golden():
    # 2 lanes x 3 steps an update
    batch = reaching(np.ones((3, 2)))
    factors: dict[Fall, list[float]] = {"linear": [], "exponential": []}
    for fall, seen in factors.items():
        reward = Anneal(Count(mode="exact"), over=12, fall=fall, floor=0.2)
        for _ in range(5):
            seen.append(reward.factor)
            log = reward.update(batch)
            assert log["bonus_factor"] == reward.factor
            assert "states_counted" in log
    np.testing.assert_allclose(factors["linear"], [1, 0.5, 0.2, 0.2, 0.2])
    halves = [1, 2**-0.5, 0.5, 2**-1.5, 0.25]
    np.testing.assert_allclose(factors["exponential"], halves)


def test_anneal_counts_what_update_sees_and_not_calls_of_compute():
    # a peer's weight falls with calls of compute: n times too fast off-policy
    reward, batch = Anneal(Says(), over=100), reaching(np.ones((10, 1)))
    for _ in range(20):
        reward.compute(batch)
        score(reward, batch)
    assert reward.factor == 1
    np.testing.assert_array_equal(reward.compute(batch), 1)
    steps = Anneal(Says(), over=100)
    for t in range(10):
        steps.update(rows(batch, t, t + 1))
    reward.update(batch)
    assert steps.factor == reward.factor == 0.9
    np.testing.assert_allclose(reward.compute(batch), 2 * 0.9)  # Says learnt: 2


def test_anneal_reaches_zero_and_stays():
    reward = Anneal(Says(), over=4)
    for _ in range(3):
        reward.update(reaching(np.ones((3, 1))))
    assert reward.factor == 0


def test_standardised_golden():
    reward = Standardised(Says(), offset=1)
    batch = reaching(column(2, 4, 6))  # mean 4, variance 8 / 3
    np.testing.assert_array_equal(reward.compute(batch), 1)  # nothing known yet
    np.testing.assert_array_equal(score(reward, reaching(column(50))), 1)
    reward.update(batch)  # Says pays twice as much from now on
    paid = reward.compute(reaching(column(2, 5)))
    expected = 1 + (np.array([4, 10]) - 4) / np.sqrt(8 / 3)
    np.testing.assert_allclose(paid[:, 0], expected, rtol=1e-6)
    # what compute measured moves nothing before update
    np.testing.assert_array_equal(reward.compute(reaching(column(2, 5))), paid)
    reward.update(batch)
    pooled = [2, 4, 6, 4, 10, 4, 10]
    np.testing.assert_allclose(reward.moments.mean, np.mean(pooled))
    np.testing.assert_allclose(reward.moments.var, np.var(pooled))


def test_standardised_never_divides_by_zero():
    reward = Standardised(Count(mode="exact"), offset=1)
    batch = reaching(np.zeros((1, 1, 2)))
    for _ in range(3):
        np.testing.assert_array_equal(reward.compute(batch), 1)
        reward.parts[0].table.size = 0  # type: ignore[attr-defined]
        reward._computed.update(np.ones(3))
        reward.moments.load_state_dict(reward._computed.state_dict())


def test_difference_golden():
    # counted 3 times: nov 1/2; once: 1/sqrt(2); never: 1
    count = Count(mode="exact")
    count.update(reaching(np.array([[1], [1], [1], [2]])))
    reward = Difference(count, alpha=0.5)
    batch = walk(np.array([1, 2, 1, 3, 3])[:, None])
    half = 2**-0.5
    expected = [half - 0.25, 0.5 - half / 2, 1 - 0.25, 0.5]
    np.testing.assert_allclose(reward.compute(batch)[:, 0], expected, rtol=1e-6)
    np.testing.assert_allclose(reward.score(batch)[:, 0], expected, rtol=1e-6)
    strict = Difference(count, alpha=1)
    expected = [half - 0.5, 0, 0.5, 0]  # never negative
    np.testing.assert_allclose(strict.compute(batch)[:, 0], expected, atol=1e-6)
    size = count.table.size
    reward.update(batch)  # counts what was reached, once, whatever was looked up
    assert count.table.size == size + 1
    paid = count.compute(reaching(column(1, 2, 3)))
    np.testing.assert_allclose(paid[:, 0], [5**-0.5, 3**-0.5, 3**-0.5])


def test_difference_refuses_what_needs_the_episode():
    with pytest.raises(ValueError, match="novelty of the state left is unknown"):
        Difference(FirstVisit(Says()))
    with pytest.raises(ValueError, match="Count pays for more than a transition"):
        Difference(Count(key="room"))


def gate(**settings: Any) -> FirstVisit:
    reward = FirstVisit(Says(0), mode="exact", **settings)
    reward.parts[0].compute = lambda batch: np.ones(batch.shape, np.float32)  # type: ignore[method-assign]
    return reward


def test_first_visit_golden():
    # ends after step 3: the state reached there is the episode's last, not the next's
    states = np.array([5, 6, 5, 6, 7, 7, 6, 7])
    done = column(0, 0, 0, 1, 0, 0, 0).astype(bool)
    batch = walk(states[:, None], done)
    #      5>6 6>5 5>6 6>7 | 7>7 7>6 6>7: both starts have been visited
    np.testing.assert_array_equal(gate().compute(batch)[:, 0], [1, 0, 0, 1, 0, 1, 0])


def test_first_visit_pays_what_is_gated():
    reward = FirstVisit(Says(), mode="exact")
    np.testing.assert_array_equal(
        reward.compute(walk(np.array([[1], [4], [4], [9]]))), column(4, 0, 9)
    )


def test_first_visit_is_that_of_sets():
    rng = np.random.default_rng(0)
    obs = rng.integers(0, 6, size=(301, 3, 2))
    done = rng.random((300, 3)) < 0.1
    batch = walk(obs, done)
    expected = np.zeros((300, 3))
    for i in range(3):
        seen: set[tuple[int, ...]] | None = None
        for t in range(300):
            seen = {tuple(obs[t, i])} if seen is None else seen
            here = tuple(obs[t + 1, i])
            expected[t, i] = here not in seen
            seen.add(here)
            if done[t, i]:
                seen = None
    paid = gate().compute(batch)
    np.testing.assert_array_equal(paid, expected)
    assert 0.1 < paid.mean() < 0.9


@pytest.mark.parametrize("capacity", [2, 5, 8192])
def test_first_visit_step_by_step_is_the_rollout(capacity):
    rng = np.random.default_rng(1)
    batch = walk(rng.integers(0, 9, size=(61, 2)), rng.random((60, 2)) < 0.1)
    whole = gate(capacity=capacity).compute(batch)
    stepwise = gate(capacity=capacity)
    steps = [stepwise.compute(rows(batch, t, t + 1)) for t in range(60)]
    np.testing.assert_array_equal(np.concatenate(steps), whole)
    resumed = gate(capacity=capacity)
    resumed.compute(rows(batch, 0, 31))
    again = gate(capacity=capacity)
    again.load_state_dict(resumed.state_dict())
    np.testing.assert_array_equal(again.compute(rows(batch, 31, 60)), whole[31:])


def test_first_visit_memory_is_bounded():
    reward = gate(capacity=4)
    batch = walk(np.array([0, 1, 2, 3, 3, 4, 4, 0])[:, None])
    # 0 to 3 fill it: at 4 the episode starts over, and 0 is new again
    np.testing.assert_array_equal(reward.compute(batch)[:, 0], [1, 1, 1, 0, 1, 0, 1])


def test_first_visit_of_lanes_left_out():
    reward = gate()
    first = walk(np.array([[1, 1, 1], [2, 2, 2]]))
    reward.compute(first)
    part = walk(np.array([[2, 2], [2, 3]]))
    paid = reward.compute(replace(part, lanes=np.array([2, 0])))
    np.testing.assert_array_equal(paid, [[0, 1]])
    last = reward.compute(walk(np.array([[3, 2, 2], [3, 3, 3]])))
    np.testing.assert_array_equal(last, [[0, 1, 1]])
    with pytest.raises(ValueError, match="remembers 3 lanes and was given 2"):
        reward.compute(part)


def test_first_visit_forgets_and_scores_without_a_trace():
    reward, batch = gate(), walk(np.array([[1], [2], [2]]))
    np.testing.assert_array_equal(reward.compute(batch), column(1, 0))
    before = reward.state_dict()
    # each replayed transition is an episode of one step
    np.testing.assert_array_equal(score(reward, batch), column(1, 0))
    np.testing.assert_equal(reward.state_dict(), before)
    reward.forget()
    np.testing.assert_array_equal(reward.compute(batch), column(1, 0))


def test_first_visit_by_key():
    rooms = {"room": column(1, 1, 2).astype(np.int64)}
    reward = FirstVisit(Says(), key="room")
    batch = replace(batch_of(rooms), next_obs=np.ones((3, 1)))
    np.testing.assert_array_equal(reward.compute(batch), column(1, 0, 1))
    by_floor = FirstVisit(Says(), key=np.floor)
    batch = walk(column(0.2, 0.9, 1.1, 1.8))
    np.testing.assert_allclose(by_floor.compute(batch), column(0, 1.1, 0))
    mapping = {"a": column(1, 2, 1), "b": column(0, 0, 0)}
    batch = replace(
        reaching({k: v[1:] for k, v in mapping.items()}),
        obs={k: v[:-1] for k, v in mapping.items()},
    )
    np.testing.assert_array_equal(gate().compute(batch), column(1, 0))


def seen() -> Count:
    return Count(mode="exact")


BUILDS: dict[str, Callable[[], Composite]] = {
    "mix": lambda: Mix([seen(), Says()], [0.5, 0.25]),
    "product": lambda: Product(Scaled(seen(), warmup=0), Says()),
    "clip": lambda: Clip(seen(), 0.2, 0.6),
    "anneal": lambda: Anneal(Scaled(seen(), warmup=4), 70),
    "standardised": lambda: Standardised(seen()),
    "difference": lambda: Difference(seen()),
    "gate": lambda: FirstVisit(Standardised(seen())),
    "all": lambda: Anneal(FirstVisit(Product(Difference(seen()), Says())), 90),
}


@pytest.mark.parametrize("name", BUILDS)
def test_stepwise_resumed_and_scored(name, tmp_path: Path):
    rng = np.random.default_rng(2)
    states = rng.integers(0, 7, size=(81, 2))
    batch = walk(states, rng.random((80, 2)) < 0.1)
    straight = BUILDS[name]()
    for start, stop in ((0, 10), (10, 20)):
        straight.compute(rows(batch, start, stop))
        straight.update(rows(batch, start, stop))
    straight.compute(rows(batch, 20, 25))
    checkpoint.save(tmp_path / "c", straight.state_dict())
    resumed = BUILDS[name]()
    resumed.load_state_dict(checkpoint.load(tmp_path / "c"))
    kept = straight.score(rows(batch, 25, 60))
    np.testing.assert_array_equal(straight.score(rows(batch, 25, 60)), kept)
    whole = straight.compute(rows(batch, 25, 60))
    if is_per_transition(straight):
        np.testing.assert_array_equal(whole, kept)
    steps = [resumed.compute(rows(batch, t, t + 1)) for t in range(25, 60)]
    np.testing.assert_array_equal(np.concatenate(steps), whole)
    assert whole.dtype == np.float32
    assert whole.std() > 0
    logs = [one.update(rows(batch, 20, 60)) for one in (straight, resumed)]
    assert logs[0].keys() == logs[1].keys()
    np.testing.assert_allclose(
        resumed.compute(rows(batch, 60, 80)),
        straight.compute(rows(batch, 60, 80)),
        rtol=1e-5,
    )


def test_a_product_that_a_user_writes():
    product = Product(make_reward("rnd", scale=False), Count(mode="exact"))
    product.setup(spaces.Box(-1, 1, (2,)), spaces.Discrete(2), 0)
    batch = reaching(np.random.default_rng(3).normal(size=(4, 2, 2)))
    lone = make_reward("rnd", scale=False)
    seed = int(np.random.SeedSequence(0).generate_state(2)[0])  # of the first part
    lone.setup(spaces.Box(-1, 1, (2,)), spaces.Discrete(2), seed)  # type: ignore[attr-defined]
    np.testing.assert_array_equal(product.compute(batch), lone.compute(batch))
    product.update(batch)
    lone.update(batch)
    np.testing.assert_allclose(
        product.compute(batch), lone.compute(batch) * np.float32(2**-0.5)
    )


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: Sum(), "no reward is given"),
        (lambda: Product(), "no reward is given"),
        (lambda: Mix([Says()], [1, 2]), "1 rewards and 2 weights"),
        (lambda: Mix([Says()], [float("nan")]), "they must be finite"),
        (lambda: Clip(Says()), "give one bound"),
        (lambda: Clip(Says(), 2, 1), "low is 2 and high is 1"),
        (lambda: Anneal(Says(), 0), "over is 0"),
        (lambda: Anneal(Says(), 5, "fast"), "fall is 'fast'; allowed: linear, exp"),  # type: ignore[arg-type]
        (lambda: Anneal(Says(), 5, floor=2), r"floor is 2; it must lie in \[0, 1\]"),
        (lambda: Difference(Says(), -1), "alpha is -1"),
        (lambda: FirstVisit(Says(), capacity=0), "capacity is 0"),
        (lambda: FirstVisit(Says(), bits=99), "bits is 99"),
    ],
)
def test_refused_settings(build, words):
    with pytest.raises(ValueError, match=words):
        build()
