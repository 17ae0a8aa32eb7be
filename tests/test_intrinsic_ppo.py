"""IntrinsicPPO: two reward streams inside SB3's PPO."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch as th
from intrinsic_worlds import (
    ACTIONS,
    SETTINGS,
    Bonus,
    Drift,
    Keep,
    Screen,
    in_two_heads,
    weights,
    weights_of,
    world,
)
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import VecNormalize

from curiosity_rl.agents.ppo import IntrinsicPPO
from curiosity_rl.agents.two_streams import gae, two_headed
from curiosity_rl.protocols import Transitions

# --- coef = 0 -------------------------------------------------------------------------


@pytest.mark.parametrize("as_dict", [False, True])
@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("off", [{}, {"intrinsic": Bonus(), "coef": 0.0}])
def test_without_bonus_it_is_stock_ppo_bit_for_bit(
    off: dict[str, Any], action: str, as_dict: bool
) -> None:
    policy = "MultiInputPolicy" if as_dict else "MlpPolicy"

    def build(kind: type[PPO], **more: Any) -> PPO:
        venv = world(action=action, as_dict=as_dict)
        return kind(policy, venv, **SETTINGS, **more).learn(192)

    # One after the other: they share torch's global generator.
    ours, stock = build(IntrinsicPPO, **off), build(PPO)
    for mine, theirs in zip(weights(ours), weights(stock), strict=True):
        assert th.equal(mine, theirs)


@pytest.mark.parametrize("clip_range_vf", [None, 0.2])
def test_extrinsic_value_gradient_is_that_of_stock_ppo(
    clip_range_vf: float | None,
) -> None:
    """With a silent second stream, training is stock PPO's, through two heads.

    The mean over (B, 2) values halves the extrinsic value loss; uncorrected, weights
    differ from stock PPO's by far more than the tolerance here.
    """
    settings = {**SETTINGS, "clip_range_vf": clip_range_vf}
    settings["policy_kwargs"] = {"net_arch": [8], "optimizer_class": th.optim.SGD}
    settings |= {"learning_rate": 0.01, "max_grad_norm": 1e9}  # clipping would hide it
    ours = IntrinsicPPO("MlpPolicy", world(), **settings, intrinsic=Bonus(0.0))
    head: Any = ours.policy.value_net
    for parameter in head.intrinsic.parameters():
        th.nn.init.zeros_(parameter)
    ours.learn(192)
    stock = PPO("MlpPolicy", world(), **settings)
    before = weights(stock)
    stock.learn(192)
    mine = dict(weights_of(ours.policy))
    assert not any(mine[f"value_net.intrinsic.{k}"].any() for k in ("weight", "bias"))
    assert ours.vf_coef == stock.vf_coef
    for (name, theirs), old in zip(weights_of(stock.policy), before, strict=True):
        ours_ = mine[in_two_heads(name)]
        moved = (theirs - old).abs().max()
        assert moved > 1e-5
        assert (ours_ - theirs).abs().max() < 1e-2 * moved


# --- the two streams ------------------------------------------------------------------


def test_gae_by_hand() -> None:
    """Three steps, one lane, gamma = lam = 1/2, worked out by hand."""
    r, v = np.array([[1.0], [2.0], [4.0]]), np.array([[2.0], [4.0], [8.0]])
    # Through: d = (1+2-2, 2+4-4, 4+8-8) = (1, 2, 4); A2=4, A1=2+4/4=3, A0=1+3/4.
    through = gae(r, v, np.array([[4.0], [8.0], [16.0]]), np.ones((3, 1)), 0.5, 0.5)
    np.testing.assert_allclose(through, [[1.75], [3.0], [4.0]])
    # Terminated at step 1: d1 = 2+0-4 = -2 and nothing flows back into it.
    stop = np.array([[1.0], [0.0], [1.0]])
    ended = gae(r, v, np.array([[4.0], [0.0], [16.0]]), stop, 0.5, 0.5)
    np.testing.assert_allclose(ended, [[0.5], [-2.0], [4.0]])
    # Truncated at step 1 in a state of value 6: d1 = 2+3-4 = 1.
    cut = gae(r, v, np.array([[4.0], [6.0], [16.0]]), stop, 0.5, 0.5)
    np.testing.assert_allclose(cut, [[1.25], [1.0], [4.0]])


@pytest.mark.parametrize("episodic", [True, False])
@pytest.mark.parametrize("as_dict", [False, True])
def test_streams_against_brute_force(as_dict: bool, episodic: bool) -> None:
    """Every advantage again, as the sum over the future that GAE abbreviates."""
    bonus, keep, stock_keep = Bonus(), Keep(), Keep()
    policy = "MultiInputPolicy" if as_dict else "MlpPolicy"
    model = IntrinsicPPO(
        policy,
        world(as_dict=as_dict),
        **SETTINGS,
        intrinsic=bonus,
        coef=0.7,
        extrinsic_coef=0.4,
        gamma_int=0.9,
        gae_lambda_int=0.8,
        episodic_intrinsic=episodic,
    )
    model.learn(96, keep)
    stock = PPO(policy, world(as_dict=as_dict), **SETTINGS)
    stock.learn(96, stock_keep)
    kept, plain, batch = keep.rollouts[0], stock_keep.rollouts[0], bonus.batches[0]
    np.testing.assert_array_equal(kept["rewards"], plain["rewards"])  # extrinsic
    np.testing.assert_array_equal(kept["values"][..., 0], plain["values"])
    np.testing.assert_array_equal(kept["returns"][..., 0], plain["returns"])
    assert batch.terminated.any()
    assert batch.truncated.any()

    net = two_headed(stock.policy_class)(
        stock.observation_space, stock.action_space, lambda _: 0.0, net_arch=[8]
    )
    net.load_state_dict(kept["policy"])

    def value(obs: Any) -> float:
        with th.no_grad():
            return float(net.predict_both_values(net.obs_to_tensor(obs)[0])[0, 1])

    def at(obs: Any, *where: int) -> Any:
        if isinstance(obs, dict):
            return {key: array[where] for key, array in obs.items()}
        return obs[where]

    steps, lanes = batch.shape
    expected = np.zeros(batch.shape)
    for lane in range(lanes):
        for start in range(steps):
            weight = 1.0
            for t in range(start, steps):
                follows = at(batch.next_obs, t, lane)
                if not episodic and batch.done[t, lane]:
                    last = t == steps - 1
                    follows = (
                        at(kept["last_obs"], lane)
                        if last
                        else (at(batch.obs, t + 1, lane))
                    )
                ahead = value(follows)
                if episodic and batch.terminated[t, lane]:
                    ahead = 0.0
                here = value(at(batch.obs, t, lane))
                delta = bonus.paid[0][t, lane] + 0.9 * ahead - here
                expected[start, lane] += weight * delta
                weight *= 0.9 * 0.8
                if episodic and batch.done[t, lane]:
                    break
    advantages_int = kept["returns"][..., 1] - kept["values"][..., 1]
    np.testing.assert_allclose(advantages_int, expected, atol=2e-5)
    # What a callback sees at the end of a rollout already holds the bonus.
    mixed = 0.4 * plain["advantages"] + 0.7 * expected
    np.testing.assert_allclose(kept["advantages"], mixed, atol=2e-5)


def test_bonus_is_for_the_true_last_observation() -> None:
    """The clock runs 1..9 within an episode; a reset observation would show 0."""
    bonus = Bonus()
    model = IntrinsicPPO("MlpPolicy", world(), **SETTINGS, intrinsic=bonus)
    model.learn(192)
    for batch in bonus.batches:
        np.testing.assert_array_equal(batch.next_obs[..., 0], batch.obs[..., 0] + 1)
        assert np.all(batch.next_obs[batch.truncated][:, 0] == 9)
    assert bonus.batches[0].done.any()


def test_one_batch_a_rollout_compute_then_update() -> None:
    bonus = Bonus()
    model = IntrinsicPPO("MlpPolicy", world(), **SETTINGS, intrinsic=bonus)
    model.learn(3 * 96)
    assert bonus.calls == [("setup", 4), *["compute", "update"] * 3]
    assert [batch.shape for batch in bonus.batches] == [(32, 3)] * 3


def test_normalize_streams() -> None:
    kept = []
    for normalize in (False, True):
        keep = Keep()
        IntrinsicPPO(
            "MlpPolicy",
            world(),
            **SETTINGS,
            intrinsic=Bonus(),
            coef=0.5,
            extrinsic_coef=2.0,
            normalize_streams=normalize,
        ).learn(96, keep)
        kept.append(keep.rollouts[0])
    plain, normal = kept
    np.testing.assert_array_equal(plain["returns"], normal["returns"])
    streams = np.moveaxis(plain["returns"] - plain["values"], -1, 0)
    z_ext, z_int = ((s - s.mean()) / s.std() for s in streams)
    np.testing.assert_allclose(
        normal["advantages"], 2.0 * z_ext + 0.5 * z_int, atol=1e-5
    )


def test_extrinsic_coef_0_hides_the_reward_from_every_weight(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = []
    for scale in (1.0, -50.0):
        monkeypatch.setattr(Drift, "scale", scale)
        model = IntrinsicPPO(
            "MlpPolicy",
            world(),
            **SETTINGS,
            intrinsic=Bonus(),
            extrinsic_coef=0.0,
        )
        found.append(weights(model.learn(192)))
    for first, second in zip(*found, strict=True):
        assert th.equal(first, second)


@pytest.mark.parametrize("action", ACTIONS)
def test_all_action_spaces_and_clip_range_vf(action: str) -> None:
    settings = {**SETTINGS, "clip_range_vf": 0.1}
    bonus = Bonus()
    model = IntrinsicPPO("MlpPolicy", world(action=action), **settings, intrinsic=bonus)
    before = weights(model)
    model.learn(96)
    assert any(not th.equal(a, b) for a, b in zip(before, weights(model), strict=True))
    shape = ACTIONS[action].shape
    assert bonus.batches[0].action.shape == (32, 3, *(shape or ()))


@pytest.mark.parametrize("settings", [{"use_sde": True}, {"target_kl": 1e-9}])
def test_other_settings_of_ppo(settings: dict[str, Any]) -> None:
    model = IntrinsicPPO(
        "MlpPolicy", world(action="box"), **SETTINGS, **settings, intrinsic=Bonus()
    )
    model.learn(192)
    assert all(th.isfinite(value).all() for value in weights(model))


def test_split_feature_extractors_and_images() -> None:
    class Light(Bonus):
        def compute(self, batch: Transitions) -> np.ndarray:
            self.batches.append(batch)
            return batch.next_obs.mean((2, 3, 4)).astype(np.float32)

    bonus = Light()
    policy_kwargs = {"share_features_extractor": False}
    settings = {**SETTINGS, "n_steps": 16, "policy_kwargs": policy_kwargs}
    settings["batch_size"] = 16
    IntrinsicPPO("CnnPolicy", Screen(), **settings, intrinsic=bonus).learn(16)
    assert bonus.batches[0].next_obs.shape == (16, 1, 3, 36, 36)
    expected = [[t % 5 + 1] for t in range(16)]
    np.testing.assert_array_equal(bonus.batches[0].next_obs[..., 0, 0, 0], expected)


def test_vec_normalize_inside_keeps_monitor_extrinsic() -> None:
    bonus = Bonus()
    venv = VecNormalize(world())
    model = IntrinsicPPO("MlpPolicy", venv, **SETTINGS, intrinsic=bonus)
    assert model.get_vec_normalize_env() is venv
    assert model.get_env() is venv
    model.learn(96)
    batch = bonus.batches[0]
    assert np.abs(batch.next_obs).max() < 5  # normalised: the clock reaches 9
    assert model.ep_info_buffer is not None
    assert max(info["l"] for info in model.ep_info_buffer) == 9
