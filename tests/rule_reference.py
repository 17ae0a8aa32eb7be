"""Rule tutors for one student, slow, from their formulas and the whole history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import exp

import numpy as np
from student_models import (
    W,
    first_difficulty,
    forgetting_curve,
    fsrs_review,
    half_life,
)
from tutor_desk import Desk


@dataclass
class Pupil:
    """One student's graph, the time now, and the history of (skill, right, time)."""

    parents: list[list[int]]
    needed: list[bool]
    days: bool = False
    now: float = 0.0
    past: list[tuple[int, bool, float]] = field(default_factory=list)

    def answer(self, skill: int, right: bool) -> None:
        self.past.append((skill, right, self.now))

    def answers(self, skill: int, until: int | None = None) -> list[bool]:
        return [right for k, right, _ in self.past[:until] if k == skill]

    def depth(self, skill: int) -> int:
        return max((1 + self.depth(p) for p in self.parents[skill]), default=0)

    def order(self) -> list[int]:
        skills = range(len(self.parents))
        return sorted(skills, key=lambda k: (self.depth(k), k))

    def course(self) -> list[int]:
        return [k for k in self.order() if self.needed[k]]

    def since(self, skill: int) -> float:
        """Days, or exercises in between, since the last exercise of a skill."""
        last = max(i for i, (k, _, _) in enumerate(self.past) if k == skill)
        return self.now - self.past[last][2] if self.days else len(self.past) - 1 - last


def syllabus(pupil: Pupil, exercises: int | None, budget: int) -> int:
    course, t = pupil.course(), len(pupil.past)
    place = t * len(course) // budget if exercises is None else t // exercises
    return course[place % len(course)]


def leitner(pupil: Pupil, boxes: int) -> int:
    due, late = [], []
    for k in sorted(pupil.course()):
        if not pupil.answers(k):
            continue
        box = 0
        for right in pupil.answers(k):
            box = min(box + 1, boxes - 1) if right else 0
        if pupil.days:
            interval = [0, *(2**b for b in range(boxes))][box]
        else:
            interval = 2**box - 1
        over = pupil.since(k) - interval
        late.append((-over, k))
        if over >= 0:
            due.append((box, -over, k))
    if due:
        return min(due)[-1]
    fresh = [k for k in pupil.course() if not pupil.answers(k)]
    return fresh[0] if fresh else min(late)[-1]


def fsrs(answers: list[tuple[bool, float]], since: float) -> float:
    """Recall some days after answers, each with the days before it: FSRS-6."""
    s = d = 0.0
    for i, (right, gap) in enumerate(answers):
        if i == 0:
            grade = 3 if right else 1
            s, d = W[grade - 1], min(max(first_difficulty(grade), 1), 10)
        else:
            s, d = fsrs_review(s, d, gap, right)
            s = max(s, 0.001)
    return forgetting_curve(since, s)


def hlr(answers: list[tuple[bool, float]], since: float) -> float:
    """Recall some days after answers: half-life regression, weights 1, -1 and 0."""
    right = sum(r for r, _ in answers)
    return 2 ** (-since / half_life(right, len(answers) - right, [1.0, -1.0, 0.0]))


def recall_threshold(
    pupil: Pupil, model: str, threshold: float, n: int, pace: float
) -> int:
    low, new, rest = [], [], []
    for k in pupil.course():
        times = [i for i, (skill, _, _) in enumerate(pupil.past) if skill == k]
        answers = pupil.answers(k)
        runs = [answers[i - n + 1 : i + 1] for i in range(n - 1, len(answers))]
        full = [all(run) for run in runs]
        if not any(full):
            new.append(k)
            continue
        start = full.index(True) + n - 1
        if pupil.days:
            clock = [pupil.past[i][2] for i in times]
            gaps = [0.0, *(b - a for a, b in pairwise(clock))]
            since = pupil.since(k)
        else:  # exercises in between
            gaps = [0.0, *((b - a - 1) / pace for a, b in pairwise(times))]
            since = pupil.since(k) / pace
        known = list(zip(answers, gaps, strict=True))[start:]
        recall = (fsrs if model == "fsrs" else hlr)(known, since)
        rest.append((recall, k))
        if recall < threshold:
            low.append((-recall, k))
    if low:
        return min(low)[-1]
    return new[0] if new else min(rest)[-1]


def drawn(weights: dict[int, float], u: float) -> int:
    """Draw a key by a uniform number, slots in their order."""
    total, so_far = sum(weights.values()), 0.0
    for k in sorted(weights):
        so_far += weights[k]
        if so_far > u * total:
            return k
    raise AssertionError("no weight")


def share(answers: Sequence[bool]) -> float:
    return sum(answers) / len(answers)


def zpdes_dag(
    pupil: Pupil, u: float, h: int, mastery: float, forget: float | None, stall: bool
) -> int:
    entered: set[int] = set()
    stalled: set[int] = set()
    skills = range(len(pupil.parents))
    zone: list[int] = []
    for t in range(len(pupil.past) + 1):  # what entered stays: walk through the past
        past = {k: pupil.answers(k, t) for k in skills}
        done = {
            k
            for k in skills
            if len(past[k]) >= 2 * h and share(past[k][-2 * h :]) >= mastery
        }
        entered |= {k for k in skills if set(pupil.parents[k]) <= done}
        zone = [k for k in skills if pupil.needed[k] and k in entered - done]
        if stall and zone:
            hopeless = [
                len(past[k]) >= 4 * h and share(past[k][-2 * h :]) <= 0.35 for k in zone
            ]
            untried = [k for k in pupil.course() if k not in entered and not past[k]]
            if all(hopeless) and untried:
                entered.add(untried[0])
                stalled.add(untried[0])
                if untried[0] not in done:
                    zone.append(untried[0])
    if not zone:
        chosen = drawn({k: 1.0 for k in skills if pupil.needed[k]}, u)
    else:
        weight = {}
        for k in zone:
            past_k, paid = pupil.answers(k), []
            for m in range(2 * h, len(past_k) + 1):
                paid.append(share(past_k[m - h : m]) - share(past_k[m - 2 * h : m - h]))
            weight[k] = 2.0 if pupil.parents[k] and k not in stalled else 0.5
            if paid:
                weight[k] = max(sum(paid) / len(paid), 0.001)
        total = sum(weight.values())
        chosen = drawn(
            {k: 0.9 * w / total + 0.1 / len(zone) for k, w in weight.items()}, u
        )
    if forget is None:
        return chosen
    weak = []
    for p in pupil.parents[chosen]:
        if pupil.days:
            ages = [pupil.now - t for k, _, t in pupil.past if k == p]
        else:
            ages = [len(pupil.past) - i for i, x in enumerate(pupil.past) if x[0] == p]
        if ages:
            kept = [exp(-age / (i + 1)) for i, age in enumerate(ages)]
            weak.append((sum(kept) / len(kept), p))
    return min(weak)[1] if weak and min(weak)[0] < exp(-forget) else chosen


def riarit(pupil: Pupil, u: float, parent: float, leave: float) -> int:
    skills = range(len(pupil.parents))
    level, weight = [0.0] * len(skills), [0.0] * len(skills)
    course = [k for k in skills if pupil.needed[k]]
    zone: list[int] = []
    for t in range(len(pupil.past) + 1):
        if t > 0:
            a, right, _ = pupil.past[t - 1]
            total = 0.0
            for k in [a, *pupil.parents[a]]:
                off = (1.0 if k == a else parent) - level[k]
                if (off > 0) == right and off != 0:
                    level[k] += 0.6 * off
                    total += off if k in course else 0.0
            reward = max(0.0, total / len(course))
            weight[a] = 0.2 * weight[a] + 0.8 * reward
        before = zone
        zone = [
            k
            for k in course
            if level[k] <= leave
            and all(level[p] >= parent - 1e-9 for p in pupil.parents[k])
        ]
        stayed = [weight[k] for k in zone if k in before]
        for k in zone:
            if k not in before:
                weight[k] = max(stayed) if stayed and max(stayed) > 0 else 0.05
        if len(zone) == 1:
            weight[zone[0]] = 0.05
    if not zone:
        return drawn({k: 1.0 for k in course}, u)
    tenth = sum(weight[k] for k in zone) / 10
    return drawn({k: weight[k] + tenth for k in zone}, u)


LANES, STEPS, SKILLS = 6, 80, 6


def classroom(days: bool) -> tuple[Desk, list[Pupil]]:
    """A desk whose lanes have graphs and needs of their own, and the pupils on it."""
    rng = np.random.default_rng(4)
    desk, pupils = Desk([()] * SKILLS, lanes=LANES, days=days), []
    for lane in range(LANES):
        place, parents = rng.permutation(SKILLS), [[] for _ in range(SKILLS)]
        for at in range(1, SKILLS):
            chosen = rng.choice(place[:at], min(at, rng.integers(3)), replace=False)
            parents[place[at]] = sorted(int(p) for p in chosen)
        needed = rng.random(SKILLS) < 0.8
        needed[0] = True
        for k, of_k in enumerate(parents):
            desk.parents[lane, k, : len(of_k)] = of_k
        desk.needed[lane] = needed
        pupils.append(Pupil(parents, [bool(x) for x in needed], days))
    return desk, pupils


def note(
    desk: Desk, pupils: list[Pupil], proposed: np.ndarray, right: np.ndarray
) -> None:
    """Let desk and pupils take the same answers."""
    for pupil, k, ok in zip(pupils, proposed.tolist(), right.tolist(), strict=True):
        pupil.answer(k, ok)
    desk.answer(proposed, right)


def wait(desk: Desk, pupils: list[Pupil], days: np.ndarray) -> None:
    """Let days go by, each lane's own number."""
    desk.day += days
    for pupil, more in zip(pupils, days.tolist(), strict=True):
        pupil.now += more
