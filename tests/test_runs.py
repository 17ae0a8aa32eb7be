from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from curiosity_rl.agents.config import ExperimentConfig
from curiosity_rl.agents.runs import (
    RunFolder,
    check_writable,
    create_run,
    folder_name,
    open_run,
)


def test_a_run_never_takes_the_folder_of_another(tmp_path: Path) -> None:
    first = create_run(tmp_path, "tutor-v0", "x")
    (first.path / "mark").touch()
    (tmp_path / "tutor-v0" / "x_7").mkdir()
    (tmp_path / "tutor-v0" / "x_y_99").mkdir()
    second = create_run(tmp_path, "tutor-v0", "x")
    assert first.path.name == "x_1"
    assert second.path.name == "x_8"
    assert (first.path / "mark").exists()


def test_runs_started_at_the_same_time_get_folders_of_their_own(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        runs = list(pool.map(lambda _: create_run(tmp_path, "w", "x").path, range(24)))
    assert len(set(runs)) == 24


@pytest.mark.parametrize(
    ("env", "folder"),
    [
        ("tutor-v0", "tutor-v0"),
        ("curiosity_rl/tutor-v0", "curiosity_rl-tutor-v0"),
        ("ALE/Pong-v5", "ALE-Pong-v5"),
        ("module:x-v0", "module-x-v0"),
        ("../../etc", "etc"),
        ("..", "world"),
        ("/", "world"),
        ("a\x00b", "a-b"),
    ],
)
def test_a_world_id_never_becomes_a_path(tmp_path: Path, env: str, folder: str) -> None:
    assert folder_name(env) == folder
    run = create_run(tmp_path, env, "x")
    assert run.path == tmp_path / folder / "x_1"


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for log_folder in (tmp_path / "file", tmp_path / "file" / "runs"):
        with pytest.raises(ValueError, match="cannot write runs to"):
            check_writable(log_folder)
        with pytest.raises(ValueError, match="cannot write runs to"):
            create_run(log_folder, "w", "x")


def test_checking_leaves_no_trace(tmp_path: Path) -> None:
    check_writable(tmp_path / "a" / "b")
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_run_is_named(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing"):
        with pytest.raises(ValueError, match="is no run"):
            open_run(path)


def test_checkpoints_are_found_by_name_only(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    run.save_checkpoint(10, {"x": 1})
    run.save_checkpoint(200, {"x": 2})
    run.save_checkpoint(200, {"x": 3})  # exists: kept
    assert run.checkpoint() == {"x": 2}
    assert run.checkpoint("step_000000000010") == {"x": 1}
    for name in ("step_11", "../checkpoints/step_000000000010"):
        with pytest.raises(ValueError, match="it has step_000000000010"):
            run.checkpoint(name)


def test_config_and_result_are_kept(tmp_path: Path) -> None:
    run = create_run(tmp_path, "tutor-v0", "x")
    config = ExperimentConfig.load(seed=5)
    run.write_config(config)
    assert run.result() is None
    run.write_result({"a": 0.1}, {"seconds": 3.0})
    assert run.config() == config
    assert run.result() == {"a": 0.1}
    assert not list(run.path.glob(".*"))
