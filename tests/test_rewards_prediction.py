"""Random network distillation: golden error, learning, its own random numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch as th
from gymnasium import spaces
from reward_batches import reaching, rows

from curiosity_rl.protocols import Transitions
from curiosity_rl.rewards.prediction import RND

FIRST = "head.0.weight"
"""Name of the weights of a network's first layer."""


def built(space: Any, seed: int = 0, **settings: Any) -> RND:
    reward = RND(**settings)
    reward.setup(space, spaces.Discrete(2), seed)
    return reward


def vectors(seed: int = 0, steps: int = 40, lanes: int = 4, width: int = 6) -> Any:
    rng = np.random.default_rng(seed)
    return reaching(rng.normal(size=(steps, lanes, width)).astype(np.float32))


def fix_weights(reward: RND, predictor: float, target: float) -> None:
    """Make both networks of width 1: x -> w * relu(relu(x))."""
    for network, weight in ((reward.predictor, predictor), (reward.target, target)):
        with th.no_grad():
            for name, value in network.named_parameters():
                value.fill_(0.0 if "bias" in name else 1.0)
            list(network.parameters())[-2].fill_(weight)


def test_golden():
    reward = RND(hidden=1, outputs=1)
    first = reaching(np.array([[[2.0]], [[-1.0]], [[7.0]]], np.float32))
    reward.compute(first)
    fix_weights(reward, predictor=3.0, target=1.0)
    paid = reward.compute(first)
    assert paid.dtype == np.float32
    # no moments yet: x = 2, -1, 7, clipped at 5; error (3x - x)^2 where x > 0
    np.testing.assert_allclose(paid[:, 0], [16, 0, 100])
    # mean 3, variance 4 from now on: x = (7 - 3) / 2 = 2 and (100 - 3) / 2 -> 5
    reward.inputs.learn(np.array([[1.0], [5.0]]))
    second = reaching(np.array([[[7.0]], [[100.0]]], np.float32))
    np.testing.assert_allclose(reward.compute(second)[:, 0], [16, 100], rtol=1e-6)


def test_compute_never_learns():
    reward, batch = RND(), vectors()
    reward.update(batch)
    before = reward.state_dict()
    first = reward.compute(batch)
    np.testing.assert_array_equal(reward.compute(batch), first)
    assert_equal(reward.state_dict(), before)


def test_what_is_seen_again_bores_and_the_new_pays():
    reward = built(spaces.Box(-9, 9, (6,)), updates=5, batch_size=32)
    seen = vectors(1)
    other = reaching(4 - seen.next_obs)
    losses = [reward.update(seen)["predictor_loss"] for _ in range(60)]
    assert losses[-1] < 0.1 * losses[0]
    assert reward.compute(seen).mean() < 0.2 * reward.compute(other).mean()


def test_trains_on_the_state_it_scores():
    # obs is the same everywhere and next_obs never is: only next_obs can matter
    batch = vectors(2)
    odd = Transitions(**{**vars(batch), "obs": np.full_like(batch.next_obs, np.nan)})
    reward = built(spaces.Box(-9, 9, (6,)), updates=3)
    before = reward.compute(odd).mean()
    for _ in range(20):
        reward.update(odd)
    assert reward.compute(odd).mean() < 0.5 * before


def test_one_step_at_a_time_is_the_rollout():
    reward, batch = RND(), vectors(3, steps=30, lanes=3)
    reward.update(batch)
    steps = [reward.compute(rows(batch, t, t + 1)) for t in range(30)]
    np.testing.assert_allclose(
        np.concatenate(steps), reward.compute(batch), rtol=1e-4, atol=1e-6
    )


def test_moments_move_in_update_only_and_by_next_obs():
    reward, batch = RND(), vectors(4)
    reward.compute(batch)
    assert reward.inputs.moments.count == 0
    reward.update(batch)
    flat = batch.next_obs.reshape(-1, 6)
    np.testing.assert_allclose(reward.inputs.moments.mean, flat.mean(0), atol=1e-6)
    np.testing.assert_allclose(reward.inputs.moments.var, flat.var(0), rtol=1e-4)


def test_own_random_numbers_only():
    state = th.random.get_rng_state()
    weights = []
    for seed in (3, 3, 4):
        th.manual_seed(len(weights))  # whatever others do with the global generator
        before = th.random.get_rng_state()
        reward = built(spaces.Box(-9, 9, (6,)), seed)
        reward.compute(vectors())
        reward.update(vectors())
        assert th.equal(th.random.get_rng_state(), before)
        weights.append(reward.state_dict())
    th.random.set_rng_state(state)
    assert_equal(weights[0], weights[1])
    first, other = weights[0], weights[2]
    assert not th.equal(first["target"][FIRST], other["target"][FIRST])
    assert not th.equal(first["target"][FIRST], first["predictor"][FIRST])


def cases() -> list[tuple[spaces.Space, Any]]:
    n = np.random.default_rng(0).integers(2, size=(20, 1, 3))
    image = (200 * n[:, :, None]).astype(np.uint8)
    return [
        (spaces.Discrete(2), n[..., 0]),
        (spaces.MultiDiscrete([2, 2, 2]), n),
        (spaces.MultiBinary(3), n.astype(np.int8)),
        (spaces.Box(-1, 1, (3,), np.float64), n.astype(np.float64)),
        (spaces.Box(0, 255, (1, 3), np.uint8), image),
        (
            spaces.Dict(
                {"i": spaces.Box(0, 255, (1, 3), np.uint8), "n": spaces.Discrete(2)}
            ),
            {"i": image, "n": n[..., 0]},
        ),
    ]


@pytest.mark.parametrize(("space", "obs"), cases())
def test_every_space_and_resume(space, obs):
    batch = reaching(obs)
    straight = built(space, seed=5, batch_size=8, proportion=0.7, hidden=16)
    for _ in range(3):
        paid = straight.compute(batch)
        assert paid.shape == (20, 1)
        assert np.all(np.isfinite(paid))
        straight.update(batch)
    resumed = RND(batch_size=8, proportion=0.7, hidden=16)
    resumed.load_state_dict(straight.state_dict())
    resumed.setup(space, spaces.Discrete(2), 6)  # does not undo what was loaded
    for _ in range(3):
        np.testing.assert_array_equal(resumed.compute(batch), straight.compute(batch))
        assert resumed.update(batch) == straight.update(batch)
    assert_equal(resumed.state_dict(), straight.state_dict())


def test_resumes_from_arrays():
    straight, batch = RND(hidden=8), vectors()
    straight.update(batch)

    def arrays(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: arrays(v) for k, v in value.items()}
        return value.numpy() if isinstance(value, th.Tensor) else value

    resumed = RND(hidden=8)
    resumed.load_state_dict(arrays(straight.state_dict()))
    assert resumed.update(batch) == straight.update(batch)


def test_state_is_a_copy_and_that_of_a_fresh_one_makes_a_fresh_one():
    reward, batch = built(spaces.Box(-9, 9, (6,))), vectors()
    fresh, paid = reward.state_dict(), reward.compute(batch)
    assert fresh.keys() == {"inputs"}  # no weights before the first batch
    reward.update(batch)
    state = reward.state_dict()
    kept = state["predictor"][FIRST].clone()
    reward.update(batch)
    assert th.equal(state["predictor"][FIRST], kept)
    assert not np.array_equal(reward.compute(batch), paid)
    reward.load_state_dict(fresh)
    assert_equal(reward.state_dict(), fresh)
    np.testing.assert_array_equal(reward.compute(batch), paid)


def test_target_never_changes_and_proportion_limits_the_steps():
    reward, batch = RND(proportion=0.25, batch_size=10, updates=2), vectors()
    reward.compute(batch)
    target = reward.state_dict()["target"]
    reward.update(batch)
    assert_equal(reward.state_dict()["target"], target)
    # 160 transitions, 40 used, 4 minibatches, 2 passes
    assert reward.state_dict()["trainer"]["adam"]["0"]["step"] == 8
    idle = RND(updates=0)
    assert idle.update(batch) == {"predictor_loss": 0.0}


def test_constant_observations_and_one_transition():
    batch = reaching(np.full((1, 1, 3), 7.0, np.float32))
    reward = RND()
    for _ in range(5):
        assert np.all(np.isfinite(reward.compute(batch)))
        assert np.isfinite(reward.update(batch)["predictor_loss"])
    moved = reaching(np.full((1, 1, 3), 7.1, np.float32))
    assert reward.compute(moved).item() > reward.compute(batch).item()


def test_read_only_batches_are_left_alone():
    batch = vectors()
    batch.next_obs.flags.writeable = False
    kept = batch.next_obs.copy()
    reward = RND()
    reward.update(batch)
    reward.compute(batch)
    np.testing.assert_array_equal(batch.next_obs, kept)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"hidden": 0}, "hidden is 0"),
        ({"outputs": -1}, "outputs is -1"),
        ({"batch_size": 0}, "batch_size is 0; it must be at least 1"),
        ({"updates": -1}, "updates is -1"),
        ({"learning_rate": 0}, "learning_rate is 0; it must be positive"),
        ({"proportion": 0}, r"proportion is 0; it must lie in \(0, 1\]"),
    ],
)
def test_refused_settings(settings, words):
    with pytest.raises(ValueError, match=words):
        RND(**settings)


def test_other_width_is_refused():
    reward = RND()
    reward.compute(vectors())
    with pytest.raises(ValueError, match="have 2 numbers, but .* built for 6"):
        reward.compute(vectors(width=2))


def assert_equal(a: Any, b: Any) -> None:
    """Nested dicts of tensors, arrays and primitives are equal, bit for bit."""
    assert type(a) is type(b)
    if isinstance(a, dict):
        assert a.keys() == b.keys()
        for key in a:
            assert_equal(a[key], b[key])
    else:
        np.testing.assert_array_equal(np.asarray(a), np.asarray(b))
