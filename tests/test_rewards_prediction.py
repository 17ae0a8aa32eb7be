"""RND, forward error and ICM: golden errors, learning, their own random numbers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import moving_point
import numpy as np
import pytest
import torch as th
from gymnasium import spaces
from reward_batches import reaching, rows

from curiosity_rl.protocols import Transitions
from curiosity_rl.rewards.encoders import Encoder
from curiosity_rl.rewards.prediction import ICM, RND, ForwardError

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
    fast = {"learning_rate": 2e-3, "updates": 5, "batch_size": 32}
    reward = built(spaces.Box(-9, 9, (6,)), **fast)
    seen = vectors(1)
    other = reaching(4 - seen.next_obs)
    losses = [reward.update(seen)["predictor_loss"] for _ in range(15)]
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
    with pytest.raises(ValueError, match=r"have 2 numbers, but .* built for 6"):
        reward.compute(vectors(width=2))


def step(obs: Any, action: Any, next_obs: Any, done: bool = False) -> Transitions:
    """One transition."""
    batch = reaching(np.array([[next_obs]], np.float32), np.array([[done]]))
    return replace(
        batch, obs=np.array([[obs]], np.float32), action=np.array([[action]])
    )


def set_forward(reward: ForwardError, last: list[float]) -> None:
    """Make the forward model x -> last * relu(sum(x))."""
    networks = reward.model.networks
    with th.no_grad():
        networks.weight_1.fill_(1.0)
        networks.weight_2.copy_(th.tensor([[last]]))


def test_forward_error_golden():
    reward = ForwardError("identity", hidden=1)
    box = spaces.Box(-9, 9, (2,))
    reward.setup(box, spaces.Box(-2, 2, (1,)), 0)
    last = step([1, 2], [-2], [4, 5], done=True)
    reward.compute(last)
    set_forward(reward, [3.0, 1.0])
    # a = -2 of [-2, 2] is -1: relu(1 + 2 - 1) = 2, so 6 and 2 for 4 and 5
    paid = reward.compute(last)
    assert paid.dtype == np.float32
    np.testing.assert_allclose(paid, [[(2**2 + 3**2) / 2]])
    # nothing came out of relu(1 - 3 + 0.5) = 0: the mean of the squares of s'
    np.testing.assert_allclose(reward.compute(step([1, -3], [1], [4, 2])), [[10]])


def test_icm_golden():
    reward = ICM(features=3, hidden=1)
    reward.setup(spaces.Box(-9, 9, (1,)), spaces.Discrete(2), 0)
    batch = step([1], 1, [3])
    reward.compute(batch)
    head = reward.model.encoder.network.head
    with th.no_grad():  # phi(s) = (1, 2, 4) * relu(s)
        for name, value in head.named_parameters():
            value.fill_(0.0 if "bias" in name else 1.0)
        list(head.parameters())[-2].copy_(th.tensor([[1.0], [2.0], [4.0]]))
    set_forward(reward, [1.0, 1.0, 1.0])
    # phi(s) = 1, 2, 4 and action 0, 1: told 8, 8, 8 for phi(s') = 3, 6, 12
    np.testing.assert_allclose(reward.compute(batch), [[(25 + 4 + 16) / 2]])


def learner(name: str, seed: int = 0, **settings: Any) -> ForwardError:
    """A forward error or ICM for the moving point."""
    kind = {"icm": ICM, "random": ForwardError, "identity": ForwardError}[name]
    if kind is ForwardError:
        settings["encoder"] = name
    fast = {"features": 8, "hidden": 64, "learning_rate": 3e-3, "batch_size": 64}
    reward = kind(**{**fast, **settings})
    reward.setup(moving_point.SPACE, moving_point.ACTION, seed)
    return reward


@pytest.mark.parametrize("name", ["icm", "random", "identity"])
def test_forward_models_learn_what_they_score(name):
    rng = np.random.default_rng(0)
    quiet = [moving_point.play(rng, screen=0.0) for _ in range(6)]
    # every episode ends at once: without the true last observation nothing fits
    quiet = [replace(b, terminated=~b.terminated) for b in quiet]
    reward = learner(name, updates=4)
    before = reward.compute(quiet[0]).mean()
    log = [reward.update(batch) for batch in quiet[1:] * 3][-1]
    paid = reward.compute(quiet[0])
    assert paid.mean() < 0.2 * before
    assert ("inverse_loss" in log) == (name == "icm")
    odd = replace(quiet[0], next_obs=quiet[0].next_obs[::-1].copy())
    assert reward.compute(odd).mean() > 5 * paid.mean()
    wrong = replace(quiet[0], action=(quiet[0].action + 1) % 4)
    assert reward.compute(wrong).mean() > 3 * paid.mean()


def test_icm_minds_a_noisy_screen_less_than_the_forward_error():
    ratio = {}
    for name in ("icm", "identity"):
        rng = np.random.default_rng(1)
        reward = learner(name, updates=4)
        for i in range(16):
            reward.update(moving_point.play(rng, screen=i % 2))
        noisy, quiet = (
            reward.compute(moving_point.play(rng, screen=on)).mean() for on in (1, 0)
        )
        ratio[name] = noisy / quiet
    assert ratio["icm"] < 0.2 * ratio["identity"]
    assert ratio["icm"] > 1.5  # it is no cure: progress and information are


def test_icm_features_learn_from_the_inverse_loss_alone():
    reward, batch = learner("icm", seed=3), moving_point.play(np.random.default_rng(2))
    _, seed = np.random.SeedSequence(3).generate_state(2)
    training = {"learning_rate": 3e-3, "batch_size": 64}
    alone = Encoder("inverse", features=8, hidden=64, **training)
    alone.setup(moving_point.SPACE, moving_point.ACTION, int(seed))
    for _ in range(3):
        loss = alone.update(batch)
        assert reward.update(batch)["inverse_loss"] == loss["inverse_loss"]
    assert_equal(reward.state_dict()["encoder"], alone.state_dict())


@pytest.mark.parametrize("name", ["icm", "random", "identity"])
def test_forward_models_move_in_update_only(name):
    rng = np.random.default_rng(4)
    reward, batch = learner(name), moving_point.play(rng)
    reward.compute(batch)
    before = reward.state_dict()
    paid = reward.compute(batch)
    steps = [reward.compute(rows(batch, t, t + 1)) for t in range(len(paid))]
    np.testing.assert_allclose(np.concatenate(steps), paid, rtol=1e-4, atol=1e-6)
    assert_equal(reward.state_dict(), before)
    reward.update(batch)
    assert not np.array_equal(reward.compute(batch), paid)


def test_icm_says_which_actions_it_can_tell():
    with pytest.raises(ValueError, match="needs the action space, and was given None"):
        ICM().setup(spaces.Box(-1, 1, (2,)), None, 0)
    with pytest.raises(ValueError, match=r"given Text.*; call setup"):
        ICM().setup(spaces.Box(-1, 1, (2,)), spaces.Text(3), 0)
    with pytest.raises(ValueError, match="encoder is 'cnn'; allowed are identity"):
        ForwardError("cnn")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="features is 0"):
        ICM(features=0)


def assert_equal(a: Any, b: Any) -> None:
    """Nested dicts of tensors, arrays and primitives are equal, bit for bit."""
    assert type(a) is type(b)
    if isinstance(a, dict):
        assert a.keys() == b.keys()
        for key in a:
            assert_equal(a[key], b[key])
    else:
        np.testing.assert_array_equal(np.asarray(a), np.asarray(b))
