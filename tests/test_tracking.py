from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.vec_env import VecMonitor

from curiosity_rl.adapters.intrinsic import IntrinsicVecEnv
from curiosity_rl.adapters.sb3 import VectorEnvAdapter
from curiosity_rl.agents.worlds import make_lanes
from curiosity_rl.rewards import make_reward
from curiosity_rl.tracking.callback import TrackingCallback
from curiosity_rl.tracking.pacing import Every
from curiosity_rl.tracking.progress import Progress


class Spy(BaseCallback):
    """Counts by hand what the tracking callback is to log."""

    def __init__(self, world: Any) -> None:
        super().__init__()
        self.world = world
        self.cells: list[int] = []
        self.passed: list[bool] = []
        self.bonus: list[float] = []

    def _on_step(self) -> bool:
        known = self.world.coverage() % 3  # of 2 skills: 0, 1 or 2
        infos = self.locals["infos"]
        for lane in np.flatnonzero(self.locals["dones"]):  # already in the next episode
            known[lane] = infos[lane]["truth"]["mastery"].sum()
        self.cells.extend((self.locals["actions"] * 3 + known).tolist())
        for info, reward in zip(infos, self.locals["rewards"], strict=True):
            if "truth" in info and not info["TimeLimit.truncated"]:
                bonus = info.get("intrinsic_reward", 0.0)
                self.passed.append(abs(reward - bonus - 1) < 1e-5)
            self.bonus.append(info.get("intrinsic_reward", 0.0))
        return True


def _learn(budget: int, steps: int, stagger: int) -> tuple[dict[str, Any], Spy]:
    kwargs = {"curriculum": "chain-2", "goals": 1, "distractors": 0, "budget": budget}
    lanes = make_lanes("tutor-v0", kwargs, 16)
    venv = VecMonitor(VectorEnvAdapter(lanes, list(range(16)), stagger))
    door = IntrinsicVecEnv(venv, make_reward("skill-progress"))
    model = PPO("MlpPolicy", door, n_steps=steps, batch_size=16, seed=0, device="cpu")
    spy, logged = Spy(lanes.unwrapped), {}

    class Keep(Logger):
        def dump(self, step: int = 0) -> None:
            logged.update(self.name_to_value)

    model.set_logger(Keep(None, []))
    model.learn(16 * steps, callback=[TrackingCallback(), spy])
    return logged, spy


def test_every_cell_that_a_step_leads_to_is_counted() -> None:
    """In deep sea all lanes end together, in the last row."""
    lanes = make_lanes("deep-sea-v0", {"size": 5}, 4)
    model = PPO("MlpPolicy", VectorEnvAdapter(lanes, 0), n_steps=10, batch_size=40)
    tracking = TrackingCallback()
    model.learn(40, callback=tracking)
    assert tracking.visits is not None
    rows = tracking.visits.reshape(5, 5).sum(axis=1)
    assert rows.tolist() == [0, 8, 8, 8, 16]  # who leaves the sea was last in row 4


def test_curves_are_what_happened() -> None:
    logged, spy = _learn(budget=20, steps=65, stagger=0)
    assert len(spy.passed) == 16 * 3
    assert 0 < np.mean(spy.passed) < 1
    assert logged["tutor/pass_rate"] == pytest.approx(np.mean(spy.passed))
    assert logged["tutor/goals_known"] == pytest.approx(np.mean(spy.passed))
    share = np.bincount(spy.cells) / len(spy.cells)
    share = share[share > 0]
    assert logged["coverage/cells"] == len(share) > 2
    entropy = -(share * np.log2(share)).sum()
    assert logged["coverage/entropy"] == pytest.approx(entropy)
    mean = logged["rollout/intrinsic_reward_mean"]
    assert mean == pytest.approx(np.mean(spy.bonus))
    assert logged["time/steps_per_second"] > 0


def test_episodes_cut_short_are_no_exams() -> None:
    logged, spy = _learn(budget=50, steps=49, stagger=50)
    assert spy.passed == []
    assert "tutor/pass_rate" not in logged


def test_every_acts_between_rollouts() -> None:
    model = PPO("MlpPolicy", "CartPole-v1", n_steps=32, batch_size=32, device="cpu")
    at: list[int] = []
    model.learn(320, callback=Every(70, at.append))
    assert at == [96, 192, 288]


def test_progress_without_a_terminal_is_a_few_lines(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("curiosity_rl.tracking.progress.QUIET", 0.0)
    with Progress("training", 1000) as progress:
        for done in range(0, 1001, 5):
            progress.update(done, bonus=f"{done}")
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 10
    assert lines[-1].startswith("training: 1,000 of 1,000 steps")
    assert lines[-1].endswith("bonus 1000")


def test_progress_on_a_terminal_is_a_bar(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with Progress("training", 100) as progress:
        progress.update(40, **{"pass rate": "0.500"})
        assert progress._bar.n == 40
        assert "pass rate=0.500" in str(progress._bar)
    assert "training" in capsys.readouterr().err


def test_progress_that_is_off_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress("training", 10, show=False) as progress:
        progress.update(10)
    assert capsys.readouterr().err == ""
