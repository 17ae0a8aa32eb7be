"""Courses from files, the arithmetic curriculum, and OATutor's material."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from tutor_reference import lanes_of

from curiosity_rl.agents.cli import evaluate_main
from curiosity_rl.envs.tutor.arithmetic import PREREQUISITES
from curiosity_rl.envs.tutor.curricula import Curriculum, from_graph, parse
from curiosity_rl.envs.tutor.oatutor import from_oatutor
from curiosity_rl.envs.tutor.world import Tutor

COURSE = """
skills:
  adding: [counting]
  counting: []
  doubling: [adding]
  comparing: [counting]
  no:          # YAML's word for false, and here a skill
goals: [doubling, comparing]
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "course.yaml"
    path.write_text(text, "utf-8")
    return path


def test_a_course_file_keeps_the_teachers_order(tmp_path: Path) -> None:
    path = write(tmp_path, COURSE)
    c = Curriculum.from_yaml(path)
    assert c.names == ("counting", "adding", "doubling", "comparing", "no")
    assert c.parents == ((), (0,), (1,), (0,), ())
    assert c.goals == (2, 3)
    assert c.learn is None
    assert parse(str(path)) == parse(path) == c
    assert parse(c) is c


def test_rates_in_a_course_file_give_the_models_of_edm_2016(tmp_path: Path) -> None:
    model = """
skills:
  KC1: {learn: 0.2}
  KC2: {learn: 0.2}
  KC3: {needs: [KC1, KC2], boost: 0.1}
  KC4: {needs: [KC3], boost: 0.2}
  KC5: {needs: [KC4], boost: 0.2}
  KC6: {needs: [KC5], boost: 0.2}
learn_first: true
"""
    assert Curriculum.from_yaml(write(tmp_path, model)) == parse("edm2016-1")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("skills: {a: [b], b: [c], c: [a]}", "form a cycle: .* -> .*remove one"),
        ("skills: {a: [], b: [x]}", "skill 'b' needs 'x', which is not a skill"),
        ("skills: {a: [], b: []}\ngoals: [c]", "goal 'c' is not a skill.*nobody can"),
        ("skills: {a: {learn: 0}, b: [a]}", "goal 'a' cannot be reached: its chance"),
        (
            "skills: {a: {learn: .2}, b: {needs: [a]}, c: {needs: [b], boost: .2}}\n"
            "goals: [a, c]",
            "goal 'c' cannot be reached",
        ),
        ("skills:\n  a: []\n  b: []\n  a: [b]", "'a' stands there twice.*line 4"),
        ("skills: {a: []}\nskills: {b: []}", "'skills' stands there twice"),
        ("skills: {a: []}", "got 1 skills; a curriculum has 2 to 256"),
        ("skills: [a, b]", r"skills is \['a', 'b'\]; it is a mapping"),
        ("skills: {a: b, b: []}", "prerequisites of skill 'a': got 'b'; give a list"),
        ("skills: {a: [[b]], b: []}", r"skill 'a': got \['b'\] in the list"),
        ("skills: {a: [], b: []}\ngoals: b", "goals: got 'b'; give a list"),
        ("skills: {a: {learn: much}, b: []}", "learn of skill 'a' is 'much'; it is a"),
        ("skills: {a: {learn: 1.5}, b: []}", "'1.5'; it is a number from 0 to 1"),
        ("skills: {a: {boost: nan}, b: []}", "'nan'; it is a number from 0 to 1"),
        ("skills: {a: {lern: 1}, b: []}", "key of skill 'a' 'lern': did you mean lear"),
        ("skills: {a: [], b: []}\ngoal: [a]", "unknown key 'goal': did you mean goals"),
        ("skills: {a: [], b: []}\nlearn_first: 2", "learn_first is '2'; it is true or"),
        ("skills: {'': [], b: []}", "a skill is called ''; a name is text"),
        ("- a\n- b", "holds .*a course has a key `skills`"),
        ("", "holds None; a course has a key `skills`"),
        ("skills: {a: [", "is no YAML: .*line"),
        ("skills: {? [a] : [], b: []}", "is no YAML: .*unhashable key"),
        ("a: &x [*x]", "is no YAML: .*recursive"),
        ("skills: " + "[" * 3000, "too deep|no YAML"),
        ("a: 1\n---\nb: 2", "is no YAML: expected a single document"),
    ],
)
def test_refused_course_files_say_why(text: str, sentence: str, tmp_path: Path) -> None:
    path = write(tmp_path, text)
    with pytest.raises(ValueError, match=sentence) as caught:
        Tutor(curriculum=path)
    assert f"course file {str(path)!r}" in str(caught.value)
    assert len(str(caught.value)) < 1000


def test_files_that_cannot_be_read_get_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"cannot read .*missing.yaml.*No such file"):
        Tutor(curriculum=str(tmp_path / "missing.yaml"))
    (tmp_path / "folder.yaml").mkdir()
    with pytest.raises(ValueError, match=r"cannot read .*Is a directory"):
        Tutor(curriculum=tmp_path / "folder.yaml")
    (tmp_path / "bytes.yml").write_bytes(b"skills: {a: [], \xff: []}")
    with pytest.raises(ValueError, match=r"cannot read .*no UTF-8"):
        Tutor(curriculum=tmp_path / "bytes.yml")


def test_a_course_file_never_builds_objects(tmp_path: Path) -> None:
    text = "skills: {a: !!python/object/apply:pathlib.Path.touch [%s], b: []}"
    path = write(tmp_path, text % (tmp_path / "made"))
    with pytest.raises(ValueError, match="is not a skill"):
        Curriculum.from_yaml(path)
    assert not (tmp_path / "made").exists()


NAMES = some.text(
    some.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=6
).filter(str.strip)


@given(data=some.data())
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_courses_survive_being_written_and_read(data: Any, tmp_path: Path) -> None:
    names = data.draw(some.lists(NAMES, min_size=2, max_size=8, unique=True))
    graph = {
        name: data.draw(some.lists(some.sampled_from(names[:k]), unique=True))
        if k
        else []
        for k, name in enumerate(names)
    }
    c = from_graph(graph, data.draw(some.lists(some.sampled_from(names))))
    assert c.names == tuple(names)
    path = tmp_path / "written.yaml"
    c.to_yaml(path)
    assert Curriculum.from_yaml(path) == c


@pytest.mark.parametrize("name", ["edm2016-3", "chain-3", "arithmetic"])
def test_named_curricula_can_be_written(name: str, tmp_path: Path) -> None:
    c = parse(name)
    c.to_yaml(tmp_path / "c.yaml")
    back = Curriculum.from_yaml(tmp_path / "c.yaml")
    assert (back.parents, back.learn, back.boost) == (c.parents, c.learn, c.boost)
    assert back.learn_first == c.learn_first
    with pytest.raises(ValueError, match="drawn anew for each student"):
        parse("layered-5").to_yaml(tmp_path / "l.yaml")


@given(some.text(max_size=40) | some.from_regex(r"skills: *\{([ab]: \[[ab]?\],?)+\}"))
@settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_any_text_is_a_course_or_refused(tmp_path: Path, text: str) -> None:
    sentence = "course file"
    try:
        assert Curriculum.from_yaml(write(tmp_path, text)).skills >= 2
    except ValueError as error:
        sentence = str(error)
    assert "course file" in sentence


def test_the_exam_is_about_the_goals_that_the_course_names(tmp_path: Path) -> None:
    path = write(tmp_path, COURSE)
    world = Tutor(curriculum=path, prior=0.0, distractors=1)
    _, info = lanes_of(world, 50)
    assert np.all(info["goal"].sum(1) == 2)
    assert np.all(info["truth"]["needed"].sum(1) == 4)  # all but `no`
    # one of two goals, drawn by student, each about as often
    world = Tutor(curriculum=path, prior=0.0, goals=1, distractors=1)
    _, info = lanes_of(world, 2000)
    assert np.all(info["goal"].sum(1) == 1)
    needed = info["truth"]["needed"].sum(1)
    assert set(needed) == {2, 3}
    assert abs(np.mean(needed == 3) - 0.5) < 0.05
    with pytest.raises(ValueError, match="goals=3; it is a whole number from 1 to 2"):
        Tutor(curriculum=path, goals=3)


def test_an_easy_goal_alone_can_be_taught(tmp_path: Path) -> None:
    text = "skills: {a: [], b: [a], c: [b], d: [c]}\ngoals: [a]"
    world = Tutor(curriculum=write(tmp_path, text))
    _, info = lanes_of(world, 20)
    assert np.all(info["truth"]["needed"].sum(1) == 1)
    assert not np.any(info["truth"]["mastery"] & info["truth"]["needed"])


def test_the_command_line_takes_a_course_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(write(tmp_path, COURSE))
    flags = ["tutor-v0", "--env-kwargs.curriculum", path, "--n", "20"]
    assert evaluate_main([*flags, "--env-kwargs.budget", "9"]) == 0
    assert "held-out episodes" in capsys.readouterr().out
    write(tmp_path, "skills: {a: [b], b: [a]}")
    assert evaluate_main(flags) == 2
    error = capsys.readouterr().err
    assert "form a cycle" in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"skills": 1}, "got 1 skills; a curriculum has 2 to 256"),
        ({"parents": ((),)}, "one entry for each of the 2 skills"),
        ({"names": ("a",)}, "one entry for each of the 2 skills"),
        ({"learn": (0.1, 0.1)}, "one entry for each of the 2 skills"),
        ({"parents": ((1,), ())}, r"the parents of skill 0 are \(1,\)"),
        ({"parents": ((), (1,))}, "they come before it"),
        ({"parents": ((), (-1,))}, "they come before it"),
        ({"goals": (2,)}, r"goals are \(2,\); they are indices from 0 to 1"),
    ],
)
def test_a_curriculum_made_by_hand_is_checked(wrong: dict, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        Curriculum(**{"skills": 2, **wrong})


# -- arithmetic ------------------------------------------------------------------------


def ancestors(skill: str) -> set[str]:
    direct = set(PREREQUISITES[skill])
    return direct.union(*map(ancestors, direct)) if direct else set()


def test_the_arithmetic_graph_is_sound() -> None:
    c = parse("arithmetic")
    assert c.names == tuple(PREREQUISITES), "skills stand after their prerequisites"
    assert c.skills == 60
    assert [s for s, p in PREREQUISITES.items() if not p] == ["count-objects"]
    assert c.max_parents == 3
    for skill, parents in PREREQUISITES.items():
        implied = set().union(*map(ancestors, parents)) if parents else set()
        assert not implied & set(parents), f"{skill}: a prerequisite says it already"
    # what a teacher would say at once
    assert {"add-across-10", "place-value-tens"} <= ancestors("add-2-digits-carrying")
    assert {"subtract-across-10"} <= ancestors("subtract-2-digits-borrowing")
    assert {"times-6-to-9", "share-equally"} <= ancestors("divide-remainder")
    assert {"multiply-tens", "add-2-digits-carrying"} <= ancestors("multiply-2-by-2")
    whole = {"common-factor", "common-multiple", "fraction-equivalent"}
    assert whole | {"fraction-add-like"} <= ancestors("fraction-add-unlike")
    assert "times-2-5-10" not in ancestors("add-3-digits-carrying")
    assert len(ancestors("add-mixed")) > 30


@pytest.mark.parametrize("graph_shown", ["true", "none", "noisy"])
def test_arithmetic_can_be_taught(graph_shown: str) -> None:
    chosen: dict[str, Any] = {"curriculum": "arithmetic", "graph_shown": graph_shown}
    venv: Any = gym.make_vec("tutor-v0", 8, budget=150, distractors=12, **chosen)
    obs, info = venv.reset(seed=1)
    features = 11 if graph_shown == "none" else 18 + 3
    assert obs.shape == (8, 72 * features + 1)
    truth = info["truth"]
    assert np.all(truth["needed"].sum(1) > 30)
    links = sum(map(len, PREREQUISITES.values()))
    assert np.all((truth["parents"] >= 0).sum((1, 2)) == links)
    known, start = truth["mastery"], truth["mastery"].sum(1)
    terminated = np.zeros(8, dtype=bool)
    lanes = np.arange(8)
    for _ in range(150):
        parents = truth["parents"]
        missing = (parents >= 0) & ~known[lanes[:, None, None], np.maximum(parents, 0)]
        ready = ~known & ~missing.any(2) & ~truth["distractor"]
        obs, _, terminated, _, info = venv.step(ready.argmax(1))
        assert venv.observation_space.contains(obs)
        known = info.get("final_info", info)["truth"]["mastery"]
    assert terminated.all()
    assert np.all(known.sum(1) >= start + 5)
    assert not (known & truth["distractor"]).any()


# -- OATutor ---------------------------------------------------------------------------

STEPS = {
    "p1a": ["count"],
    "p1b": ["order"],
    "p2a": ["add"],
    "p2b": ["add", "count"],
    "p3a": ["double", "count"],
    "p3b": ["double", "order"],
    "p3c": ["order", "double"],
    "p4a": ["halve"],
}
LESSONS = (["count", "order"], ["add", "count", "never-asked"], ["double"], ["halve"])


def oatutor(folder: Path, steps: Any = STEPS, lessons: Any = LESSONS) -> Path:
    plan = [
        {
            "id": f"x{n}",
            "name": f"Lesson {n}",
            "topics": "",
            "learningObjectives": dict.fromkeys(aims, 0.85),
        }
        for n, aims in enumerate(lessons)
    ]
    plans = [{"courseName": "Sums", "language": "en", "lessons": plan}]
    (folder / "skillModel.json").write_text(json.dumps(steps))
    (folder / "coursePlans.json").write_text(json.dumps(plans))
    return folder


def named(c: Curriculum) -> dict[str, list[str]]:
    assert c.parents is not None
    rows = zip(c.names, c.parents, strict=True)
    return {name: [c.names[p] for p in parents] for name, parents in rows}


def test_oatutor_courses_become_curricula(tmp_path: Path) -> None:
    c = from_oatutor(oatutor(tmp_path), "Sums")
    assert named(c) == {
        "count": [],
        "order": [],
        "add": ["count", "order"],
        "double": ["count", "order"],
        "halve": ["double"],
    }
    one = from_oatutor(tmp_path, "Sums", most_parents=1)
    assert named(one)["add"] == ["count"]
    assert named(one)["double"] == ["order"]  # shares two steps, `count` one
    later = from_oatutor(tmp_path, "Sums", lessons=(2, 3))
    assert named(later) == {"add": [], "count": [], "double": ["count"]}
    _, info = lanes_of(Tutor(curriculum=c, distractors=0), 5)
    assert info["goal"].shape == (5, 5)


@pytest.mark.parametrize(
    ("change", "kwargs", "sentence"),
    [
        ({}, {"course": "Sum"}, "unknown course 'Sum': did you mean Sums"),
        ({}, {"lessons": (2, 9)}, "lessons=9; it is a whole number from 1 to 4"),
        ({}, {"lessons": (3, 2)}, r"lessons=\(3, 2\); give the first and the last"),
        ({}, {"lessons": (1, 1, 1)}, "give the first and the last"),
        ({}, {"most_parents": 0}, "most_parents=0"),
        ({"steps": ["count"]}, {}, "expected a mapping from each step to skills"),
        ({"steps": {"p": "count"}}, {}, "step 'p' has 'count'; expected a list"),
        ({"lessons": []}, {}, "no list of lessons with objectives"),
        ({"steps": {}}, {}, "got 0 skills"),
        (
            {"steps": {str(n): [str(n)] for n in range(300)}}
            | {"lessons": [map(str, range(300))]},
            {},
            "have 300 skills; .* choose fewer lessons",
        ),
    ],
)
def test_refused_oatutor_courses_say_why(
    change: dict, kwargs: dict, sentence: str, tmp_path: Path
) -> None:
    oatutor(tmp_path, **change)
    with pytest.raises(ValueError, match=sentence):
        from_oatutor(tmp_path, **{"course": "Sums", **kwargs})


def test_oatutor_files_of_another_format_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"cannot read .*give a folder that holds"):
        from_oatutor(tmp_path, "Sums")
    oatutor(tmp_path)
    for plans, sentence in (
        ("{", "is no JSON"),
        ("{}", "expected a list of courses"),
        ('[{"courseName": "Sums", "lessons": [3]}]', "no list of lessons"),
        ('[{"courseName": "Sums"}]', "no list of lessons"),
    ):
        (tmp_path / "coursePlans.json").write_text(plans)
        with pytest.raises(ValueError, match=sentence):
            from_oatutor(tmp_path, "Sums")
