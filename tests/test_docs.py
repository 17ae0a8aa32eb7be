"""What the pages say of names, flags, files and settings is held against the code."""

from __future__ import annotations

import contextlib
import inspect
import io
import re
import runpy
import tomllib
from collections.abc import Callable, Sequence
from typing import Any

import gymnasium as gym
import jsonargparse
import pytest
from gymnasium import spaces
from pages import BY_NAME, DOCS, PAGES, README, ROOT, Page, code

from curiosity_rl.agents import cli, dashboard
from curiosity_rl.agents.comparison import VARIANTS
from curiosity_rl.agents.config import ExperimentConfig
from curiosity_rl.agents.flags import parse
from curiosity_rl.agents.tasks import chosen_tasks
from curiosity_rl.agents.worlds import find_world
from curiosity_rl.envs.tutor.populations import POPULATIONS
from curiosity_rl.registry import REWARDS, TUTORS, WORLDS, load
from curiosity_rl.rewards import make_reward

BY_PAGE = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"][
    "optional-dependencies"
]
PLAIN = {"python3 -m venv", "py -m venv", ". .venv/bin/activate", "pyright"}
PLAIN |= {"ruff check .", "ruff format --check .", "tensorboard --logdir runs"}
"""Commands of others that these pages may use."""


@BY_PAGE
def test_links_lead_somewhere(page: Page) -> None:
    for link in page.links():
        if re.match(r"https?://", link):
            continue
        name, _, anchor = link.partition("#")
        target = (page.path.parent / name).resolve() if name else page.path
        assert target.exists(), f"{page.name}: {link}"
        if anchor:
            assert anchor in Page(target).anchors(), f"{page.name}: {link}"


def test_the_index_names_every_page() -> None:
    index = BY_NAME["docs/README.md"]
    linked = {(index.path.parent / link.partition("#")[0]) for link in index.links()}
    for page in DOCS:
        if page != index and page.path.parent == index.path.parent:
            assert page.path in linked, f"docs/README.md does not list {page.name}"


def _trains(args: Sequence[str]) -> None:
    given = vars(parse(cli._train_parser(), args))
    if "resume" in given or "config" in given or not given:
        return
    config = ExperimentConfig.load(**given)
    make_reward_of(config)
    if config.gym_packages or ":" in config.env:
        return
    find_world(config.env)
    if config.env in WORLDS:
        known = inspect.signature(load(WORLDS[config.env].world)).parameters
        assert set(config.env_kwargs) <= set(known), config.env_kwargs


def make_reward_of(config: ExperimentConfig) -> None:
    if config.intrinsic != "none":
        make_reward(config.intrinsic, **config.intrinsic_kwargs)


def _evaluates(args: Sequence[str]) -> None:
    given = vars(parse(cli._evaluate_parser(), args, defaults=True))
    if given["experiment"] is None and not given["run"].startswith("runs/"):
        find_world(given["run"].replace("WORLD", "tutor-v0"))
    for tutor in filter(None, (given["tutors"] or "").split(",")):
        assert tutor in (*TUTORS, "all") or tutor.startswith("runs/"), tutor
    for name in filter(None, (given["students"] or "").split(",")):
        assert name in POPULATIONS or name.endswith(".yaml"), name


def _calibrates(args: Sequence[str]) -> None:
    parse(cli._calibrate_parser(), args, defaults=True)


def _shows(args: Sequence[str]) -> None:
    parse(dashboard._parser(), args, defaults=True)


@pytest.fixture(scope="module")
def benchmarks() -> jsonargparse.ArgumentParser:
    """The parser that `scripts/benchmark.py` itself would use."""
    taken: list[Any] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jsonargparse, "auto_cli", lambda x, **_: taken.append(x))
        runpy.run_path(str(ROOT / "scripts/benchmark.py"), run_name="__main__")
    return jsonargparse.auto_parser(taken[0], exit_on_error=False)


def _measures(parser: jsonargparse.ArgumentParser, args: Sequence[str]) -> None:
    found = parser.parse_args(list(args))
    chosen = found[found["subcommand"]]
    if "env" in chosen:
        find_world(chosen["env"])
    if found["subcommand"] == "bonuses":
        assert set(chosen["variants"]) <= set(VARIANTS)
    if found["subcommand"] == "solving":
        chosen_tasks(chosen["tasks"])


COMMANDS: dict[str, Callable[[Sequence[str]], None]] = {
    "train": _trains,
    "evaluate": _evaluates,
    "calibrate": _calibrates,
    "dashboard": _shows,
}


@BY_PAGE
def test_commands_are_taken(
    page: Page, benchmarks: jsonargparse.ArgumentParser
) -> None:
    for words in page.commands():
        try:
            _check(words, benchmarks)
        except (AssertionError, ValueError, jsonargparse.ArgumentError) as error:
            pytest.fail(f"{page.name}: {' '.join(words)}\n{error}")


def _check(words: list[str], benchmarks: jsonargparse.ArgumentParser) -> None:
    match words:
        case [".", *_] | ["python3" | "py" | "ruff" | "pyright" | "tensorboard", *_]:
            assert any(" ".join(words).startswith(plain) for plain in PLAIN)
        case ["pip", "install", *what]:
            _installs(what)
        case ["python", "-m", "pytest", *rest]:
            for word in rest:
                assert not word.startswith("tests/") or (ROOT / word).is_file()
        case ["python", "-c", source]:
            with contextlib.redirect_stdout(io.StringIO()):
                exec(source, {})
        case ["python", script, *_] if script.startswith("tests/"):
            assert (ROOT / script).is_file()
        case ["curiosity-rl", command, *args]:
            COMMANDS[command](args)
        case ["benchmark.py" | "scripts/benchmark.py", *args]:
            _measures(benchmarks, args)
        case ["python", "scripts/benchmark.py", *args]:
            _measures(benchmarks, args)
        case ["python", script, *args] if (ROOT / script).is_file():
            name = script.removeprefix("scripts/").removesuffix(".py")
            if name in COMMANDS and "--help" not in args:
                COMMANDS[name](args)
        case _:
            raise AssertionError("no such command, or one that this test does not know")


def _installs(what: list[str]) -> None:
    constraints = (ROOT / "constraints.txt").read_text("utf-8")
    for number, word in enumerate(what):
        if what[number - 1] == "-c":
            assert (ROOT / word).is_file()
        if "==" in word:
            assert word in constraints
        for extras in re.findall(r"\[(.+)\]", word):
            assert set(extras.split(",")) <= set(EXTRAS)


def test_tables_of_worlds_are_whole() -> None:
    rows = README.table("id", "what", "what is sparse")
    assert sorted(code(row[0])[0] for row in rows) == sorted(WORLDS)
    assert all(len(row) == 3 and all(row) for row in rows)
    rows = BY_NAME["docs/worlds.md"].table("id", "observation", "actions")
    assert sorted(code(row[0])[0] for row in rows) == sorted(WORLDS)
    for name, shown, acts, longest, ends, settings in rows:
        env: Any = gym.make(code(name)[0])
        world = env.unwrapped.world
        assert re.findall(r"\d+", shown) == _sizes(env.observation_space), name
        space = env.action_space
        size = space.n if isinstance(space, spaces.Discrete) else space.shape[0]
        assert acts.split()[0] == str(size), name
        limit = getattr(world, "budget", None) or getattr(world, "max_steps", None)
        limit = limit or env.spec.max_episode_steps or world.size
        assert longest.split(",")[0] == str(limit), name
        assert ends
        known = inspect.signature(load(WORLDS[code(name)[0]].world)).parameters
        for setting in code(settings):
            assert setting in known or not setting.isidentifier(), (name, setting)


def _sizes(space: Any) -> list[str]:
    if isinstance(space, spaces.Dict):
        keys = ("observation", "achieved_goal", "desired_goal")
        return [str(spaces.flatdim(space[key])) for key in keys]
    return [str(spaces.flatdim(space))]


def test_tables_of_rewards_are_whole() -> None:
    rows = README.table("name", "family", "pays for", "source")
    assert sorted(code(row[0])[0] for row in rows) == sorted(REWARDS)
    for name, _, _, source in rows:
        told = inspect.getdoc(load(REWARDS[code(name)[0]])) or ""
        for paper in source.split("; "):
            author, year = paper.split()[0], paper.split()[-1]
            assert author in told, (name, paper)
            assert year in told, (name, paper)
    rows = BY_NAME["docs/rewards.md"].table("name", "module", "replay", "scaled")
    assert sorted(code(row[0])[0] for row in rows) == sorted(REWARDS)
    for name, module, replay, scaled, _ in rows:
        entry = REWARDS[code(name)[0]]
        assert entry.split(":")[0].endswith(f".{code(module)[0]}"), name
        plain = make_reward(code(name)[0], scale=False)
        assert (replay == "yes") == bool(getattr(plain, "per_transition", False)), name
        assert (scaled == "yes") == load(entry).scaled_by_default, name


def test_tables_of_tutors_and_students_are_whole() -> None:
    rows = BY_NAME["docs/tutors.md"].table("name", "reads the graph")
    assert sorted(code(row[0])[0] for row in rows) == sorted(TUTORS)
    for name, _, _, cheats, _ in rows:
        privileged = load(TUTORS[code(name)[0]]).privileged
        assert (cheats == "**yes**") == privileged, name
    rows = BY_NAME["docs/students.md"].table("population", "model")
    told = [name for row in rows for name in code(row[0])]
    assert sorted(told) == sorted(POPULATIONS)


@BY_PAGE
def test_ids_of_worlds_exist(page: Page) -> None:
    known = re.compile(r"(?<![\w/:-])([a-z0-9]+(?:-[a-z0-9]+)*-v0)(?!\w)")
    for name in set(known.findall(page.text)):
        assert name in WORLDS or name == "lock-v0", f"{page.name}: {name}"
