"""Two reward streams in every on-policy algorithm: what all of them keep to."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch as th
from corridor import Corridor, EndBonus
from intrinsic_worlds import (
    OURS,
    STOCK,
    Bonus,
    Keep,
    Tags,
    build,
    in_two_heads,
    policy_of,
    settings_of,
    silence,
    weights,
    weights_of,
    world,
)
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.utils import obs_as_tensor
from stable_baselines3.common.vec_env import DummyVecEnv

from curiosity_rl.protocols import Transitions

EVERY = pytest.mark.parametrize("algo", OURS)


# --- coef = 0, and the extrinsic stream -----------------------------------------------


@pytest.mark.parametrize("algo", ["a2c", "recurrent-ppo"])  # PPO: test_intrinsic_ppo.py
@pytest.mark.parametrize("kind", ["Mlp", "MultiInput"])
@pytest.mark.parametrize("off", [{}, {"intrinsic": Bonus(), "coef": 0.0}])
def test_without_bonus_it_is_the_stock_algorithm_bit_for_bit(
    off: dict[str, Any], kind: str, algo: str
) -> None:
    ours = build(algo, kind=kind, **off).learn(192)
    venv = world(as_dict=kind == "MultiInput")
    stock = STOCK[algo](policy_of(algo, kind), venv, **settings_of(algo)).learn(192)
    fresh = build(algo, kind=kind)
    assert any(
        not th.equal(old, new)
        for old, new in zip(weights(fresh), weights(ours), strict=True)
    )
    for mine, theirs in zip(weights(ours), weights(stock), strict=True):
        assert th.equal(mine, theirs)


@pytest.mark.parametrize("algo", ["a2c", "recurrent-ppo"])
@pytest.mark.parametrize("normalize", [False, True])
def test_gradients_are_the_stock_ones_when_the_second_stream_is_silent(
    normalize: bool, algo: str
) -> None:
    """Halved value losses, or losses over doubled rows, would stand out by far.

    With normalised advantages `RecurrentPPO` may differ by 1/(4 * 48), see there.
    """
    settings = settings_of(
        algo,
        policy_kwargs={"optimizer_class": th.optim.SGD},
        learning_rate=0.01,
        max_grad_norm=1e9,
        normalize_advantage=normalize,
    )
    name = policy_of(algo)
    ours = OURS[algo](name, world(), **settings, intrinsic=Bonus(0.0))
    silence(ours).learn(192)
    stock = STOCK[algo](name, world(), **settings)
    before = weights(stock)
    stock.learn(192)
    mine = dict(weights_of(ours.policy))
    close = 1e-2 if normalize and algo == "recurrent-ppo" else 1e-3
    for (key, theirs), old in zip(weights_of(stock.policy), before, strict=True):
        moved = (theirs - old).abs().max()
        assert moved > 1e-6
        assert (mine[in_two_heads(key)] - theirs).abs().max() < close * moved


# --- the intrinsic stream -------------------------------------------------------------


@pytest.mark.parametrize("algo", ["ppo", "a2c"])
def test_advantages_are_those_of_openai_rnd(algo: str) -> None:
    """Non-episodic: `nextnew = 0` for the bonus, while the reward minds the ends.

    `A = c_int * A_int + c_ext * A_ext`, with both streams run through one loop, as the
    paper's program has it; only what it calls `nextnew` differs.
    """
    keep, bonus = Keep(), Bonus()
    model = build(
        algo,
        intrinsic=bonus,
        coef=1.0,
        extrinsic_coef=2.0,
        gamma_int=0.99,
        gae_lambda_int=0.95,
        episodic_intrinsic=False,
    )
    model.gamma = model.rollout_buffer.gamma = 0.999
    model.gae_lambda = model.rollout_buffer.gae_lambda = 0.95
    model.learn(96, keep)
    kept, done = keep.rollouts[0], bonus.batches[0].done
    assert done[:-1].any()
    model.policy.load_state_dict(kept["policy"])
    with th.no_grad():
        last = model.policy.predict_both_values(
            obs_as_tensor(kept["last_obs"], model.device)
        )

    def run(rewards: np.ndarray, head: int, new: np.ndarray, gamma: float) -> Any:
        ahead, carried = last[:, head].numpy(), np.zeros(rewards.shape[1])
        found = np.zeros(rewards.shape)
        for t in range(len(rewards) - 1, -1, -1):
            value = kept["values"][t, :, head]
            goes_on = 1.0 - new[t]
            delta = rewards[t] + gamma * ahead * goes_on - value
            found[t] = carried = delta + gamma * 0.95 * goes_on * carried
            ahead = value
        return found

    a_int = run(bonus.paid[0], 1, np.zeros(done.shape), 0.99)
    a_ext = run(kept["rewards"], 0, done.astype(float), 0.999)
    np.testing.assert_allclose(
        kept["advantages"], 1.0 * a_int + 2.0 * a_ext, rtol=1e-4, atol=1e-4
    )
    returns_int = a_int + kept["values"][..., 1]
    np.testing.assert_allclose(kept["returns"][..., 1], returns_int, atol=1e-4)


@EVERY
@pytest.mark.parametrize("episodic", [True, False])
def test_a_bonus_at_the_end_reaches_the_start(episodic: bool, algo: str) -> None:
    """Only the last step of the corridor pays; every step before must profit."""
    keep = Keep()
    venv = DummyVecEnv([lambda: Corridor(length=4)] * 2)
    model = build(
        algo,
        venv,
        intrinsic=EndBonus(length=4),
        extrinsic=False,
        gamma_int=0.95,
        episodic_intrinsic=episodic,
        n_steps=64,
        batch_size=64,
        learning_rate=0.03,
    )
    silence(model).learn(128, keep)
    kept = keep.rollouts[0]
    place = kept["observations"][..., 0]
    at_start = place == 0
    for lane in range(2):
        ends = np.flatnonzero((place[:-1, lane] == 0.75) & at_start[1:, lane])
        assert len(ends) > 0
        early, late = slice(0, ends[-1]), slice(ends[-1] + 1, None)
        assert np.all(kept["advantages"][early, lane][at_start[early, lane]] > 1e-4)
        if episodic and place[-1, lane] != 0.75:  # no bonus is left in the rollout
            np.testing.assert_allclose(kept["advantages"][late, lane], 0, atol=1e-6)
    model.learn(5 * 128, keep)
    learnt = keep.rollouts[-1]
    assert learnt["values"][learnt["observations"][..., 0] == 0][:, 1].mean() > 0.1


@pytest.mark.parametrize("episodic", [True, False])
def test_the_restart_artefact_of_a_non_episodic_return(episodic: bool) -> None:
    """Paid at the first step of every episode: ending one is worth it only if it
    runs on; that is what the docstring of `episodic_intrinsic` warns of.
    """

    class First(Bonus):
        def compute(self, batch: Transitions) -> np.ndarray:
            self.batches.append(batch)
            return (batch.obs[..., 0] == 0).astype(np.float32)

    keep, bonus = Keep(), First()
    model = build("ppo", intrinsic=bonus, extrinsic=False, episodic_intrinsic=episodic)
    silence(model).learn(96, keep)
    batch = bonus.batches[0]
    ends = batch.done[:-1] & (batch.obs[:-1, :, 0] > 0)
    assert ends.any()
    worth = keep.rollouts[0]["advantages"][:-1][ends]
    assert np.all(worth > 0.5) if not episodic else np.all(worth == 0)


@EVERY
def test_one_batch_a_rollout_then_one_update(algo: str) -> None:
    bonus, tags = Bonus(), Tags()
    model = build(algo, intrinsic=bonus)
    model.set_logger(Logger(None, [tags]))
    model.learn(3 * 96, log_interval=1)
    assert bonus.calls == [("setup", 4), *["compute", "update"] * 3]
    assert [batch.shape for batch in bonus.batches] == [(32, 3)] * 3
    row = tags.rows[-1]
    assert row["rollout/intrinsic_reward_mean"] == pytest.approx(bonus.paid[-1].mean())
    assert row["rollout/intrinsic_reward_std"] == pytest.approx(bonus.paid[-1].std())
    assert 0 < row["rollout/intrinsic_reward_share"] < 1
    assert row["intrinsic/loss"] == 2.5
    assert row["train/explained_variance_intrinsic"] <= 1
