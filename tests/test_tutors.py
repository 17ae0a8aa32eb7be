"""Tutors on hand-made observations: what they read, choose and forget."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from curiosity_rl.agents.tutors import Tutor, available_tutors, make_tutor
from curiosity_rl.agents.tutors.graph import all_parents, depths, syllabus
from curiosity_rl.agents.tutors.reading import Reading, sample
from curiosity_rl.protocols import ActivityLayout
from curiosity_rl.registry import TUTORS

BLIND = (
    "attempts",
    "last_1",
    "last_2",
    "last_3",
    "last_4",
    "streak",
    "recency",
    "success_fast",
    "success_slow",
    "goal",
    "belief",
)
SHOWN = (
    *BLIND,
    "needed",
    "root",
    "parents_belief",
    "parents_success",
    "joint_belief",
    "parents_joint_belief",
    "child_stuck",
    "parent_1",
    "parent_2",
)
BELIEFS = {"belief", "joint_belief", "parents_belief", "parents_joint_belief"}
GRAPH_TUTORS = [
    "n-in-a-row",
    "n-in-a-row-backtrack",
    "bkt-mastery",
    "parent-inference",
    "zpdes",
]
BLIND_TUTORS = ["random", "rotate", "stay", "zpdes-blind", "wrong-order"]


class Desk:
    """A batch of students on paper: answers go in, observations come out."""

    def __init__(self, parents: Any, needed: Any = None, lanes: int = 1, shown=True):
        pairs = np.array([(*p, -1, -1)[:2] for p in parents])
        self.n, self.a = lanes, len(pairs)
        self.layout = ActivityLayout(self.a, SHOWN if shown else BLIND)
        shape = (self.n, self.a)
        self.parents = np.broadcast_to(pairs, (*shape, 2)).copy()
        self.needed = np.ones(shape) if needed is None else np.zeros(shape)
        if needed is not None:
            self.needed[:, needed] = 1
        self.belief, self.joint = np.full(shape, 0.3), np.full(shape, 0.15)
        self.blank()

    def blank(self) -> None:
        """Forget all answers: every lane at the start of an episode."""
        self.attempts = np.zeros((self.n, self.a), int)
        self.last = np.zeros((self.n, self.a, 4))
        self.streak = np.zeros((self.n, self.a), int)
        self.t = np.zeros(self.n)

    def answer(self, activity: Any, right: Any) -> None:
        lanes = np.arange(self.n)
        mark = np.where(np.broadcast_to(right, self.n), 1, -1)
        self.attempts[lanes, activity] += 1
        self.last[lanes, activity, 1:] = self.last[lanes, activity, :-1]
        self.last[lanes, activity, 0] = mark
        streak = self.streak[lanes, activity]
        self.streak[lanes, activity] = np.where(mark > 0, streak + 1, 0)
        self.t += 1

    def obs(self) -> np.ndarray:
        columns = {
            "attempts": np.log1p(self.attempts) / 2,
            **{f"last_{i + 1}": self.last[..., i] for i in range(4)},
            "streak": np.minimum(self.streak, 5) / 5,
            "success_slow": self.belief,
            "belief": self.belief,
            "joint_belief": self.joint,
            "needed": self.needed,
            "parent_1": (self.parents[..., 0] + 1) / self.a,
            "parent_2": (self.parents[..., 1] + 1) / self.a,
        }
        zero = np.zeros((self.n, self.a))
        block = np.stack([columns.get(f, zero) for f in self.layout.features], axis=-1)
        left = (1 - self.t / 500)[:, None]
        return np.concatenate([block.reshape(self.n, -1), left], 1).astype(np.float32)

    def tutor(self, name: str, seed: int = 0, **settings: Any) -> Tutor:
        tutor = make_tutor(name, self.layout, seed, **settings)
        tutor.reset(self.obs(), {})
        return tutor

    def ask(self, tutor: Tutor) -> np.ndarray:
        action = tutor.act(self.obs(), {})
        assert action.dtype == np.int64
        assert action.shape == (self.n,)
        return action

    def teach(self, tutor: Tutor, answers: str) -> list[int]:
        """Give exercises answered by `+` and `-` (lane 0); return what was proposed."""
        proposed = []
        for sign in answers:
            action = self.ask(tutor)
            self.answer(action, sign == "+")
            proposed.append(int(action[0]))
        return proposed


CHAIN = [(2,), (0,), ()]  # 2 -> 0 -> 1
DIAMOND = [(1, 2), (3,), (3,), ()]  # 3 -> 1, 2 -> 0


# --- names, settings, layouts -----------------------------------------------------


def test_every_name_makes_a_tutor() -> None:
    layout = ActivityLayout(4, SHOWN)
    for name in TUTORS:
        tutor = make_tutor(name, layout)
        assert isinstance(tutor, Tutor)
        assert tutor.name == name  # type: ignore[attr-defined]
        assert tutor.privileged == (name == "omniscient")


def test_unknown_names_get_suggestions() -> None:
    layout = ActivityLayout(4, SHOWN)
    with pytest.raises(ValueError, match="did you mean parent-inference"):
        make_tutor("parent-inferense", layout)
    with pytest.raises(ValueError, match="'bkt-mastery' 'treshold': did you mean thr"):
        make_tutor("bkt-mastery", layout, treshold=0.9)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("n-in-a-row", {"n": 0}),
        ("n-in-a-row-backtrack", {"patience": 0}),
        ("bkt-mastery", {"threshold": 1.0}),
        ("parent-inference", {"threshold": 0.0}),
        ("zpdes", {"mastery": 1.5}),
        ("zpdes", {"floor": 0.0}),
        ("zpdes-blind", {"threshold": -1.0}),
        ("rotate", {"tries": 0}),
        ("stay", {"longest": 0}),
        ("wrong-order", {"n": 6}),
    ],
)
def test_settings_out_of_range_are_refused(name: str, settings: dict) -> None:
    given = next(iter(settings))
    with pytest.raises(ValueError, match=f"^{given} is .*: give"):
        make_tutor(name, ActivityLayout(4, SHOWN), **settings)


@pytest.mark.parametrize("name", GRAPH_TUTORS)
def test_a_graph_tutor_refuses_a_world_without_graph(name: str) -> None:
    with pytest.raises(ValueError, match=f"tutor '{name}'.*graph_shown='true'"):
        make_tutor(name, ActivityLayout(4, BLIND))


def test_a_belief_tutor_refuses_a_world_without_belief() -> None:
    free = ActivityLayout(4, tuple(f for f in SHOWN if f not in BELIEFS))
    for name in ("bkt-mastery", "parent-inference", "rotate", "stay", "zpdes-blind"):
        with pytest.raises(ValueError, match=f"tutor '{name}'.*belief=True"):
            make_tutor(name, free)
    assert {"n-in-a-row", "zpdes", "random"} <= set(available_tutors(free))


def test_available_tutors_are_those_that_can_be_made() -> None:
    blind = ActivityLayout(4, BLIND)
    assert sorted(available_tutors(blind)) == sorted([*BLIND_TUTORS, "omniscient"])
    assert available_tutors(ActivityLayout(4, SHOWN)) == list(TUTORS)


# --- reading and graph ------------------------------------------------------------


def test_attempts_and_parents_survive_float32() -> None:
    desk = Desk([(), *[(i,) for i in range(255)]])
    desk.attempts[0] = np.linspace(0, 100_000, 256).astype(int)
    reading = Reading(desk.layout, desk.obs())
    np.testing.assert_array_equal(reading.attempts, desk.attempts)
    np.testing.assert_array_equal(reading.parents, desk.parents)


def test_a_skill_may_have_more_than_two_parents() -> None:
    layout = ActivityLayout(4, (*SHOWN, "parent_3"))
    obs = np.zeros((1, layout.size), np.float32)
    blocks = layout.split(obs)[0]
    blocks[0, 3, -3:] = [0.25, 0.5, 0.75]
    parents = Reading(layout, obs).parents
    np.testing.assert_array_equal(parents[0], [[-1] * 3] * 3 + [[0, 1, 2]])
    np.testing.assert_array_equal(depths(parents), [[0, 0, 0, 1]])
    for known in range(3):
        have = np.array([[k != known for k in range(4)]])
        assert not all_parents(have, parents)[0, 3]


def test_depth_order_and_open_skills_of_a_drawn_graph() -> None:
    #     3 -> 1 -> 0,  3 -> 2,  2 -> 0,  0 -> 4;  5 alone
    parents = Desk([(1, 2), (3,), (3,), (), (3, 0), ()]).parents
    np.testing.assert_array_equal(depths(parents), [[2, 1, 1, 0, 3, 0]])
    np.testing.assert_array_equal(syllabus(parents), [[4, 2, 3, 0, 5, 1]])
    have = np.array([[False, True, False, True, False, False]])
    opened = [[False, True, True, True, False, True]]
    np.testing.assert_array_equal(all_parents(have, parents), opened)


def test_depth_equals_the_recursive_definition_on_random_graphs() -> None:
    rng = np.random.default_rng(0)
    parents = np.full((50, 9, 2), -1)
    for lane in parents:
        place = rng.permutation(9)
        for at in range(1, 9):
            lane[place[at]] = [
                rng.choice(place[:at]) if rng.random() < 0.6 else -1 for _ in range(2)
            ]

    def depth(lane: int, k: int) -> int:
        return max([1 + depth(lane, p) for p in parents[lane, k] if p >= 0], default=0)

    want = [[depth(lane, k) for k in range(9)] for lane in range(50)]
    np.testing.assert_array_equal(depths(parents), want)


def test_a_cycle_in_a_noisy_graph_does_not_hang() -> None:
    parents = Desk([(1,), (0,), ()]).parents
    np.testing.assert_array_equal(depths(parents), [[3, 3, 0]])


def test_sampling_follows_the_weights() -> None:
    weights = np.tile([0.0, 1.0, 3.0, 0.0], (40_000, 1))
    share = np.bincount(sample(weights, np.random.default_rng(0)), minlength=4) / 40_000
    np.testing.assert_allclose(share, [0, 0.25, 0.75, 0], atol=0.01)
    assert share[0] == share[3] == 0


# --- n in a row -------------------------------------------------------------------


def test_in_a_row_walks_the_chain_and_wants_three_in_a_row() -> None:
    desk = Desk(CHAIN)
    tutor = desk.tutor("n-in-a-row")
    assert desk.teach(tutor, "++-+++" + "+++" + "---") == [2] * 6 + [0] * 3 + [1] * 3


def test_in_a_row_counts_runs_longer_than_the_streak_feature() -> None:
    desk = Desk(CHAIN)
    assert desk.teach(desk.tutor("n-in-a-row", n=7), "+++++++-") == [2] * 7 + [0]


def test_in_a_row_leaves_out_what_is_not_needed_and_ends_with_the_weakest() -> None:
    desk = Desk(CHAIN, needed=[2, 0])
    desk.belief[0] = [0.4, 0.1, 0.9]
    proposed = desk.teach(desk.tutor("n-in-a-row"), "+" * 8)
    assert proposed == [2] * 3 + [0] * 3 + [0] * 2


def test_backtrack_reopens_the_parents_of_a_skill_that_will_not_come() -> None:
    desk = Desk(DIAMOND, needed=[0, 1, 2, 3])
    tutor = desk.tutor("n-in-a-row-backtrack")
    assert desk.teach(tutor, "+" * 9) == [3] * 3 + [1] * 3 + [2] * 3
    assert desk.teach(tutor, "+-" * 7 + "-") == [0] * 15
    # Both parents must show three in a row again, whatever they showed before.
    assert desk.teach(tutor, "++++++") == [1] * 3 + [2] * 3
    assert desk.teach(tutor, "-" * 16) == [0] * 15 + [1]


def test_backtrack_climbs_down_to_the_grandparents() -> None:
    desk = Desk(CHAIN)
    tutor = desk.tutor("n-in-a-row-backtrack", patience=4)
    assert desk.teach(tutor, "+++" + "+++") == [2] * 3 + [0] * 3
    assert desk.teach(tutor, "-" * 9) == [1] * 4 + [0] * 4 + [2]


# --- belief -----------------------------------------------------------------------


def test_bkt_mastery_takes_the_lowest_skill_whose_parents_are_mastered() -> None:
    desk = Desk(DIAMOND, lanes=5)
    desk.belief[:] = [
        [0.1, 0.9, 0.9, 0.94],  # the root first
        [0.1, 0.96, 0.5, 0.96],  # a parent is missing
        [0.1, 0.96, 0.96, 0.96],  # the goal is open
        [0.1, 0.97, 0.96, 0.5],  # the root fell again
        [0.99, 0.97, 0.96, 0.98],  # all mastered: the weakest
    ]
    tutor = desk.tutor("bkt-mastery")
    np.testing.assert_array_equal(desk.ask(tutor), [3, 2, 0, 3, 2])
    lax = desk.tutor("bkt-mastery", threshold=0.9)
    np.testing.assert_array_equal(desk.ask(lax), [0, 2, 0, 3, 2])


def test_bkt_mastery_falls_back_to_the_needed_skill_of_lowest_belief() -> None:
    desk = Desk([(1,), (), ()], needed=[0])  # the shown graph needs 0, but not 1
    desk.belief[0] = [0.6, 0.2, 0.1]
    assert desk.ask(desk.tutor("bkt-mastery")) == [0]


def test_parent_inference_reads_the_joint_belief() -> None:
    desk = Desk(CHAIN)
    desk.joint[0] = [0.2, 0.1, 0.99]
    desk.belief[0] = [0.99, 0.1, 0.1]
    assert desk.ask(desk.tutor("parent-inference")) == [0]
    assert desk.ask(desk.tutor("bkt-mastery")) == [2]


# --- zpdes ------------------------------------------------------------------------


def test_zpdes_opens_a_skill_when_all_its_parents_are_mastered() -> None:
    desk = Desk(DIAMOND, lanes=200)
    tutor = desk.tutor("zpdes")

    def proposed() -> set[int]:
        return set(desk.ask(tutor).tolist())

    for right in (False, True, True, True):
        assert proposed() == {3}
        desk.answer(3, right)
    assert proposed() == {1, 2}  # 3 of 4 right: mastered, its children open
    for _ in range(4):
        desk.answer(1, True)
        assert proposed() <= {1, 2}
    for _ in range(4):
        desk.answer(2, True)
    assert proposed() == {0}
    desk.answer(3, False)
    assert proposed() == {0}  # 3 of 4 right still
    desk.answer(3, False)
    assert proposed() == {0, 3}  # not mastered any more; what is open stays open


def test_zpdes_weights_follow_progress() -> None:
    desk = Desk([(), ()], lanes=40_000)
    tutor = desk.tutor("zpdes")
    for right in (False, False, True, True):  # progress 1 on skill 0
        desk.ask(tutor)
        desk.answer(0, right)
    # Weights: .05, four times: three answers leave it, then .2 * .05 + .8 * 1 = .81.
    share = 0.8 * 0.81 / 0.86 + 0.2 / 2
    assert np.mean(desk.ask(tutor) == 0) == pytest.approx(share, abs=0.01)
    desk.answer(0, False)  # - + + - : progress 0, weight .2 * .81
    share = 0.8 * 0.162 / 0.212 + 0.2 / 2
    assert np.mean(desk.ask(tutor) == 0) == pytest.approx(share, abs=0.01)


def test_zpdes_practises_needed_skills_when_the_zone_is_empty() -> None:
    desk = Desk([(), (), ()], needed=[0, 2], lanes=500)
    tutor = desk.tutor("zpdes")
    for _ in range(4):
        for skill in (0, 2):
            desk.ask(tutor)
            desk.answer(skill, True)
    assert set(desk.ask(tutor).tolist()) == {0, 2}


def test_zpdes_stall_rule_leaves_a_hopeless_zone() -> None:
    for stall in (False, True):
        desk = Desk(CHAIN, lanes=300)
        tutor = desk.tutor("zpdes", stall=stall)
        for _ in range(8):
            assert set(desk.ask(tutor).tolist()) == {2}
            desk.answer(2, False)
        assert set(desk.ask(tutor).tolist()) == ({0, 1, 2} if stall else {2})


def test_zpdes_blind_leaves_out_only_what_is_mastered() -> None:
    desk = Desk([(), (), ()], lanes=30_000, shown=False)
    desk.belief[:, 1] = 0.95
    tutor = desk.tutor("zpdes-blind")
    for right in (False, False, True, True):
        desk.ask(tutor)
        desk.answer(0, right)
    share = 0.8 * 0.81 / 0.86 + 0.2 / 2
    counts = np.bincount(desk.ask(tutor), minlength=3) / desk.n
    np.testing.assert_allclose(counts, [share, 0, 1 - share], atol=0.01)


# --- blind rules ------------------------------------------------------------------


def slow_turns(name: str, beliefs: np.ndarray, answers: np.ndarray) -> list[int]:
    """Teach one lane in plain Python; `beliefs` `(T, A)`, `answers` `(T,)`."""
    activities, current, given, proposed = beliefs.shape[1], 0, 0, []
    history: list[list[bool]] = [[] for _ in range(activities)]
    for belief, right in zip(beliefs, answers, strict=True):
        if name == "rotate":
            over = given >= 4
        else:
            over = (given >= 3 and sum(history[current][-3:]) < 2) or given >= 25
        if over or belief[current] >= 0.95:
            given = 0
            for step in range(1, activities + 1):
                slot = (current + step) % activities
                if belief[slot] < 0.95:
                    current = slot
                    break
        given += 1
        history[current].append(bool(right))
        proposed.append(current)
    return proposed


@pytest.mark.parametrize("name", ["rotate", "stay"])
def test_turns_equal_a_plain_loop(name: str) -> None:
    rng = np.random.default_rng(1)
    lanes, steps, activities = 40, 150, 5
    beliefs = rng.choice([0.5, 0.96], (steps, lanes, activities), p=[0.8, 0.2])
    beliefs[60:70] = 0.99  # nothing left to do for a while
    answers = rng.random((steps, lanes)) < np.linspace(0.2, 1.0, lanes)
    desk = Desk([()] * activities, lanes=lanes, shown=False)
    tutor = desk.tutor(name)
    proposed = []
    for t in range(steps):
        desk.belief = beliefs[t]
        proposed.append(desk.ask(tutor))
        desk.answer(proposed[-1], answers[t])
    for lane in range(lanes):
        want = slow_turns(name, beliefs[:, lane], answers[:, lane])
        assert [int(p[lane]) for p in proposed] == want


def test_wrong_order_is_a_syllabus_of_its_own_for_each_lane() -> None:
    desk = Desk([()] * 5, lanes=400, shown=False)
    tutor = desk.tutor("wrong-order", seed=3)
    visited = []
    for _ in range(5):
        visited.append(desk.ask(tutor))
        for right in (True, True, False, True, True, True):
            desk.answer(visited[-1], right)
            if not right:
                np.testing.assert_array_equal(desk.ask(tutor), visited[-1])
    orders = np.stack(visited, axis=1)
    np.testing.assert_array_equal(np.sort(orders, axis=1), [[0, 1, 2, 3, 4]] * 400)
    assert len(np.unique(orders, axis=0)) > 80  # of 120
    np.testing.assert_array_equal(desk.ask(tutor), orders[:, 0])  # begins again


def test_random_draws_every_activity_equally() -> None:
    desk = Desk([()] * 4, lanes=20_000, shown=False)
    tutor = desk.tutor("random")
    share = np.bincount(desk.ask(tutor), minlength=4) / desk.n
    np.testing.assert_allclose(share, 0.25, atol=0.015)


# --- batches, episodes, truth -----------------------------------------------------


def lesson(
    tutor: Tutor, desk: Desk, rng: np.random.Generator, steps: int
) -> np.ndarray:
    """Teach with drawn answers and beliefs; return the activities, `(steps, n)`."""
    proposed = []
    for _ in range(steps):
        proposed.append(desk.ask(tutor))
        desk.answer(proposed[-1], rng.random(desk.n) < 0.6)
        desk.belief = rng.random((desk.n, desk.a))
        desk.joint = rng.random((desk.n, desk.a))
    return np.array(proposed)


@pytest.mark.parametrize("name", [*GRAPH_TUTORS, *BLIND_TUTORS])
def test_equal_seeds_give_equal_lessons(name: str) -> None:
    def once(seed: int) -> np.ndarray:
        desk = Desk(DIAMOND, lanes=30)
        return lesson(desk.tutor(name, seed), desk, np.random.default_rng(0), 60)

    np.testing.assert_array_equal(once(5), once(5))
    draws = name in ("random", "zpdes", "zpdes-blind", "wrong-order")
    assert np.array_equal(once(5), once(6)) != draws


@pytest.mark.parametrize("name", [*GRAPH_TUTORS, "rotate", "stay"])
def test_a_new_episode_in_one_lane_begins_with_fresh_notes(name: str) -> None:
    """A lane that was reset alone goes on as a fresh tutor would; others go on."""
    settings = {"seed": 0}
    desk = Desk(DIAMOND, lanes=6)
    tutor = desk.tutor(name, **settings)
    lesson(tutor, desk, np.random.default_rng(2), 40)
    anew = np.array([True, False, True, False, False, True])
    blank = Desk(DIAMOND, lanes=6)
    for key in ("attempts", "last", "streak", "t", "belief", "joint"):
        getattr(desk, key)[anew] = getattr(blank, key)[anew]
    other = blank.tutor(name, **settings)
    pattern = [True, True, False, True, True, True, False, False]
    if name == "zpdes":  # its draws depend on the batch: compare its notes
        desk.ask(tutor)
        blank.ask(other)
        for key, value in other._notes.items():  # type: ignore[attr-defined]
            np.testing.assert_array_equal(
                tutor._notes[key][anew],  # type: ignore[attr-defined]
                value[anew],
            )
        assert tutor._notes["opened"][~anew].sum() > 3  # type: ignore[attr-defined]
        return
    for right in pattern * 4:
        here, there = desk.ask(tutor), blank.ask(other)
        np.testing.assert_array_equal(here[anew], there[anew])
        desk.answer(here, right)
        blank.answer(there, right)
        desk.belief += 0.01
        blank.belief += 0.01


@pytest.mark.parametrize("name", [*GRAPH_TUTORS, *BLIND_TUTORS])
def test_notes_never_read_the_info(name: str) -> None:
    """With `info` empty, or full of lies, a tutor that is not privileged acts alike."""
    lies = {"truth": {"mastery": np.ones((4, 4), bool)}, "needed": np.zeros((4, 4))}
    acts = []
    for info in ({}, lies):
        desk = Desk(DIAMOND, lanes=4)
        tutor = make_tutor(name, desk.layout, 1)
        tutor.reset(desk.obs(), info)
        for right in (True, True, True, False, True):
            acts.append(tutor.act(desk.obs(), info))
            desk.answer(acts[-1], right)
    np.testing.assert_array_equal(acts[:5], acts[5:])


def test_a_batch_of_another_size_begins_anew() -> None:
    desk, more = Desk(CHAIN), Desk(CHAIN, lanes=3)
    tutor = desk.tutor("n-in-a-row")
    desk.teach(tutor, "+++")
    np.testing.assert_array_equal(more.ask(tutor), [2, 2, 2])


# --- omniscient -------------------------------------------------------------------


def truth(**changes: Any) -> dict[str, Any]:
    fixed = {
        "mastery": np.array([[False] * 4, [False, False, True, True]]),
        "learn": np.array([[0.1, 0.2, 0.3, 0.1]] * 2, np.float32),
        "parents": np.array([[(1, 2), (3, -1), (3, -1), (-1, -1)]] * 2, np.int16),
        "needed": np.ones((2, 4), bool),
    }
    return {"truth": {**fixed, **changes}}


def test_omniscient_teaches_what_is_open_and_learnt_fastest() -> None:
    desk = Desk(DIAMOND, lanes=2)
    tutor = make_tutor("omniscient", desk.layout)
    tutor.reset(desk.obs(), truth())
    np.testing.assert_array_equal(tutor.act(desk.obs(), truth()), [3, 1])
    step = {"truth": {"mastery": np.array([[0, 0, 0, 1], [0, 1, 1, 1]], bool)}}
    np.testing.assert_array_equal(tutor.act(desk.obs(), step), [2, 0])


def test_omniscient_takes_the_new_student_of_a_lane_that_was_reset() -> None:
    desk = Desk(DIAMOND, lanes=2)
    tutor = make_tutor("omniscient", desk.layout)
    tutor.reset(desk.obs(), truth())
    only = np.array([False, True])
    learn = np.array([[9, 9, 9, 9], [0.9, 0.1, 0.2, 0.1]], np.float32)
    info = truth(
        mastery=np.zeros((2, 4), bool),
        learn=learn,
        _learn=only,
        parents=np.full((2, 4, 2), -1, np.int16),
        _parents=only,
        needed=np.array([[True] * 4, [False, True, True, True]]),
        _needed=only,
    )
    np.testing.assert_array_equal(tutor.act(desk.obs(), info), [3, 2])


def test_omniscient_says_what_it_misses() -> None:
    desk = Desk(DIAMOND)
    tutor = make_tutor("omniscient", desk.layout)
    with pytest.raises(ValueError, match="info has no 'truth'"):
        tutor.reset(desk.obs(), {})
    with pytest.raises(ValueError, match="lacks needed, parents, learn"):
        tutor.reset(desk.obs(), {"truth": {"mastery": np.zeros((1, 4), bool)}})


# --- a trained model --------------------------------------------------------------


class Box4(gym.Env):
    """Nothing but spaces, for a model to be built on."""

    observation_space = gym.spaces.Box(-1, 1, (3,), np.float32)
    action_space: gym.Space = gym.spaces.Discrete(4)

    def reset(self, *, seed: int | None = None, options: dict | None = None) -> Any:
        super().reset(seed=seed)
        return np.zeros(3, np.float32), {}


def test_a_model_is_sampled_without_touching_the_global_stream() -> None:
    import torch
    from stable_baselines3 import PPO

    from curiosity_rl.agents.tutors.model import ModelTutor

    model = PPO("MlpPolicy", Box4(), seed=0, n_steps=2, batch_size=2, device="cpu")
    head = model.policy.action_net
    assert isinstance(head, torch.nn.Linear)
    with torch.no_grad():
        head.bias.copy_(torch.tensor([0.0, 1.0, 2.0, -9.0]))
        head.weight.zero_()
    obs = np.zeros((30_000, 3), np.float32)
    before = torch.get_rng_state()
    first = ModelTutor(model, seed=1).act(obs, {})
    assert torch.equal(before, torch.get_rng_state())
    assert first.dtype == np.int64
    np.testing.assert_array_equal(first, ModelTutor(model, seed=1).act(obs, {}))
    assert (first != ModelTutor(model, seed=2).act(obs, {})).any()
    want = np.exp([0.0, 1.0, 2.0, -9.0])
    share = np.bincount(first, minlength=4) / len(first)
    np.testing.assert_allclose(share, want / want.sum(), atol=0.01)
    surest = ModelTutor(model, deterministic=True)
    assert isinstance(surest, Tutor)
    np.testing.assert_array_equal(surest.act(obs[:5], {}), 2)


def test_a_model_with_another_action_space_is_refused() -> None:
    from stable_baselines3 import PPO

    from curiosity_rl.agents.tutors.model import ModelTutor

    env = Box4()
    env.action_space = gym.spaces.Box(-1, 1, (2,), np.float32)
    model = PPO("MlpPolicy", env, n_steps=2, batch_size=2, device="cpu")
    with pytest.raises(ValueError, match="train on a Discrete action space"):
        ModelTutor(model).act(np.zeros((1, 3), np.float32), {})
