"""Student models: each equal to a plain reference, answer by answer."""

from __future__ import annotations

import math
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from scipy import stats
from student_models import (
    KNOWN_FROM,
    GradedStudent,
    forgetting_curve,
    fsrs_review,
    half_life,
)
from tutor_reference import lanes_of

from curiosity_rl.envs.tutor import populations
from curiosity_rl.envs.tutor.strength import introduce, review
from curiosity_rl.envs.tutor.world import Tutor

WORLDS: dict[str, dict[str, Any]] = {
    "pfa": {"population": "pfa"},
    "afm, additive": {"population": "afm", "curriculum": "edm2016-1", "goals": 3},
    "irt": {"population": "irt", "gating": "soft", "leak": 0.2},
    "q-student": {"population": "q-student", "prior": 0.7, "min_unknown": 2},
    "hlr": {"population": "hlr", "lesson": 7, "pause": 1.5, "exam_pause": 3},
    "fsrs": {"population": "fsrs", "lesson": 10, "exam_pause": 30},
    "fsrs, one lesson": {"population": "fsrs"},
    "all": {
        "population": "mixed",
        "lesson": 9,
        "dropout": 0.3,
        "curriculum": "chain-5",
    },
    "forgetting gaps": {"forgetting": 0.05, "forget_others": True},
    "may leave": {"dropout": 1.0, "population": "subgroups"},
    "pictures": {"representations": 3, "population": "subgroups", "probe": True},
    "graded pictures": {"representations": 2, "population": "mixed", "dropout": 0.2},
    "tests": {"probe": True, "population": "q-student"},
    "learning first": {"curriculum": "edm2016-3", "population": "edm2016-perturbed"},
}


@pytest.mark.parametrize("name", WORLDS)
def test_students_follow_their_model(name: str):
    world = Tutor(budget=80, **WORLDS[name])
    state, info = lanes_of(world, 12, seed=hash_of(name))
    students = [GradedStudent(world, state, info, lane) for lane in range(12)]
    rng = np.random.default_rng(hash_of(name))
    favourites = rng.permutation(world.params.activities)[:6]
    out = np.empty((12, world.layout.size), np.float32)
    playing, compared = np.ones(12, bool), 0
    for _ in range(80):
        modes = rng.integers(world.modes, size=12) * world.params.activities
        actions = modes + rng.choice(favourites, 12)
        _, terminated = world.step(state, actions, out)
        report = world.step_info(state)
        for lane in np.flatnonzero(playing):
            student = students[lane]
            right, left = student.exercise(int(actions[lane]))
            assert right == report["outcome"][lane]
            assert terminated[lane] == (left or student.done == 80)
            np.testing.assert_array_equal(
                student.known, report["truth"]["mastery"][lane]
            )
            if "strength" in report["truth"]:
                mine = [student.strength(k) for k in range(world.params.activities)]
                np.testing.assert_allclose(
                    report["truth"]["strength"][lane], mine, rtol=2e-5, atol=1e-6
                )
            compared += 1
        playing &= ~terminated
    assert compared > 300
    if world.params.dropout:
        assert compared < 12 * 80


def hash_of(name: str) -> int:
    return sum(map(ord, name))


def moved(population: str, level: list[float], days: float, right: bool) -> list[float]:
    """What one exercise makes of the levels of a skill, by the kernels."""
    world = Tutor(population=population)
    state, _ = lanes_of(world, 1)
    state.trait[0, 0], state.level[0, 0] = 0.0, level
    state.day[0] = days
    (review if level[0] else introduce)(0, 0, right, state)
    return state.level[0, 0].tolist()


def test_fsrs_by_hand():
    # S0(good) = w2, D0(good) = w4 - e^(2 w5) + 1 = 6.4133 - 5.2957 + 1 = 2.1176
    first = moved("fsrs", [0, 0, 0, 0], 0, True)
    assert first[0] == pytest.approx(2.3065)
    assert first[2] == pytest.approx(2.1176, abs=1e-3)
    # after exactly S days recall is .9, whatever S
    assert forgetting_curve(2.3065, 2.3065) == pytest.approx(0.9)
    # e^1.8722 * (11 - 2.1176) * 2.3065^-.1666 * (e^(.796 * .1) - 1) = 4.164
    gain = 6.5026 * 8.8824 * 0.87003 * 0.082855
    second = moved("fsrs", first, 2.3065, True)
    assert second[0] == pytest.approx(2.3065 * (1 + gain), rel=1e-3)
    # forgotten after 2.3065 days: w11 D^-w12 ((S + 1)^w13 - 1) e^(.1 w14)
    lapse = 1.4835 * 2.1176**-0.0614 * (3.3065**0.2629 - 1) * math.exp(0.16483)
    lost = moved("fsrs", first, 2.3065, False)
    assert lost[0] == pytest.approx(lapse, rel=1e-3)
    assert lost[0] < first[0]
    assert lost[2] > first[2]  # and the skill counts as harder
    # twice on one day adds nothing to speak of: spacing matters
    assert moved("fsrs", first, 0, True)[0] < 1.06 * first[0]


@pytest.mark.parametrize("right", [True, False])
@pytest.mark.parametrize("days", [0.0, 0.5, 1.0, 3.0, 60.0])
@pytest.mark.parametrize("level", [(0.4, 9.9), (2.3, 2.1), (80.0, 1.0)])
def test_fsrs_equals_the_reference(
    level: tuple[float, float], days: float, right: bool
):
    found = moved("fsrs", [level[0], 0.0, level[1], 0.0], days, right)
    s, d = fsrs_review(level[0], level[1], days, right)
    np.testing.assert_allclose(found, [s, days, d, 0.0], rtol=1e-5)


def test_half_life_by_hand():
    # 2^(1 * sqrt(1 + 8) - .5 * sqrt(1 + 3) + .5) = 2^2.5
    assert half_life(8, 3, [1.0, -0.5, 0.5]) == pytest.approx(2**2.5)
    assert half_life(1e6, 0, [1.0, 0.0, 0.0]) == 274
    assert half_life(0, 1e6, [0.0, -1.0, 0.0]) == pytest.approx(15 / 60 / 24)


@pytest.mark.parametrize("population", ["pfa", "irt", "q-student", "hlr", "fsrs"])
def test_known_skills_start_above_the_mark_and_others_below(population: str):
    world = Tutor(population=population, prior=0.8, min_unknown=1, lesson=20)
    state, _ = lanes_of(world, 500)
    truth = world.step_info(state)["truth"]
    skill = ~world.reset_info(state, np.arange(500))["truth"]["distractor"]
    model = {"q-student": "q"}.get(population, population)
    high = truth["strength"] >= KNOWN_FROM[model]
    np.testing.assert_array_equal(high[skill], truth["mastery"][skill])
    assert 0.3 < truth["mastery"][skill].mean() < 0.9


@pytest.mark.parametrize(
    ("population", "column", "mean", "deviation"),
    [("pfa", 2, -0.076, 0.05), ("irt", 1, 0.0, 1.0), ("hlr", 0, 1.0, 0.2)],
)
def test_traits_are_normal(population: str, column: int, mean: float, deviation: float):
    world = Tutor(population=population, distractors=0, min_unknown=1)
    state, _ = lanes_of(world, 3000)
    found: Any = stats.kstest(
        state.trait[:, 5, column].astype(float), "norm", (mean, deviation)
    )
    assert found.pvalue > 1e-3


def test_perturbed_students_of_edm_2016():
    world = Tutor(
        curriculum="edm2016-1", population="edm2016-perturbed", shuffle=False, goals=6
    )
    _, info = lanes_of(world, 4000)
    rng = np.random.default_rng(0)
    less = rng.normal(0.05, 0.005**0.5, 40_000)
    positive = np.where(less < 0, 0.01, less)
    expected = {
        "learn": np.clip(0.2 - positive, 0, 1),
        "guess": np.clip(0.1 - positive, 0, 1),
        "boost": np.clip(0.1 - less.reshape(-1, 2), 0, 1).mean(1),
    }
    # skill 0 has a rate of its own; skill 2 lives by its two prerequisites, which share
    # the mean of what each would give
    for name, skill in (("learn", 0), ("guess", 0), ("boost", 2)):
        drawn = info["truth"][name][:, skill]
        found: Any = stats.ks_2samp(drawn, expected[name].astype(np.float32))
        assert found.pvalue > 1e-3
    assert not info["truth"]["learn"][:, 2].any()


def test_groups_come_in_their_shares():
    world = Tutor(population="subgroups")
    _, info = lanes_of(world, 4000)
    shares = populations.subgroups().shares
    counts = np.bincount(info["truth"]["group"], minlength=4)
    assert stats.chisquare(counts, np.array(shares) * 4000).pvalue > 1e-3
    assert world.groups == ("average", "slow learners", "low prior", "handicapped")
    learn = [
        info["truth"]["learn"][info["truth"]["group"] == g].mean() for g in range(4)
    ]
    assert learn[1] < 0.75 * learn[0]
    assert abs(learn[2] - learn[0]) < 0.02


def test_a_probe_tells_and_does_not_teach():
    env = gym.make_vec("tutor-v0", num_envs=200, probe=True, graph_shown="none")
    layout = env.unwrapped.layout  # type: ignore[attr-defined]  # of our worlds
    obs, info = env.reset(seed=0)
    before = info["truth"]["mastery"]
    for t in range(40):
        old = layout.column(obs, "belief")
        obs, _, _, _, info = env.step(np.full(200, 16 + t % 16))
        assert info["probe"].all()
        new, k = layout.column(obs, "belief")[:, t % 16], t % 16
        likely = np.where(info["outcome"] == 1, 0.8, 0.2)
        bayes = old[:, k] * likely
        bayes /= bayes + (1 - old[:, k]) * (1 - likely)
        np.testing.assert_allclose(new, bayes, rtol=1e-4)
    np.testing.assert_array_equal(info["truth"]["mastery"], before)


def test_days_are_shown_and_the_exam_waits():
    env = gym.make_vec(
        "tutor-v0", num_envs=2, lesson=5, pause=3.0, exam_pause=9.0, budget=20
    )
    layout = env.unwrapped.layout  # type: ignore[attr-defined]  # of our worlds
    obs, info = env.reset(seed=0)
    assert not layout.column(obs, "days").any()
    terminated = np.zeros(2, bool)
    for t in range(20):
        obs, _, terminated, _, info = env.step(np.full(2, 3 if t < 2 else 4))
        if t in (4, 9):
            days = np.expm1(4 * layout.column(obs, "days"))
            np.testing.assert_allclose(days[0, [3, 4, 5]], [3 * (t // 5 + 1), 3, 0])
    assert terminated.all()
    last = np.stack(info["final_obs"])
    np.testing.assert_allclose(np.expm1(4 * layout.column(last, "days"))[:, 4], 9.0)


def test_a_representation_that_is_not_grasped_is_guessed_at_and_teaches_nothing():
    world = Tutor(representations=2, population="subgroups", prior=0.9, min_unknown=1)
    state, info = lanes_of(world, 3000)
    missed = state.handicap >= 0
    assert not missed[info["truth"]["group"] != 3].any()
    of_them = ~info["truth"]["distractor"] & (info["truth"]["group"] == 3)[:, None]
    assert missed[of_them].mean() == pytest.approx(0.5, abs=0.03)
    lanes = np.flatnonzero((missed & info["truth"]["mastery"]).any(1))
    k = (missed & info["truth"]["mastery"])[lanes].argmax(1)
    out = np.empty((3000, world.layout.size), np.float32)
    right = np.zeros((2, len(lanes)))
    for r in range(2):
        actions = np.zeros(3000, np.int64)
        shown = state.handicap[lanes, k] if r == 0 else 1 - state.handicap[lanes, k]
        actions[lanes] = k + 16 * shown
        for _ in range(20):
            world.step(state, actions, out)
            right[r] += state.outcome[lanes] / 20
    guess, sure = state.guess[lanes, k], 1 - state.slip[lanes, k]
    assert right[0].mean() == pytest.approx(guess.mean(), abs=0.03)
    assert right[1].mean() == pytest.approx(sure.mean(), abs=0.03)


def test_links_are_dropped_and_replaced():
    world = Tutor(graph_shown="noisy", graph_noise=0.3, graph_dropped=0.3)
    state, _ = lanes_of(world, 1000)
    linked = state.parents >= 0
    dropped = linked & (state.shown < 0)
    same = linked & (state.shown == state.parents)
    assert dropped.sum() / linked.sum() == pytest.approx(0.3, abs=0.02)
    # a few cannot be replaced: there is no other skill before them
    assert same.sum() / linked.sum() == pytest.approx(0.42, abs=0.03)
    assert not (state.shown >= 0)[~linked].any()


def test_slots_stay_where_they_are_without_shuffling():
    _, info = lanes_of(Tutor(curriculum="chain-5", shuffle=False, goals=1), 50)
    expected = [-1, 0, 1, 2, 3] + [-1] * 4
    np.testing.assert_array_equal(info["truth"]["parents"][..., 0], [expected] * 50)


def test_how_long_students_stay_fits_the_quantiles():
    # with motivation as it is at the start; the fit is to 4, 10, 27, 94, 296
    world = Tutor(dropout=1.0, budget=400)
    state, _ = lanes_of(world, 4000)
    chance = np.minimum(0.0198 * state.frailty.astype(float), 1)
    for count, share in ((4, 0.13), (10, 0.26), (27, 0.47), (94, 0.75), (296, 0.92)):
        gone = 1 - (1 - chance) ** count
        assert gone.mean() == pytest.approx(share, abs=0.015)
