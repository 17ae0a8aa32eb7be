"""SIGKILL writers of checkpoints at random moments; count what is left whole.

python tests/killed_writers.py 1000
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch as th

from curiosity_rl import checkpoint

KEPT = 2
STATE = {
    "weights": {"a": th.arange(100_000.0), "b": th.ones(64, 64)},
    "replay": np.arange(100_000).reshape(1000, 100),
    "plain": list(range(1000)),
}


def write(folder: Path, first: int, report: int) -> None:
    """Save one checkpoint after another, as a run does, and report each one saved."""
    for number in range(first, 10**6):
        path = folder / f"step_{number:012d}"
        checkpoint.save(path, {**STATE, "number": number})
        checkpoint.keep_newest(folder, KEPT)
        os.write(report, number.to_bytes(8, "big"))


def kill_one(folder: Path, first: int, delay: float) -> int:
    """Kill a writer some time after its first save; return the last one it reported."""
    ours, theirs = os.pipe()
    writer = os.fork()
    if writer == 0:
        try:
            os.close(ours)
            write(folder, first, theirs)
        finally:
            os._exit(1)
    os.close(theirs)
    reported = os.read(ours, 8)
    time.sleep(delay)
    os.kill(writer, signal.SIGKILL)
    os.waitpid(writer, 0)
    while more := os.read(ours, 8):
        reported = more
    os.close(ours)
    return int.from_bytes(reported, "big")


def survived(kills: int, seed: int = 0) -> tuple[int, int]:
    """Kill so many writers; return how often the newest was whole, and torn writes."""
    rng = np.random.default_rng(seed)
    whole = torn = 0
    with tempfile.TemporaryDirectory() as name:
        folder, first = Path(name), 0
        for _ in range(kills):
            reported = kill_one(folder, first, rng.uniform(0.0, 0.03))
            torn += any(folder.glob(".partial-*"))
            path, state, broken = checkpoint.newest_whole(folder)
            number = int(path.name[5:])
            good = not broken and number >= reported and state["number"] == number
            whole += good and bool(np.array_equal(state["replay"], STATE["replay"]))
            first = number + 1
    return whole, torn


if __name__ == "__main__":
    asked = int(sys.argv[1])
    start = time.monotonic()
    found, cut_off = survived(asked)
    print(
        f"{found:,} of {asked:,} kills left the newest checkpoint whole; {cut_off:,} "
        f"hit a write in the middle; {time.monotonic() - start:.0f} s"
    )
    sys.exit(found != asked)
