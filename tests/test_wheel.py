"""From outside: the wheel in an environment of its own, used from another folder.

The environment sees the dependencies of this one through a `.pth` file, so that nothing
is downloaded.
"""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("curiosity_rl", "envs", "agents")
pytestmark = pytest.mark.xdist_group("wheel")  # one build for all tests


def run(*command: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a command that knows nothing of this checkout."""
    hidden = ("PYTHONPATH", "VIRTUAL_ENV")
    settings = {k: v for k, v in os.environ.items() if k not in hidden}
    return subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=settings,
        capture_output=True,
        text=True,
        timeout=400,
    )


def works(*command: str | Path, cwd: Path) -> str:
    done = run(*command, cwd=cwd)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def has_setuptools() -> bool:
    """Whether this environment can build by itself, as pyproject.toml requires."""
    try:
        version = importlib.metadata.version("setuptools")
    except importlib.metadata.PackageNotFoundError:
        return False
    return int(version.partition(".")[0]) >= 77


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel from a copy: building writes into the source tree."""
    copy = tmp_path_factory.mktemp("source") / "checkout"
    copy.mkdir()
    unwanted = shutil.ignore_patterns("__pycache__", "*.egg-info", "build")
    for room in ROOMS:
        shutil.copytree(ROOT / room, copy / room, symlinks=True, ignore=unwanted)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    out = copy.parent / "dist"
    command = [sys.executable, "-m", "build", "--wheel", "--outdir", str(out)]
    if has_setuptools():
        command.append("--no-isolation")
    works(*command, str(copy), cwd=copy.parent)
    (built,) = out.iterdir()
    return built


@pytest.fixture(scope="module")
def other(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel into an environment of its own; return its Python."""
    folder = tmp_path_factory.mktemp("other") / "venv"
    builder = venv.EnvBuilder(symlinks=os.name != "nt")
    builder.create(folder)
    scripts = folder / ("Scripts" if os.name == "nt" else "bin")
    python = scripts / ("python.exe" if os.name == "nt" else "python")
    paths = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    where = "import sysconfig; print(sysconfig.get_path('purelib'))"
    site = Path(works(python, "-c", where, cwd=folder).strip())
    (site / "dependencies.pth").write_text("\n".join(sorted(paths)))
    pip = (sys.executable, "-m", "pip", "--python", python, "install", "--no-index")
    works(*pip, "--no-deps", "--ignore-installed", wheel, cwd=folder)
    return python


def test_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    wanted = set()
    for room in ROOMS:
        for path in (ROOT / room).rglob("*"):
            inside = path.relative_to(ROOT / room)
            through_link = room == ROOMS[0] and inside.parts[0] in ROOMS[1:]
            unwanted = through_link or "__pycache__" in inside.parts
            if path.is_file() and not unwanted:
                parts = () if room == ROOMS[0] else (room,)
                wanted.add(Path(ROOMS[0], *parts, inside).as_posix())
    held = zipfile.ZipFile(wheel).namelist()
    meta = {name for name in held if name.partition("/")[0].endswith(".dist-info")}
    assert set(held) - meta == wanted
    assert {"curiosity_rl/py.typed", "curiosity_rl/agents/presets/tutor-v0.yaml"} <= (
        wanted
    )
    assert any(name.endswith(".csv") for name in wanted)


IMPORTED = """
import sys
from pathlib import Path
import gymnasium as gym
import curiosity_rl

assert Path(curiosity_rl.__file__).is_relative_to(sys.prefix), curiosity_rl.__file__
assert gym.make("tutor-v0").reset(seed=1)[0].ndim == 1
assert gym.make_vec("tutor-v0", 64).reset(seed=1)[0].shape[0] == 64

from curiosity_rl.agents.config import ExperimentConfig

assert ExperimentConfig.load(env="tutor-v0").intrinsic != "none"
assert curiosity_rl.make_reward("count")
"""

BY_MODULE = """
import gymnasium as gym

env = gym.make("curiosity_rl:tutor-v0")
env.reset(seed=1)
env.step(0)
assert gym.make("tutor-v0").observation_space == env.observation_space
"""

GRIDS = """
import gymnasium as gym
import numpy as np
from gymnasium.utils.env_checker import check_env
from stable_baselines3.common.env_checker import check_env as sb3_check_env

settings = {"rows": 2, "obs": "image"}
one = gym.make("curiosity_rl:key-corridor-v0", **settings)
check_env(one.unwrapped)
sb3_check_env(one)
many = gym.make_vec("key-corridor-v0", 8, **settings)
obs, _ = many.reset(seed=3)
assert np.array_equal(obs[1], one.reset(seed=4)[0])
obs = many.step(np.full(8, 2))[0]
assert np.array_equal(obs[1], one.step(2)[0])
"""

LEARNS = """
import stable_baselines3
import curiosity_rl

model = stable_baselines3.PPO("MlpPolicy", "tutor-v0", n_steps=32, batch_size=32)
assert model.learn(64).num_timesteps == 64
"""

SPAWNS = """
import gymnasium as gym
import numpy as np
from stable_baselines3.common.vec_env import SubprocVecEnv


def make():
    return gym.make("curiosity_rl:tutor-v0")


if __name__ == "__main__":
    venv = SubprocVecEnv([make, make], start_method="spawn")
    venv.seed(5)
    first = venv.reset()
    venv.step(np.zeros(2, dtype=int))
    venv.close()
    assert np.array_equal(first[1], make().reset(seed=6)[0])
"""


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(IMPORTED, id="import"),
        pytest.param(BY_MODULE, id="module-form"),
        pytest.param(GRIDS, id="grids"),
        pytest.param(LEARNS, id="sb3"),
        pytest.param(SPAWNS, id="spawn"),
    ],
)
def test_another_project_can_use_it(other: Path, tmp_path: Path, script: str) -> None:
    file = tmp_path / "project.py"
    file.write_text(script)
    works(other, file, cwd=tmp_path)


def test_the_command_is_installed(other: Path, tmp_path: Path) -> None:
    command = other.with_name("curiosity-rl" + other.suffix)
    helped = works(command, "--help", cwd=tmp_path)
    assert "train" in helped
    assert "evaluate" in helped
    refused = run(command, "train", "--env", "tutr-v0", cwd=tmp_path)
    assert refused.returncode == 2
    assert "tutor-v0" in refused.stderr
    assert not list(tmp_path.iterdir())
