"""How long worlds take to start: compiling once, and from then on the first step."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

_STEP = """
import sys
import time

start = time.process_time()
import gymnasium as gym

import curiosity_rl

for name in sys.argv[1:]:
    for env in (gym.make(name), gym.make_vec(name, 2)):
        env.reset(seed=0)
        env.step(env.action_space.sample())
print(time.process_time() - start)
"""


def start_seconds(names: Sequence[str]) -> tuple[float, dict[str, float]]:
    """Measure the first steps of worlds, through both faces, in new processes.

    Args:
        names: Ids of worlds.

    Returns:
        CPU seconds of the first use after an install, of all worlds in one process with
        an empty cache of kernels; and for each world the CPU seconds until the first
        steps are made from the cache, imports included.
    """
    with tempfile.TemporaryDirectory() as folder:
        first = _cpu_seconds(names, Path(folder))
        later = {name: _cpu_seconds([name], Path(folder)) for name in names}
    return first, later


def _cpu_seconds(names: Sequence[str], cache: Path) -> float:
    """Step these worlds in a new process; return the CPU seconds that it took."""
    places = ("XDG_CACHE_HOME", "LOCALAPPDATA", "HOME")
    done = subprocess.run(
        [sys.executable, "-c", _STEP, *names],
        env={**os.environ, **{name: str(cache) for name in places}},
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        raise RuntimeError(f"cannot start {', '.join(names)}: {done.stderr}")
    return float(done.stdout)
