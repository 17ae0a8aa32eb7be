"""Slow and plain references of beliefs and plans over knowledge states.

A state is a frozenset of skills; nothing here uses kernels or bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import chain, combinations

from curiosity_rl.protocols import StudentModel

State = frozenset[int]


def subsets(skills: int) -> list[State]:
    every = range(skills)
    sizes = (combinations(every, size) for size in range(skills + 1))
    return [frozenset(state) for state in chain.from_iterable(sizes)]


def learn_chance(
    parents: Sequence[Sequence[int]], student: StudentModel, skill: int, state: State
) -> float:
    direct = parents[skill]
    known = sum(p in state for p in direct)
    if known == len(direct):
        return student.learn
    if student.gating == "hard":
        return student.learn * student.leak
    return student.learn * (student.leak + (1 - student.leak) * known / len(direct))


def prior(
    parents: Sequence[Sequence[int]], student: StudentModel
) -> dict[State, float]:
    belief = {}
    for state in subsets(len(parents)):
        chance = 1.0
        for skill, direct in enumerate(parents):
            ready = all(p in state for p in direct)
            if skill in state:
                chance *= student.prior if ready else 0
            elif ready:
                chance *= 1 - student.prior
        belief[state] = chance
    return belief


def hear(
    belief: dict[State, float],
    parents: Sequence[Sequence[int]],
    student: StudentModel,
    skill: int,
    right: bool,
) -> dict[State, float]:
    def move(before: dict[State, float]) -> dict[State, float]:
        after = dict.fromkeys(before, 0.0)
        for state, chance in before.items():
            if skill in state:
                p, other = student.forgetting, state - {skill}
            else:
                p = learn_chance(parents, student, skill, state)
                other = state | {skill}
            after[state] += chance * (1 - p)
            after[other] += chance * p
        return after

    def weigh(before: dict[State, float]) -> dict[State, float]:
        after = {}
        for state, chance in before.items():
            likely = 1 - student.slip if skill in state else student.guess
            after[state] = chance * (likely if right else 1 - likely)
        return after

    belief = weigh(move(belief)) if student.learn_first else move(weigh(belief))
    total = sum(belief.values())
    return {state: chance / total for state, chance in belief.items()}


def q_values(
    parents: Sequence[Sequence[int]], student: StudentModel, discount: float
) -> dict[State, list[float]]:
    """Q of every state and skill by value iteration; reward = skills known."""
    value = dict.fromkeys(subsets(len(parents)), 0.0)
    while True:
        table = {}
        for state in value:
            table[state] = []
            for skill in range(len(parents)):
                p = 0.0
                if skill not in state:
                    p = learn_chance(parents, student, skill, state)
                later = p * value[state | {skill}] + (1 - p) * value[state]
                table[state].append(len(state) + discount * later)
        new = {state: max(row) for state, row in table.items()}
        if max(abs(new[s] - value[s]) for s in new) < 1e-9:
            return table
        value = new


def best_return(
    parents: Sequence[Sequence[int]],
    learn: Sequence[float],
    leak: float,
    start: State,
    goals: State,
    budget: int,
    objective: str,
    forgetting: float = 0.0,
) -> float:
    """The finite problem with hard gating, by recursion over states and time."""
    skills = len(parents)

    def paid(state: State, step: int) -> float:
        last = step == budget - 1
        if objective == "exam":
            return float(last and goals <= state)
        return len(state) / skills if last or objective == "level" else 0.0

    @cache
    def value(state: State, step: int) -> float:
        if step == budget:
            return 0.0
        best = 0.0
        for skill in range(skills):
            if skill in state:
                p, other = forgetting, state - {skill}
            else:
                ready = all(q in state for q in parents[skill])
                p = learn[skill] * (1.0 if ready else leak)
                other = state | {skill}
            moved = paid(other, step) + value(other, step + 1)
            stayed = paid(state, step) + value(state, step + 1)
            best = max(best, p * moved + (1 - p) * stayed)
        return best

    return value(start, 0)
