"""Students: how they are drawn, answer, learn and forget."""

from __future__ import annotations

from collections import Counter
from importlib.resources import files
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from scipy import stats
from tutor_reference import GOLDEN, Student, depths, lanes_of, play, splitmix64

from curiosity_rl.envs.tutor.world import Tutor

FOREST = {  # 70 skills: two words; skill n needs n // 2, some also n - 1 and n - 7
    f"s{n}": [f"s{m}" for m in {n // 2, n - 1, n - 7} if 0 <= m < n][: n % 4]
    for n in range(70)
}
RULES: dict[str, dict[str, Any]] = {
    "hard": {"forgetting": 0.1},
    "hard without leak": {"leak": 0.0},
    "soft": {"gating": "soft", "leak": 0.3, "forgetting": 0.05},
    "additive": {"curriculum": "edm2016-1", "goals": 6, "forgetting": 0.1},
    "additive, real slips": {"curriculum": "edm2016-2", "population": "assistments"},
    "textbook chain": {"curriculum": "chain-5", "population": "textbook", "goals": 3},
    "two words": {"curriculum": FOREST, "min_unknown": 1, "gating": "soft"},
    "many activities": {"curriculum": "layered-60", "distractors": 10},
}


@pytest.mark.parametrize("rules", RULES)
@given(seed=some.integers(0, 2**32), favourites=some.integers(2, 80))
@settings(max_examples=8, deadline=None)
def test_answers_and_learning_follow_the_rules(rules: str, seed: int, favourites: int):
    world = Tutor(budget=100, **RULES[rules])
    state, info = lanes_of(world, 3, seed)
    students = [Student(world, state, info, lane) for lane in range(3)]
    rng = np.random.default_rng(seed)
    some_slots = rng.permutation(world.params.activities)[:favourites]
    actions, outcomes, _, mastery = play(
        world, state, lambda t: rng.choice(some_slots, 3), 100
    )
    for lane, student in enumerate(students):
        for t in range(100):
            right = student.answer(int(actions[t, lane]))
            assert right == outcomes[t, lane]
            np.testing.assert_array_equal(student.known, mastery[t + 1, lane])


@pytest.fixture(scope="module")
def class_of_4000() -> tuple[Tutor, Any, dict[str, np.ndarray]]:
    world = Tutor()
    state, info = lanes_of(world, 4000)
    return world, state, info["truth"]


def test_layers_and_parents(class_of_4000):
    _, _, truth = class_of_4000
    parents, distractor = truth["parents"], truth["distractor"]
    rows = np.arange(len(parents))[:, None]
    assert np.all(distractor.sum(1) == 4)
    assert np.all(parents[distractor] == -1)
    first, second = parents[..., 0], parents[..., 1]
    assert not np.any((first < 0) & (second >= 0))
    assert not np.any((first >= 0) & (first == second))
    depth = depths(parents)
    assert np.all(depth >= 0)  # no cycle: all paths end in a root
    # a parent is never a distractor; the second one comes from an earlier layer
    for parent in (first, second):
        linked = parent >= 0
        slot = np.maximum(parent, 0)
        assert not np.any(distractor[rows, slot] & linked)
        assert np.all((depth[rows, slot] < depth)[linked])
    layers = np.stack([((depth == d) & ~distractor).sum(1) for d in range(12)], axis=1)
    assert layers.max() <= 3
    assert np.all(layers[:, 0] >= 1)
    # no empty layer before a filled one
    assert not np.any((layers[:, :-1] == 0) & (layers[:, 1:] > 0))
    assert abs((layers > 0).sum(1).mean() - 6.3) < 0.3
    # half of all skills with a choice have two parents, less what is drawn twice
    earlier = np.cumsum(layers, axis=1)
    start = np.where(depth > 0, earlier[rows, np.maximum(depth - 1, 0)], 1)
    chance = 0.5 * (1 - 1 / start)
    tries = depth > 0
    spread = np.sqrt((chance * (1 - chance))[tries].sum())
    expected = chance[tries].sum()
    assert abs((second >= 0)[tries].sum() - expected) < 4 * spread


def test_layers_hold_one_to_three_skills_alike():
    # without the redrawing, the first layer is the draw itself
    _, info = lanes_of(Tutor(min_unknown=0), 3000)
    parents, distractor = info["truth"]["parents"], info["truth"]["distractor"]
    sizes = ((parents[..., 0] < 0) & ~distractor).sum(1)
    assert stats.chisquare(np.bincount(sizes, minlength=4)[1:]).pvalue > 1e-3


def test_goals_needed_and_prior_knowledge(class_of_4000):
    world, state, truth = class_of_4000
    parents, goal, needed = truth["parents"], truth["goal"], truth["needed"]
    mastery, distractor = truth["mastery"], truth["distractor"]
    rows = np.arange(len(parents))[:, None]
    assert np.all(goal.sum(1) == 2)
    assert not np.any((goal | needed | mastery) & distractor)
    closure = goal.copy()
    for _ in range(12):
        for p in range(2):
            lane, child = np.nonzero(closure & (parents[..., p] >= 0))
            closure[lane, parents[lane, child, p]] = True
    np.testing.assert_array_equal(needed, closure)
    for p in range(2):  # what is known at the start is closed under prerequisites
        slot = np.maximum(parents[..., p], 0)
        assert not np.any(mastery & (parents[..., p] >= 0) & ~mastery[rows, slot])
    assert np.all((needed & ~mastery).sum(1) >= world.params.min_unknown)
    np.testing.assert_array_equal(state.start, (needed & mastery).sum(1))
    # one goal is a deepest skill; goals come from the later half
    depth = np.where(distractor, -1, depths(parents))
    assert np.all(np.where(goal, depth, -1).max(1) == depth.max(1))


@pytest.mark.parametrize(("goals", "least"), [(1, 1), (12, 12), (3, 6)])
def test_number_of_goals(goals: int, least: int):
    _, info = lanes_of(Tutor(goals=goals, min_unknown=1, prior=0.0), 200)
    assert np.all(info["truth"]["goal"].sum(1) == goals)
    assert np.all(info["truth"]["needed"].sum(1) >= goals)


def test_calibration(class_of_4000):
    # facts/tutor-calibration.md section 1, measured on 4,000 students
    _, _, truth = class_of_4000
    skill = ~truth["distractor"]
    learn, guess, slip = (truth[name][skill] for name in ("learn", "guess", "slip"))
    assert learn.mean() == pytest.approx(0.141, abs=0.004)
    assert guess.mean() == pytest.approx(0.198, abs=0.004)
    assert slip.mean() == pytest.approx(0.208, abs=0.004)
    for rate, low, high in ((learn, 0.05, 0.6), (guess, 0.02, 0.45), (slip, 0.02, 0.4)):
        assert rate.min() == np.float32(low)
        assert rate.max() == np.float32(high)
    assert np.mean(learn == np.float32(0.05)) == pytest.approx(0.25, abs=0.02)
    needed, unknown = truth["needed"], truth["needed"] & ~truth["mastery"]
    assert needed.sum(1).mean() == pytest.approx(8.7, abs=0.1)
    assert unknown.sum(1).mean() == pytest.approx(7.9, abs=0.1)
    steps = (unknown / np.maximum(truth["learn"], 0.01)).sum(1)
    assert steps.mean() == pytest.approx(90, abs=2.5)
    at_start = (needed & truth["mastery"]).sum(1) / needed.sum(1)
    assert at_start.mean() == pytest.approx(0.09, abs=0.01)


def test_rates_are_jittered_rows_shifted_by_ability():
    # the documented recipe, drawn by NumPy; one skill per student, nobody redrawn
    world = Tutor(min_unknown=0, distractors=0)
    _, info = lanes_of(world, 4000)
    rng = np.random.default_rng(0)
    path = files("curiosity_rl.envs.tutor.data") / "assistments2009.csv"
    table = np.loadtxt(str(path), delimiter=",", skiprows=1)
    assert table.shape == (76, 4)
    rows = np.clip(table[rng.integers(76, size=40_000), :3], [0.01, 0.02, 0.02], 0.9)
    x = np.log(rows / (1 - rows)) + 0.25 * rng.standard_normal(rows.shape)
    x[:, 0] += 0.5 * 0.73 * rng.standard_normal(len(x))
    x = np.clip(1 / (1 + np.exp(-x)), [0.05, 0.02, 0.02], [0.6, 0.45, 0.4])
    drawn = [info["truth"][name][:, 3] for name in ("learn", "guess", "slip")]
    for c in range(3):
        found: Any = stats.ks_2samp(drawn[c], x[:, c].astype(np.float32))
        assert found.pvalue > 1e-3
    # a row is drawn as a whole: learn and guess of a skill go together
    given = np.corrcoef(x[:, 0], x[:, 1])[0, 1]
    assert np.corrcoef(drawn[0], drawn[1])[0, 1] == pytest.approx(
        given, abs=4 / np.sqrt(4000)
    )
    assert given > 0.15
    # ability is the student's: learn rates of two skills of a student go together
    learn = info["truth"]["learn"]
    assert 0.05 < np.corrcoef(learn[:, 3], learn[:, 7])[0, 1] < 0.6


def test_prior_is_the_chance_of_a_ready_skill():
    # no ability: one chance for all; roots are always ready
    world = Tutor(population="textbook", prior=0.3, min_unknown=0)
    _, info = lanes_of(world, 2000)
    truth = info["truth"]
    rows = np.arange(2000)[:, None]
    parents, mastery = truth["parents"], truth["mastery"]
    missing = (parents >= 0) & ~mastery[rows[..., None], np.maximum(parents, 0)]
    ready = ~missing.any(2) & ~truth["distractor"]
    share = mastery[ready].mean()
    assert abs(share - 0.3) < 4 * np.sqrt(0.3 * 0.7 / ready.sum())
    for prior, known in ((0.0, 0), (1.0, 12)):
        _, info = lanes_of(Tutor(prior=prior, min_unknown=0), 50)
        assert np.all(info["truth"]["mastery"].sum(1) == known)


def test_no_slot_says_distractor_or_goal(class_of_4000):
    _, _, truth = class_of_4000
    for name in ("distractor", "goal", "needed"):
        # slots of a student exclude each other: the spread is a little less
        assert stats.chisquare(truth[name].sum(0)).pvalue > 1e-3, name
    for p in range(2):
        lane, child = np.nonzero(truth["parents"][..., p] >= 0)
        used = np.zeros((4000, 16))  # once per student: siblings share parents
        used[lane, truth["parents"][lane, child, p]] = 1
        assert stats.chisquare(used.sum(0)).pvalue > 1e-3


def test_slots_of_a_fixed_curriculum_are_shuffled_too():
    _, info = lanes_of(Tutor(curriculum="edm2016-0", goals=1, distractors=2), 3000)
    goal = info["truth"]["goal"].sum(0)
    assert goal.sum() == 3000
    assert stats.chisquare(goal).pvalue > 1e-3


def test_distractors_are_coin_flips_that_nobody_learns(class_of_4000):
    world, _, truth = class_of_4000
    slots = np.argmax(truth["distractor"], axis=1)
    assert np.all(truth["guess"][truth["distractor"]] == 0.5)
    assert np.all(truth["slip"][truth["distractor"]] == 0.5)
    assert np.all(truth["learn"][truth["distractor"]] == 0.0)
    state, _ = lanes_of(world, 4000)
    _, outcomes, _, mastery = play(world, state, lambda t: slots, 10)
    assert abs(outcomes.mean() - 0.5) < 4 * 0.5 / np.sqrt(outcomes.size)
    np.testing.assert_array_equal(mastery[-1], mastery[0])


def identity(truth: dict[str, np.ndarray], lane: int) -> bytes:
    return b"".join(
        truth[name][lane].tobytes()
        for name in ("learn", "guess", "slip", "parents", "goal", "mastery")
    )


def test_the_students_do_not_depend_on_the_tutor_or_on_other_lanes():
    seen = []
    for lanes, tutor in ((3, 0), (3, 1), (7, 2), (1, 3)):
        env = gym.make_vec("tutor-v0", lanes, budget=5)
        env.reset(seed=11)
        rng = np.random.default_rng(tutor)
        students = []
        for step in range(1, 21):
            action = rng.integers(16, size=lanes) if tutor else np.zeros(lanes, int)
            *_, info = env.step(action)
            if step % 5 == 0:
                students.append(identity(info["truth"], 0))
        seen.append(students)
    assert len(set(seen[0])) == 4
    assert all(students == seen[0] for students in seen)


def test_answers_have_a_stream_of_their_own():
    # what is shown takes numbers of the students' stream, and changes no answer
    luck = []
    for shown in ("true", "none", "noisy"):
        world = Tutor(graph_shown=shown, budget=60)
        state, info = lanes_of(world, 20, episodes=2)
        rng = np.random.default_rng(0)
        played = play(world, state, lambda t, r=rng: r.integers(16, size=20), 60)
        luck.append((played, info["truth"]["learn"]))
    for other in luck[1:]:
        for mine, theirs in zip(luck[0][0], other[0], strict=True):
            np.testing.assert_array_equal(mine, theirs)
        np.testing.assert_array_equal(luck[0][1], other[1])


def test_streams_do_not_meet():
    # all streams walk by the same step, so what counts is how far apart they start
    state, _ = lanes_of(Tutor(), 200)
    back = pow(GOLDEN, -1, 2**64)
    for lane in range(200):
        students, answers = int(state.rng[lane]), int(state.answers[lane])
        drawn = splitmix64(students)  # where this student's own numbers start
        for one, other in ((answers, students), (answers, drawn), (drawn, students)):
            ahead = (one - other) * back % 2**64
            assert min(ahead, 2**64 - ahead) > 10**9


def test_luck_does_not_depend_on_what_the_tutor_chose():
    # two numbers an exercise: after any ten exercises the stream stands alike
    world = Tutor()
    words = []
    for action in (0, 7):
        state, _ = lanes_of(world, 5)
        play(world, state, lambda t, a=action: np.full(5, a), 10)
        words.append(state.answers.copy())
    np.testing.assert_array_equal(*words)


def test_a_pool_of_students():
    world = Tutor(students=5, budget=10)
    state, info = lanes_of(world, 400)
    met = [identity(info["truth"], lane) for lane in range(400)]
    names = Counter(met)
    assert len(names) == 5
    assert stats.chisquare(list(names.values())).pvalue > 1e-3
    # the same student meets different luck
    twins = [lane for lane in range(400) if met[lane] == met[0]]
    _, outcomes, _, _ = play(world, state, lambda t: np.zeros(400, int), 10)
    assert len({outcomes[:, lane].tobytes() for lane in twins}) > 1
    # another world of the same settings has the same pool
    _, again = lanes_of(Tutor(students=5, budget=10), 100, seed=12345)
    assert {identity(again["truth"], lane) for lane in range(100)} == set(names)
    # and without a pool all students differ
    _, info = lanes_of(Tutor(), 400)
    assert len({identity(info["truth"], lane) for lane in range(400)}) == 400


def test_wrong_links_of_a_noisy_graph():
    world = Tutor(graph_shown="noisy", graph_noise=0.3)
    state, info = lanes_of(world, 3000)
    true, shown = info["truth"]["parents"], state.shown
    linked = true >= 0
    np.testing.assert_array_equal(shown >= 0, linked)
    assert not np.any((shown[..., 0] == shown[..., 1]) & linked[..., 1])
    wrong = (shown != true) & linked
    # a wrong parent is no true one
    assert not np.any(wrong[..., 0] & (shown[..., 0] == true[..., 1]))
    assert not np.any(wrong[..., 1] & (shown[..., 1] == true[..., 0]))
    rows = np.arange(3000)[:, None, None]
    assert not np.any(info["truth"]["distractor"][rows, np.maximum(shown, 0)] & linked)
    # skills from the third layer on always have another earlier skill
    depth = depths(true)
    deep = linked & (depth >= 3)[..., None]
    share = wrong[deep].mean()
    assert abs(share - 0.3) < 4 * np.sqrt(0.3 * 0.7 / deep.sum())
    for noise, share in ((0.0, 0.0), (1.0, 1.0)):
        world = Tutor(graph_shown="noisy", graph_noise=noise, curriculum="chain-4")
        state, info = lanes_of(world, 100)
        true = info["truth"]["parents"][..., 0]
        third = depths(info["truth"]["parents"]) >= 2
        assert np.mean((state.shown[..., 0] != true)[third]) == share
