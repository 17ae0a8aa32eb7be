"""What ends a run from outside: a sentence, an exit code, and nothing lost."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from tensorboard.summary.writer.record_writer import RecordWriter

from curiosity_rl import checkpoint
from curiosity_rl.agents.cli import evaluate_main, main, train_main
from curiosity_rl.agents.resuming import reopen
from curiosity_rl.agents.runs import RunFolder

ROOT = Path(__file__).parents[1]
FULL_DISK = "A full or read-only disk is a sentence, and nothing is lost"
INPUT = "Wrong input is a sentence, not a traceback"
SMALL = [
    *("--env", "river-swim-v0", "--algo", "ppo", "--intrinsic", "none", "--coef", "0"),
    *(
        "--algo-kwargs",
        '{"n_steps": 8, "batch_size": 16, "n_epochs": 1}',
        "--policy-kwargs",
        '{"net_arch": [4]}',
    ),
    *("--n-envs", "2", "-n", "160", "--eval-students", "2", "--save-freq", "16"),
    *("--progress", "false"),
]


def sentence(err: str) -> str:
    """Check that what was printed is one line, and no traceback."""
    lines = [line for line in err.splitlines() if "compiling kernels" not in line]
    assert len(lines) == 1, err
    return lines[0]


@pytest.mark.promise(FULL_DISK)
@pytest.mark.parametrize(
    ("what", "code"),
    [
        ("checkpoint", errno.ENOSPC),
        ("progress.csv", errno.EDQUOT),
        ("events", errno.ENOSPC),
        ("result", errno.EROFS),
    ],
)
def test_a_disk_that_fills_up_ends_a_run_that_can_go_on(
    what: str,
    code: int,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls = [0]

    def limited(function: Any, most: int) -> Any:
        def write(*args: Any, **kwargs: Any) -> Any:
            calls[0] += 1
            if calls[0] > most:
                raise OSError(code, os.strerror(code))
            return function(*args, **kwargs)

        return write

    name, most = {
        "checkpoint": ("curiosity_rl.checkpoint._write", 14),
        "progress.csv": ("curiosity_rl.tracking.log_files._line", 6),
        "events": ("RecordWriter.write", 7),  # one a dump
        "result": ("curiosity_rl.agents.runs.write_text", 2),
    }[what]
    module, _, attribute = name.rpartition(".")
    with monkeypatch.context() as patch:
        owner: Any = RecordWriter if what == "events" else import_module(module)
        patch.setattr(owner, attribute, limited(getattr(owner, attribute), most))
        assert train_main([*SMALL, "-f", str(tmp_path)]) == 1
    err = sentence(capsys.readouterr().err)
    assert os.strerror(code) in err
    (path,) = (tmp_path / "river-swim-v0").iterdir()
    newest, _, broken = checkpoint.newest_whole(RunFolder(path).checkpoints)
    assert not broken
    assert f"saved: {newest.name}; go on: curiosity-rl train --resume {path}" in err
    assert train_main(["--resume", str(path)]) == 0
    assert train_main([*SMALL, "-f", str(tmp_path)]) == 0
    results = [RunFolder(p).result() for p in (path, path.with_name("ppo_2"))]
    assert results[0] == results[1] is not None


_LIMITED = """
import resource, sys
from curiosity_rl.agents.cli import train_main
import curiosity_rl.agents.experiment
import gymnasium as gym, curiosity_rl
env = gym.make_vec("river-swim-v0", 2); env.reset(); env.step(env.action_space.sample())
resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000))
sys.exit(train_main(sys.argv[1:]))
"""


@pytest.mark.promise(FULL_DISK)
def test_a_file_system_that_takes_no_more_ends_a_run(tmp_path: Path) -> None:
    """The same without a patch: the system refuses to write files above 30 kB."""
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            _LIMITED,
            *SMALL,
            "--algo-kwargs",
            '{"n_steps": 64, "batch_size": 128, "n_epochs": 1}',
            "-n",
            "8000",
            "--save-freq",
            "800",
            "-f",
            str(tmp_path),
        ],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert done.returncode == 1
    assert "File too large" in sentence(done.stderr)
    (path,) = (tmp_path / "river-swim-v0").iterdir()
    assert reopen(path).steps > 0


@pytest.mark.promise(FULL_DISK)
@pytest.mark.parametrize("code", [errno.EROFS, errno.EACCES])
def test_a_folder_that_cannot_be_written_is_named(
    code: int,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "mkdir", fail)
        assert train_main([*SMALL, "-f", str(tmp_path / "runs")]) == 2
    err = sentence(capsys.readouterr().err)
    assert f"cannot write runs to '{tmp_path / 'runs'}" in err
    assert os.strerror(code) in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.promise(INPUT)
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("env: [unclosed", "is not readable YAML in line"),
        ("\x00\x01\x02", "is not readable YAML"),
        ("n_timesteps: 5\nn_timestep: 5", "unknown key"),
        ("seed: 1.5", "seed is 1.5; it must be a whole number"),
        ("eval_freq: many", "eval_freq is 'many'"),
        ("env_kwargs: 3", "env_kwargs is 3; it must be a mapping"),
        ("algo_kwargs: {learning_rate: x}", "learning_rate"),
        ("just text", "holds a str"),
        ("a: &a [*a]", "unknown key"),
        ("env: !!python/object/apply:os.system ['x']", "not readable YAML"),
    ],
)
def test_a_config_that_is_wrong_is_named(
    text: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, folder = tmp_path / "c.yaml", tmp_path / "runs"
    file.write_text(text)
    assert train_main([*SMALL, "--config", str(file), "-f", str(folder)]) == 2
    assert message in sentence(capsys.readouterr().err)
    assert not folder.exists()


@pytest.mark.promise(INPUT)
@pytest.mark.parametrize("command", ["--resume", "evaluate"])
@pytest.mark.parametrize("what", ["missing", "file", "empty", "no settings", "binary"])
def test_what_is_no_run_is_named(
    command: str, what: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "run"
    if what == "file":
        path.touch()
    elif what != "missing":
        path.mkdir()
    if what == "no settings":
        (path / "config.yaml").touch()
    elif what == "binary":
        (path / "config.yaml").write_bytes(b"\xff\xfe\x00")
    if command == "evaluate":
        assert evaluate_main([str(path)]) == 2
    else:
        assert main(["train", "--resume", str(path)]) == 2
    sentence(capsys.readouterr().err)


def test_a_defect_is_seen_as_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise ValueError("a bug")

    monkeypatch.setattr("curiosity_rl.agents.experiment.learn", broken)
    with pytest.raises(RuntimeError, match="training failed: a bug"):
        train_main([*SMALL, "-f", str(tmp_path)])
