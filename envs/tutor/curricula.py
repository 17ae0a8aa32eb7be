"""Curricula: which skills there are and which prerequisites they have."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter

import numpy as np

MAX_SKILLS = 256
_EDM2016_PARENTS = (
    ((), (0,), (1,), (2,), (3,), (4,)),
    ((), (), (0, 1), (2,), (3,), (4,)),
    ((), (0,), (), (1,), (2,), (3,)),
    ((), (0,), (1,), (4,), (2,), (3,)),
    ((), (0,), (3,), (1,), (2,), (4,)),
)


@dataclass(frozen=True)
class Curriculum:
    """Skills and their prerequisites.

    Attributes:
        skills: Number of skills K.
        parents: For each skill the indices of its prerequisites, parents first; None
            where every student gets a layered graph of their own.
        names: Names of the skills, for people.
        learn: Chance to learn each skill without any prerequisite, where the curriculum
            fixes it; None where the population draws it.
        boost: What each known prerequisite adds to that chance.
        learn_first: Whether a student learns before answering (EDM 2016) or after.
    """

    skills: int
    parents: tuple[tuple[int, ...], ...] | None = None
    names: tuple[str, ...] = ()
    learn: tuple[float, ...] | None = None
    boost: tuple[float, ...] = field(default=())
    learn_first: bool = False

    @property
    def max_parents(self) -> int:
        """Largest number of prerequisites of a skill, at least 2."""
        if self.parents is None:
            return 2
        return max(2, *(len(p) for p in self.parents))

    def parent_table(self) -> np.ndarray:
        """Return the parents as a table `(K, max_parents)` int16, -1 for none."""
        table = np.full((self.skills, self.max_parents), -1, dtype=np.int16)
        for skill, parents in enumerate(self.parents or ()):
            table[skill, : len(parents)] = parents
        return table


def from_graph(graph: Mapping[str, Sequence[str]]) -> Curriculum:
    """Build a curriculum from skill names and the names of their prerequisites.

    Raises:
        ValueError: If a prerequisite is unknown or the graph has a cycle.
    """
    names = list(graph)
    tidy: dict[str, list[str]] = {}
    for skill, parents in graph.items():
        if isinstance(parents, str) or not isinstance(parents, Collection):
            raise ValueError(
                f"the prerequisites of skill {skill!r} are {parents!r}; give a list of "
                "skills, [] for none"
            )
        for parent in parents:
            if parent not in names:
                raise ValueError(
                    f"skill {skill!r} needs {parent!r}, which is not a skill of this "
                    f"curriculum; the skills are {', '.join(map(repr, graph))}"
                )
        # the order of the student's skills must not hang on the order within a set
        tidy[skill] = sorted(set(parents), key=names.index)
    try:
        order = list(TopologicalSorter(tidy).static_order())
    except CycleError as error:
        cycle = " -> ".join(map(str, error.args[1]))
        raise ValueError(
            f"the prerequisites form a cycle: {cycle}; remove one of these links"
        ) from None
    index = {skill: i for i, skill in enumerate(order)}
    table = tuple(tuple(sorted(index[p] for p in tidy[s])) for s in order)
    return _checked(Curriculum(len(order), table, tuple(map(str, order))))


def chain(skills: int) -> Curriculum:
    """Each skill needs the one before it."""
    parents = tuple((i - 1,) if i else () for i in range(skills))
    return _checked(Curriculum(skills, parents))


def layered(skills: int) -> Curriculum:
    """Draw a layered graph per student: layers of 1 to 3 skills, 1 or 2 parents."""
    return _checked(Curriculum(skills))


def edm2016(model: int) -> Curriculum:
    """One of the five six-skill models of Clement, Oudeyer & Lopes (EDM 2016).

    P(learn k) = T_k + sum_j D_kj known_j, with T = .2 for roots and 0 otherwise,
    D = .2 in all, shared by the prerequisites; learning comes before the answer.
    """
    parents = _EDM2016_PARENTS[model]
    order = list(TopologicalSorter(dict(enumerate(parents))).static_order())
    index = {skill: i for i, skill in enumerate(order)}
    sorted_parents = tuple(tuple(index[p] for p in parents[s]) for s in order)
    return Curriculum(
        skills=6,
        parents=sorted_parents,
        names=tuple(f"KC{s + 1}" for s in order),
        learn=tuple(0.0 if p else 0.2 for p in sorted_parents),
        boost=tuple(0.2 / len(p) if p else 0.0 for p in sorted_parents),
        learn_first=True,
    )


def parse(curriculum: str | Mapping[str, Sequence[str]]) -> Curriculum:
    """Return a curriculum by its name, or from a graph of skill names.

    Raises:
        ValueError: If the name is unknown or the graph is not allowed.
    """
    if isinstance(curriculum, Mapping):
        return from_graph(curriculum)
    match = re.fullmatch(r"(layered|chain|edm2016)-(\d{1,4})", str(curriculum))
    if match:
        kind, number = match[1], int(match[2])
        if kind == "edm2016" and number < len(_EDM2016_PARENTS):
            return edm2016(number)
        if kind == "layered":
            return layered(number)
        if kind == "chain":
            return chain(number)
    raise ValueError(
        f"unknown curriculum {curriculum!r}; use layered-K or chain-K (K skills, up to "
        f"{MAX_SKILLS}), edm2016-0 to edm2016-4, or a mapping from each skill to its "
        "prerequisites"
    )


def _checked(curriculum: Curriculum) -> Curriculum:
    if not 2 <= curriculum.skills <= MAX_SKILLS:
        raise ValueError(
            f"got {curriculum.skills} skills; a curriculum has 2 to {MAX_SKILLS}"
        )
    return curriculum
