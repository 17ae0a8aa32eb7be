"""All students of a tiny tutor world, one by one: a slow reference of the belief.

Plain Python, written from the docstrings of the world and of its students.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np

from curiosity_rl.envs.tutor import hypotheses as hy

RATES = np.array([[0.2, 0.2, 0.2], [0.5, 0.1, 0.3]])
Rows = list[tuple[int, ...]]
Answers = list[tuple[int, bool]]


def layer_starts(skills: int) -> Iterator[tuple[float, list[int]]]:
    """All layers of 1 to 3 skills: chance, and where the layer of a position starts."""

    def grow(starts: list[int], chance: float) -> Iterator[tuple[float, list[int]]]:
        if len(starts) >= skills:
            yield chance, starts[:skills]
            return
        for size in (1, 2, 3):
            yield from grow(starts + [len(starts)] * size, chance / 3)

    yield from grow([], 1.0)


def parent_choices(position: int, starts: list[int]) -> list[tuple[float, Rows]]:
    """Parents as positions: one in the layer before, half the time another before."""
    start = starts[position]
    if start == 0:
        return [(1.0, [()])]
    before = range(starts[start - 1], start)
    found = []
    for first in before:
        found.append((0.5 / len(before), [(first,)]))
        for second in range(start):
            both = (first,) if second == first else (first, second)
            found.append((0.5 / len(before) / start, [both]))
    return found


def graphs(skills: int) -> Iterator[tuple[float, Rows]]:
    """All graphs over positions with their chances."""
    for chance, starts in layer_starts(skills):
        choices = [parent_choices(position, starts) for position in range(skills)]
        for combination in itertools.product(*choices):
            parents: Rows = []
            total = chance
            for part, rows in combination:
                total *= part
                parents += rows
            yield total, parents


def chance_shown(parents: Rows, shown: Rows, noise: float, dropped: float) -> float:
    """P(links shown | parents), both over positions; -1 where nothing is shown."""
    total = 1.0
    for position, row in enumerate(parents):
        said: list[int] = []
        for column in range(2):
            link = shown[position][column]
            if column >= len(row):
                total *= link == -1
                continue
            others = [p for p in range(position) if p not in row and p not in said]
            chances = {-1: dropped, row[column]: 1 - noise - dropped}
            for p in others:
                chances[p] = noise / len(others)
            if not others:
                chances[row[column]] += noise
            total *= chances.get(link, 0.0)
            said.append(link)
    return total


class Exact:
    """Marginals by going through all students; slots 0..A-1, one goal."""

    def __init__(
        self,
        model: hy.Model,
        goal: int,
        answers: Answers,
        shown: Rows | None = None,
        rates: np.ndarray = RATES,
    ):
        self.model, self.answers, self.rates = model, answers, rates
        self.sums = np.zeros((model.activities, 6))
        self.total = 0.0
        skills = model.skills
        for order in itertools.permutations(range(model.activities)):
            if order[skills - 1] != goal or list(order[skills:]) != sorted(
                order[skills:]
            ):
                continue
            for chance, parents in graphs(skills):
                if shown is not None:
                    where = {k: p for p, k in enumerate(order)} | {-1: -1}
                    links = [
                        tuple(where[k] for k in shown[order[p]]) for p in range(skills)
                    ]
                    chance *= chance_shown(parents, links, model.noise, model.dropped)
                if chance > 0:
                    self.student(order, parents, chance)
        self.marginals = self.sums / self.total

    def student(self, order: tuple[int, ...], parents: Rows, chance: float) -> None:
        skills = self.model.skills
        needed = {skills - 1}
        for position in reversed(range(skills)):
            if position in needed:
                needed |= set(parents[position])
        asked = [(order.index(k), right) for k, right in self.answers]
        practised = sorted({p for p, _ in asked if p < skills})
        for rows in itertools.product(range(len(self.rates)), repeat=len(practised)):
            rates = dict(zip(practised, rows, strict=True))
            share = chance / len(self.rates) ** len(practised)
            states = self.start(parents, needed)
            for position, right in asked:
                row = self.rates[rates[position]] if position < skills else None
                states = self.answer(states, position, right, row, parents)
            for known, p in states.items():
                self.add(order, parents, needed, known, p * share)

    def start(self, parents: Rows, needed: set[int]) -> dict[tuple[bool, ...], float]:
        states = {(): 1.0}
        for row in parents:
            after: dict[Any, float] = {}
            for known, p in states.items():
                c = self.model.known if all(known[q] for q in row) else 0.0
                after[(*known, True)] = p * c
                after[(*known, False)] = p * (1 - c)
            states = after
        return {
            known: p
            for known, p in states.items()
            if sum(not known[q] for q in needed) >= self.model.min_unknown
        }

    def answer(
        self, states: Any, position: int, right: bool, row: Any, parents: Rows
    ) -> Any:
        after: dict[Any, float] = {}
        for known, p in states.items():
            if row is None:
                after[known] = 0.5 * p
                continue
            learn, guess, slip = row
            if not all(known[q] for q in parents[position]):
                learn *= self.model.leak
            more = (*known[:position], True, *known[position + 1 :])
            if known[position]:
                after[known] = after.get(known, 0) + p * (1 - slip if right else slip)
            else:
                p *= guess if right else 1 - guess
                after[more] = after.get(more, 0) + p * learn
                after[known] = after.get(known, 0) + p * (1 - learn)
        return after

    def add(self, order: Any, parents: Rows, needed: Any, known: Any, p: float) -> None:
        self.total += p
        for position, row in enumerate(parents):
            ready = all(known[q] for q in row)
            here, wanted = known[position], position in needed
            self.sums[order[position]] += p * np.array(
                [
                    here,
                    ready,
                    wanted,
                    wanted and not here,
                    ready and not here,
                    wanted and ready and not here,
                ]
            )
