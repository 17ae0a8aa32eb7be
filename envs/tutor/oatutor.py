"""Courses of OATutor-Content (github.com/CAHLR/OATutor-Content), where you have it."""

from __future__ import annotations

import json
import reprlib
from collections import Counter
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from curiosity_rl.envs.settings import whole
from curiosity_rl.envs.tutor.curricula import MAX_SKILLS, Curriculum, from_graph
from curiosity_rl.registry import unknown_name

MODEL, PLANS = "skillModel.json", "coursePlans.json"


def from_oatutor(
    folder: str | PathLike[str],
    course: str,
    lessons: tuple[int, int] | None = None,
    most_parents: int = 2,
) -> Curriculum:
    """Read a course: its skills, and prerequisites as its material suggests them.

    `skillModel.json` says which skills each step of a problem exercises,
    `coursePlans.json` which skills the lessons of a course aim at. Neither states
    prerequisites; what this reads is a guess, for a teacher to correct
    (`Curriculum.to_yaml`): a skill needs those of earlier lessons that share steps with
    it, those that share most first, then the skill that the lesson before introduced
    last. Skills without a step are left out.

    Args:
        folder: A checkout of OATutor-Content.
        course: Name of the course.
        lessons: First and last lesson, from 1; None for all.
        most_parents: Prerequisites of a skill, at most.

    Raises:
        ValueError: If a file cannot be read or has another format, the course or the
            lessons do not exist, or there are too many skills.
    """
    steps = _steps(Path(folder) / MODEL)
    plan = _lessons(Path(folder) / PLANS, course)
    most_parents = whole("most_parents", most_parents, 1, MAX_SKILLS)
    if lessons is None:
        lessons = (1, len(plan))
    if len(lessons) != 2 or lessons[0] > lessons[1]:
        raise ValueError(f"got lessons={lessons!r}; give the first and the last")
    first, last = (whole("lessons", lesson, 1, len(plan)) for lesson in lessons)
    exercised = {skill for skills in steps.values() for skill in skills}
    shared = Counter(
        (skill, other)
        for skills in steps.values()
        for skill in set(skills)
        for other in set(skills) - {skill}
    )
    graph: dict[str, list[str]] = {}
    closing: list[str] = []
    for aims in plan[first - 1 : last]:
        new = [s for s in dict.fromkeys(aims) if s in exercised and s not in graph]
        earlier = list(graph)
        for skill in new:
            # sorting keeps the order of the course where two share as many steps
            shares = {e: shared[skill, e] for e in earlier if shared[skill, e]}
            near = sorted(shares, key=shares.__getitem__, reverse=True) + closing
            graph[skill] = list(dict.fromkeys(near))[:most_parents]
        closing = new[-1:] or closing
    if len(graph) > MAX_SKILLS:
        raise ValueError(
            f"lessons {first} to {last} of course {course!r} have {len(graph)} skills; "
            f"a curriculum has 2 to {MAX_SKILLS}, so choose fewer lessons"
        )
    return from_graph(graph)


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ValueError(
            f"cannot read {str(path)!r} ({error.strerror}); give a folder that holds "
            f"{MODEL} and {PLANS} of OATutor-Content"
        ) from error
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{str(path)!r} is no JSON: {error}") from error


def _steps(path: Path) -> dict[str, list[str]]:
    steps = _read(path)
    if not isinstance(steps, dict):
        raise ValueError(f"{str(path)!r}: expected a mapping from each step to skills")
    for step, skills in steps.items():
        if not isinstance(skills, list) or not all(isinstance(s, str) for s in skills):
            raise ValueError(
                f"{str(path)!r}: step {step!r} has {reprlib.repr(skills)}; expected a "
                "list of skills"
            )
    return steps


def _lessons(path: Path, course: str) -> list[list[str]]:
    plans = _read(path)
    if not isinstance(plans, list) or not all(isinstance(p, Mapping) for p in plans):
        raise ValueError(f"{str(path)!r}: expected a list of courses")
    courses = {str(plan.get("courseName")): plan.get("lessons") for plan in plans}
    if course not in courses:
        raise ValueError(unknown_name("course", str(course), courses))
    lessons = courses[course]
    fault = f"{str(path)!r}: course {course!r} has no list of lessons with objectives"
    if not isinstance(lessons, list) or not lessons:
        raise ValueError(fault)
    aims = []
    for lesson in lessons:
        objectives = (
            lesson.get("learningObjectives") if isinstance(lesson, Mapping) else None
        )
        if not isinstance(objectives, Mapping):
            raise ValueError(fault)
        aims.append(list(objectives))
    return aims
