"""Settings of the tutor world: what is refused, and with which words."""

from __future__ import annotations

import time
from typing import Any

import gymnasium as gym
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from tutor_reference import lanes_of

from curiosity_rl.envs.tutor.populations import POPULATIONS
from curiosity_rl.envs.tutor.world import TRIAL_REDRAWS, Tutor

ANYTHING = (
    some.none()
    | some.booleans()
    | some.text(max_size=8)
    | some.floats(allow_nan=True, allow_infinity=True)
    | some.lists(some.integers(), max_size=2)
    | some.dictionaries(some.text(max_size=2), some.integers(), max_size=1)
)


def whole(low: int, high: int, unset: bool = False) -> Any:
    """What is no whole number from low to high."""
    wrong = some.integers(max_value=low - 1) | some.integers(min_value=high + 1)
    return wrong | (ANYTHING.filter(lambda x: x is not None) if unset else ANYTHING)


def chance(unset: bool = False) -> Any:
    wrong = some.integers().filter(lambda x: x not in (0, 1)) | ANYTHING.filter(
        lambda x: not isinstance(x, float) or not 0 <= x <= 1
    )
    return wrong.filter(lambda x: x is not None) if unset else wrong


def choice(*allowed: Any) -> Any:
    return (ANYTHING | some.integers()).filter(
        lambda x: not any(x is a or (isinstance(x, str) and x == a) for a in allowed)
    )


BAD = {
    "population": choice(*POPULATIONS),
    "students": whole(1, 2**62, unset=True),
    "budget": whole(1, 1_000_000),
    "goals": whole(1, 12, unset=True),
    "distractors": whole(0, 256),
    "gating": choice("hard", "soft", None),
    "forgetting": chance(unset=True),
    "graph_shown": choice("none", "true", "noisy"),
    "reward": choice("exam", "gain", "mastery"),
    "belief": choice(True, False),
    "leak": chance(),
    "prior": chance(unset=True),
    "min_unknown": whole(0, 12, unset=True),
    "graph_noise": chance(),
    "graph_dropped": chance(),
    "shuffle": choice(True, False),
    "forget_others": choice(True, False),
    "lesson": whole(1, 1_000_000, unset=True),
    "representations": whole(1, 8),
    "probe": choice(True, False),
}


@pytest.mark.parametrize("name", BAD)
@given(data=some.data())
@settings(max_examples=60, deadline=None)
def test_refused_settings_say_what_was_given(name: str, data):
    value = data.draw(BAD[name])
    with pytest.raises(ValueError, match=name) as caught:
        Tutor(**{name: value})
    # what was given, and what is allowed
    sentence = str(caught.value)
    assert repr(value) in sentence or repr(str(value)) in sentence
    assert any(word in sentence for word in ("from", "chance", "known:", "True", "use"))


@given(
    some.text(max_size=10)
    | some.dictionaries(
        some.text("abcd", max_size=1),
        ANYTHING | some.lists(some.text("abcd", max_size=1), max_size=3),
        max_size=4,
    )
    | ANYTHING
)
@settings(max_examples=150, deadline=None)
def test_any_curriculum_works_or_is_refused_with_a_sentence(curriculum: Any):
    sentence = ""
    try:
        world = Tutor(curriculum=curriculum, goals=1, min_unknown=0)
        assert world.params.skills >= 2
    except ValueError as error:
        sentence = str(error)
    assert not sentence or len(sentence) > 30


@pytest.mark.parametrize(
    ("given_name", "meant"),
    [("budgets", "budget"), ("goal", "goals"), ("graph_show", "graph_shown")],
)
def test_an_unknown_setting_names_the_nearest(given_name: str, meant: str):
    sentence = f"unknown setting of Tutor '{given_name}': did you mean .*{meant}"
    wrong: dict[str, Any] = {given_name: 3}
    with pytest.raises(ValueError, match=sentence):
        gym.make("tutor-v0", **wrong)
    with pytest.raises(ValueError, match=sentence):
        gym.make_vec("tutor-v0", 2, **wrong)
    with pytest.raises(ValueError, match="unknown reward 'exams': did you mean exam"):
        Tutor(reward="exams")  # type: ignore[arg-type]


def test_gating_must_suit_the_curriculum():
    sentence = "as edm2016, use additive gating, all others hard or soft"
    with pytest.raises(ValueError, match=sentence):
        Tutor(curriculum="edm2016-0", gating="hard")
    with pytest.raises(ValueError, match=sentence):
        Tutor(gating="additive")


@pytest.mark.parametrize(
    "impossible",
    [
        {"prior": 1.0},
        {"prior": 1.0, "curriculum": "layered-256", "distractors": 256},
        {"curriculum": {f"s{n}": [] for n in range(12)}, "goals": 5},
        {"curriculum": "layered-4", "min_unknown": 4, "prior": 1.0, "goals": 4},
        {"goals": 13},
        {"min_unknown": 13},
    ],
)
def test_impossible_students_are_refused_in_time(impossible: dict[str, Any]):
    Tutor()  # compiles, which is not what is timed
    start = time.monotonic()
    with pytest.raises(ValueError, match=r"no student with|whole number from"):
        Tutor(**impossible)
    assert time.monotonic() - start < 60


def test_what_is_accepted_is_found_in_a_tenth_of_the_draws_allowed():
    # a world that is built must not fail in the middle of a run
    world = Tutor()
    assert world.params.redraws >= 10 * TRIAL_REDRAWS
    hard = {"curriculum": "chain-12", "distractors": 0, "min_unknown": 12, "goals": 1}
    refused = 0
    for prior in (0.9, 0.97, 0.99, 0.999, 0.9999):
        try:
            world = Tutor(prior=prior, **hard)
        except ValueError:
            refused += 1
            continue
        lanes_of(world, 2000)
    assert 0 < refused < 5


def test_the_refusal_says_what_to_do():
    with pytest.raises(ValueError, match=r"no student with 6 unknown .* lower min_unk"):
        Tutor(prior=1.0)
    Tutor(prior=1.0, min_unknown=0)
