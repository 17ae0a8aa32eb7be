"""Relabelled replay in use: algorithms train with it, it is saved and goes on."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch as th
from corridor import LENGTH, Corridor, EndBonus
from gymnasium.vector import SyncVectorEnv
from intrinsic_worlds import Drift
from replay_worlds import (
    BASES,
    Age,
    Model,
    both,
    build,
    dqn,
    equal,
    goal_buffer,
    record,
    weights,
)
from sb3_contrib import QRDQN, TQC
from stable_baselines3 import DQN, SAC, TD3, HerReplayBuffer
from stable_baselines3.common.envs import BitFlippingEnv
from stable_baselines3.common.vec_env import DummyVecEnv

from curiosity_rl import checkpoint
from curiosity_rl.adapters.replay import (
    RelabelledHerReplayBuffer,
    RelabelledReplay,
    RelabelledReplayBuffer,
    relabelled,
)
from curiosity_rl.adapters.sb3 import VectorEnvAdapter
from curiosity_rl.protocols import Transitions
from curiosity_rl.rewards import Scaled, make_reward


def test_a_reset_in_the_middle_of_an_episode_is_noticed() -> None:
    reward = Age()
    model = dqn(Corridor(length=90), reward, learning_starts=1000)
    model.learn(12)
    assert reward.forgotten == 0
    model.learn(12)
    assert reward.forgotten == 1
    buffer: Any = model.replay_buffer
    np.testing.assert_array_equal(buffer.bonuses[:24, 0], [*range(1, 13)] * 2)
    model.learn(12, reset_num_timesteps=False)
    assert reward.forgotten == 1


@pytest.mark.parametrize("algorithm", [DQN, SAC])
def test_with_coef_0_the_weights_are_those_of_stock_sb3(algorithm: Any) -> None:
    def train(coef: float | None) -> Any:
        kind = "discrete" if algorithm is DQN else "box"
        settings: dict[str, Any] = {
            "learning_starts": 20,
            "batch_size": 16,
            "buffer_size": 200,
            "seed": 3,
            "device": "cpu",
            "policy_kwargs": {"net_arch": [16]},
        }
        if coef is not None:
            reward = make_reward("rnd", hidden=8, scale=False)
            kwargs = {"intrinsic": reward, "coef": coef, "update_every": 8}
            settings["replay_buffer_class"] = RelabelledReplayBuffer
            settings["replay_buffer_kwargs"] = kwargs
        venv = DummyVecEnv([lambda: Drift(kind)] * 3)
        return algorithm("MlpPolicy", venv, **settings).learn(120)

    stock = train(None)
    assert equal(train(0.0), stock)
    assert not equal(train(1.0), stock)


@pytest.mark.parametrize("algorithm", [DQN, QRDQN, SAC, TD3, TQC])
@pytest.mark.parametrize("kind", ["plain", "dict", "n-step"])
def test_every_algorithm_trains_with_rnd(algorithm: Any, kind: str) -> None:
    discrete = algorithm in (DQN, QRDQN)
    world = {"action": "discrete" if discrete else "box", "as_dict": kind == "dict"}
    reward = make_reward("rnd", hidden=8, outputs=4, scale=False)
    kwargs: dict[str, Any] = {"intrinsic": reward, "update_every": 8}
    if kind == "n-step":
        kwargs |= {"n_steps": 3, "gamma": 0.99}
    model = algorithm(
        "MultiInputPolicy" if kind == "dict" else "MlpPolicy",
        DummyVecEnv([lambda: Drift(**world)] * 2),
        replay_buffer_class=relabelled(BASES[kind][0]),
        replay_buffer_kwargs=kwargs,
        learning_starts=20,
        batch_size=16,
        buffer_size=400,
        policy_kwargs={"net_arch": [8]},
        seed=0,
        device="cpu",
    )
    before = weights(model)
    model.learn(60)
    assert all(bool(th.isfinite(value).all()) for value in weights(model))
    assert not all(map(th.equal, before, weights(model)))
    buffer = model.replay_buffer
    assert buffer.metrics["predictor_loss"] > 0
    paid, stock = both(buffer)
    assert bool((paid.rewards > stock.rewards).all())


def test_dqn_trains_with_count_and_with_her() -> None:
    model = dqn(Corridor(observation="discrete"), make_reward("count", scale=False))
    model.learn(60)
    buffer: Any = model.replay_buffer
    assert not buffer.metrics  # not before 64 steps
    model.learn(10, reset_num_timesteps=False)
    assert buffer.metrics["states_counted"] > 1
    venv = DummyVecEnv([lambda: BitFlippingEnv(n_bits=3)] * 2)
    her = DQN(
        "MultiInputPolicy",
        venv,
        replay_buffer_class=RelabelledHerReplayBuffer,
        replay_buffer_kwargs={"intrinsic": make_reward("rnd", hidden=8)},
        learning_starts=20,
        buffer_size=200,
        device="cpu",
    )
    her.learn(80)
    assert all(bool(th.isfinite(value).all()) for value in weights(her))


def test_a_bonus_at_the_end_of_a_corridor_gives_its_start_a_value() -> None:
    length = 5

    def value_at_start(coef: float) -> float:
        model = dqn(
            Corridor(length, observation="onehot"),
            EndBonus(length=length),
            buffer_kwargs={"coef": coef},
            learning_rate=3e-3,
            gamma=0.9,
            exploration_initial_eps=1.0,
            exploration_final_eps=1.0,
            target_update_interval=50,
            batch_size=32,
            train_freq=2,
        )
        model.learn(600)
        start = th.eye(length + 1)[:1]
        with th.no_grad():
            return model.q_net(start).max().item()

    assert value_at_start(1.0) > 0.2  # 0.9 ** 4 = 0.66 for the best policy
    assert abs(value_at_start(0.0)) < 0.05


@pytest.mark.parametrize("field", ["obs", "next_obs", "reward"])
def test_what_is_not_finite_is_neither_stored_nor_learnt(field: str) -> None:
    buffer = build("plain", 3, intrinsic=Model(), update_every=1)
    tape = record(buffer, 6)
    step = tape.step()
    step[field][2] = np.nan
    with pytest.raises(ValueError, match=f"lane 2, step 6: {field}"):
        buffer.add(**step)
    assert buffer.pos == 6
    assert buffer.intrinsic.weight == 7


def test_a_bonus_that_is_not_finite_is_named_before_a_weight_changes() -> None:
    reward = Model()
    model = dqn(DummyVecEnv([Drift] * 2), reward, learning_starts=30)
    model.learn(20)
    before = weights(model)
    reward.weight = float("inf")
    with pytest.raises(ValueError, match=r"lane \d, step \d+: bonus of Model is"):
        model.learn(40, reset_num_timesteps=False)
    assert all(map(th.equal, before, weights(model)))
    reward.weight = 1.0
    buffer: Any = model.replay_buffer
    buffer.next_observations[3, 1] = np.inf
    with pytest.raises(ValueError, match=r"lane 1, step 3: bonus of Model is inf"):
        model.train(gradient_steps=1, batch_size=400)
    assert all(map(th.equal, before, weights(model)))


def test_what_the_world_reports_comes_from_infos_or_from_the_adapter() -> None:
    class Reports(Model):
        per_transition = False

        def _worth(self, batch: Transitions) -> np.ndarray:
            return batch.info["place"].astype(np.float32)

    class Place(Corridor):
        def step(self, action: Any) -> Any:
            *made, _ = super().step(action)
            return *made, {"place": self.place, "truth": {"a": 1.0}}

    reward = Reports()
    venv = VectorEnvAdapter(SyncVectorEnv([Place] * 2))
    agents = [
        dqn(env, reward, learning_starts=1000)
        for env in (DummyVecEnv([Place] * 2), venv)
    ]
    buffers: list[Any] = [agent.replay_buffer for agent in agents]
    buffers[1].report_from(agents[1].get_env())
    for agent, buffer in zip(agents, buffers, strict=True):
        agent.learn(30)
        places = np.round(buffer.next_observations[:15, :, 0] * LENGTH)
        assert places.any()
        np.testing.assert_array_equal(buffer.bonuses[:15], places)
    assert set(reward.computed[-1].info) == {"place"}


def same_state(left: Any, right: Any) -> None:
    """Compare nested states, bit for bit."""
    if isinstance(left, dict):
        assert left.keys() == right.keys()
        for key in left:
            same_state(left[key], right[key])
    elif isinstance(left, list):
        for a, b in zip(left, right, strict=True):
            same_state(a, b)
    else:
        np.testing.assert_array_equal(left, right)


@pytest.mark.parametrize("kind", ["plain", "dict", "n-step"])
@pytest.mark.parametrize("name", ["rnd", "age"])
@pytest.mark.parametrize("way", ["pickle", "state"])
def test_saved_and_loaded_it_goes_on_as_if_nothing_had_been(
    kind: str, name: str, way: str, tmp_path: Path
) -> None:
    def fresh() -> Any:
        rnd = make_reward("rnd", hidden=8, outputs=4, scale=False)
        reward = Age() if name == "age" else Scaled(rnd, warmup=20)
        return build(kind, 3, intrinsic=reward, update_every=6, seed=1)

    whole = fresh()
    tape = record(whole, 52)
    copy = pickle.loads(pickle.dumps(whole))
    assert type(copy) is type(whole)
    if way == "state":
        checkpoint.save(tmp_path / "x", whole.state_dict())
        moved, copy = copy, fresh()
        for key in ("observations", "next_observations", "actions", "rewards"):
            setattr(copy, key, getattr(moved, key))
        copy.dones, copy.timeouts = moved.dones, moved.timeouts
        copy.pos, copy.full = moved.pos, moved.full
        copy.load_state_dict(checkpoint.load(tmp_path / "x"))
    for _ in range(20):
        step = tape.step()
        for buffer in (whole, copy):
            buffer.add(**step)
        samples = [both(buffer)[0] for buffer in (whole, copy)]
        assert th.equal(samples[0].rewards, samples[1].rewards)
    paid, stock = both(whole)
    assert not th.equal(paid.rewards, stock.rewards)
    same_state(whole.state_dict(), copy.state_dict())


def test_the_state_of_another_buffer_is_refused() -> None:
    buffer = build("plain", 3, intrinsic=Age())
    record(buffer, 45)
    state = buffer.state_dict()
    for other, words in (
        (build("plain", 2, intrinsic=Age()), "same n_envs"),
        (build("plain", 3, intrinsic=Model()), "use the intrinsic reward that"),
        (build("plain", 3, rows=30, intrinsic=Age()), "same buffer_size"),
    ):
        with pytest.raises(ValueError, match=words):
            other.load_state_dict(state)


def test_sb3_saves_and_loads_buffer_and_model(tmp_path: Path) -> None:
    model = dqn(DummyVecEnv([Drift] * 2), make_reward("rnd", hidden=8, scale=False))
    model.learn(80)
    model.save(tmp_path / "model")
    model.save_replay_buffer(tmp_path / "buffer.pkl")
    loaded = DQN.load(tmp_path / "model", env=DummyVecEnv([Drift] * 2))
    assert isinstance(loaded.replay_buffer, RelabelledReplay)
    loaded.load_replay_buffer(tmp_path / "buffer.pkl")
    old, new = model.replay_buffer, loaded.replay_buffer
    assert isinstance(new, RelabelledReplayBuffer)
    assert th.equal(both(old)[0].rewards, both(new)[0].rewards)
    same_state(old.state_dict(), new.state_dict())  # type: ignore[union-attr]
    loaded.learn(40, reset_num_timesteps=False)


def test_a_goal_buffer_is_pickled_without_its_world() -> None:
    buffer, venv = goal_buffer(2, intrinsic=make_reward("rnd", scale=False))
    copy = pickle.loads(pickle.dumps(buffer))
    assert isinstance(copy, HerReplayBuffer)
    copy.set_env(venv)
    assert th.equal(both(buffer)[0].rewards, both(copy)[0].rewards)
