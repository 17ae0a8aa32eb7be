"""What is logged of bonus, coverage, success and time, against slow references."""

from __future__ import annotations

import itertools
import time
from functools import partial
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from intrinsic_worlds import Drift
from stable_baselines3 import A2C, DQN, PPO
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.vec_env import DummyVecEnv, VecMonitor, VecNormalize

from curiosity_rl.adapters.intrinsic import IntrinsicVecEnv
from curiosity_rl.adapters.replay import RelabelledReplayBuffer
from curiosity_rl.adapters.sb3 import VectorEnvAdapter
from curiosity_rl.agents.ppo import IntrinsicPPO
from curiosity_rl.agents.worlds import make_lanes
from curiosity_rl.rewards import make_reward
from curiosity_rl.tracking import callback, timing
from curiosity_rl.tracking.bonus import BonusMeter, bonus_metrics
from curiosity_rl.tracking.callback import TrackingCallback
from curiosity_rl.tracking.coverage import Coverage
from curiosity_rl.tracking.timing import Stopwatch, TimeSplit

BONUS_TAGS = {
    f"rollout/intrinsic_reward_{name}" for name in ("mean", "std", "lane_std", "share")
}
SMALL: dict[str, Any] = {"seed": 0, "device": "cpu", "policy_kwargs": {"net_arch": [8]}}


class Kept(Logger):
    """Keeps all that was recorded, in order."""

    def __init__(self) -> None:
        super().__init__(None, [])
        self.rows: list[dict[str, Any]] = []

    def record(self, key: str, value: Any, exclude: Any = None) -> None:
        if not self.rows or key in self.rows[-1]:
            self.rows.append({})
        self.rows[-1][key] = value

    @property
    def found(self) -> dict[str, Any]:
        return {key: value for row in self.rows for key, value in row.items()}

    def all_of(self, key: str) -> list[Any]:
        return [row[key] for row in self.rows if key in row]


def learn(model: BaseAlgorithm, steps: int, *more: BaseCallback) -> Kept:
    logger = Kept()
    model.set_logger(logger)
    model.learn(steps, callback=[TrackingCallback(), *more])
    return logger


def swim(lanes: int = 2) -> VecMonitor:
    return VecMonitor(VectorEnvAdapter(make_lanes("river-swim-v0", {}, lanes), 0))


def test_bonus_metrics_by_hand() -> None:
    bonus = np.array([[1.0, 3.0], [1.0, -1.0]])
    reward = np.array([[0.0, -2.0], [2.0, 0.0]])
    found = bonus_metrics(bonus, reward, 0.5, 2.0)
    assert found == {
        "intrinsic_reward_mean": 1.0,
        "intrinsic_reward_std": 2**0.5,
        "intrinsic_reward_lane_std": 0.0,
        "intrinsic_reward_share": 3 / 11,
    }
    apart = bonus_metrics(np.array([[0.0, 4.0]]), np.zeros((1, 2)), 1.0, 1.0)
    assert apart["intrinsic_reward_lane_std"] == 2.0
    assert apart["intrinsic_reward_share"] == 1.0
    assert bonus_metrics(np.zeros((1, 1)), np.zeros((1, 1)), 1.0, 1.0)[
        "intrinsic_reward_share"
    ] == (0.0)


class Witness(BaseCallback):
    """Notes bonuses and rewards of every step as the wrapper's infos tell them."""

    def __init__(self) -> None:
        super().__init__()
        self.steps: list[tuple[list[float], np.ndarray]] = []

    def _on_step(self) -> bool:
        bonus = [info["intrinsic_reward"] for info in self.locals["infos"]]
        self.steps.append((bonus, self.locals["rewards"] - 0.5 * np.array(bonus)))
        return True


def test_the_wrapper_s_bonus_is_described_as_it_was_paid() -> None:
    witness = Witness()
    door = IntrinsicVecEnv(swim(), make_reward("count", mode="exact"), coef=0.5)
    model = PPO("MlpPolicy", door, n_steps=20, batch_size=40, n_epochs=1, **SMALL)
    logger = learn(model, 80, witness)
    bonus, reward = (np.array(x) for x in zip(*witness.steps, strict=True))
    expected = bonus_metrics(bonus[20:], reward[20:], 0.5, 1.0)
    for name, value in expected.items():
        assert logger.found[f"rollout/{name}"] == pytest.approx(value, rel=1e-5)
    assert logger.found["intrinsic/states_counted"] >= 2


def test_every_door_logs_the_same_tags() -> None:
    reward, half = make_reward("count", mode="exact"), {"n_steps": 30, "batch_size": 60}
    kwargs = {"intrinsic": make_reward("count", mode="exact"), "coef": 0.1}
    models: list[BaseAlgorithm] = [
        PPO("MlpPolicy", IntrinsicVecEnv(swim(), reward), **half, **SMALL),
        IntrinsicPPO(
            "MlpPolicy",
            swim(),
            intrinsic=make_reward("count", mode="exact"),
            **half,
            **SMALL,
        ),
        DQN(
            "MlpPolicy",
            swim(),
            replay_buffer_class=RelabelledReplayBuffer,
            replay_buffer_kwargs=kwargs,
            learning_starts=10,
            buffer_size=1000,
            **SMALL,
        ),
    ]
    for model in models:
        logger = learn(model, 600)
        tags = set(logger.found)
        assert tags >= BONUS_TAGS, type(model)
        assert "intrinsic/states_counted" in tags
        shares = [f"time/share_{p}" for p in ("world", "policy", "bonus", "update")]
        assert sum(logger.found[tag] for tag in shares) == pytest.approx(1)
        assert all(logger.found[tag] > 0 for tag in shares)


def test_the_replay_buffer_s_bonus_is_described_once() -> None:
    """Every stored step counts once, though reports and payments do not keep step."""
    buffer_kwargs = {"intrinsic": make_reward("episodic-count", mode="exact")}
    model = DQN(
        "MlpPolicy",
        swim(),
        replay_buffer_class=RelabelledReplayBuffer,
        replay_buffer_kwargs=buffer_kwargs,
        learning_starts=10**6,
        buffer_size=10_000,
        train_freq=3,
        **SMALL,
    )
    logger = learn(model, 2 * 600)
    buffer: Any = model.replay_buffer
    paid = buffer.bonuses[: buffer.size()]
    ends = np.cumsum([0, 258, 258, buffer.size() - 516])  # 258 is the first 3 k
    means = logger.all_of("rollout/intrinsic_reward_mean")
    parts = [paid[a:b].mean() for a, b in itertools.pairwise(ends)]
    np.testing.assert_allclose(means, parts, rtol=1e-5)


def test_coverage_is_that_of_a_slow_count() -> None:
    rng = np.random.default_rng(0)
    coverage, visits = Coverage(50), np.zeros(50, int)
    assert coverage.report() == {}
    for period in range(6):
        recent = [rng.integers(10 * period // 2 + 1, size=7) for _ in range(5)]
        for cells in recent:
            coverage.note(cells)
            for cell in cells:
                visits[cell] += 1
        if period == 3:  # goes on from a saved state
            other = Coverage(0)
            other.load_state_dict(coverage.state_dict())
            coverage = other
        found = coverage.report()
        share = visits[visits > 0] / visits.sum()
        assert found["cells"] == np.count_nonzero(visits)
        assert found["cells_this_period"] == len(set(np.concatenate(recent)))
        assert found["share"] == np.count_nonzero(visits) / 50
        assert found["entropy"] == pytest.approx(-(share * np.log2(share)).sum())
        np.testing.assert_array_equal(coverage.visits, visits)


def test_a_meter_takes_nothing_twice() -> None:
    class Payer:
        paid: Any = None

    payer, meter = Payer(), BonusMeter()
    meter.look(payer)  # type: ignore[arg-type]  # all that is read of a payer
    assert meter.drain(1.0, 1.0) == {}
    payer.paid = np.ones((2, 1)), np.zeros((2, 1))
    meter.look(payer)  # type: ignore[arg-type]
    meter.look(payer)  # type: ignore[arg-type]
    payer.paid = np.full((1, 1), 4.0), np.zeros((1, 1))
    meter.look(payer)  # type: ignore[arg-type]
    other = BonusMeter()
    other.load_state_dict(meter.state_dict())
    for each in (meter, other):
        assert each.drain(1.0, 1.0)["intrinsic_reward_mean"] == 2.0
        assert each.drain(1.0, 1.0) == {}


class Exam(gym.Env):
    """Ends after three steps: paid as its number says, with or without a report."""

    observation_space = gym.spaces.Box(0, 1, (1,), np.float32)
    action_space = gym.spaces.Discrete(2)

    def __init__(self, reward: float, told: bool | None, truncated: bool) -> None:
        self.reward, self.told, self.truncated = reward, told, truncated

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        self.t = 0
        return np.zeros(1, np.float32), {}

    def step(self, action: Any) -> Any:
        self.t += 1
        over = self.t == 3
        info = {} if self.told is None or not over else {"is_success": self.told}
        paid = self.reward if over else 0.0
        ends = (False, over) if self.truncated else (over, False)
        return np.zeros(1, np.float32), paid, *ends, info


EXAMS = [
    (1.0, None, False, True),
    (0.0, None, False, False),
    (-1.0, None, False, False),
    (1.0, None, True, False),
    (1.0, False, False, False),
    (0.0, True, True, True),
]


@pytest.mark.parametrize("wrapped", ["plain", "normalized", "bonus", "both"])
def test_success_is_told_or_a_paid_end(wrapped: str) -> None:
    """A bonus of 1 a step and a scale change nothing about it."""
    lanes: Any = [partial(Exam, *exam[:3]) for exam in EXAMS]
    venv: Any = VecMonitor(DummyVecEnv(lanes))
    if wrapped in ("bonus", "both"):
        venv = IntrinsicVecEnv(venv, make_reward("episodic-count", mode="exact"))
    if wrapped in ("normalized", "both"):
        venv = VecNormalize(venv)
    model = A2C("MlpPolicy", venv, n_steps=12, stats_window_size=24, **SMALL)
    learn(model, 6 * 12)
    assert model.ep_success_buffer is not None
    assert len(model.ep_success_buffer) == 24
    expected = np.mean([exam[3] for exam in EXAMS])
    assert np.mean(model.ep_success_buffer) == pytest.approx(expected)


def test_any_algorithm_on_any_environment_is_told_of() -> None:
    venv = DummyVecEnv([lambda: Drift() for _ in range(2)])
    logger = learn(A2C("MlpPolicy", venv, **SMALL), 200)
    tags = {tag for tag in logger.found if tag.startswith(("time/share", "coverage"))}
    assert tags == {f"time/share_{part}" for part in ("rollout", "bonus", "update")}
    assert sum(logger.found[tag] for tag in tags) == pytest.approx(1)
    assert logger.found["time/share_bonus"] == 0


class Clock:
    """Tells the time that it was set to."""

    def __init__(self) -> None:
        self.now = 0.0

    def perf_counter(self) -> float:
        return self.now


def test_time_is_split_by_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, spent = Clock(), {"world": 0.0, "bonus": 0.0}
    monkeypatch.setattr(timing, "time", clock)
    aside = Stopwatch()
    split = TimeSplit(
        lambda: spent["world"], lambda: spent["bonus"], lambda: aside.seconds
    )
    assert split.report() == {}
    split.rollout_ends()
    clock.now += 5.0  # an update, of which the bonus takes 2
    spent["bonus"] += 2.0
    split.rollout_starts()
    with aside:
        clock.now += 100.0
    clock.now += 4.0  # a rollout: 1 for the world, .5 for the bonus
    spent["world"] += 1.0
    spent["bonus"] += 0.5
    assert split.report() == pytest.approx(
        {"policy": 2.5 / 9, "world": 1 / 9, "bonus": 2.5 / 9, "update": 3 / 9}
    )
    clock.now += 2.0
    spent["world"] += 2.0
    alone = {"policy": 0.0, "world": 1.0, "bonus": 0.0, "update": 0.0}
    assert split.report() == alone


class Slow(gym.vector.VectorWrapper):
    """Takes a millisecond for every step."""

    def step(self, actions: Any) -> Any:
        time.sleep(1e-3)
        return super().step(actions)


def test_a_slow_world_is_told_of() -> None:
    lanes = VectorEnvAdapter(Slow(make_lanes("river-swim-v0", {}, 1)), 0)
    model = PPO("MlpPolicy", lanes, n_steps=200, batch_size=200, n_epochs=1, **SMALL)
    found = learn(model, 200).found
    assert 0.2 < found["time/share_world"] < 1


def test_landmarks_are_logged_from_their_first_visit_on() -> None:
    model = PPO("MlpPolicy", swim(4), n_steps=10, batch_size=40, n_epochs=1, **SMALL)

    class Bank(BaseCallback):
        first: int | None = None

        def _on_step(self) -> bool:
            if self.first is None and self.locals["new_obs"][:, -1].any():
                self.first = self.num_timesteps
            return True

    bank = Bank()
    logger = learn(model, 4000, bank)
    assert bank.first is not None
    frames = logger.all_of("landmark/far-bank")
    assert set(frames) == {bank.first}
    reports = len(logger.all_of("time/steps_per_second"))
    assert len(frames) == reports - (bank.first - 1) // 40


def test_short_rollouts_are_reported_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(callback, "LEAST_STEPS", 12)
    model = A2C("MlpPolicy", swim(), n_steps=5, **SMALL)
    logger = learn(model, 2 * 5 * 7)
    cells = logger.all_of("coverage/cells_this_period")
    assert len(cells) == 3  # after 3, 6 and at the end
