"""The tasks of the learning table: worlds, when they are solved, and their bars."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from curiosity_rl.agents.config import load_preset
from curiosity_rl.registry import unknown_name


@dataclass(frozen=True)
class Task:
    """A world to solve with its preset, with and without the bonus.

    It is solved after the rollout that brings the mean over the last `window` training
    episodes to `level`.

    Attributes:
        env: World.
        most: Frames after which a run is given up.
        kind: What is averaged: extrinsic returns or successes, see
            `agents.evaluation.succeeded`.
        level: The mean to reach.
        env_kwargs: Settings of the world over those of its preset.
        settings: Other settings of `ExperimentConfig` over those of the preset.
        window: Training episodes that are averaged.
        best_action: If given, `level` is a share of the return of doing this always.
        bar_frames: Frames that the median run may take; None where there is no bar.
        bar_seconds: Seconds that the median run may take on one core.
        stretch: Left out unless it is named.
    """

    env: str
    most: int
    kind: Literal["return", "success"] = "success"
    level: float = 0.9
    env_kwargs: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    window: int = 200
    best_action: int | None = None
    bar_frames: int | None = None
    bar_seconds: float | None = None
    stretch: bool = False

    @property
    def goal(self) -> str:
        """What counts as solved, in a few words."""
        share = f"{self.level:g}".removeprefix("0")
        if self.best_action is not None:
            return f"{share} of the optimal return"
        return f"{self.kind} {share}"


def _deep_sea(size: int, episodes: int, **more: Any) -> Task:
    kwargs = {"size": size}
    most = episodes * size  # every episode is as long as the sea is deep
    return Task("deep-sea-v0", most, env_kwargs=kwargs, window=100, **more)


def _key_corridor(room_size: int, most: int, **more: Any) -> Task:
    kwargs = {"room_size": room_size, "rows": 3}
    return Task("key-corridor-v0", most, env_kwargs=kwargs, **more)


def _multi_room(rooms: int, room_size: int, most: int, **more: Any) -> Task:
    kwargs = {"rooms": rooms, "room_size": room_size}
    return Task("multi-room-v0", most, env_kwargs=kwargs, **more)


def _agent_of(env: str) -> dict[str, Any]:
    """Return how the preset of another world learns."""
    preset = load_preset(env)
    return {k: v for k, v in preset.items() if k not in ("env", "env_kwargs")}


def _maze(maze: str, most: int, **more: Any) -> Task:
    return Task("obstructed-maze-v0", most, env_kwargs={"maze": maze}, **more)


TASKS: dict[str, Task] = {
    "door-key-8x8": Task(
        "door-key-v0",
        300_000,
        kind="return",
        env_kwargs={"size": 8},
        bar_frames=150_000,
        bar_seconds=25,
    ),
    "multi-room-n4": _multi_room(4, 5, 200_000, bar_frames=100_000, bar_seconds=15),
    "key-corridor-s3r3": _key_corridor(3, 600_000, bar_frames=300_000, bar_seconds=40),
    "multi-room-n6": _multi_room(6, 10, 600_000, bar_frames=400_000, bar_seconds=45),
    "empty": Task("empty-v0", 100_000),
    "four-rooms": Task("four-rooms-v0", 400_000),
    "obstructed-maze-1dl": _maze("1Dl", 400_000),
    "deep-sea-20": _deep_sea(20, 2_000, bar_frames=40_000),
    "river-swim": Task(
        "river-swim-v0",
        100_000,
        kind="return",
        level=0.95,
        window=32,  # two episodes of each lane
        best_action=1,
    ),
    "point-maze-u": Task("point-maze-v0", 300_000, env_kwargs={"maze": "u"}),
    "point-maze-medium": Task("point-maze-v0", 300_000, env_kwargs={"maze": "medium"}),
    "arm": Task("arm-v0", 400_000),
    "noisy-corridor": Task("noisy-corridor-v0", 100_000),
    "point-maze-goal-u": Task("point-maze-goal-v0", 40_000, window=40, stretch=True),
    "point-maze-goal-u-ppo": Task(
        "point-maze-goal-v0",
        300_000,
        settings=_agent_of("point-maze-v0"),
        window=64,  # one episode of each lane
        stretch=True,
    ),
    "key-corridor-s4r3": _key_corridor(4, 2_000_000, bar_seconds=180, stretch=True),
    "key-corridor-s5r3": _key_corridor(5, 4_000_000, stretch=True),
    "key-corridor-s6r3": _key_corridor(6, 4_000_000, stretch=True),
    "obstructed-maze-1dlh": _maze("1Dlh", 1_000_000, stretch=True),
    "obstructed-maze-2dlh": _maze("2Dlh", 2_000_000, stretch=True),
    "deep-sea-30": _deep_sea(30, 5_000, stretch=True),
    "deep-sea-50": _deep_sea(50, 10_000, stretch=True),
}
"""Tasks by name, in the order of the table."""


def chosen_tasks(names: Iterable[str]) -> dict[str, Task]:
    """Return the tasks with these names; if there are none, all but the stretch ones.

    Raises:
        ValueError: If a name is unknown.
    """
    wanted = list(names)
    for name in wanted:
        if name not in TASKS:
            raise ValueError(unknown_name("task", name, TASKS))
    if not wanted:
        wanted = [name for name, task in TASKS.items() if not task.stretch]
    return {name: TASKS[name] for name in wanted}
