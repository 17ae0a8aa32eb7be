"""The evidence: which runs are planned, how they are played, what the files hold."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import curiosity_rl  # noqa: F401  registers the worlds
from curiosity_rl.adapters.intrinsic import IntrinsicVecEnv
from curiosity_rl.agents.config import ExperimentConfig, without_bonus
from curiosity_rl.agents.evaluation import evaluate
from curiosity_rl.agents.evidence import manifest
from curiosity_rl.agents.evidence.manifest import gather, keep_rows, play_runs
from curiosity_rl.agents.evidence.plan import Run
from curiosity_rl.agents.evidence.protocols import Solving, Teaching, Tutoring
from curiosity_rl.agents.evidence.questions import QUESTIONS, one_stream
from curiosity_rl.agents.evidence.record import Measurement, Point, identity
from curiosity_rl.agents.experiment import build
from curiosity_rl.agents.outcomes import read
from curiosity_rl.agents.tasks import TASKS

LANES, STEPS = 16, 16
ROLLOUT = LANES * STEPS


def tiny(**given: Any) -> ExperimentConfig:
    settings: dict[str, Any] = {
        "algo_kwargs": {"n_steps": STEPS, "batch_size": 128, "n_epochs": 2},
        "n_envs": LANES,
        "n_timesteps": 8 * ROLLOUT,
        "eval_students": 20,
        "intrinsic": "count",
        "progress": False,
    }
    kwargs = {"size": 4, "obs": "onehot"}
    return ExperimentConfig.load(env="empty-v0", env_kwargs=kwargs, **settings | given)


def taught(**given: Any) -> ExperimentConfig:
    return ExperimentConfig.load(env="tutor-v0", progress=False, **given)


def values(points: list[Point], measure: str) -> list[tuple[int, float]]:
    return [(p.frames, p.value) for p in points if p.measure == measure]


def test_the_manifest_asks_what_the_questions_say() -> None:
    runs = [run for question in QUESTIONS.values() for run in question.plan(0)]
    assert {run.question for run in runs} == set(QUESTIONS)
    solved = {(run.task, run.arm): run for run in runs if run.question == "b"}
    assert len(solved) == 4 * 7
    for (task, arm), run in solved.items():
        preset = ExperimentConfig.load(env=TASKS[task].env)
        assert run.config.intrinsic == arm
        assert run.config.coef == (0 if arm == "none" else preset.coef)
        # Nothing is tuned for a bonus: all else is the preset's.
        kept = without_bonus(run.config).algo_kwargs
        assert kept == without_bonus(preset).algo_kwargs
        if arm == preset.intrinsic:
            assert run.config.intrinsic_kwargs == preset.intrinsic_kwargs
    for question in QUESTIONS.values():
        arms = {(run.task, run.arm) for run in question.plan(0)}
        assert any(arm == question.reference for _, arm in arms), question.name
        again = [run for run in question.plan(1) if (run.task, run.arm) not in arms]
        assert not again  # other seeds ask for nothing new


def test_runs_that_questions_share_are_known_by_their_identity() -> None:
    runs = [run for key in "bde" for run in QUESTIONS[key].plan(3)]
    shared = Counter(run.identity for run in runs)
    labels = {
        tuple(f"{r.question} {r.arm}" for r in runs if r.identity == same)
        for same, number in shared.items()
        if number > 1
    }
    assert ("b noveld", "d from scratch, bonus", "e preset") in labels
    assert ("b none", "d from scratch, no bonus") in labels
    assert len(labels) == 4  # and the same of point-maze-medium; door-key in e alone
    first, second = (QUESTIONS["b"].plan(seed)[0].identity for seed in (3, 4))
    assert first[::2] == second[::2]
    assert first != second


def test_one_stream_is_the_same_agent_but_for_its_heads() -> None:
    config = ExperimentConfig.load(env="door-key-v0")
    one = one_stream(config)
    assert one.algo == "ppo"
    assert one.coef == pytest.approx(config.coef / 2)  # extrinsic_coef is 2
    lost = set(config.algo_kwargs) - set(one.algo_kwargs)
    assert lost == {"extrinsic_coef", "episodic_intrinsic"}
    assert build(one).reward is not None


def test_solving_notes_the_level_and_stops() -> None:
    config, how = tiny(n_timesteps=40 * ROLLOUT), Solving(level=0.5, window=20)
    points = how.play(config)
    levels = values(points, "level")
    ((end, solved),) = values(points, "solved")
    assert solved == 1
    assert end % ROLLOUT == 0
    assert end < config.n_timesteps
    assert levels[-1][0] == end
    assert levels[-1][1] >= 0.5
    assert [f for f, _ in levels] == sorted({f for f, _ in levels})
    ((_, held_out),) = values(points, "held-out success")
    assert 0 <= held_out <= 1
    again = [p for p in how.play(config) if p.measure != "CPU seconds"]
    assert again == [p for p in points if p.measure != "CPU seconds"]


def test_pretraining_hides_the_reward_and_its_frames(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from curiosity_rl.agents import on_policy

    seen: list[tuple[float, float, int]] = []
    train = on_policy.IntrinsicOnPolicy.train

    def noted(model: Any) -> None:
        seen.append((model._extrinsic_weight, model.coef, model.num_timesteps))
        train(model)

    monkeypatch.setattr(on_policy.IntrinsicOnPolicy, "train", noted)
    how = Solving(
        level=2.0, window=20, points=2, pretraining=2 * ROLLOUT, bonus_after=False
    )
    points = how.play(tiny(n_timesteps=2 * ROLLOUT))
    config, rollout = tiny(), ROLLOUT
    weight = config.algo_kwargs["extrinsic_coef"]
    assert seen == [
        (0, config.coef, rollout),
        (0, config.coef, 2 * rollout),
        (weight, 0, rollout),
        (weight, 0, 2 * rollout),
    ]
    assert [frames for frames, _ in values(points, "level")] == [rollout, 2 * rollout]
    assert values(points, "solved") == [(2 * rollout, 0.0)]


def test_the_wrapper_learns_as_often_as_told(monkeypatch: pytest.MonkeyPatch) -> None:
    doors: list[IntrinsicVecEnv] = []
    made = IntrinsicVecEnv.__init__

    def noted(self: Any, *args: Any, **kwargs: Any) -> None:
        made(self, *args, **kwargs)
        doors.append(self)

    monkeypatch.setattr(IntrinsicVecEnv, "__init__", noted)
    config = one_stream(tiny(n_timesteps=ROLLOUT))
    Solving(level=2.0, update_every=3).play(config)
    assert [door.payer.update_every for door in doors] == [3]


def test_teaching_examines_on_the_way_without_leaving_a_trace() -> None:
    small = {"n_steps": 20, "batch_size": 160}
    config = taught(n_envs=16, algo_kwargs=small, n_timesteps=3 * 320)
    points = Teaching((300, 600), students=20, final=40).play(config)
    rates = values(points, "pass rate")
    assert [frames for frames, _ in rates] == [320, 640]
    plain = Teaching((), final=40).play(config)
    finals = [p for p in points if p.measure.startswith("final")]
    assert finals == plain
    assert [p.measure for p in plain] == [
        "final pass rate", "final mastered", "final distractors"
    ]  # fmt: skip


def test_tutors_teach_the_students_that_learners_are_examined_with() -> None:
    config = without_bonus(taught(seed=0))
    points = Tutoring("syllabus", 60).play(config)
    rows: list[Any] = evaluate(config.env, config.env_kwargs, None, episodes=60)
    (row,) = [row for row in rows if row.name == "fixed syllabus"]
    assert [p.value for p in points] == [row.pass_rate, row.mastered, row.distractors]
    assert {p.frames for p in points} == {0}


def test_runs_are_played_once_for_all_who_ask_and_never_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    how, config = Solving(points=2), tiny(n_timesteps=2 * ROLLOUT)
    runs = [
        Run("b", "small", "count", config, how),
        Run("e", "small", "preset", config, how),
    ]
    play_runs(runs, tmp_path, jobs=2)
    told = capsys.readouterr().err
    assert "1 runs, 0 are there already" in told
    assert "[1/1] b: small, count, seed 0: 512 frames: level" in told
    files = {key: manifest.file_of(tmp_path, key) for key in "be"}
    rows = {key: read(file, Measurement) for key, file in files.items()}
    assert {row.arm for row in rows["b"]} == {"count"}
    assert {row.arm for row in rows["e"]} == {"preset"}
    assert [replace(r, question="b", arm="count") for r in rows["e"]] == rows["b"]
    # A file that is lost is filled from the others, without playing.
    files["e"].unlink()
    play_runs(runs, tmp_path)
    assert "0 runs, 1 are there already" in capsys.readouterr().err
    assert read(files["e"], Measurement) == rows["e"]


def test_rows_keep_their_run(tmp_path: Path) -> None:
    run = Run("b", "a task, quoted", 'an "arm"', tiny(seed=4), Solving())
    rows = [Measurement("b", run.task, run.arm, 4, "01234567", 9, "level", 0.25)]
    keep_rows(rows, [run], tmp_path)
    (row,) = read(manifest.file_of(tmp_path, "b"), Measurement)
    assert row == rows[0]
    assert identity(row) == ("a task, quoted", 4, "01234567")


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"keys": ["x"]}, "unknown question 'x'"),
        ({"keys": ["b"], "tasks": ["door"]}, "task is 'door'; these questions have"),
        ({"keys": ["b"], "backend": "cloud"}, "unknown backend 'cloud'"),
    ],
)
def test_mistakes_are_told_before_anything_is_played(
    tmp_path: Path, given: dict[str, Any], sentence: str
) -> None:
    keys = given.pop("keys")
    with pytest.raises(ValueError, match=sentence):
        gather(keys, [0], tmp_path, **given)
    assert not list(tmp_path.iterdir())
