"""Who is compared: tutors by name, runs by their folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from curiosity_rl.agents.tutors import Tutor, available_tutors, make_tutor
from curiosity_rl.agents.worlds import make_lanes
from curiosity_rl.protocols import ActivityLayout
from curiosity_rl.registry import TUTORS, unknown_name

BOUNDS = ("random", "omniscient")
"""Between them a score is measured; every comparison plays them too."""


def layout_of(world: str, env_kwargs: Mapping[str, Any]) -> ActivityLayout:
    """Return the layout of a tutor world.

    Raises:
        ValueError: If the world has none, or refuses its settings.
    """
    probe = make_lanes(world, env_kwargs, 1)
    layout = getattr(probe.unwrapped, "layout", None)
    probe.close()
    if layout is None:
        raise ValueError(
            f"{world} is no tutor world: tutors are compared where students learn; "
            "give one such as tutor-v0"
        )
    return layout


def chosen(names: Sequence[str], layouts: Sequence[ActivityLayout]) -> list[str]:
    """Return whom to compare: `all` is replaced, the bounds are added where missing.

    `all` are the tutors that can teach every one of the populations, whose layouts are
    given. Random comes first, then everybody in the order given, the omniscient bound
    last.

    Raises:
        ValueError: If a name is neither a tutor nor the folder of a run.
    """
    found: list[str] = []
    for name in names:
        if name == "all":
            able = [available_tutors(layout) for layout in layouts]
            found += [tutor for tutor in able[0] if all(tutor in a for a in able)]
        elif name in TUTORS or (Path(name) / "config.yaml").is_file():
            found.append(name)
        elif Path(name).exists():
            raise ValueError(f"{name!r} is no run: it has no config.yaml")
        else:
            unknown = unknown_name("tutor", name, [*TUTORS, "all"])
            raise ValueError(f"{unknown}; or give the folder of a run")
    middle = [name for name in dict.fromkeys(found) if name not in BOUNDS]
    return [BOUNDS[0], *middle, BOUNDS[1]]


def label_of(name: str, names: Sequence[str]) -> str:
    """Return how tables call a tutor: a run by its folder, where no other is so named.

    Args:
        name: The tutor.
        names: All that are compared.
    """
    if name in TUTORS:
        return name
    last = [Path(other).resolve().name for other in names if other not in TUTORS]
    short = Path(name).resolve().name
    return short if last.count(short) == 1 and short not in TUTORS else name


@contextmanager
def opened(name: str, layout: ActivityLayout) -> Iterator[Tutor]:
    """Build a tutor, or load the newest checkpoint of a run.

    A policy that treats all activities alike may teach a course of another size than
    that of its training.

    Raises:
        ValueError: If the tutor cannot work in this world.
    """
    if name in TUTORS:
        yield make_tutor(name, layout)
        return
    from curiosity_rl.agents.experiment import build, torch_threads
    from curiosity_rl.agents.policies import EquivariantPolicy
    from curiosity_rl.agents.runs import open_run
    from curiosity_rl.agents.tutors.model import ModelTutor

    folder = open_run(name)
    config = folder.config()
    experiment = build(config)
    experiment.load_state(folder.checkpoint())
    model = experiment.model
    if isinstance(model.policy, EquivariantPolicy):
        try:
            model.policy = model.policy.for_course(layout)
        except ValueError as error:
            raise ValueError(f"{name} was trained on {config.env}: {error}") from None
    elif (shape := model.observation_space.shape) != (layout.size,):
        raise ValueError(
            f"{name} was trained on {config.env} with observations of shape {shape}; "
            f"this world has {(layout.size,)}: compare it in a world with as many "
            "activities and features, or train with --policy equivariant"
        )
    with torch_threads(config.num_threads):
        yield ModelTutor(model)
