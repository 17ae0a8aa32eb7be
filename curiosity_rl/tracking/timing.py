"""Where the time of a run goes: world, policy, bonus, update."""

from __future__ import annotations

import time
from collections.abc import Callable


class Stopwatch:
    """Adds up the time spent in its `with` blocks, in `seconds`."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._start = 0.0

    def __enter__(self) -> Stopwatch:
        self._start = time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds += time.perf_counter() - self._start


class TimeSplit:
    """Splits the time between two reports into shares that add up to 1.

    `update` is the time from the end of a rollout to the start of the next one, less
    what the bonus takes of it; `world` and `bonus` are told; `policy` is the rest: the
    networks that act, Stable-Baselines3's own work around every step, and logging.

    Args:
        world: Tells the seconds spent in the world so far; None if nobody knows: then
            `rollout` stands for `world` and `policy`.
        bonus: Tells the seconds spent on the bonus so far.
        aside: Tells the seconds that belong to nothing of this, such as evaluations.
    """

    def __init__(
        self,
        world: Callable[[], float] | None,
        bonus: Callable[[], float],
        aside: Callable[[], float],
    ) -> None:
        self._world, self._bonus, self._aside = world, bonus, aside
        self._update = 0.0
        self._ended: float | None = None
        self._before = self._now()

    def _now(self) -> tuple[float, float, float, float]:
        world = 0.0 if self._world is None else self._world()
        return time.perf_counter(), world, self._bonus(), self._aside()

    def rollout_ends(self) -> None:
        """Note that a rollout ends, and an update begins."""
        now, _, bonus, aside = self._now()
        self._ended = now - bonus - aside

    def rollout_starts(self) -> None:
        """Note that the next rollout begins."""
        if self._ended is not None:
            now, _, bonus, aside = self._now()
            self._update += now - bonus - aside - self._ended
            self._ended = None

    def report(self) -> dict[str, float]:
        """Return the shares since the last report; nothing if no time has passed."""
        now = self._now()
        total, world, bonus, aside = (
            new - old for new, old in zip(now, self._before, strict=True)
        )
        total -= aside
        update, self._update, self._before = self._update, 0.0, now
        if total <= 0:
            return {}
        rest = max(total - world - bonus - update, 0.0)
        parts = {"policy" if self._world else "rollout": rest}
        parts |= {"bonus": bonus, "update": update}
        if self._world is not None:
            parts["world"] = world
        whole = sum(parts.values())
        return {name: seconds / whole for name, seconds in parts.items()}
