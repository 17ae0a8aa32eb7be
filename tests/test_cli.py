from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from curiosity_rl.agents.cli import evaluate_main, main, train_main
from curiosity_rl.agents.config import load_preset
from curiosity_rl.agents.runs import open_run

ROOT = Path(__file__).parents[1]
TUTOR = [
    "--env",
    "tutor-v0",
    "--env-kwargs.budget",
    "10",
    "--policy",
    "auto",
    "--n-envs",
    "8",
    "-n",
    "320",
    "--algo-kwargs.n_steps",
    "8",
    "--algo-kwargs.batch_size",
    "32",
    "--eval-students",
    "30",
]


def _wrong(args: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """Run `train` with wrong input; return its one sentence."""
    assert train_main(args) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert "Traceback" not in err
    return err


def test_train_then_evaluate_give_the_same_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", *TUTOR, "-f", str(tmp_path)]) == 0
    first = capsys.readouterr().out
    run = tmp_path / "tutor-v0" / "intrinsic-ppo-belief-progress_1"
    assert str(run) in first
    assert f"tensorboard --logdir {tmp_path}" in first
    assert main(["evaluate", str(run)]) == 0
    second = capsys.readouterr().out
    table = first[: first.index("trained in")].splitlines()[1:]
    assert len(table) == 15  # title, head of two lines and a rule, 9 tutors, 2 empty
    assert max(map(len, table)) <= 80
    assert "\n".join(table) in second
    assert "equal to" in second
    assert evaluate_main([str(run), "--n", "7"]) == 0
    assert "7 held-out students" in capsys.readouterr().out


def test_another_run_does_not_touch_the_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    args = [*TUTOR, "-f", str(tmp_path), "--progress", "false", "--name", "mine"]
    assert train_main(args) == 0
    first = tmp_path / "tutor-v0" / "mine_1"
    before = {p: p.stat().st_mtime_ns for p in first.rglob("*")}
    assert train_main(args) == 0
    assert {p: p.stat().st_mtime_ns for p in first.rglob("*")} == before
    second = tmp_path / "tutor-v0" / "mine_2"
    texts = [(p / "result.json").read_text() for p in (first, second)]
    assert texts[0] == texts[1]
    assert "omniscient" not in capsys.readouterr().out


def test_the_readmes_other_world_trains_as_a_script(tmp_path: Path) -> None:
    args = ["--env", "CartPole-v1", "--intrinsic", "rnd", "--n-timesteps", "2000"]
    args += ["--eval-students", "3", "--log-folder", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "train.py"), *args],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert "trained, rnd" in done.stdout
    assert "training: " in done.stderr
    run = tmp_path / "CartPole-v1" / "intrinsic-ppo-rnd_1"
    assert json.loads((run / "result.json").read_text())["steps"] >= 2000


def test_settings_come_from_preset_then_file_then_flags(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(
        "env: tutor-v0\nenv_kwargs: {budget: 9, goals: 1}\nn_envs: 4\npolicy: auto\n"
        "algo_kwargs: {n_steps: 8, batch_size: 16, learning_rate: 1e-4}\n"
        "eval_students: 5\nn_timesteps: 32\n"
    )
    flags = ["--config", str(file), "--env-kwargs.goals", "2", "--n_envs=6"]
    flags += ["--log-folder", str(tmp_path), "--progress", "false"]
    assert train_main(flags) == 0
    config = open_run(
        tmp_path / "tutor-v0" / "intrinsic-ppo-belief-progress_1"
    ).config()
    assert config.env_kwargs == {"budget": 9, "goals": 2}
    assert config.n_envs == 6
    assert config.algo_kwargs["learning_rate"] == 1e-4
    preset = load_preset("tutor-v0")["algo_kwargs"]
    assert config.algo_kwargs["clip_range"] == preset["clip_range"] != 0.2
    assert config.stagger  # the preset's


def test_evaluate_takes_a_world_for_the_rules_alone(
    capsys: pytest.CaptureFixture[str],
) -> None:
    args = ["tutor-blind-v0", "--n", "20", "--env-kwargs.budget", "10"]
    assert evaluate_main(args) == 0
    out = capsys.readouterr().out
    assert "rotate" in out
    assert "omniscient" in out


@pytest.mark.parametrize("script", ["train", "evaluate", "calibrate", "dashboard"])
def test_help_is_instant_and_imports_no_torch(script: str) -> None:
    code = (
        "import sys; from curiosity_rl.agents import cli\n"
        f"code = cli.{script}_main(['--help'])\n"
        "assert code == 0 and not {'torch', 'numba'} & set(sys.modules)"
    )
    times = []
    for _ in range(3):
        start = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT
        )
        times.append(time.perf_counter() - start)
        assert done.returncode == 0, done.stderr
        assert "default" in done.stdout
    assert min(times) < 10.0  # 0.6 s alone; other tests run beside this one


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ("--env CartPol-v1", "did you mean CartPole-v1"),
        ("--env tutor-v1", "did you mean tutor-v0"),
        ("--intrinsic rndd", "unknown bonus 'rndd': did you mean rnd"),
        ("--algo ppoo", "unknown algorithm 'ppoo': did you mean ppo"),
        ("--n-envs 0", "n_envs is 0; it must be at least 1"),
        ("--env-kwargs.budget -3", "budget"),
        ("--env-kwargs.goals 99", "goals"),
        ('--env-kwargs.curriculum {"a":["b"],"b":["a"]}', "cycle"),
        ("--env-kwargs.population nobody", "population"),
        ("--n-timesteps -5", "n_timesteps is -5"),
        ("--n-timestep 5", "did you mean --n-timesteps"),
        ("--seed x", "--seed is 'x'; it must be a whole number"),
        ("--seed", "expected one argument"),
        ("--stagger maybe", "must be true or false"),
        ("--env-kwargs 3", "it must be a mapping"),
        ("--name ../../x", "is no path"),
        ("--device nope", "nope"),
        ("extra", "unknown argument 'extra'"),
    ],
)
def test_wrong_flags_get_a_sentence(
    args: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "runs"
    flags = [*args.split(), "--policy", "auto", "--log-folder", str(folder)]
    if args == "--seed":
        flags = [*flags[1:], "--seed"]
    assert message in _wrong(flags, capsys)
    assert not folder.exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("n_timestep: 5", "unknown key in config"),
        ("n_timesteps: [", "not readable YAML"),
        ("n_timesteps: many", "n_timesteps is 'many'"),
        ("env: !!python/object/apply:os.getcwd []", "not readable YAML"),
    ],
)
def test_wrong_files_get_a_sentence(
    text: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "x.yaml"
    file.write_text(text)
    assert message in _wrong(["--config", str(file)], capsys)


def test_files_that_cannot_be_read_or_written_get_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = str(tmp_path / "missing.yaml")
    assert "No such file" in _wrong(["--config", missing], capsys)
    assert "cannot read config" in _wrong(["--config", str(tmp_path)], capsys)
    (tmp_path / "file").touch()
    blocked = str(tmp_path / "file" / "runs")
    assert "cannot write runs" in _wrong(["--log-folder", blocked], capsys)


def test_evaluate_names_what_is_no_run_or_damaged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(*args: str) -> str:
        assert evaluate_main(args) == 2
        return capsys.readouterr().err

    assert "is no run" in refused(str(tmp_path))
    assert "is no run" in refused(str(tmp_path / "missing"))
    args = [*TUTOR, "-f", str(tmp_path), "--progress", "false", "--name", "x"]
    assert train_main(args) == 0
    run = tmp_path / "tutor-v0" / "x_1"
    assert "n is 0" in refused(str(run), "--n", "0")
    assert "for how many students give --n 7" in refused(str(run), "--students", "7")
    assert "has no checkpoint" in refused(str(run), "--checkpoint", "../x")
    assert "goes with a world" in refused(str(run), "--env-kwargs.budget", "3")
    (file,) = (run / "checkpoints").glob("*/tensors.safetensors")
    content = file.read_bytes()
    file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert "is damaged" in refused(str(run))


def test_stopping_is_no_error_of_the_program(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    from curiosity_rl.agents import experiment

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(experiment, "finish", stop)
    assert train_main([*TUTOR, "-f", str(tmp_path)]) == 130
    err = capsys.readouterr().err
    assert err.startswith("stopped at once; nothing was saved yet; go on: ")


def test_the_installed_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    assert "evaluate" in capsys.readouterr().out
    assert main([]) == 2
    assert main(["tarin"]) == 2
    assert "unknown command 'tarin'" in capsys.readouterr().err
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.strip().count(".") == 2
