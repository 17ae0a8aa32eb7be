"""Slow and plain references of the student models, from their published formulas.

Python floats, one student, one loop; answers and learning of the BKT family stand in
tutor_reference.py.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from tutor_reference import GOLDEN, WORD, Student, splitmix64

from curiosity_rl.envs.tutor.world import Tutor

MODELS = ("bkt", "pfa", "irt", "q", "hlr", "fsrs")
KNOWN_FROM = {"pfa": 0.8, "irt": 0.8, "q": 0.8, "hlr": 0.5, "fsrs": 0.9}
W = [0.212, 1.2931, 2.3065, 8.2956, 6.4133, 0.8334, 3.0194, 0.001, 1.8722, 0.1666]
W += [0.796, 1.4835, 0.0614, 0.2629, 1.6483, 0.6014, 1.8729, 0.5425, 0.0912, 0.0658]
W += [0.1542]
"""FSRS-6, default weights w0 to w20 (py-fsrs 6)."""


def logistic(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def forgetting_curve(days: float, stability: float) -> float:
    factor = 0.9 ** (-1 / W[20]) - 1
    return (1 + factor * days / stability) ** -W[20]


def first_difficulty(grade: int) -> float:
    return W[4] - math.exp(W[5] * (grade - 1)) + 1


def fsrs_review(
    stability: float, difficulty: float, days: float, right: bool
) -> tuple[float, float]:
    """One review, graded good or again: stability and difficulty afterwards."""
    grade = 3 if right else 1
    recall = forgetting_curve(days, stability)
    if days < 1:
        growth = math.exp(W[17] * (grade - 3 + W[18])) * stability ** -W[19]
        after = stability * (max(growth, 1) if right else growth)
    elif right:
        ease = math.exp(W[8]) * (11 - difficulty) * stability ** -W[9]
        after = stability * (1 + ease * (math.exp(W[10] * (1 - recall)) - 1))
    else:
        after = W[11] * difficulty ** -W[12] * ((stability + 1) ** W[13] - 1)
        after *= math.exp(W[14] * (1 - recall))
        after = min(after, stability / math.exp(W[17] * W[18]))
    moved = difficulty - W[6] * (grade - 3) * (10 - difficulty) / 9
    moved = W[7] * first_difficulty(4) + (1 - W[7]) * moved
    return after, min(max(moved, 1), 10)


def half_life(right: float, wrong: float, weights: list[float]) -> float:
    x = weights[0] * math.sqrt(1 + right) + weights[1] * math.sqrt(1 + wrong)
    return min(max(2 ** (x + weights[2]), 15 / 1440), 274)


class GradedStudent(Student):
    """Any student of a population: answers, learns, forgets, passes days, may leave."""

    def __init__(self, world: Tutor, state: Any, info: dict[str, Any], lane: int):
        super().__init__(world, state, info, lane)
        truth, self.p = info["truth"], world.params
        self.model = MODELS[int(truth["model"][lane])]
        self.distractor = [bool(x) for x in truth["distractor"][lane]]
        self.trait = state.trait[lane].astype(float).tolist()
        self.level = state.level[lane].astype(float).tolist()
        self.handicap = state.handicap[lane].tolist() or [-1] * len(self.known)
        self.day, self.done, self.run = 0.0, 0, 0
        self.motivation, self.frailty = 0.5, float(state.frailty[lane])

    def strength(self, k: int) -> float:
        if self.model == "bkt" or self.distractor[k]:
            return float(self.known[k])
        level, trait = self.level[k], self.trait[k]
        if self.model == "pfa":
            return logistic(trait[0] + trait[1] * level[0] + trait[2] * level[1])
        if self.model == "irt":
            return logistic(1.7 * trait[0] * (level[0] - trait[1]))
        if self.model == "q":
            return level[0]
        if level[0] == 0:
            return 0.0
        days = self.day - level[1]
        if self.model == "hlr":
            return 2 ** (-days / level[0])
        return forgetting_curve(days, level[0])

    def chance(self, k: int) -> float:
        guess, x = self.guess[k], self.strength(k)
        if self.distractor[k]:
            return guess
        if self.model == "pfa":
            return x
        if self.model == "irt":
            return guess + (1 - guess) * x
        return guess + (1 - guess - self.slip[k]) * x

    def study(self, k: int, right: bool, number: float) -> None:
        rate = self.learn_chance(k)
        full = self.learn[k]
        if self.gating == "additive":
            full += self.boost[k] * len(self.parents[k])
        level, trait = self.level[k], self.trait[k]
        if self.model == "pfa":
            level[0 if right else 1] += rate / full if full else 0.0
        elif self.model == "irt":
            level[0] += rate * max(trait[2] - level[0], 0)
        elif self.model == "q":
            level[0] += rate * (1 - level[0])
        elif level[0] == 0 and not number < rate:
            return
        elif self.model == "hlr":
            level[2 if right else 3] += 1
            level[0] = half_life(level[2], level[3], trait)
            level[1] = self.day
        elif level[0] == 0:
            level[0] = (2.3065 if right else 0.212) * math.exp(trait[0])
            first = first_difficulty(3 if right else 1)
            level[1:3] = self.day, min(max(first, 1), 10)
        else:
            days = self.day - level[1]
            level[0], level[2] = fsrs_review(level[0], level[2], days, right)
            level[1] = self.day
        self.level[k] = [float(np.float32(x)) for x in level]
        self.weigh(k)

    def weigh(self, k: int) -> None:
        self.known[k] = self.strength(k) >= KNOWN_FROM[self.model]

    def exercise(self, action: int) -> tuple[bool, bool]:
        """Do one action; return whether the answer was right and whether they left."""
        mode, k = divmod(action, self.p.activities)
        probe, representation = divmod(mode, self.p.representations)
        grasped = self.handicap[k] != representation
        before = self.known[k]
        first, second = self.draw(), self.draw()
        teaches = grasped and not probe
        if self.model == "bkt":
            if self.learn_first and teaches:
                self.practise(k, second)
            sure = self.known[k] and grasped
            right = first < (1 - self.slip[k] if sure else self.guess[k])
            if not self.learn_first and teaches:
                self.practise(k, second)
        else:
            right = first < (self.chance(k) if grasped else self.guess[k])
            if teaches and not self.distractor[k]:
                self.study(k, right, second)
        if self.p.forget_others:
            word = splitmix64(self.word ^ 0xD1342543DE82EF95)
            for j in range(self.p.activities):
                word = (word + GOLDEN) & WORD
                number = (splitmix64(word) >> 11) * 2.0**-53
                if j != k and number < self.forgetting:
                    self.known[j] = False
        self.done += 1
        self.pass_time()
        return right, self.leaves(k, right, before)

    def pass_time(self) -> None:
        if not self.p.lesson:
            return
        if self.done == self.p.budget:
            self.day += self.p.exam_pause
        elif self.done % self.p.lesson == 0:
            self.day += self.p.pause
        else:
            return
        for k in range(self.p.activities):
            if self.model != "bkt" and not self.distractor[k]:
                self.weigh(k)

    def leaves(self, k: int, right: bool, before: bool) -> bool:
        if not self.p.dropout:
            return False
        if right:
            self.run = min(max(self.run, 0) + 1, 5)
        else:
            self.run = max(min(self.run, 0) - 1, -5)
        if self.known[k] and not before:
            self.motivation += 0.15
        elif right and before and self.run == 5:
            self.motivation -= 0.02
        elif not right:
            self.motivation += 0.03 * self.run / 5
        self.motivation = min(max(self.motivation, 0), 1)
        pull = math.exp(4 * (0.5 - self.motivation))
        return self.draw() < self.p.dropout * 0.0198 * self.frailty * pull
