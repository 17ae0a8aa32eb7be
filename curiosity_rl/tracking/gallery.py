"""A Stable-Baselines3 callback that draws what was explored, and what was taught."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import Image

from curiosity_rl.adapters.intrinsic import IntrinsicVecEnv
from curiosity_rl.adapters.replay import RelabelledReplay
from curiosity_rl.canvas import PLUM
from curiosity_rl.tracking.cells import MOST_CELLS, Cells, Regions
from curiosity_rl.tracking.lesson_pictures import (
    curriculum_picture,
    mastery_picture,
    students_picture,
)
from curiosity_rl.tracking.lessons import Notebook
from curiosity_rl.tracking.pictures import Axes, mean_map, region_history, visit_map
from curiosity_rl.tracking.sources import Sources

DRAWINGS = 5
"""Times to draw in a run, besides its end; TensorBoard shows up to ten of a tag."""
APART = 10
"""Rollouts between two drawings, at least, in a run of so many."""
SLICES = 60
"""Slices of time of the history of regions."""
OTHERS = ("stdout", "log", "json", "csv")
"""Formats that have no pictures."""


class GalleryCallback(BaseCallback):
    """Draws pictures `DRAWINGS` times in a run and at its end, for TensorBoard.

    Fewer times where rollouts are few: `APART` lie between two drawings.

    Tags, each drawn where there is something to draw:

    * `coverage/visits`: how often steps led to each cell of the world's coverage;
    * `coverage/bonus`: mean bonus paid for these steps, at every door; with a replay
      buffer the one that was paid before the reward learnt from the step;
    * `coverage/progress`: with `region-progress`, the learning progress of the regions
      that the steps fell into, averaged by cell, before any scaling; not with a replay
      buffer;
    * `coverage/regions`: of worlds that report a `region`, share of the steps and mean
      bonus of each, over the run;
    * `tutor/curriculum`, `tutor/mastery`, `tutor/students`: see `lesson_pictures`; of
      the latest whole training episodes of the first lanes; every third time. No
      student is taught for the pictures, so they cost no play and no random number.

    Means of bonus and progress fade: at every drawing what was paid before counts half.
    The worlds must stand behind a `VectorEnvAdapter`.

    Args:
        drawings: Times to draw.
        every: Rollouts between two dumps of the algorithm: pictures are drawn for one,
            lest they wait for it.
    """

    def __init__(self, drawings: int = DRAWINGS, every: int = 1) -> None:
        super().__init__()
        self.drawings, self.every = drawings, every
        self.cells: Cells | None = None
        self.regions: Regions | None = None
        self.notebook: Notebook | None = None
        self._adapter: Any = None
        self._world: Any = None
        self._door: IntrinsicVecEnv | RelabelledReplay | None = None
        self._loaded: dict[str, Any] | None = None
        self._unpaid: list[tuple[np.ndarray, int, np.ndarray]] = []
        self._seen: list[np.ndarray] = []
        self._paid: Any = None
        self._next, self._last, self._drawn = 0, -1, 0
        self._apart = 0  # steps between two drawings; 0 before the first rollout
        self._rollouts = 0

    def _on_training_start(self) -> None:
        sources = self._sources = Sources(self.model, MOST_CELLS)
        self._adapter, self._door = sources.adapter, sources.door
        world = None if self._adapter is None else self._adapter.venv.unwrapped
        self._paid = self._latest()
        self._unpaid.clear()
        if self._world is not world:
            self._world = world
            self._open()
        if self._loaded is not None:
            self._restore(self._loaded)
            self._loaded = None
        if self.notebook is not None and self.num_timesteps == 0:
            self.notebook.begin(self.notebook.watched)

    def _open(self) -> None:
        """Begin to count what this world has to count."""
        world, self.cells, self.regions, self.notebook = self._world, None, None, None
        self._next = self.num_timesteps
        if self._sources.world is not None:
            self.cells = Cells(int(np.prod(self._sources.world.coverage_shape)))
        names = getattr(getattr(world, "world", None), "region_names", ())
        if names:
            total = self.locals["total_timesteps"]
            every = max(-(-total // SLICES), self._adapter.num_envs)
            self.regions = Regions(len(names), every)
        if Notebook.fits(world):
            budget = int(world.layout.budget)
            self.notebook = Notebook(world, budget, self._adapter.num_envs)

    def _on_step(self) -> bool:
        if self._world is None:
            return True
        none = np.zeros(0, np.int64)
        cells, slot, regions = none, 0, none
        if self.cells is not None:
            cells = self._sources.visited(self.locals["dones"])
            self._seen.append(cells)
        if self.regions is not None:
            regions = np.asarray(self._adapter.transition_info["region"], np.int64)
            slot = self.regions.slot(self.num_timesteps)
            self.regions.visit(slot, regions)
        if self.notebook is not None:
            self.notebook.note(
                self.locals["actions"].reshape(len(self.locals["dones"]), -1)[:, 0],
                self._adapter.step_info["truth"]["mastery"],
                self.locals["dones"],
                self.locals["infos"],
            )
        if isinstance(self._door, RelabelledReplay):
            self._collect()  # it has paid for the step before, not for this one
        self._unpaid.append((cells, slot, regions))
        if isinstance(self._door, IntrinsicVecEnv):
            self._collect()
        return True

    def _latest(self) -> np.ndarray | None:
        """Return the bonus `(T, N)` that was paid last, None if there was none."""
        if self._door is None:
            return getattr(self.model, "rollout_bonus", None)
        paid = self._door.payer.paid
        return None if paid is None else paid[0]

    def _collect(self) -> None:
        """Book the bonus of the latest steps, if it has been paid."""
        bonus = self._latest()
        if bonus is None or bonus is self._paid:
            return
        self._paid = bonus
        steps, self._unpaid = self._unpaid[-len(bonus) :], []
        if len(steps) < len(bonus):  # some were made before this callback looked on
            return
        cells = np.stack([step[0] for step in steps])
        if self.cells is not None:
            self.cells.pay("bonus", cells, bonus)
            for part in _parts(self._reward()):
                progress = getattr(part, "paid_progress", None)
                if progress is not None and progress.size == bonus.size:
                    self.cells.pay("progress", cells, progress.reshape(bonus.shape))
        if self.regions is not None:
            slots = np.array([step[1] for step in steps])
            self.regions.pay(slots, np.stack([step[2] for step in steps]), bonus)

    def _reward(self) -> Any:
        """Return the reward that tells of the steps it was paid for last."""
        if isinstance(self._door, RelabelledReplay):  # it tells of what was sampled
            return None
        door = self._door
        return getattr(self.model, "intrinsic", None) if door is None else door.reward

    def _on_rollout_end(self) -> None:
        if self._world is None:
            return
        self._count()
        self._collect()
        if not isinstance(self._door, RelabelledReplay):
            self._unpaid.clear()
        total = self.locals["total_timesteps"]
        self._rollouts += 1
        if not self._apart:
            rollouts = total // (self.num_timesteps - self._next)
            times = min(self.drawings, rollouts // APART)
            self._apart = max(total // max(times, 1), 1)
        due = self._rollouts % self.every == 0 and self.num_timesteps >= self._next
        if due or self.num_timesteps >= total:
            self._next += self._apart
            self._draw()

    def _count(self) -> None:
        """Count the visits since the last time, all at once."""
        if self.cells is not None and self._seen:
            self.cells.visit(np.concatenate(self._seen))
        self._seen.clear()

    def _on_training_end(self) -> None:
        self._count()
        if self._world is not None and self._last < self.num_timesteps:
            self._draw()

    def _draw(self) -> None:
        """Log all pictures."""
        self._last = self.num_timesteps
        final = self.num_timesteps >= self.locals["total_timesteps"]
        for tag, picture in self.pictures(lessons=final or self._drawn % 3 == 2):
            self.logger.record(tag, Image(picture, "HWC"), exclude=OTHERS)
        self._drawn += 1
        if self.cells is not None:
            self.cells.fade()

    def pictures(self, lessons: bool = True) -> Iterator[tuple[str, np.ndarray]]:
        """Draw what there is to draw now: tags and pictures `(h, w, 3)` uint8."""
        spec = self._adapter.spec
        where = f"{'World' if spec is None else spec.id} "
        # On a line of its own: the others are the same each time, and drawn once.
        where += f"after {self.num_timesteps:,} steps.\n"
        yield from self._maps(where)
        if self.regions is not None and len(self.regions.visits):
            names = self._world.world.region_names
            visits, bonus = self.regions.visits, self.regions.bonus
            steps = len(visits) * self.regions.every
            yield (
                "coverage/regions",
                region_history(names, visits, bonus, steps, where),
            )
        whole = self.notebook.lessons() if lessons and self.notebook else None
        if whole is not None:
            yield "tutor/curriculum", curriculum_picture(whole, where)
            yield "tutor/mastery", mastery_picture(whole, where)
            yield "tutor/students", students_picture(whole, where)

    def _maps(self, where: str) -> Iterator[tuple[str, np.ndarray]]:
        if self.cells is None or not self.cells.visits.any():
            return
        shape = self._sources.world.coverage_shape
        inside = getattr(self._world, "world", self._world)
        axes = Axes(getattr(inside, "coverage_axes", ()))
        yield (
            "coverage/visits",
            visit_map(self.cells.visits.reshape(shape), axes, where),
        )

        def means(name: str) -> tuple[np.ndarray, np.ndarray]:
            assert self.cells is not None
            sums, counts = self.cells.sums[name], self.cells.counts[name]
            return sums.reshape(shape), counts.reshape(shape)

        if "bonus" in self.cells.sums:
            note = (
                f"{where}Mean bonus of the steps that led to each cell; recent steps "
                "count most."
            )
            picture = mean_map("Bonus", note, *means("bonus"), axes)
            yield "coverage/bonus", picture
        if "progress" in self.cells.sums:
            note = (
                f"{where}Fall of the model's error in the regions that the steps to a "
                "cell fell into; recent steps count most."
            )
            picture = mean_map(
                "Learning progress", note, *means("progress"), axes, PLUM
            )
            yield "coverage/progress", picture

    def state_dict(self) -> dict[str, Any]:
        """Return what was counted so far, for a run that goes on from here."""
        parts = {
            "cells": self.cells,
            "regions": self.regions,
            "notebook": self.notebook,
        }
        kept: dict[str, Any] = {
            name: None if part is None else part.state_dict()
            for name, part in parts.items()
        }
        unpaid = [np.stack(part) for part in zip(*self._unpaid, strict=True)]
        times = [self._next, self._last, self._drawn, self._apart, self._rollouts]
        return {**kept, "unpaid": unpaid, "times": times}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what `state_dict` returned, when training starts."""
        self._loaded = state

    def _restore(self, state: dict[str, Any]) -> None:
        parts = {
            "cells": self.cells,
            "regions": self.regions,
            "notebook": self.notebook,
        }
        for name, part in parts.items():
            if part is not None and state[name] is not None:
                part.load_state_dict(state[name])
        cells, slots, regions = state["unpaid"] or ((), (), ())
        self._unpaid = [
            (np.array(cell), int(slot), np.array(region))
            for cell, slot, region in zip(cells, slots, regions, strict=True)
        ]
        times = state["times"]
        self._next, self._last, self._drawn, self._apart, self._rollouts = times


def _parts(reward: Any) -> Iterator[Any]:
    """Walk a reward and the rewards that it is made of."""
    yield reward
    for part in getattr(reward, "parts", ()):
        yield from _parts(part)
