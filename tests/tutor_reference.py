"""Slow and plain references of the tutor world, written from its docstrings.

Nothing here uses kernels: Python integers and floats, one student, one loop.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from curiosity_rl.envs.rng import lane_words
from curiosity_rl.envs.tutor.people import FORGETTING
from curiosity_rl.envs.tutor.world import Tutor

WORD = 2**64 - 1
GOLDEN = 0x9E3779B97F4A7C15
LEARN, GUESS, SLIP, CERTAIN = 0.13, 0.2, 0.2, 1 - 2**-20


def splitmix64(state: int) -> int:
    """Output of a state, from the published algorithm."""
    z = state & WORD
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & WORD
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & WORD
    return z ^ (z >> 31)


def lanes_of(
    world: Tutor, count: int, seed: int = 0, episodes: int = 1
) -> tuple[Any, dict[str, Any]]:
    """Students in `count` lanes, as the faces would seed them."""
    state = world.allocate(count)
    state.rng[:] = lane_words(np.arange(seed, seed + count, dtype=np.uint64))
    every = np.arange(count)
    for _ in range(episodes):
        world.reset(state, every)
    return state, world.reset_info(state, every)


def play(
    world: Tutor, state: Any, choose: Callable[[int], Any], steps: int
) -> tuple[np.ndarray, ...]:
    """Step all lanes; actions, outcomes, rewards `(T, n)`, mastery `(T + 1, n, A)`."""
    lanes = len(state.rng)
    out = np.empty((lanes, world.layout.size), np.float32)
    actions, outcomes, rewards = [], [], []
    mastery = [mastered(world, state)]
    for t in range(steps):
        action = np.asarray(choose(t), dtype=np.int64)
        reward, _ = world.step(state, action, out)
        actions.append(action)
        outcomes.append(state.outcome.copy())
        rewards.append(reward)
        mastery.append(mastered(world, state))
    return tuple(np.stack(x) for x in (actions, outcomes, rewards, mastery))


def mastered(world: Tutor, state: Any) -> np.ndarray:
    """Skills known, `(n, A)` bool."""
    return world.step_info(state)["truth"]["mastery"]


def depths(parents: np.ndarray) -> np.ndarray:
    """Length of the path over first parents, `(n, A)`; -1 where it never ends."""
    depth = np.full(parents.shape[:2], -1)
    first = parents[..., 0]
    rows = np.arange(len(parents))[:, None]
    for d in range(parents.shape[1] + 1):
        before = depth[rows, np.maximum(first, 0)] == d - 1
        depth[(first < 0 if d == 0 else (first >= 0) & before) & (depth < 0)] = d
    return depth


class Student:
    """Answers, learns and forgets by the rules of the docstring."""

    def __init__(self, world: Tutor, state: Any, info: dict[str, Any], lane: int):
        truth = info["truth"]
        p = world.params
        self.gating = ("hard", "soft", "additive")[p.gating]
        group = int(truth["group"][lane])
        self.leak, self.forgetting = p.leak, float(p.people[group, FORGETTING])
        self.learn_first = p.learn_first
        self.known = [bool(x) for x in truth["mastery"][lane]]
        self.learn, self.guess, self.slip = (
            [float(x) for x in truth[name][lane]] for name in ("learn", "guess", "slip")
        )
        self.boost = [float(x) for x in state.boost[lane]]
        self.parents = [[int(q) for q in r if q >= 0] for r in truth["parents"][lane]]
        self.word = int(state.answers[lane])

    def draw(self) -> float:
        self.word = (self.word + GOLDEN) & WORD
        return (splitmix64(self.word) >> 11) * 2.0**-53

    def learn_chance(self, k: int) -> float:
        ready = [self.known[q] for q in self.parents[k]]
        if self.gating == "additive":
            return self.learn[k] + self.boost[k] * sum(ready)
        if all(ready):
            return self.learn[k]
        if self.gating == "hard":
            return self.learn[k] * self.leak
        share = sum(ready) / len(ready)
        return self.learn[k] * (self.leak + (1 - self.leak) * share)

    def practise(self, k: int, number: float) -> None:
        if self.known[k]:
            self.known[k] = not number < self.forgetting
        else:
            self.known[k] = number < self.learn_chance(k)

    def answer(self, k: int) -> bool:
        first, second = self.draw(), self.draw()
        if self.learn_first:
            self.practise(k, second)
        right = first < (1 - self.slip[k] if self.known[k] else self.guess[k])
        if not self.learn_first:
            self.practise(k, second)
        return right


def bkt(belief: float, right: bool, gate: float) -> float:
    """Corbett & Anderson 1995, the chance to learn times `gate`."""
    likely, unlikely = (1 - SLIP, GUESS) if right else (SLIP, 1 - GUESS)
    posterior = belief * likely / (belief * likely + (1 - belief) * unlikely)
    return min(posterior + (1 - posterior) * LEARN * gate, CERTAIN)


def stored(belief: float) -> float:
    """The record keeps float32, which matters close to 1."""
    return float(np.float32(belief))


class Record:
    """All features of the observation table, from the history of one student.

    `parents` holds the graph as shown, `slots` of prerequisites per activity and how
    many columns it has; None where no graph is shown.
    """

    def __init__(
        self,
        goals: Sequence[int],
        activities: int,
        budget: int,
        parents: list[list[int]] | None,
        most_parents: int = 2,
    ):
        self.goals, self.activities, self.budget = set(goals), activities, budget
        self.shown = parents is not None
        self.parents = parents or [[] for _ in range(activities)]
        self.most_parents = most_parents
        self.history: list[tuple[int, bool]] = []
        self.belief = [stored(0.3)] * activities
        self.joint = [stored(0.15)] * activities

    def note(self, k: int, right: bool) -> None:
        self.history.append((k, right))
        gate, joint_gate = 0.5, 0.5
        if self.shown:
            gate = math.prod(self.belief[q] for q in self.parents[k])
            joint_gate = math.prod(self.joint[q] for q in self.parents[k])
        self.belief[k] = stored(bkt(self.belief[k], right, gate))
        b = self.joint[k]
        l1, l0 = (0.8, 0.2) if right else (0.2, 0.8)
        z = b * l1 + (1 - b) * l0
        q = bkt(b, right, joint_gate)
        self.joint[k] = stored(q)
        for parent in self.parents[k]:
            was = self.joint[parent]
            seen = was * z / (was * z + (1 - was) * l0)
            self.joint[parent] = stored(max(min(seen, CERTAIN), q))

    def answers(self, k: int) -> list[bool]:
        return [right for j, right in self.history if j == k]

    def average(self, k: int, rate: float) -> float:
        value = 0.5
        for right in self.answers(k):
            value = (1 - rate) * value + rate * right
        return value

    def last(self, k: int) -> list[float]:
        newest = [1.0 if right else -1.0 for right in reversed(self.answers(k))]
        return (newest + [0.0] * 4)[:4]

    def needed(self) -> set[int]:
        found, open_ = set(), list(self.goals)
        while open_:
            k = open_.pop()
            if k not in found:
                found.add(k)
                open_ += self.parents[k]
        return found

    def attempts(self, k: int) -> float:
        return math.log1p(len(self.answers(k))) / 2

    def features(self) -> dict[str, list[float]]:
        every = range(self.activities)
        table: dict[str, list[float]] = {"attempts": [self.attempts(k) for k in every]}
        for n in range(4):
            table[f"last_{n + 1}"] = [self.last(k)[n] for k in every]
        table["streak"] = []
        table["recency"] = []
        for k in every:
            streak = 0
            for right in reversed(self.answers(k)):
                if not right:
                    break
                streak += 1
            table["streak"].append(min(streak, 5) / 5)
            since = [n for n, (j, _) in enumerate(reversed(self.history)) if j == k]
            table["recency"].append(0.9 ** since[0] if since else 0.0)
        table["success_fast"] = [self.average(k, 0.4) for k in every]
        table["success_slow"] = [self.average(k, 0.15) for k in every]
        table["goal"] = [float(k in self.goals) for k in every]
        table["belief"] = list(self.belief)
        if not self.shown:
            return table
        needed = self.needed()
        children = [[c for c in every if k in self.parents[c]] for k in every]
        table["needed"] = [float(k in needed) for k in every]
        table["root"] = [float(not self.parents[k]) for k in every]
        table["parents_belief"] = [
            math.prod(self.belief[q] for q in self.parents[k]) for k in every
        ]
        table["parents_success"] = [
            min((sum(self.last(q)[:3]) / 3 for q in self.parents[k]), default=1.0)
            for k in every
        ]
        table["joint_belief"] = list(self.joint)
        table["parents_joint_belief"] = [
            math.prod(self.joint[q] for q in self.parents[k]) for k in every
        ]
        table["child_stuck"] = [
            max(
                (self.attempts(c) * (1 - self.average(c, 0.4)) for c in children[k]),
                default=0.0,
            )
            for k in every
        ]
        for p in range(self.most_parents):
            table[f"parent_{p + 1}"] = [
                (self.parents[k][p] + 1) / self.activities
                if p < len(self.parents[k])
                else 0.0
                for k in every
            ]
        return table
