"""IntrinsicRecurrentPPO: values that remember, and sequences padded for both heads."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch as th
from intrinsic_worlds import Bonus, Keep, build, settings_of, weights, world
from sb3_contrib import RecurrentPPO

POLICIES: dict[str, dict[str, Any]] = {
    "own": {},
    "layers": {"n_lstm_layers": 2},
    "shared": {"shared_lstm": True, "enable_critic_lstm": False},
}


class Critic:
    """The critic again, one lane and one step at a time."""

    def __init__(self, policy: Any) -> None:
        self.policy = policy
        self.lstm = policy.lstm_actor if policy.shared_lstm else policy.lstm_critic
        self.state: Any = None

    def value(self, obs: np.ndarray) -> tuple[np.ndarray, Any]:
        """Both values of an observation, and the memory after it."""
        with th.no_grad():
            out, after = self.lstm(th.as_tensor(obs)[None, None], self.state)
            latent = self.policy.mlp_extractor.forward_critic(out[0])
            return self.policy.value_net(latent)[0].numpy(), after


@pytest.mark.parametrize("policy_kwargs", POLICIES.values(), ids=POLICIES)
@pytest.mark.parametrize("episodic", [True, False])
def test_streams_against_brute_force(
    episodic: bool, policy_kwargs: dict[str, Any]
) -> None:
    """Memory is emptied at starts, and kept for what a time limit cut off."""
    bonus, keep, stock_keep = Bonus(), Keep(), Keep()
    model = build(
        "recurrent-ppo",
        intrinsic=bonus,
        coef=0.7,
        extrinsic_coef=0.4,
        gamma_int=0.9,
        gae_lambda_int=0.8,
        episodic_intrinsic=episodic,
        policy_kwargs=policy_kwargs,
    )
    model.learn(96, keep)
    settings = settings_of("recurrent-ppo", policy_kwargs=policy_kwargs)
    RecurrentPPO("MlpLstmPolicy", world(), **settings).learn(96, stock_keep)
    kept, plain, batch = keep.rollouts[0], stock_keep.rollouts[0], bonus.batches[0]
    np.testing.assert_array_equal(kept["rewards"], plain["rewards"])
    np.testing.assert_allclose(kept["values"][..., 0], plain["values"], atol=1e-6)
    np.testing.assert_allclose(kept["returns"][..., 0], plain["returns"], atol=1e-5)
    assert batch.truncated.any()

    model.policy.load_state_dict(kept["policy"])
    steps, lanes = batch.shape
    values, following = np.zeros((2, steps + 1, lanes))
    for lane in range(lanes):
        critic = Critic(model.policy)
        for t in range(steps + 1):
            if t and batch.done[t - 1, lane]:
                critic.state = None
            here = batch.obs[t, lane] if t < steps else kept["last_obs"][lane]
            both, critic.state = critic.value(here)
            values[t, lane] = both[1]
            if t < steps:
                following[t, lane] = critic.value(batch.next_obs[t, lane])[0][1]
    np.testing.assert_allclose(kept["values"][..., 1], values[:-1], atol=1e-6)

    expected, carried = np.zeros(batch.shape), np.zeros(lanes)
    for t in reversed(range(steps)):
        done, ahead, goes_on = batch.done[t], values[t + 1], 1.0
        if episodic:
            ahead = np.where(batch.truncated[t], following[t], ahead)
            ahead = np.where(batch.terminated[t], 0.0, ahead)
            goes_on = 1.0 - done
        delta = bonus.paid[0][t] + 0.9 * ahead - values[t]
        expected[t] = carried = delta + 0.9 * 0.8 * goes_on * carried
    found = kept["returns"][..., 1] - kept["values"][..., 1]
    np.testing.assert_allclose(found, expected, atol=2e-5)
    mixed = 0.4 * plain["advantages"] + 0.7 * expected
    np.testing.assert_allclose(kept["advantages"], mixed, atol=2e-5)


def test_samples_hold_every_transition_of_a_sequence_twice() -> None:
    """One sequence of one lane is split and padded; each pair stays together."""
    model = build("recurrent-ppo", intrinsic=Bonus()).learn(96)
    buffer = model.rollout_buffer
    values, returns = buffer.values.copy(), buffer.returns.copy()
    assert values.shape == returns.shape == (96, 2)
    seen = 0
    for samples in buffer.get(48):
        mask = samples.mask.bool()
        assert mask.shape == samples.advantages.shape == samples.old_log_prob.shape
        assert not mask.all()  # something was padded
        for name in ("advantages", "old_log_prob", "mask"):
            pairs = getattr(samples, name).reshape(-1, 2)
            assert th.equal(pairs[:, 0], pairs[:, 1])
        pairs = samples.returns[mask].reshape(-1, 2).numpy()
        for pair in pairs:
            assert np.any(np.all(pair == returns, axis=1))
        seen += len(pairs)
        sizes = [
            len(part)
            for part in model.policy.evaluate_actions(
                samples.observations,
                samples.actions.long().flatten(),
                samples.lstm_states,
                samples.episode_starts,
            )
        ]
        assert sizes == [len(mask) // 2, len(mask), len(mask)]
    assert seen == 96


@pytest.mark.parametrize(
    "settings",
    [
        {"use_sde": True},
        {"clip_range_vf": 0.1},
        {"policy_kwargs": {"enable_critic_lstm": False}},
    ],
)
def test_other_settings(settings: dict[str, Any]) -> None:
    venv = world(action="box")
    model = build("recurrent-ppo", venv, intrinsic=Bonus(), **settings)
    before = weights(model)
    model.learn(192)
    assert all(th.isfinite(value).all() for value in weights(model))
    moved = zip(before, weights(model), strict=True)
    assert any(not th.equal(old, new) for old, new in moved)
