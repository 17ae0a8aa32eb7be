"""The main job really learns: a short run of the preset ends far above random."""

from __future__ import annotations

from pathlib import Path

from curiosity_rl.agents.config import ExperimentConfig
from curiosity_rl.agents.evaluation import TutorRow
from curiosity_rl.agents.experiment import prepare, run

RANDOM_MASTERED, RANDOM_DISTRACTORS = 0.31, 0.25  # on 5,000 students


def test_a_short_run_beats_random(tmp_path: Path) -> None:
    config = ExperimentConfig.load(
        env="tutor-v0",
        n_timesteps=60_000,
        eval_students=300,
        log_folder=str(tmp_path),
        progress=False,
    )
    (row,) = run(prepare(config), baselines=False).rows
    assert isinstance(row, TutorRow)
    assert row.mastered > RANDOM_MASTERED + 0.15
    assert row.distractors < RANDOM_DISTRACTORS / 2
