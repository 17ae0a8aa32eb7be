"""Curricula: which skills there are and which prerequisites they have."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from os import PathLike, fspath
from pathlib import Path

import numpy as np

from curiosity_rl.envs.tutor import course_file
from curiosity_rl.envs.tutor.arithmetic import PREREQUISITES
from curiosity_rl.envs.tutor.course_file import Course

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
        goals: Indices of the skills from which exams are drawn, where the curriculum
            names them; empty where they come from the last half of the skills.
    """

    skills: int
    parents: tuple[tuple[int, ...], ...] | None = None
    names: tuple[str, ...] = ()
    learn: tuple[float, ...] | None = None
    boost: tuple[float, ...] = field(default=())
    learn_first: bool = False
    goals: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        # kernels trust these indices
        _check_count(self.skills)
        parents = self.parents if self.parents is not None else ((),) * self.skills
        rows = [parents]
        rows += [self.names] if self.names else []
        rows += [self.learn, self.boost] if self.learn is not None else []
        if any(len(row) != self.skills for row in rows):
            raise ValueError(
                "parents, names, learn and boost have one entry for each of the "
                f"{self.skills} skills"
            )
        for skill, direct in enumerate(parents):
            if not all(0 <= p < skill for p in direct):
                raise ValueError(
                    f"the parents of skill {skill} are {direct}; they come before it"
                )
        if not all(0 <= goal < self.skills for goal in self.goals):
            raise ValueError(
                f"goals are {self.goals}; they are indices from 0 to {self.skills - 1}"
            )

    @classmethod
    def from_yaml(cls, path: str | PathLike[str]) -> Curriculum:
        """Read a course file.

        ```yaml
        skills:                       # a prerequisite may stand before or after
          counting: []
          adding: [counting]
          doubling: [adding]
        goals: [doubling]             # optional: what the exam is about
        ```

        A skill may fix its rates, `doubling: {needs: [adding], learn: 0, boost: .2}`:
        then P(learn) = learn + boost * known prerequisites, what is not stated is 0,
        and `learn_first: true` lets students learn before they answer (EDM 2016).

        Raises:
            ValueError: If the file cannot be read, or its graph is not allowed.
        """
        course = course_file.read(Path(path))
        try:
            return _from_course(course)
        except ValueError as error:
            raise ValueError(f"course file {fspath(path)!r}: {error}") from error

    def to_yaml(self, path: str | PathLike[str]) -> None:
        """Write a course file that `from_yaml` reads back as it was.

        Raises:
            ValueError: If every student has another graph, as in `layered-K`.
        """
        if self.parents is None:
            raise ValueError(
                "a layered curriculum is drawn anew for each student; no course file "
                "can hold it"
            )
        names = self.names or tuple(f"skill {k + 1}" for k in range(self.skills))
        course = Course(
            needs={
                name: [names[p] for p in parents]
                for name, parents in zip(names, self.parents, strict=True)
            },
            learn=dict(zip(names, self.learn or (), strict=False)),
            boost=dict(zip(names, self.boost, strict=False)),
            goals=tuple(names[g] for g in self.goals),
            learn_first=self.learn_first,
        )
        course_file.write(course, Path(path))

    @property
    def max_parents(self) -> int:
        """Largest number of prerequisites of a skill, at least 2."""
        if self.parents is None:
            return 2
        return max(2, *(len(p) for p in self.parents))

    @property
    def smallest_exam(self) -> int:
        """Skills that the easiest goal needs, itself counted; K if none is named."""
        parents = self.parents or ()
        needed: list[set[int]] = []
        for skill, direct in enumerate(parents):
            needed.append({skill}.union(*(needed[p] for p in direct)))
        return min((len(needed[g]) for g in self.goals), default=self.skills)

    def parent_table(self) -> np.ndarray:
        """Return the parents as a table `(K, max_parents)` int16, -1 for none."""
        table = np.full((self.skills, self.max_parents), -1, dtype=np.int16)
        for skill, parents in enumerate(self.parents or ()):
            table[skill, : len(parents)] = parents
        return table


def from_graph(
    graph: Mapping[str, Sequence[str]], goals: Iterable[str] = ()
) -> Curriculum:
    """Build a curriculum from skill names and the names of their prerequisites.

    Skills keep the order given as far as prerequisites allow: where no goals are named,
    exams are drawn from the last half.

    Raises:
        ValueError: If a prerequisite or goal is unknown or the graph has a cycle.
    """
    needs: dict[str, list[str]] = {}
    for skill, parents in graph.items():
        if isinstance(parents, str) or not isinstance(parents, Collection):
            raise ValueError(
                f"the prerequisites of skill {skill!r} are {parents!r}; give a list of "
                "skills, [] for none"
            )
        needs[skill] = list(parents)
    return _from_course(Course(needs, goals=tuple(goals)))


def _from_course(course: Course) -> Curriculum:
    _check_count(len(course.needs))
    names = list(course.needs)
    for skill, parents in course.needs.items():
        for parent in parents:
            if parent not in names:
                raise ValueError(
                    f"skill {skill!r} needs {parent!r}, which is not a skill of this "
                    f"curriculum; the skills are {_listed(names)}"
                )
    for goal in course.goals:
        if goal not in names:
            raise ValueError(
                f"goal {goal!r} is not a skill of this curriculum, so nobody can reach "
                f"it; the skills are {_listed(names)}"
            )
    # the order of the student's skills must not hang on the order within a set
    needs = {s: sorted(set(p), key=names.index) for s, p in course.needs.items()}
    order = _parents_first(needs)
    index = {skill: i for i, skill in enumerate(order)}
    additive = bool(course.learn or course.boost)
    if additive:
        _check_reachable(order, course)
    return Curriculum(
        skills=len(order),
        parents=tuple(tuple(sorted(index[p] for p in needs[s])) for s in order),
        names=tuple(map(str, order)),
        learn=tuple(course.learn.get(s, 0.0) for s in order) if additive else None,
        boost=tuple(course.boost.get(s, 0.0) for s in order) if additive else (),
        learn_first=course.learn_first,
        goals=tuple(sorted({index[goal] for goal in course.goals})),
    )


def _parents_first(needs: Mapping[str, Sequence[str]]) -> list[str]:
    try:
        TopologicalSorter(needs).prepare()
    except CycleError as error:
        cycle = " -> ".join(map(str, error.args[1]))
        raise ValueError(
            f"the prerequisites form a cycle: {cycle}; remove one of these links"
        ) from None
    order: dict[str, None] = {}
    while len(order) < len(needs):
        ready = (s for s in needs if s not in order and order.keys() >= set(needs[s]))
        order[next(ready)] = None
    return list(order)


def _check_reachable(order: Sequence[str], course: Course) -> None:
    learnable: set[str] = set()
    for skill in order:
        helped = not learnable.isdisjoint(course.needs[skill])
        if course.learn.get(skill, 0.0) > 0 or (
            helped and course.boost.get(skill, 0.0) > 0
        ):
            learnable.add(skill)
    for goal in course.goals or order:
        if goal not in learnable:
            raise ValueError(
                f"goal {goal!r} cannot be reached: its chance to be learnt is 0 "
                "whatever is known; give it `learn`, or `boost` and a prerequisite "
                "that can be learnt"
            )


def _listed(names: Iterable[str]) -> str:
    return ", ".join(map(repr, names))


def chain(skills: int) -> Curriculum:
    """Each skill needs the one before it."""
    return Curriculum(skills, tuple((i - 1,) if i else () for i in range(skills)))


def layered(skills: int) -> Curriculum:
    """Draw a layered graph per student: layers of 1 to 3 skills, 1 or 2 parents."""
    return Curriculum(skills)


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


def arithmetic() -> Curriculum:
    """From counting to fractions; `exercises` has a question for every skill."""
    return from_graph(PREREQUISITES)


def parse(
    curriculum: str | PathLike[str] | Mapping[str, Sequence[str]] | Curriculum,
) -> Curriculum:
    """Return a curriculum by name, from a course file, or from a graph of skill names.

    Raises:
        ValueError: If the name is unknown or the graph is not allowed.
    """
    if isinstance(curriculum, Mapping):
        return from_graph(curriculum)
    if isinstance(curriculum, Curriculum):
        return curriculum
    if isinstance(curriculum, PathLike) or (
        isinstance(curriculum, str) and curriculum.lower().endswith((".yaml", ".yml"))
    ):
        return Curriculum.from_yaml(curriculum)
    if curriculum == "arithmetic":
        return arithmetic()
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
        f"{MAX_SKILLS}), edm2016-0 to edm2016-4, arithmetic, a course file (.yaml), or "
        "a mapping from each skill to its prerequisites"
    )


def _check_count(skills: int) -> None:
    if not 2 <= skills <= MAX_SKILLS:
        raise ValueError(f"got {skills} skills; a curriculum has 2 to {MAX_SKILLS}")
