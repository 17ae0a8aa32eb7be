"""IntrinsicPPO around the training: logs, files, environments, refusals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch as th
from intrinsic_worlds import (
    SETTINGS,
    Bonus,
    Tags,
    in_two_heads,
    weights,
    weights_of,
    world,
)
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import Logger

from curiosity_rl.agents.ppo import IntrinsicPPO
from curiosity_rl.agents.two_streams import TwoStreams, two_headed


def test_logs() -> None:
    bonus, tags = Bonus(), Tags()
    model = IntrinsicPPO(
        "MlpPolicy", world(), **SETTINGS, intrinsic=bonus, coef=0.5, extrinsic_coef=2.0
    )
    model.set_logger(Logger(None, [tags]))
    model.learn(192)
    row, paid = tags.rows[-1], bonus.paid[1]
    assert row["rollout/intrinsic_reward_mean"] == pytest.approx(paid.mean())
    assert row["rollout/intrinsic_reward_std"] == pytest.approx(paid.std())
    mine = 0.5 * np.abs(paid).sum()
    total = mine + 2.0 * np.abs(bonus.batches[1].reward).sum()
    assert row["rollout/intrinsic_reward_share"] == pytest.approx(mine / total)
    assert row["intrinsic/loss"] == 2.5
    assert row["train/explained_variance"] <= 1
    assert row["train/explained_variance_intrinsic"] <= 1
    returns: Any = model.rollout_buffer.returns
    values: Any = model.rollout_buffer.values
    for head, name in enumerate(("", "_intrinsic")):
        left = np.var(returns[:, head] - values[:, head]) / np.var(returns[:, head])
        logged = model.logger.name_to_value[f"train/explained_variance{name}"]
        assert logged == pytest.approx(1 - left, abs=1e-4)


def test_save_and_load(tmp_path: Path) -> None:
    model = IntrinsicPPO("MlpPolicy", world(), **SETTINGS, intrinsic=Bonus(), coef=0.3)
    model.learn(96).save(tmp_path / "model")
    bonus = Bonus()
    again = IntrinsicPPO.load(tmp_path / "model", world(), intrinsic=bonus)
    for mine, theirs in zip(weights(model), weights(again), strict=True):
        assert th.equal(mine, theirs)
    assert (again.coef, again.two_heads) == (0.3, True)
    again.learn(96)
    assert len(bonus.batches) == 1
    # Without its reward it predicts, and says what it lacks when it should learn.
    mute = IntrinsicPPO.load(tmp_path / "model", world())
    obs = np.zeros((1, 2), np.float32)
    assert mute.predict(obs, deterministic=True)[0].shape == (1,)
    with pytest.raises(ValueError, match="intrinsic=reward"):
        mute.learn(96)


def test_set_env_keeps_recording() -> None:
    bonus = Bonus()
    model = IntrinsicPPO("MlpPolicy", world(), **SETTINGS, intrinsic=bonus)
    model.set_env(world())
    model.learn(96)
    assert len(bonus.batches) == 1


def test_a_rollout_broken_off_leaves_nothing_behind() -> None:
    class Stop(BaseCallback):
        def _on_step(self) -> bool:
            return self.n_calls < 10

    bonus = Bonus()
    model = IntrinsicPPO("MlpPolicy", world(), **SETTINGS, intrinsic=bonus)
    model.learn(96, Stop())
    model.learn(96, reset_num_timesteps=False)
    assert [batch.shape for batch in bonus.batches] == [(32, 3)]


def test_second_head_leaves_the_first_and_the_actor_as_they_were() -> None:
    ours = IntrinsicPPO("MlpPolicy", world(), **SETTINGS, intrinsic=Bonus())
    stock = PPO("MlpPolicy", world(), **SETTINGS)
    mine = dict(weights_of(ours.policy))
    for name, theirs in weights_of(stock.policy):
        other = mine[in_two_heads(name)]
        assert th.equal(other, theirs)
    assert not th.equal(
        mine["value_net.intrinsic.weight"], mine["value_net.extrinsic.weight"]
    )
    assert isinstance(ours.rollout_buffer, TwoStreams)
    trained = {id(p) for g in ours.policy.optimizer.param_groups for p in g["params"]}
    assert trained == {id(parameter) for parameter in ours.policy.parameters()}
    assert two_headed(type(ours.policy)) is type(ours.policy)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"coef": -1.0, "intrinsic": Bonus()}, "coef must be 0 or positive"),
        ({"gamma_int": 1.5, "intrinsic": Bonus()}, "gamma_int must lie in"),
        ({"gae_lambda_int": -0.1, "intrinsic": Bonus()}, "gae_lambda_int must lie"),
        ({"extrinsic_coef": 0.0}, "needs a second reward"),
    ],
)
def test_refusals(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        IntrinsicPPO("MlpPolicy", world(), **SETTINGS, **settings)
