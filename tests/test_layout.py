"""The layout: who may import whom, the names of folders, the tables and the package."""

from __future__ import annotations

import ast
import inspect
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from curiosity_rl import jit, registry

ROOT = Path(__file__).resolve().parent.parent
GROUND, ENVS, AGENTS, SCRIPTS, TESTS = (
    "curiosity_rl",
    "envs",
    "agents",
    "scripts",
    "tests",
)
ROOMS = (GROUND, ENVS, AGENTS, SCRIPTS, TESTS)
INSTALLED = {GROUND: GROUND, ENVS: f"{GROUND}.envs", AGENTS: f"{GROUND}.agents"}
FORBIDDEN = {
    GROUND: (INSTALLED[ENVS], INSTALLED[AGENTS]),
    ENVS: (INSTALLED[AGENTS],),
    AGENTS: (INSTALLED[ENVS],),
    SCRIPTS: (),
    TESTS: (),
}
MOST_LINES = 400
VAGUE = re.compile(r"_?(utils?|common|base|helpers?)")
REGISTRY = ROOT / GROUND / "registry.py"
DATA = {".py", ".csv", ".md", ".yaml", ".json", ".typed"}


def folders(room: str) -> Iterator[Path]:
    """Walk the folders of a room, without following the ground's links to others."""
    for name, below, _ in os.walk(ROOT / room):
        links = (ENVS, AGENTS) if Path(name) == ROOT / GROUND else ()
        below[:] = [b for b in below if b != "__pycache__" and b not in links]
        yield Path(name)


def sources(room: str) -> list[Path]:
    found = [path for folder in folders(room) for path in sorted(folder.glob("*.py"))]
    assert found
    return found


def module_name(room: str, path: Path) -> str:
    parts = [part.removesuffix(".py") for part in path.relative_to(ROOT / room).parts]
    return ".".join([INSTALLED[room], *(p for p in parts if p != "__init__")])


def imported(
    source: str, module: str, is_package: bool, strings: bool = True
) -> set[str]:
    """Return the absolute names that a module imports, anywhere in its code.

    With `strings`, also what is loaded by name: `load("module:Class")`.
    """
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            parts = module.split(".") + ["*"] * is_package
            above = parts[: len(parts) - node.level] if node.level else []
            start = ".".join([*above, *([node.module] if node.module else [])])
            names |= {start} | {f"{start}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Call) and node.args and strings:
            first = node.args[0]
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                names.add(first.value.partition(":")[0])
    return names


def reaches(name: str, target: str) -> bool:
    return name == target or name.startswith(f"{target}.")


def test_imports_are_found_wherever_they_stand():
    code = """
import a.b
def f():
    from .c import d
    from .. import e
    from ..g import h
    load("k.l:M")
"""
    assert imported(code, "p.q.r", is_package=False) == {
        "a.b", "p.q.c", "p.q.c.d", "p", "p.e", "p.g", "p.g.h", "k.l"
    }  # fmt: skip
    assert "p.q.c" in imported(code, "p.q", is_package=True)


@pytest.mark.parametrize("room", [GROUND, ENVS, AGENTS])
def test_rooms_import_each_other_as_a_star(room: str):
    for path in sources(room):
        names = imported(
            path.read_text("utf-8"),
            module_name(room, path),
            is_package=path.name == "__init__.py",
            strings=path != REGISTRY,  # its table names worlds, and imports none
        )
        for target in FORBIDDEN[room]:
            wrong = sorted(n for n in names if reaches(n, target))
            assert not wrong, f"{path.relative_to(ROOT)} imports {wrong}"


@pytest.mark.parametrize("room", INSTALLED)
def test_the_key_of_a_rooms_kernels_holds_all_that_they_can_see(room: str):
    """A compiled kernel keeps the values that its module imported: curiosity_rl.jit."""
    folders = jit.seen_by(f"{INSTALLED[room]}.rules")
    assert folders is not None

    def in_key(name: str) -> bool:
        inside, _, rest = name.removeprefix(f"{GROUND}.").partition(".")
        return (inside if rest else "") in folders or inside in folders

    modules = {module_name(r, p): p for r in INSTALLED for p in sources(r)}
    reached = {
        name
        for name, path in modules.items()
        if path.is_relative_to(ROOT / room)
        and "curiosity_rl.jit import" in path.read_text("utf-8")
    }
    assert reached
    waiting = list(reached)
    while waiting:
        name = waiting.pop()
        assert in_key(name), f"{name} is not in the key of the kernels of {room}"
        path = modules[name]
        package = path.name == "__init__.py"
        names = imported(path.read_text("utf-8"), name, package, strings=False)
        fresh = names & modules.keys() - reached
        reached |= fresh
        waiting += fresh


@pytest.mark.parametrize("room", ROOMS)
def test_nobody_imports_scripts_or_tests_and_rooms_have_one_name(room: str):
    tests = {path.stem for path in sources(TESTS)}
    scripts = {path.stem for path in sources(SCRIPTS)}
    closed = {SCRIPTS, TESTS, ENVS, AGENTS} | scripts
    closed |= tests if room != TESTS else {t for t in tests if t.startswith("test_")}
    for path in sources(room):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module or ""]
            else:
                continue
            wrong = [name for name in names if name.partition(".")[0] in closed]
            assert not wrong, f"{path.relative_to(ROOT)} imports {wrong}"


def test_no_module_is_long():
    for room in (GROUND, ENVS, AGENTS, SCRIPTS):
        for path in sources(room):
            lines = len(path.read_text("utf-8").splitlines())
            assert lines <= MOST_LINES, f"{path.relative_to(ROOT)}: {lines} lines"


def test_names_say_what_is_inside():
    for room in ROOMS:
        for path in [*folders(room), *sources(room)]:
            assert not VAGUE.fullmatch(path.stem), path


def test_package_list_equals_the_folders():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    listed = settings["tool"]["setuptools"]
    on_disk = set()
    for room in INSTALLED:
        for folder in folders(room):
            if any(path.suffix in DATA for path in folder.iterdir() if path.is_file()):
                on_disk.add(module_name(room, folder))
    assert set(listed["packages"]) == on_disk
    assert len(listed["packages"]) == len(on_disk)
    assert listed["package-dir"] == {INSTALLED[ENVS]: ENVS, INSTALLED[AGENTS]: AGENTS}


@pytest.mark.parametrize("room", [ENVS, AGENTS])
def test_links_lead_to_the_rooms(room: str):
    link = ROOT / GROUND / room
    if not link.is_symlink():
        pytest.skip("this checkout has no symbolic links")
    assert Path(os.readlink(link)) == Path("..", room)
    assert link.resolve() == ROOT / room


@pytest.mark.parametrize(
    "entry_point",
    sorted(
        {spec.world for spec in registry.WORLDS.values()}
        | set(registry.REWARDS.values())
        | set(registry.TUTORS.values())
    ),
)
def test_tables_name_classes_that_exist(entry_point: str):
    named = registry.load(entry_point)
    assert inspect.isclass(named)
    assert named.__module__ == entry_point.partition(":")[0]


def test_world_settings_in_the_table_are_known():
    for name, spec in registry.WORLDS.items():
        known = inspect.signature(registry.load(spec.world)).parameters
        assert set(spec.kwargs) <= set(known), name


def test_presets_belong_to_worlds():
    presets = [path.stem for path in (ROOT / AGENTS / "presets").glob("*.yaml")]
    assert presets
    assert set(presets) - {"default"} <= set(registry.WORLDS)


def fresh(code: str) -> str:
    """Run code in an interpreter of its own and return what it prints."""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_import_stays_light():
    code = """
import sys
import curiosity_rl
heavy = ("torch", "numba", "stable_baselines3", "scipy", "curiosity_rl.envs.faces")
print([name for name in heavy if name in sys.modules])
"""
    assert fresh(code) == "[]"


def test_import_is_quick():
    code = """
from time import perf_counter
import gymnasium
start = perf_counter()
import curiosity_rl
print(perf_counter() - start)
"""
    # The best of five: other processes can only make it look slower.
    assert min(float(fresh(code)) for _ in range(5)) < 0.1
