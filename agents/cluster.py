"""Runs on a Ray cluster: several machines, of which any may be lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

Outcome = TypeVar("Outcome")
TRIES = 10
"""How often a run is begun anew after its process or its machine was lost."""


def require() -> None:
    """Raise a ValueError with what to do where Ray is not installed."""
    try:
        import ray  # noqa: F401
    except ImportError as error:
        raise ValueError(
            "the backend ray needs Ray, which is not installed: pip install "
            "'curiosity-rl[ray]', or use the backend processes"
        ) from error


def play_on_cluster(
    play: Callable[..., Outcome], runs: Sequence[tuple[Any, ...]], jobs: int
) -> Iterator[tuple[tuple[Any, ...], Outcome | Exception]]:
    """Call `play(*run)` for all runs, each in a fresh process of a Ray cluster.

    The cluster is the one that the process is connected to, or that the environment
    variable `RAY_ADDRESS` names, or a new one on this machine with `jobs` cores. Every
    run takes one core. A run that is lost with its machine begins anew elsewhere.

    Args:
        play: A function of a module that every machine has; its result can be pickled.
        runs: Arguments of each call.
        jobs: Runs at a time, over the whole cluster.

    Yields:
        Each run once, with its result, or with the error that ended it, in the order in
        which they end.
    """
    import os

    import ray

    own = not ray.is_initialized()
    if own:
        address = os.environ.get("RAY_ADDRESS")
        # A cluster that is there brings its own cores.
        ray.init(address, num_cpus=None if address else jobs)
    # A worker process is left after one call: runs share nothing.
    task = ray.remote(num_cpus=1, max_retries=TRIES, max_calls=1)(play)
    todo, playing = list(runs)[::-1], {}
    try:
        while todo or playing:
            while todo and len(playing) < jobs:
                run = todo.pop()
                playing[task.remote(*run)] = run
            (ended,), _ = ray.wait(list(playing), num_returns=1)
            run = playing.pop(ended)
            try:
                yield run, ray.get(ended)
            except Exception as error:
                yield run, error
    finally:
        for call in playing:
            ray.cancel(call, force=True)
        if own:
            ray.shutdown()
