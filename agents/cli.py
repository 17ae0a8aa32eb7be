"""The command line: `train`, `evaluate`, `calibrate` and `dashboard`.

Only what `--help` needs is imported here; torch comes in when there is work to do.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_type_hints

from jsonargparse import ArgumentParser

from curiosity_rl.agents.config import ExperimentConfig, merge, read_config
from curiosity_rl.agents.dashboard import dashboard_main
from curiosity_rl.agents.endings import WRONG_INPUT, guarded, refuse
from curiosity_rl.agents.flags import parse

LEAST = 10
"""No skill can be calibrated on fewer students or answers."""
_SHORT = {"n_timesteps": "-n", "log_folder": "-f"}
_TRAIN = """Train an agent in a world, with a bonus that makes it curious.

Settings come from the preset of the world, then from --config, then from the flags;
what the presets do not set has the default shown here. Settings inside a mapping take
a dot: --env-kwargs.budget 200, --algo-kwargs.learning_rate 1e-3."""
_EVALUATE = """Evaluate a finished run again, on the same held-out students.

Given the id of a world instead of a run, evaluate what there is to compare with.

With any of --tutors, --students, --matrix or --equity, compare tutors: all teach the
same students of each population. Tutors are rules by name, folders of runs, or `all`;
random and the omniscient bound are always played. --matrix scores every tutor under
every model of students; --equity tells how evenly each serves slow and fast learners.
Tables are printed; CSV, markdown and pictures are kept in --out."""
_COMPARE: dict[str, tuple[Any, str]] = {
    "tutors": (str | None, "names or folders of runs, with commas between; all"),
    "students": (str | None, "names or YAML files of populations; the world's"),
    "matrix": (None, "tutors under student models, all the world knows by name"),
    "equity": (None, "by quarter of learners and by named group"),
    "measure": (str | None, "what scores are about: pass or gain; pass"),
    "against": (str | None, "tutor that differences are to; the best rule"),
    "seed": (int | None, "which held-out students; 0"),
    "jobs": (int | None, "processes; 1"),
    "out": (str | None, "folder to write to; runs/bench/WORLD"),
}
_CALIBRATE = """Make a population of students of a log of real answers.

LOG is a CSV file, one answer a line, whose first line names the columns; the lines of a
student stand in order of time, or --time names a column that says it. Each skill is
fitted by Bayesian knowledge tracing; skills with too few answers, and fits that mean
nothing, are refused by name. How well the fits foretell held-out students is printed
beside simple models. The file is read by the tutor's worlds:
--env-kwargs.population population.yaml"""
_ABOUT = """usage: curiosity-rl COMMAND [options]

commands:
  train      train an agent in a world, then evaluate it
  evaluate   evaluate a finished run again
  calibrate  make a population of students of a log of real answers
  dashboard  show all runs in a browser: curves, pictures, settings

curiosity-rl COMMAND --help says what a command takes."""


def main(args: Sequence[str] | None = None) -> int:
    """Run `curiosity-rl COMMAND ...`; returns the exit code."""
    given = list(sys.argv[1:] if args is None else args)
    if not given or given[0] in ("-h", "--help"):
        print(_ABOUT)
        return 0 if given else WRONG_INPUT
    if given[0] == "--version":
        from curiosity_rl import __version__

        print(__version__)
        return 0
    commands = {
        "train": train_main,
        "evaluate": evaluate_main,
        "calibrate": calibrate_main,
        "dashboard": dashboard_main,
    }
    if given[0] not in commands:
        return refuse(
            f"unknown command {given[0]!r}; known: {', '.join(commands)}",
        )
    return commands[given[0]](given[1:])


def train_main(args: Sequence[str] | None = None) -> int:
    """Train as the flags say; returns the exit code."""
    return guarded(_train, args)


def evaluate_main(args: Sequence[str] | None = None) -> int:
    """Evaluate a run, or a world's baselines; returns the exit code."""
    return guarded(_evaluate, args)


def calibrate_main(args: Sequence[str] | None = None) -> int:
    """Make a population of a log of answers; returns the exit code."""
    return guarded(_calibrate, args)


def _train(args: Sequence[str]) -> None:
    given = vars(parse(_train_parser(), args))
    if "resume" in given:
        stopped = _reopen(given)
        experiment, folder, state = stopped.experiment, stopped.folder, stopped.state
        config, what = experiment.config, "resuming"
        for note in stopped.notes:
            print(f"{folder.path}: {note}")
    else:
        file = given.pop("config", None)
        settings = given if file is None else merge(read_config(Path(file)), given)
        config, what, state = ExperimentConfig.load(**settings), "training", None
        from curiosity_rl.agents.experiment import prepare
        from curiosity_rl.agents.runs import begin

        experiment = prepare(config)
        folder = begin(config)
    from curiosity_rl.agents.endings import told
    from curiosity_rl.agents.experiment import finish
    from curiosity_rl.agents.tables import print_table

    print(
        f"{what} {config.algo} on {config.env}, bonus {config.intrinsic}, "
        f"{config.n_timesteps:,} steps, seed {config.seed}",
        flush=True,
    )
    with told(folder):
        result = finish(experiment, folder, state)
    if config.progress:
        print_table(result.rows, _title(config, result.rows), experiment.label)
    speed = result.timing["steps_per_second"]
    print(
        f"trained in {result.timing['training_seconds']:.0f} s "
        f"({speed:,.0f} steps/s), evaluated in "
        f"{result.timing['evaluation_seconds']:.0f} s"
    )
    print(f"run: {result.folder.path}")
    print(f"again: curiosity-rl evaluate {result.folder.path}")
    print(f"dashboard: tensorboard --logdir {config.log_folder}")


def _reopen(given: dict[str, Any]) -> Any:
    """Open the run that `--resume` names."""
    run, progress = str(given.pop("resume")), given.pop("progress", None)
    if given:
        flags = ", ".join(f"--{name.replace('_', '-')}" for name in given)
        raise ValueError(
            f"--resume goes on with the settings of the run; leave out {flags}"
        )
    from curiosity_rl.agents.resuming import reopen

    return reopen(run, progress)


def _evaluate(args: Sequence[str]) -> None:
    given = vars(parse(_evaluate_parser(), args, defaults=True))
    name, n = str(given["run"]), given["n"]
    if str(given["students"] or "").strip().isdecimal():
        raise ValueError(
            "--students names populations, such as assistments,textbook; for how many "
            f"students give --n {given['students']}"
        )
    if n is not None and n < 1:
        raise ValueError(f"n is {n}; it must be at least 1")
    if given["experiment"] is not None:
        from curiosity_rl.agents.edm2016_report import print_experiment

        print_experiment(given["experiment"], n, given["seed"] or 0, given["progress"])
        return
    if any(given[flag] for flag in _COMPARE) or given["seed"] is not None:
        from curiosity_rl.agents.bench.command import run_bench

        run_bench(name, given)
        return

    from curiosity_rl.agents.evaluation import as_data, evaluate
    from curiosity_rl.agents.experiment import build
    from curiosity_rl.agents.runs import open_run
    from curiosity_rl.agents.tables import print_table
    from curiosity_rl.agents.worlds import find_world, make_lanes
    from curiosity_rl.tracking.progress import Progress

    if not Path(name).exists():
        try:
            find_world(name)
        except ValueError as error:
            raise ValueError(f"{name!r} is no run folder, and {error}") from error
        kwargs = given["env_kwargs"] or {}
        make_lanes(name, kwargs, 1).close()
        with Progress("evaluating", 100, "%", given["progress"]) as progress:
            rows = evaluate(
                name,
                kwargs,
                None,
                episodes=n or 2000,
                tick=lambda label, x: progress.update(int(100 * x), now=label),
            )
        print_table(rows, f"{name}, held-out episodes")
        return
    if given["env_kwargs"]:
        raise ValueError("--env-kwargs goes with a world's id; a run has its own")
    folder = open_run(name)
    config = folder.config()
    experiment = build(config)
    experiment.load_state(folder.checkpoint(given["checkpoint"]))
    episodes = n or config.eval_students
    rows = experiment.evaluate(episodes, show=given["progress"])
    print_table(rows, _title(config, rows), experiment.label)
    before = folder.result()
    if before and given["checkpoint"] is None and episodes == config.eval_students:
        same = before["evaluation"] == as_data(rows)
        print("equal to" if same else "DIFFERENT from", folder.path / "result.json")


def _calibrate(args: Sequence[str]) -> None:
    given = vars(parse(_calibrate_parser(), args, defaults=True))
    out = Path(given["out"])
    if out.suffix not in (".yaml", ".yml"):
        raise ValueError(f"--out is {given['out']!r}; its name must end in .yaml")
    if not out.parent.is_dir() or out.is_dir():
        raise ValueError(f"cannot write {given['out']!r}: no such folder, or a folder")
    for name in ("least_students", "least_answers"):
        if given[name] < LEAST:
            flag = name.replace("_", "-")
            raise ValueError(f"--{flag} is {given[name]}; it must be at least {LEAST}")

    from curiosity_rl.agents.answer_log import Columns, read_log
    from curiosity_rl.agents.calibration import calibrate, compare, to_yaml
    from curiosity_rl.agents.calibration_report import print_report
    from curiosity_rl.agents.runs import write_text
    from curiosity_rl.tracking.progress import Progress

    columns = Columns(given["user"], given["skill"], given["correct"], given["time"])
    log = read_log(Path(given["log"]), columns)
    with Progress("calibrating", 100, "%", given["progress"]) as progress:
        found = calibrate(
            log,
            given["forgetting"],
            given["least_students"],
            given["least_answers"],
            tick=lambda label, x: progress.update(int(100 * x), now=label),
        )
    try:
        write_text(out, to_yaml(found))
    except OSError as error:
        raise ValueError(f"cannot write {str(out)!r}: {error.strerror}") from error
    print_report(found, compare(log, found) if given["realism"] else ())
    print(f"population: {out}")
    print(f"use: curiosity-rl train --env tutor-v0 --env-kwargs.population {out}")


def _title(config: ExperimentConfig, rows: Sequence[Any]) -> str:
    played = getattr(rows[0], "students", None)
    what = f"{played:,} held-out students" if played else "held-out episodes"
    return f"{config.env}, {what}; trained: {config.algo}, seed {config.seed}"


def _train_parser() -> ArgumentParser:
    parser = ArgumentParser(
        prog="train", description=_TRAIN, exit_on_error=False, allow_abbrev=False
    )
    parser.add_argument("--config", type=str, help="YAML file of settings")
    parser.add_argument(
        "--resume", type=str, help="folder of a stopped run: go on with it"
    )
    hints = get_type_hints(ExperimentConfig)
    for item in dataclasses.fields(ExperimentConfig):
        flags = [f"--{item.name.replace('_', '-')}"]
        if item.name in _SHORT:
            flags.insert(0, _SHORT[item.name])
        missing = item.default is dataclasses.MISSING
        alone = {"nargs": "?", "const": True} if hints[item.name] is bool else {}
        parser.add_argument(
            *flags,
            type=hints[item.name],
            default={} if missing else item.default,
            help=item.metadata["help"],
            **alone,
        )
    return parser


def _evaluate_parser() -> ArgumentParser:
    parser = ArgumentParser(
        prog="evaluate", description=_EVALUATE, exit_on_error=False, allow_abbrev=False
    )
    parser.add_argument(
        "run",
        type=str,
        nargs="?",
        default="tutor-v0",
        help="folder of a run, or a world's id",
    )
    parser.add_argument("--checkpoint", type=str | None, help="its name; the newest")
    parser.add_argument(
        "--experiment", type=str | None, help="published one: edm2016-a or edm2016-b"
    )
    parser.add_argument(
        "--n", type=int | None, help="how many students; as many as the run's, 2000"
    )
    for flag, (kind, text) in _COMPARE.items():
        if kind is None:
            parser.add_argument(f"--{flag}", action="store_true", help=text)
        else:
            parser.add_argument(f"--{flag}", type=kind, help=text)
    parser.add_argument(
        "--pictures", type=bool, default=True, help="draw pictures of a comparison"
    )
    parser.add_argument(
        "--env-kwargs", type=dict[str, Any] | None, help="settings, with a world's id"
    )
    parser.add_argument("--progress", type=bool, default=True, help="show progress")
    return parser


def _calibrate_parser() -> ArgumentParser:
    parser = ArgumentParser(
        prog="calibrate",
        description=_CALIBRATE,
        exit_on_error=False,
        allow_abbrev=False,
    )
    texts = {
        "out": ("population.yaml", "file to write"),
        "user": ("user", "column: who answered"),
        "skill": ("skill", "column: what was practised"),
        "correct": ("correct", "column: 1 for a right answer, 0 for a wrong one"),
    }
    numbers = {
        "least-students": (100, "students of a skill, fewer are refused"),
        "least-answers": (500, "answers on a skill, fewer are refused"),
    }
    flags = {
        "forgetting": (False, "fit forgetting between two answers too"),
        "realism": (False, "hold the log against that of simulated students"),
        "progress": (True, "show progress"),
    }
    parser.add_argument("log", type=str, help="CSV file of answers")
    for kind, group in ((str, texts), (int, numbers), (bool, flags)):
        for name, (default, text) in group.items():
            parser.add_argument(f"--{name}", type=kind, default=default, help=text)
    parser.add_argument(
        "--time",
        type=str | None,
        help="column: when, a number or a date; without it, lines stand in order",
    )
    return parser
