"""ZPDES in list form: against a plain reference, and by hand."""

from __future__ import annotations

from statistics import fmean
from typing import Any

import numpy as np
import pytest
from tutor_desk import Desk

from curiosity_rl.agents.tutors import make_tutor

ORDER = [2, 0, 3, 1]
PARENTS = [(2,), (3,), (), (0,)]  # 2 -> 0 -> 3 -> 1
GENERIC = {"filter1": 0.2, "d": 6, "up": 0.5, "down": 0.7, "promote": 1.0}
TUNED = {"filter1": 0.5, "d": 4, "up": 0.8, "down": 0.7, "promote": 1.5}


class Published:
    """The published rules for one student, in lists."""

    def __init__(self, order: list[int], stall: bool, eager: bool, **constants: Any):
        self.order, self.stall, self.c = order, stall, constants
        self.eager = eager
        self.weight = dict.fromkeys(order, 0.0)
        self.weight[order[0]] = 0.05
        self.answers: dict[int, list[int]] = {k: [] for k in order}
        self.tried = {order[0]}

    def active(self) -> list[int]:
        return [k for k in self.order if self.weight[k] > 0]

    def hear(self, i: int, right: int) -> None:
        c, d = self.c, int(self.c["d"])
        h, s = d // 2, self.answers[i]
        s.append(right)
        reward = self.weight[i]
        if len(s) > 2:
            y = min(d, len(s))
            hy = y // 2
            reward = max(0.0, fmean(s[-hy:]) - fmean(s[-y:-hy]))
        moved = c["filter1"] * self.weight[i] + (1 - c["filter1"]) * reward
        self.weight[i] = max(moved, 1e-300)

        def recent(j: int) -> float:
            return fmean(self.answers[j][-h:]) if len(self.answers[j]) > 1 else 0.0

        fresh = [k for k in self.order if k not in self.tried]
        active = self.active()
        told = [j for j in active if len(self.answers[j]) > 1 or not self.eager]
        success = fmean(recent(j) for j in told) if told else 0.0
        stuck = self.stall and all(
            len(self.answers[j]) >= 2 * d and fmean(self.answers[j][-d:]) <= 0.35
            for j in active
        )
        if fresh and success > c["up"]:
            smallest = min(self.weight[j] for j in active)
            self.weight[fresh[0]] = c["promote"] * smallest
            self.tried.add(fresh[0])
        elif fresh and stuck:
            self.weight[fresh[0]] = 0.05
            self.tried.add(fresh[0])
        ripe = [j for j in self.active() if len(self.answers[j]) >= d]
        if ripe and len(self.active()) > 1:
            score = {j: fmean(self.answers[j][-d:]) for j in ripe}
            best = max(score.values())
            if best > c["down"]:
                # ties: the lowest slot, as arrays have it
                self.weight[min(j for j in ripe if score[j] == best)] = 0.0
        if len(self.active()) == 1:
            self.weight[self.active()[0]] = 0.05
        if self.stall:
            for j in self.active():
                self.weight[j] = max(self.weight[j], 0.001)

    def chances(self) -> np.ndarray:
        total = sum(self.weight.values())
        p = [self.weight[k] + 0.1 * total if self.weight[k] else 0.0 for k in range(4)]
        return np.array(p) / sum(p)


@pytest.mark.parametrize(
    ("stall", "eager"), [(False, False), (True, False), (False, True)]
)
@pytest.mark.parametrize("constants", [GENERIC, TUNED], ids=["generic", "tuned"])
def test_weights_and_zone_are_those_of_the_published_rules(
    constants: dict[str, Any], stall: bool, eager: bool
) -> None:
    rng = np.random.default_rng(0)
    lanes = 40
    desk = Desk(PARENTS, lanes=lanes)
    tutor: Any = desk.tutor("zpdes-list", 1, stall=stall, eager=eager, **constants)
    students = [Published(ORDER, stall, eager, **constants) for _ in range(lanes)]
    ability = rng.random(lanes)
    for _ in range(60):
        chosen = desk.ask(tutor)
        weight, opened = tutor._notes["weight"], tutor._notes["open"]
        for lane, student in enumerate(students):
            assert np.flatnonzero(opened[lane]).tolist() == sorted(student.active())
            want = [student.weight[k] for k in range(4)]
            np.testing.assert_allclose(weight[lane], want, rtol=1e-9, atol=1e-200)
            assert opened[lane, chosen[lane]]
        right = rng.random(lanes) < ability
        desk.answer(chosen, right)
        for student, activity, answer in zip(students, chosen, right, strict=True):
            student.hear(int(activity), int(answer))
    tried = np.mean([len(student.tried) for student in students])
    assert 1.5 < tried <= 4


def test_the_draw_mixes_weights_with_a_tenth_of_their_sum() -> None:
    """Weights .3 and .1 of two open activities: (.34, .14) / .48."""
    desk = Desk(PARENTS, lanes=20_000)
    tutor: Any = desk.tutor("zpdes-list")
    tutor._notes["open"][:, [2, 0]] = True
    tutor._notes["weight"][:, [2, 0]] = [0.3, 0.1]
    share = np.bincount(desk.ask(tutor), minlength=4) / 20_000
    np.testing.assert_allclose(share, [0.14 / 0.48, 0, 0.34 / 0.48, 0], atol=0.012)


def test_a_pupil_who_is_always_right_by_hand() -> None:
    """d = 4, up = .6: the second answer opens the next activity.

    Weight .05 after two answers (optimism); promote .8 makes .04. The third answer
    pays 1 - 1 = 0: the weight falls to .2 * .05 = .01. After the fourth, 4 of 4 right
    close the first.
    """
    settings = {"d": 4, "up": 0.6, "promote": 0.8}
    desk = Desk(PARENTS)
    tutor: Any = desk.tutor("zpdes-list", **settings)
    weights = []
    for _ in range(4):
        desk.ask(tutor)
        desk.answer(2, True)
        desk.ask(tutor)
        weights.append(tutor._notes["weight"][0].copy())
    np.testing.assert_allclose(weights[0], [0, 0, 0.05, 0])
    np.testing.assert_allclose(weights[1], [0.04, 0, 0.05, 0])
    # success: (1 + 0) / 2 open is below .6: nothing opens
    np.testing.assert_allclose(weights[2], [0.04, 0, 0.01, 0])
    np.testing.assert_allclose(weights[3], [0.05, 0, 0, 0])  # alone: set back to .05


def test_the_stall_rule_leaves_a_hopeless_activity() -> None:
    for stall, opened in ((False, 1), (True, 2)):
        desk = Desk(PARENTS)
        tutor: Any = desk.tutor("zpdes-list", stall=stall, d=4)
        for _ in range(8):
            assert desk.ask(tutor)[0] == 2
            desk.answer(2, False)
        desk.ask(tutor)
        assert tutor._notes["open"].sum() == opened


@pytest.mark.parametrize(
    "settings",
    [{"filter1": 1.0}, {"d": 1}, {"up": 1.5}, {"down": -0.1}, {"promote": 0.0}],
)
def test_settings_out_of_range_are_refused(settings: dict[str, Any]) -> None:
    name, value = next(iter(settings.items()))
    with pytest.raises(ValueError, match=f"^{name} is {value}: give"):
        make_tutor("zpdes-list", Desk(PARENTS).layout, **settings)


def test_only_needed_skills_are_on_the_list() -> None:
    desk = Desk(PARENTS, needed=[2, 0])
    tutor = desk.tutor("zpdes-list")
    assert set(desk.teach(tutor, "+" * 60)) == {2, 0}
