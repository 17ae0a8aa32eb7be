"""NovelD, NGU, RIDE and products of a user's: golden numbers and peers' mistakes."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces
from reward_batches import reaching, rows

from curiosity_rl import checkpoint
from curiosity_rl.protocols import Transitions
from curiosity_rl.rewards import make_reward
from curiosity_rl.rewards.combinators import (
    Composite,
    Product,
    Scaled,
    is_per_transition,
    score,
)
from curiosity_rl.rewards.compositions import NGU, NOVELTIES, RIDE, Impact, NovelD
from curiosity_rl.rewards.novelty import Count
from curiosity_rl.rewards.prediction import RND

BOX = spaces.Box(-9, 9, (2,))
SMALL: dict[str, Any] = {"hidden": 16, "features": 6, "batch_size": 32}


def walk(obs: Any, done: Any = None) -> Transitions:
    """Follow states `(T + 1, N, ...)`; ends are marked, not jumped."""
    obs = np.asarray(obs)
    batch = reaching(obs[1:], None if done is None else np.asarray(done))
    return replace(batch, obs=obs[:-1], action=np.zeros(batch.shape, np.int64))


def wander(seed: int = 0, steps: int = 40, lanes: int = 2, ends: float = 0.1) -> Any:
    """Grid points, so that states repeat."""
    rng = np.random.default_rng(seed)
    obs = rng.integers(-2, 3, size=(steps + 1, lanes, 2)).astype(np.float32)
    batch = walk(obs, rng.random((steps, lanes)) < ends)
    return replace(batch, action=rng.integers(0, 2, (steps, lanes)))


def ready(reward: Any, seed: int = 0, space: Any = BOX) -> Any:
    reward.setup(space, spaces.Discrete(2), seed)
    return reward


def lane(*states: int) -> np.ndarray:
    return np.array(states)[:, None]


def test_noveld_golden():
    reward = ready(NovelD(), space=spaces.Discrete(9))
    reward.update(walk(lane(0, 1, 1, 1, 2)))  # n(1) = 3, n(2) = 1
    batch = walk(lane(2, 1, 2, 3, 1, 4, 4), lane(0, 0, 0, 0, 1, 0).astype(bool))
    #      2>1            1>2  2>3             3>1  1>4      | 4>4: begun in 4
    half = 2**-0.5
    gains = [0.5 - half / 2, 0.0, 1 - half / 2, 0.0, 1 - 0.25, 0.0]
    np.testing.assert_allclose(reward.compute(batch)[:, 0], gains, rtol=1e-6)
    reward.update(batch)  # n(1) = 5, n(2) = 2, n(3) = 1, n(4) = 2
    paid = reward.compute(walk(lane(4, 3, 1)))
    np.testing.assert_allclose(
        paid[:, 0], [half - 0.5 * 3**-0.5, 6**-0.5 - half / 2], rtol=1e-5
    )
    # what grows dull pays nothing, never less
    known = ready(NovelD(alpha=2), space=spaces.Discrete(9))
    assert known.compute(walk(lane(5, 6))).item() == 0


def test_noveld_pays_the_last_state_of_an_episode_as_such():
    # peers give the first observation of the next episode in the place of the last
    states = lane(0, 1, 2)
    batch = walk(states, lane(1, 1).astype(bool))
    batch = replace(batch, obs=lane(0, 0), next_obs=lane(1, 2))
    reward = ready(NovelD(), space=spaces.Discrete(9))
    for _ in range(3):
        reward.compute(batch)
        reward.update(batch)
    count = reward.parts[0].parts[0]  # type: ignore[attr-defined]
    seen = count.compute(walk(lane(9, 0, 1, 2)[:4] % 9))
    np.testing.assert_allclose(seen[:, 0], [1, 0.5, 0.5])  # 0 was never reached
    np.testing.assert_allclose(reward.compute(batch)[:, 0], 0)  # .5 - .5 * 1
    keen = ready(NovelD(alpha=0), space=spaces.Discrete(9))
    np.testing.assert_allclose(keen.compute(batch)[:, 0], 1)


def test_noveld_over_rnd_is_that_of_its_parts():
    learning: dict[str, Any] = {"batch_size": 32, "updates": 3}
    reward = ready(NovelD("rnd", mode="exact", **learning), seed=4)
    first = int(np.random.SeedSequence(4).generate_state(2)[0])  # of the first part
    rnd = ready(RND(**learning), seed=first)
    for seed in range(3):
        batch = wander(seed)
        before = rnd.compute(replace(batch, next_obs=batch.obs))
        gain = np.maximum(rnd.compute(batch) - 0.5 * before, 0)
        reward.forget()
        paid = reward.compute(batch)
        assert 0.02 < (paid > 0).mean() < 0.9
        for i in range(2):
            met: set[Any] = set()
            for t in range(40):
                met = met or {tuple(batch.obs[t, i])}
                here = tuple(batch.next_obs[t, i])
                assert paid[t, i] == (0 if here in met else gain[t, i])
                met = set() if batch.done[t, i] else met | {here}
        learnt = reward.update(batch)
        assert learnt.pop("states_in_episode") > 0
        assert rnd.update(batch) == learnt


@pytest.mark.parametrize("name", NOVELTIES)
def test_noveld_over_every_novelty(name):
    reward = ready(NovelD(name, updates=2))
    most = []
    for seed in range(3):
        states = np.random.default_rng(seed).normal(size=(41, 2, 2))
        batch = walk(states.astype(np.float32))
        paid = reward.compute(batch)
        assert np.all(np.isfinite(paid))
        assert paid.min() == 0
        most.append(paid.max())
        reward.update(batch)
    assert most[-1] > 0
    assert is_per_transition(reward.parts[0])
    assert not is_per_transition(reward)


def test_noveld_keys():
    by_x = ready(NovelD(key=lambda obs: obs[..., 0]))
    paid = by_x.compute(walk(np.array([[[0, 0]], [[0, 1]], [[1, 1]]])))
    np.testing.assert_array_equal(paid[:, 0], [0, 0.5])
    by_room = ready(NovelD(key="room", mode="exact"))
    batch = walk(np.array([[[0, 0]], [[0, 1]], [[1, 1]]]))
    batch = replace(batch, info={"room": lane(3, 3)})
    np.testing.assert_array_equal(by_room.compute(batch)[:, 0], [0.5, 0])


def test_ngu_is_the_formula_with_no_beta_twice():
    reward = ready(NGU(**SMALL), seed=2)
    knn, clipped = reward.parts
    rnd = clipped.parts[0].parts[0]  # type: ignore[attr-defined]
    reward.compute(wander(9))
    reward.update(wander(9))
    clipped.parts[0].__init__(rnd, offset=1.0)  # type: ignore[attr-defined, misc]
    errors: list[np.ndarray] = []
    for seed in range(4):
        batch = wander(seed)
        # far away in one step: the modulator meets its limit
        batch.next_obs[7, 0] = 9
        error = rnd.compute(batch).astype(np.float64)
        episodic = deepcopy(knn).compute(batch)
        modulator = np.ones_like(error)
        if errors:
            past = np.concatenate(errors)
            modulator = np.clip(1 + (error - past.mean()) / past.std(), 1, 5)
            assert modulator.min() == 1
            assert modulator.max() > 1.5
        paid = reward.compute(batch)
        np.testing.assert_allclose(paid, episodic * modulator, rtol=1e-4, atol=1e-7)
        assert paid.max() > 0
        errors.append(error)
        reward.update(batch)


def test_ngu_modulator_has_a_limit():
    reward = ready(NGU(limit=1.5, **SMALL))
    for seed in range(2):
        reward.compute(wander(seed))
        reward.update(wander(seed))
    modulator = reward.parts[1].compute(wander(3))
    assert modulator.min() == 1
    assert modulator.max() == 1.5


def test_ride_golden():
    # identity, and nothing learnt: features are the states, within [-5, 5]
    reward = ready(RIDE(encoder="identity", mode="exact"))
    path = np.array([[0, 0], [3, 4], [0, 0], [0, 0], [3, 4], [0, 1]], np.float32)
    done = np.array([0, 0, 0, 1, 0], bool)[:, None]
    paid = reward.compute(walk(path[:, None], done))
    # (0, 0) was begun in: its return is the 2nd visit; staying pays 0; then (3, 4) for
    # the 2nd time; a new episode begins in (3, 4)
    expected = [5, 5 / 2**0.5, 0, 5 / 2**0.5, 18**0.5]
    np.testing.assert_allclose(paid[:, 0], expected, rtol=1e-6)


def test_impact_is_told_by_inverse_dynamics():
    # the action moves the first number; the second is noise, and much larger
    rng = np.random.default_rng(5)
    reward = ready(Impact(updates=8, batch_size=64, learning_rate=1e-2), 1)
    losses = []
    for _ in range(8):
        obs = rng.normal(size=(64, 4, 2)).astype(np.float32)
        action = rng.integers(0, 2, (64, 4))
        after = rng.normal(size=obs.shape).astype(np.float32)
        after[..., 0] = obs[..., 0] + 2 * action - 1
        batch = replace(reaching(after), obs=obs, action=action)
        losses.append(reward.update(batch)["inverse_loss"])
    assert losses[-1] < 0.2
    still = np.zeros((1, 1, 2), np.float32)
    moved, noise = still.copy(), still.copy()
    moved[..., 0], noise[..., 1] = 1, 1
    by_action = reward.compute(replace(reaching(moved), obs=still)).item()
    by_noise = reward.compute(replace(reaching(noise), obs=still)).item()
    assert by_action > 1.5 * by_noise
    assert reward.compute(replace(reaching(still), obs=still)).item() == 0


def built(name: str, **settings: Any) -> Any:
    kinds: dict[str, Any] = {"noveld": NovelD, "ngu": NGU, "ride": RIDE}
    known = {} if name == "noveld" else SMALL
    return ready(kinds[name](**{**known, **settings}), seed=3)


@pytest.mark.parametrize("name", ["noveld", "ngu", "ride"])
def test_episodes_end_on_time_and_never_leak(name):
    first, second = wander(1, ends=0), wander(1, ends=0)
    over = np.zeros((40, 2), bool)
    over[-1] = True
    fresh = built(name)
    for _ in range(2):
        fresh.compute(wander(7))
        fresh.update(wander(7))
    fresh.forget()
    state = fresh.state_dict()
    expected = fresh.compute(second)
    for ended in ("terminated", "truncated"):
        reward = built(name)
        reward.load_state_dict(state)
        reward.compute(replace(first, **{ended: over}))
        np.testing.assert_array_equal(reward.compute(second), expected)
    reward = built(name)
    reward.load_state_dict(state)
    reward.compute(first)
    assert np.abs(reward.compute(second) - expected).max() > 1e-3


@pytest.mark.parametrize("name", ["noveld", "ngu", "ride"])
@pytest.mark.parametrize("lanes", [1, 3])
def test_stepwise_is_the_rollout_and_resumes(name, lanes, tmp_path: Path):
    reward = built(name)
    for seed in range(2):
        reward.compute(wander(seed, lanes=lanes))
        reward.update(wander(seed, lanes=lanes))
    reward.compute(wander(2, 7, lanes))
    checkpoint.save(tmp_path / "c", reward.state_dict())
    resumed = built(name)
    resumed.load_state_dict(checkpoint.load(tmp_path / "c"))
    batch = wander(3, lanes=lanes)
    whole = reward.compute(batch)
    steps = [resumed.compute(rows(batch, t, t + 1)) for t in range(40)]
    np.testing.assert_allclose(np.concatenate(steps), whole, rtol=1e-4, atol=1e-6)
    assert whole.std() > 0
    again = built(name)
    again.load_state_dict(checkpoint.load(tmp_path / "c"))
    np.testing.assert_array_equal(again.compute(batch), whole)
    assert again.update(batch) == reward.update(batch)
    np.testing.assert_array_equal(again.compute(batch), reward.compute(batch))


@pytest.mark.parametrize("name", ["noveld", "ngu", "ride"])
def test_a_world_that_never_changes_gives_no_nan(name):
    reward = built(name)
    batch = replace(
        reaching(np.ones((3, 1, 2), np.float32)), obs=np.ones((3, 1, 2), np.float32)
    )
    batch = replace(batch, action=np.zeros((3, 1), np.int64))
    for _ in range(3):
        assert np.all(np.isfinite(reward.compute(batch)))
        assert all(np.isfinite(value) for value in reward.update(batch).values())


@pytest.mark.parametrize("name", ["deir", "ngu", "noveld", "ride"])
def test_scaled_outside_and_not_inside(name):
    reward = make_reward(name)
    assert isinstance(reward, Scaled)

    def inside(part: Any) -> list[Any]:
        parts = part.parts if isinstance(part, Composite) else ()
        return [part, *(x for inner in parts for x in inside(inner))]

    assert not any(isinstance(part, Scaled) for part in inside(reward.reward))
    assert not isinstance(make_reward(name, scale=False), Scaled)


def test_settings_are_plain_values():
    reward = make_reward("noveld", scale=False, novelty="rnd", updates=4, alpha=0.25)
    rnd = reward.parts[0].parts[0]  # type: ignore[attr-defined]
    assert rnd.training.updates == 4
    ngu = make_reward("ngu", scale=False, proportion=0.25, k=5, features=8)
    assert ngu.parts[0].k == 5  # type: ignore[attr-defined]
    assert ngu.parts[0].encoder.training.proportion == 0.25  # type: ignore[attr-defined]
    ride = make_reward("ride", scale=False, encoder="random", bits=16)
    assert ride.parts[1].states.code.bits == 16  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match="did you mean novelty"):
        make_reward("noveld", novel="rnd")


def test_a_product_of_lifelong_and_episodic():
    reward = Product(make_reward("rnd"), make_reward("episodic-count"))
    ready(reward)
    twins = [make_reward("rnd"), make_reward("episodic-count")]
    seeds: list[int] = []
    Product(Spy(seeds), Spy(seeds)).setup(BOX, None, 0)
    for twin, seed in zip(twins, seeds, strict=True):
        ready(twin, seed)
    spreads = []
    for seed in range(6):
        batch = wander(seed)
        expected = np.prod([twin.compute(batch) for twin in twins], axis=0)
        np.testing.assert_allclose(reward.compute(batch), expected, rtol=1e-6)
        reward.update(batch)
        for twin in twins:
            twin.update(batch)
        spreads.append(expected.std())
    assert spreads[0] == 0 < spreads[-1]  # scales warm up
    batch = wander(9)
    restored = ready(Product(make_reward("rnd"), make_reward("episodic-count")))
    restored.load_state_dict(reward.state_dict())
    np.testing.assert_array_equal(restored.compute(batch), reward.compute(batch))
    assert not is_per_transition(reward)


class Spy(Count):
    """Notes its seed."""

    def __init__(self, seeds: list[int]) -> None:
        super().__init__()
        self.seeds = seeds

    def setup(self, observation_space: Any, action_space: Any, seed: int) -> None:
        self.seeds.append(seed)


def test_scoring_noveld_moves_nothing():
    reward = built("noveld")
    reward.compute(wander(0))
    reward.update(wander(0))
    batch = wander(1)
    state = reward.state_dict()
    scored = score(reward, batch)
    np.testing.assert_array_equal(score(reward, batch), scored)
    np.testing.assert_equal(reward.state_dict(), state)
    stay = np.all(batch.obs == batch.next_obs, axis=-1)
    assert stay.any()
    assert np.all(scored[stay] == 0)


def test_scoring_refuses_what_needs_the_episode():
    # compute would have to serve, and would take the replay for an episode
    reward = built("ride")
    reward.compute(wander(0))
    with pytest.raises(ValueError, match="EpisodicCount pays for what an episode has"):
        score(reward, wander(1))


@pytest.mark.parametrize(
    ("name", "settings", "words"),
    [
        ("noveld", {"novelty": "icm"}, "novelty is 'icm'; allowed are count, rnd"),
        ("noveld", {"alpha": -1}, "alpha is -1"),
        ("noveld", {"capacity": 0}, "capacity is 0"),
        ("ngu", {"limit": 1}, "limit is 1; it must be more than 1"),
        ("ngu", {"k": 0}, "k is 0"),
        ("ride", {"encoder": "pixels"}, "encoder is 'pixels'"),
        ("ride", {"bits": 0}, "bits is 0"),
        ("ride", {"updates": -1}, "updates is -1"),
    ],
)
def test_refused_settings(name, settings, words):
    with pytest.raises(ValueError, match=words):
        make_reward(name, **settings)
