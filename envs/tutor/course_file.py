"""Course files: skills, prerequisites and goals, written in YAML by whoever teaches."""

from __future__ import annotations

import reprlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from curiosity_rl.registry import unknown_name

_KEYS = ("skills", "goals", "learn_first")
_SKILL_KEYS = ("needs", "learn", "boost")


@dataclass(frozen=True)
class Course:
    """What a course says: its form is right, its sense is yet to be judged.

    Attributes:
        needs: Prerequisites of each skill, in the order of the file.
        learn: Chances to learn that the course fixes, by skill.
        boost: What each known prerequisite adds to that chance, by skill.
        goals: Skills in the exam; empty to draw them for each student.
        learn_first: Whether a student learns before answering.
    """

    needs: dict[str, list[str]]
    learn: dict[str, float] = field(default_factory=dict)
    boost: dict[str, float] = field(default_factory=dict)
    goals: tuple[str, ...] = ()
    learn_first: bool = False


class _Loader(yaml.BaseLoader):
    """Reads every scalar as text and builds no objects; refuses a name given twice.

    As text, because a skill may well be called `no`, `1:2` or `7`.
    """

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> Any:
        seen: set[str] = set()
        for key, _ in node.value:
            name = key.value if isinstance(key, yaml.ScalarNode) else None
            if name in seen:
                line = key.start_mark.line + 1
                raise ValueError(
                    f"{name!r} stands there twice, the second time in line {line}; "
                    "give each its own name"
                )
            if name is not None:
                seen.add(name)
        return super().construct_mapping(node, deep)


def read(path: str | Path) -> Course:
    """Read a course file.

    Raises:
        ValueError: If it cannot be read, or is no course; says the file and the fault.
    """
    try:
        text = Path(path).read_text("utf-8")
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else None
        if isinstance(error, UnicodeDecodeError):
            why = "it is no UTF-8 text"
        raise ValueError(
            f"cannot read the course file {str(path)!r}: {why or error}"
        ) from error
    try:
        return _course(yaml.load(text, _Loader))
    except yaml.YAMLError as error:
        why = " ".join(str(error).split())
        raise ValueError(f"course file {str(path)!r} is no YAML: {why}") from error
    except RecursionError:
        raise ValueError(
            f"course file {str(path)!r}: lists in lists are too deep"
        ) from None
    except ValueError as error:
        raise ValueError(f"course file {str(path)!r}: {error}") from error


def write(course: Course, path: str | Path) -> None:
    """Write a course file that `read` reads back as it was."""
    skills: dict[str, Any] = {}
    for name, needs in course.needs.items():
        rates = {
            key: table[name]
            for key, table in (("learn", course.learn), ("boost", course.boost))
            if name in table
        }
        skills[name] = {"needs": needs, **rates} if rates else needs
    document: dict[str, Any] = {"skills": skills}
    if course.goals:
        document["goals"] = list(course.goals)
    if course.learn_first:
        document["learn_first"] = True
    text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True)
    Path(path).write_text(text, "utf-8")


def _course(document: Any) -> Course:
    if not isinstance(document, dict) or "skills" not in document:
        raise ValueError(
            f"it holds {_short(document)}; a course has a key `skills`: a mapping from "
            "each skill to the list of its prerequisites"
        )
    _known_keys("key", document, _KEYS)
    skills = document["skills"]
    if not isinstance(skills, dict):
        raise ValueError(
            f"skills is {_short(skills)}; it is a mapping from each skill to the list "
            "of its prerequisites"
        )
    course = Course(
        needs={},
        goals=tuple(_names("goals", document.get("goals", ""))),
        learn_first=_flag("learn_first", document.get("learn_first", "false")),
    )
    for name, given in skills.items():
        _skill(name, given, course)
    return course


def _skill(name: Any, given: Any, course: Course) -> None:
    if not isinstance(name, str) or not name.strip():
        raise ValueError(f"a skill is called {_short(name)}; a name is text")
    if isinstance(given, dict):
        _known_keys(f"key of skill {name!r}", given, _SKILL_KEYS)
        for key, table in (("learn", course.learn), ("boost", course.boost)):
            if key in given:
                table[name] = _chance(f"{key} of skill {name!r}", given[key])
        given = given.get("needs", "")
    course.needs[name] = _names(f"the prerequisites of skill {name!r}", given)


def _names(what: str, given: Any) -> list[str]:
    if given == "":  # YAML's way to say: nothing here
        return []
    if not isinstance(given, list):
        raise ValueError(f"{what}: got {_short(given)}; give a list of skills")
    for name in given:
        if not isinstance(name, str):
            raise ValueError(f"{what}: got {_short(name)} in the list; a name is text")
    return given


def _chance(what: str, given: Any) -> float:
    try:
        value = float(given)
    except (TypeError, ValueError):
        value = -1.0
    if not 0.0 <= value <= 1.0:
        raise ValueError(f"{what} is {_short(given)}; it is a number from 0 to 1")
    return value


def _flag(what: str, given: Any) -> bool:
    word = given.lower() if isinstance(given, str) else ""
    if word not in ("true", "false"):
        raise ValueError(f"{what} is {_short(given)}; it is true or false")
    return word == "true"


def _known_keys(kind: str, given: Iterable[Any], allowed: Iterable[str]) -> None:
    for key in given:
        if key not in allowed:
            raise ValueError(unknown_name(kind, str(key), allowed))


def _short(value: Any) -> str:
    return reprlib.repr(value)
