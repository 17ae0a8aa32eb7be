"""The cache of compiled kernels."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numba
import numpy as np
import platformdirs
import pytest

import curiosity_rl
from curiosity_rl import jit

PACKAGE = Path(curiosity_rl.__file__).parent


def users_cache() -> str:
    return numba.config.CACHE_DIR  # type: ignore[attr-defined]


@pytest.fixture
def fresh_cache_dir():
    """Let `cache_dir` look again, and forget what it found afterwards."""
    jit.cache_dir.cache_clear()
    yield jit.cache_dir
    jit.cache_dir.cache_clear()


def test_every_source_is_in_the_key(tmp_path: Path):
    copy = tmp_path / "package"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    before = jit.source_hash(copy)
    assert before == jit.source_hash(PACKAGE)  # content counts, not the place
    sources = sorted(copy.rglob("*.py"))
    assert {"jit.py", "kernel.py", "ppo.py"} <= {s.name for s in sources}
    for source in sources:
        text = source.read_bytes()
        source.write_bytes(text + b"\n")
        assert jit.source_hash(copy) != before, f"{source} is not in the key"
        source.write_bytes(text)
    assert jit.source_hash(copy) == before
    (copy / "notes.txt").write_text("no source")
    assert jit.source_hash(copy) == before
    (copy / "new.py").touch()
    assert jit.source_hash(copy) != before


def test_a_key_holds_the_sources_of_the_ground_and_of_one_room(tmp_path: Path):
    for name in ("a.py", "rewards/b.py", "envs/deep/c.py", "agents/d.py"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x = 1")

    def changed(name: str, folders: tuple[str, ...] | None) -> bool:
        before = jit.source_hash(tmp_path, folders)
        (tmp_path / name).write_text("x = 2")
        after = jit.source_hash(tmp_path, folders)
        (tmp_path / name).write_text("x = 1")
        return before != after

    envs = jit.seen_by("curiosity_rl.envs.tutor.kernel")
    assert changed("a.py", envs)
    assert changed("rewards/b.py", envs)
    assert changed("envs/deep/c.py", envs)
    assert not changed("agents/d.py", envs)
    ground = jit.seen_by("curiosity_rl.belief")
    assert changed("a.py", ground)
    assert not changed("envs/deep/c.py", ground)
    assert jit.seen_by("somebody.elses") is None


def test_a_renamed_source_changes_the_key(tmp_path: Path):
    (tmp_path / "a.py").write_text("x = 1")
    before = jit.source_hash(tmp_path)
    (tmp_path / "a.py").rename(tmp_path / "b.py")
    assert jit.source_hash(tmp_path) != before


def test_sources_behind_links_are_in_the_key(tmp_path: Path):
    room, package = tmp_path / "envs", tmp_path / "package"
    room.mkdir()
    package.mkdir()
    (room / "rules.py").write_text("x = 1")
    try:
        (package / "envs").symlink_to(room, target_is_directory=True)
    except OSError:
        pytest.skip("this file system has no links")
    before = jit.source_hash(package)
    (room / "rules.py").write_text("x = 2")
    assert jit.source_hash(package) != before


def test_the_users_numba_cache_is_left_alone():
    before = users_cache()

    def double(x):
        return 2 * x

    compiled = jit.kernel(double)
    assert users_cache() == before
    assert compiled(3) == 6
    assert jit.cache_dir(None) in str(compiled._cache.cache_path)  # type: ignore[attr-defined]


def test_the_users_numba_cache_is_left_alone_when_compiling_fails(monkeypatch):
    before = users_cache()

    def fail(**options):
        raise RuntimeError("no compiler")

    monkeypatch.setattr(numba, "njit", fail)
    with pytest.raises(RuntimeError, match="no compiler"):
        jit.kernel(lambda x: x)
    assert users_cache() == before


def test_the_same_sources_elsewhere_compile_nothing(tmp_path: Path):
    """As in another environment, or where a wheel is installed."""
    script = (
        "import curiosity_rl, gymnasium as gym; env = gym.make('river-swim-v0'); "
        "env.reset(seed=0); env.step(0); print(curiosity_rl.__file__)"
    )
    told = []
    for place in ("here", "there"):
        copy = tmp_path / place / "curiosity_rl"
        shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
        done = subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONPATH": str(copy.parent),
                 "XDG_CACHE_HOME": str(tmp_path / "cache")},
            cwd=tmp_path, capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert Path(done.stdout.strip()).parent == copy
        told.append("compiling kernels" in done.stderr)
    assert told == [True, False]


def test_errors_follow_numpy():
    def divide(a, b):
        return a / b

    assert jit.kernel(divide)(1.0, 0.0) == np.inf


def test_cache_dir_is_writable_and_named_by_the_sources(fresh_cache_dir):
    folder = Path(fresh_cache_dir())
    assert folder.is_dir()
    assert os.access(folder, os.W_OK)
    assert jit.source_hash(PACKAGE) in folder.name


def test_an_unwritable_cache_falls_back(tmp_path: Path, monkeypatch, fresh_cache_dir):
    # a file where a folder is needed refuses even the superuser
    blocked, spare = tmp_path / "blocked", tmp_path / "spare"
    blocked.write_text("")
    spare.mkdir()
    monkeypatch.setattr(platformdirs, "user_cache_dir", lambda name: str(blocked))
    monkeypatch.setattr(tempfile, "tempdir", str(spare))
    folder = Path(fresh_cache_dir())
    assert folder.parent == spare
    assert jit.source_hash(PACKAGE) in folder.name
    fresh_cache_dir.cache_clear()
    assert Path(fresh_cache_dir()) == folder  # shared by later processes


def test_a_spare_folder_that_others_can_write_is_not_trusted(
    tmp_path: Path, monkeypatch, fresh_cache_dir
):
    # numba unpickles what it finds in its cache
    if not hasattr(os, "getuid"):
        pytest.skip("no owners of files here")
    blocked, spare = tmp_path / "blocked", tmp_path / "spare"
    blocked.write_text("")
    spare.mkdir()
    monkeypatch.setattr(platformdirs, "user_cache_dir", lambda name: str(blocked))
    monkeypatch.setattr(tempfile, "tempdir", str(spare))
    folder = Path(fresh_cache_dir())
    assert folder.stat().st_mode & 0o077 == 0
    folder.chmod(0o777)
    fresh_cache_dir.cache_clear()
    other = Path(fresh_cache_dir())
    assert other != folder
    assert other.stat().st_mode & 0o077 == 0


def test_kernels_load_from_the_cache_in_another_process():
    # a mistake in the key would compile everything again in every process
    code = (
        "import numpy as np\n"
        "from curiosity_rl.envs.rng import uniform\n"
        "uniform(np.uint64(7))\n"
        "print(sum(uniform.stats.cache_hits.values()))\n"
    )
    root = str(PACKAGE.parent)
    env = {**os.environ, "PYTHONPATH": root, "OMP_NUM_THREADS": "1"}
    hits = [
        subprocess.run(
            [sys.executable, "-c", code],
            env=env,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for _ in range(2)
    ]
    assert hits[1] == "1"


def test_compiling_is_announced_once_and_only_when_it_happens(tmp_path: Path):
    code = """
import numba, gymnasium as gym, curiosity_rl
numba.njit(lambda x: x + 1)(1)  # the user's own: none of our business
print("ready")
env = gym.make("river-swim-v0")
env.reset(seed=0)
env.step(1)
"""
    places = ("XDG_CACHE_HOME", "LOCALAPPDATA", "HOME")
    settings = {**os.environ, **{name: str(tmp_path) for name in places}}

    def run() -> str:
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=PACKAGE.parent,
            env=settings,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return done.stderr

    assert run().count("compiling kernels for this machine") == 1
    assert run() == ""


def test_scipy_is_imported_by_those_who_multiply_matrices_alone():
    """numba would import it before the first kernel, and takes our word instead."""
    code = """
import sys
import gymnasium as gym, numba, numpy as np, curiosity_rl
env = gym.make("river-swim-v0")
env.reset(seed=0)
env.step(1)
assert not any(name.startswith("scipy.linalg") for name in sys.modules)
product = numba.njit(lambda a: a @ a)(np.full((2, 2), 3.0))
assert (product == 18.0).all(), product
import scipy.linalg
assert "dgemm" in str(scipy.linalg.cython_blas.__pyx_capi__.keys())
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=PACKAGE.parent,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
