"""Finite-horizon plans over knowledge states, one problem per student."""

from __future__ import annotations

from curiosity_rl.agents.tutors.knowledge import known_skills, learn_chance
from curiosity_rl.jit import kernel

EXAM, MASTERY, LEVEL = 0, 1, 2


@kernel
def worth(state, goal, m, kind, ended):
    """Return what arriving in a state pays: at every step, and when it was the last."""
    if kind == EXAM:
        return 1.0 if ended and state & goal == goal else 0.0
    if kind == MASTERY and not ended:
        return 0.0
    return known_skills(state) / max(m, 1)


@kernel
def solve(i, skills, goal, kind, forgetting, idle, plan, chance, later, now):
    """Solve one student's problem backwards in time.

    With W(s) = V_{t+1}(s) + what arriving in s pays,

        V_t(s) = max_j  p_j(s) W(s + j) + (1 - p_j(s)) W(s)    for j unknown in s,
                        f W(s - j) + (1 - f) W(s)              for j known in s,
                        W(s)                                   where one may idle.

    Args:
        i: The student's row of `skills`.
        skills: Their true chances.
        goal: The state of exactly the goals.
        kind: EXAM, MASTERY or LEVEL.
        forgetting: f.
        idle: Whether some activity leaves these skills alone.
        plan: `(T, 2**m)` int8, written: the skill j to practise; -1 to idle.
        chance: `(2**m, m)` float64, scratch: chance that practising j changes s.
        later: `(2**m,)` float64, scratch.
        now: `(2**m,)` float64, V_0 at the end.
    """
    m = skills.bits[i]
    horizon = plan.shape[0]
    for s in range(1 << m):
        now[s] = 0.0
        for j in range(m):
            known = s >> j & 1
            chance[s, j] = forgetting if known else learn_chance(i, j, s, skills)
    for t in range(horizon - 1, -1, -1):
        for s in range(1 << m):
            later[s] = now[s] + worth(s, goal, m, kind, t == horizon - 1)
        for s in range(1 << m):
            best, choice = -1.0, -1
            if idle:
                best = later[s]
            stay = later[s]
            for j in range(m):
                q = stay + chance[s, j] * (later[s ^ (1 << j)] - stay)
                if q > best:
                    best, choice = q, j
            now[s] = best
            plan[t, s] = choice


@kernel
def states_of(known, skills, out):
    """Write the states of students by what they know, `(n, A)` bool, into `(n,)`."""
    for i in range(known.shape[0]):
        out[i] = 0
        for j in range(skills.bits[i]):
            if known[i, skills.slot[i, j]]:
                out[i] |= 1 << j
