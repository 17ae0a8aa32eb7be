"""Around two streams in every algorithm: files, resets, broken values, spaces."""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch as th
from gymnasium import spaces
from intrinsic_worlds import (
    ACTIONS,
    OURS,
    Bonus,
    Drift,
    Keep,
    Screen,
    build,
    weights,
    world,
)
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import (
    DummyVecEnv,
    VecNormalize,
    VecTransposeImage,
)

from curiosity_rl import checkpoint, make_reward
from curiosity_rl.adapters.paying import NotFinite
from curiosity_rl.agents import on_policy
from curiosity_rl.protocols import Transitions

EVERY = pytest.mark.parametrize("algo", OURS)


# --- pretraining, files ---------------------------------------------------------------


@EVERY
def test_pretrained_without_a_reward_then_fine_tuned(algo: str, tmp_path: Path) -> None:
    def play(**more: Any) -> Any:
        return build(algo, intrinsic=Bonus(), learning_rate=0.03, **more).learn(96)

    pretrained, same = play(extrinsic=False), play(extrinsic_coef=0.0)
    for one, other in zip(weights(pretrained), weights(same), strict=True):
        assert th.equal(one, other)
    keep = Keep()
    pretrained.learn(96, keep)
    assert not keep.rollouts[0]["rewards"].any()
    pretrained.save(tmp_path / "model")

    def tune(**more: Any) -> tuple[Any, Keep]:
        model, seen = OURS[algo].load(tmp_path / "model", world(), **more), Keep()
        for old, new in zip(weights(pretrained), weights(model), strict=True):
            assert th.equal(old, new)
        return model.learn(4 * 96, seen), seen

    both, alone = (
        tune(intrinsic=Bonus(), extrinsic=True),
        tune(coef=0.0, extrinsic=True),
    )
    assert alone[0].intrinsic is None
    for _, watched in (both, alone):
        first, last = watched.rollouts[0], watched.rollouts[-1]
        assert first["rewards"].any()
        # Rewards are positive on average: the extrinsic head rises to meet them.
        rise = last["values"][..., 0].mean() - first["values"][..., 0].mean()
        missing = (first["returns"] - first["values"])[..., 0].mean()
        assert missing > 0.2
        assert rise > 0.25 * missing
    # The switch may also be set in place.
    pretrained.extrinsic = True
    pretrained.learn(96, keep, reset_num_timesteps=False)
    assert keep.rollouts[-1]["rewards"].any()


@EVERY
def test_save_and_load_with_the_reward_beside(algo: str, tmp_path: Path) -> None:
    reward = make_reward("count", scale=False)
    model = build(algo, intrinsic=reward, coef=0.3).learn(192)
    model.save(tmp_path / "model")
    checkpoint.save(tmp_path / "reward", {"reward": reward.state_dict()})

    fresh = make_reward("count", scale=False)
    again = OURS[algo].load(tmp_path / "model", world(), intrinsic=fresh)
    fresh.load_state_dict(checkpoint.load(tmp_path / "reward")["reward"])
    assert (again.coef, again.two_heads) == (0.3, True)
    for mine, theirs in zip(weights(model), weights(again), strict=True):
        assert th.equal(mine, theirs)
    probe = Bonus()
    build("ppo", intrinsic=probe).learn(96)
    batch, new = probe.batches[0], make_reward("count", scale=False)
    new.setup(model.observation_space, model.action_space, 4)  # type: ignore[attr-defined]
    np.testing.assert_array_equal(reward.compute(batch), fresh.compute(batch))
    assert np.any(new.compute(batch) != fresh.compute(batch))
    again.learn(96)

    mute = OURS[algo].load(tmp_path / "model", world())
    mute.predict(np.zeros((1, 2), np.float32))
    with pytest.raises(ValueError, match="intrinsic=reward"):
        mute.learn(96)


def test_a_model_without_a_second_head_refuses_a_reward(tmp_path: Path) -> None:
    build("ppo").save(tmp_path / "model")
    with pytest.raises(ValueError, match="built without a second value head"):
        OURS["ppo"].load(tmp_path / "model", world(), intrinsic=Bonus())
    with pytest.raises(ValueError, match="extrinsic=False needs a second reward"):
        build("ppo", extrinsic=False)
    build("a2c", intrinsic=Bonus()).save(tmp_path / "two")
    with pytest.raises(ValueError, match="coef must be 0 or positive"):
        OURS["a2c"].load(tmp_path / "two", world(), intrinsic=Bonus(), coef=-1.0)


# --- episode memory -------------------------------------------------------------------


class Stop(BaseCallback):
    """Breaks the rollout off at its 10th step."""

    def _on_step(self) -> bool:
        return self.n_calls < 10


class Ages(Bonus):
    """Remembers per lane how old the episode is, and checks it by the world's clock."""

    def __init__(self) -> None:
        super().__init__()
        self.ages = np.zeros(3)
        self.forgot = 0

    def forget(self) -> None:
        self.forgot += 1
        self.ages = np.zeros(3)

    def compute(self, batch: Transitions) -> np.ndarray:
        for clock, done in zip(batch.obs[..., 0], batch.done, strict=True):
            np.testing.assert_array_equal(clock, self.ages)
            self.ages = np.where(done, 0, self.ages + 1)
        return super().compute(batch)


@EVERY
def test_episode_memory_does_not_outlive_a_reset(algo: str) -> None:
    reward = Ages()
    model = build(algo, intrinsic=reward).learn(96)
    assert reward.ages.any()  # the rollout ended in the middle of episodes
    model.learn(96, reset_num_timesteps=False)
    assert reward.forgot == 1  # by the first reset only
    assert reward.ages.any()
    model.learn(96)
    assert reward.forgot == 2
    model.set_env(world())
    model.learn(96, reset_num_timesteps=False)
    assert reward.forgot == 3


def test_a_rollout_broken_off_ends_the_episode_memory() -> None:
    reward = Ages()
    model = build("ppo", intrinsic=reward).learn(96)
    model.learn(960, Stop(), reset_num_timesteps=False)
    model._setup_learn(96, None, False)
    assert reward.forgot == 2
    assert not reward.ages.any()


# --- what is not finite ---------------------------------------------------------------


class Breaks(Drift):
    """Gives a NaN at step 5 of its second episode, or in the first observation."""

    def __init__(self, where: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.where, self.episode = where, 0

    def _obs(self) -> Any:
        broken = {"obs": self.t == 5, "last": self.t == 9, "reset": self.t == 0}
        seen = super()._obs()
        if self.episode == 2 and broken.get(self.where, False):
            (seen["a"] if self.as_dict else seen)[1] = np.nan
        return seen

    def reset(self, *, seed: int | None = None, options: dict | None = None) -> Any:
        self.episode += 1
        return super().reset(seed=seed)

    def step(self, action: Any) -> Any:
        obs, reward, _, cut, info = super().step(action)
        if self.where == "reward" and self.episode == 2 and self.t == 5:
            reward = np.inf
        return obs, reward, False, cut, info


class BadBonus(Bonus):
    def compute(self, batch: Transitions) -> np.ndarray:
        bonus = super().compute(batch)
        bonus[3, 1] = np.nan
        return bonus


@pytest.mark.parametrize(
    ("algo", "action", "as_dict"),
    [
        ("ppo", "discrete", False),
        ("ppo", "box", True),
        ("a2c", "multidiscrete", False),
        ("recurrent-ppo", "discrete", False),
    ],
)
@pytest.mark.parametrize(
    ("where", "named"),
    [
        ("obs", r"step 13: next_obs(\['a'\])?\[1\] is nan"),
        ("last", r"step 17: next_obs(\['a'\])?\[1\] is nan"),
        ("reset", r"step 9: first observation of an episode(\['a'\])?\[1\] is nan"),
        ("reward", "step 13: reward is inf"),
        ("bonus", "step 3: bonus of BadBonus is nan"),
    ],
)
def test_not_finite(
    where: str, named: str, algo: str, action: str, as_dict: bool
) -> None:
    def env(which: str) -> Any:
        return lambda: Breaks(which, action=action, as_dict=as_dict)

    venv = DummyVecEnv([env("nowhere"), env(where)])
    reward = BadBonus() if where == "bonus" else Bonus()
    kind = "MultiInput" if as_dict else "Mlp"
    model = build(algo, venv, kind, intrinsic=reward, batch_size=32)
    before = weights(model)
    with pytest.raises(ValueError, match=f"lane 1, {named}"):
        model.learn(64)
    for old, new in zip(before, weights(model), strict=True):
        assert th.equal(old, new)
    assert "update" not in reward.calls


@EVERY
def test_the_very_first_observation_is_not_finite(algo: str) -> None:
    class Broken(Drift):
        def reset(self, **kwargs: Any) -> Any:
            return np.array([0, np.nan], np.float32), super().reset(**kwargs)[1]

    venv = DummyVecEnv([Drift, Broken])
    model = build(algo, venv, intrinsic=Bonus(), batch_size=32)
    with pytest.raises(ValueError, match="lane 1, step 0: first observation"):
        model.learn(64)


def test_errors_of_others_stay_theirs_and_end_the_episode_memory() -> None:
    class Angry(BaseCallback):
        def _on_step(self) -> bool:
            raise RuntimeError("enough")

    reward = Ages()
    model = build("ppo", intrinsic=reward).learn(96)
    with pytest.raises(RuntimeError, match="enough"):
        model.learn(96, Angry(), reset_num_timesteps=False)
    model._setup_learn(96, None, False)
    assert reward.forgot == 2
    assert not reward.ages.any()


class Clock(gym.Env):
    """Shows the time; breaks from step `at` of episode 1 on, or as episode 2 begins."""

    observation_space = spaces.Box(-100, 100, (1,), np.float32)
    action_space = spaces.Discrete(2)

    def __init__(self, length: int, at: int = 0, start: float = 0.0) -> None:
        self.length, self.at, self.start, self.episode = length, at, start, 0

    def reset(self, *, seed: int | None = None, options: dict | None = None) -> Any:
        super().reset(seed=seed)
        self.t, self.episode = 0, self.episode + 1
        return np.full(1, self.start if self.episode == 2 else 0, np.float32), {}

    def step(self, action: Any) -> Any:
        self.t += 1
        seen = np.inf if self.at and self.t >= self.at else self.t
        return np.full(1, seen, np.float32), 0.0, False, self.t == self.length, {}


def test_the_first_of_many_broken_observations_is_named() -> None:
    """An infinity that no network stumbles over: tanh makes a number of it."""
    venv = DummyVecEnv([lambda: Clock(200), lambda: Clock(200, at=70)])
    model = build("ppo", venv, intrinsic=Bonus(), n_steps=96, batch_size=32)
    before = weights(model)
    with pytest.raises(
        NotFinite, match=r"lane 1, step (69: next_|70: )obs\[0\] is inf"
    ):
        model.learn(192)
    assert all(map(th.equal, before, weights(model)))


@EVERY
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_broken_start_at_the_end_of_a_rollout_changes_nothing(
    algo: str, value: float
) -> None:
    """No transition of the rollout holds it: it follows upon the last one."""
    venv = DummyVecEnv([lambda: Clock(64), lambda: Clock(64, start=value)])
    reward = Bonus()
    model = build(algo, venv, intrinsic=reward, n_steps=64, batch_size=32)
    before = weights(model)
    said = rf"lane 1, step 64: first observation of an episode\[0\] is {value}"
    with pytest.raises(NotFinite, match=said):
        model.learn(256)
    assert all(map(th.equal, before, weights(model)))
    assert reward.calls == [("setup", 4)]


def test_under_vec_normalize_the_error_warns_that_all_lanes_look_broken() -> None:
    lanes = DummyVecEnv([lambda: Breaks("nowhere"), lambda: Breaks("obs")])
    model = build("ppo", VecNormalize(lanes), intrinsic=Bonus(), batch_size=32)
    with pytest.raises(NotFinite, match="VecNormalize shares its statistics"):
        model.learn(64)


# --- spaces ---------------------------------------------------------------------------


@EVERY
@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("as_dict", [False, True])
def test_one_lane_and_spaces(as_dict: bool, action: str, algo: str) -> None:
    bonus = Bonus()
    venv = world(1, action=action, as_dict=as_dict)
    kind = "MultiInput" if as_dict else "Mlp"
    model = build(algo, venv, kind, intrinsic=bonus, batch_size=32)
    before = weights(model)
    model.learn(32)
    assert [batch.shape for batch in bonus.batches] == [(32, 1)]
    assert all(th.isfinite(value).all() for value in weights(model))
    moved = zip(before, weights(model), strict=True)
    assert any(not th.equal(old, new) for old, new in moved)


@pytest.mark.parametrize("algo", ["a2c", "recurrent-ppo"])  # PPO: test_intrinsic_ppo.py
def test_images(algo: str) -> None:
    class Bright(Bonus):
        def compute(self, batch: Transitions) -> np.ndarray:
            self.batches.append(batch)
            return batch.next_obs.mean((2, 3, 4)).astype(np.float32)

    bonus = Bright()
    venv = VecTransposeImage(DummyVecEnv([Screen] * 2))
    build(algo, venv, "Cnn", n_steps=8, batch_size=16, intrinsic=bonus).learn(16)
    assert bonus.batches[0].next_obs.shape == (8, 2, 3, 36, 36)


def test_only_one_module_needs_sb3_contrib() -> None:
    folder = Path(on_policy.__file__).parent
    for name in ("on_policy", "two_streams", "ppo", "a2c"):
        tree = ast.parse((folder / f"{name}.py").read_text("utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Import | ast.ImportFrom):
                found = [alias.name for alias in node.names]
                found.append(getattr(node, "module", None) or "")
                assert not any(part.startswith("sb3_contrib") for part in found)


def test_without_sb3_contrib_the_error_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "sb3_contrib", None)
    monkeypatch.delitem(sys.modules, "curiosity_rl.agents.recurrent_ppo")
    with pytest.raises(ImportError, match="pip install sb3-contrib"):
        __import__("curiosity_rl.agents.recurrent_ppo")
