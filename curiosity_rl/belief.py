"""The tutor's belief about a student's skills: one Bayesian knowledge tracing filter.

It serves the observation, the bonuses and the mastery rules, and knows only answers
and the graph that the tutor was shown. Its parameters are those of an average student
(Corbett & Anderson 1995 for the model; values from fits to real answers).
"""

from __future__ import annotations

from curiosity_rl.jit import kernel

LEARN = 0.13
"""Chance to learn an unknown skill by one exercise."""
GUESS = 0.20
"""Chance of a right answer without the skill."""
SLIP = 0.20
"""Chance of a wrong answer in spite of the skill."""
PRIOR = 0.30
"""Belief before the first answer, skills taken as independent."""
JOINT_PRIOR = 0.15
"""Belief before the first answer, skills tied by the graph."""
HIDDEN_GATE = 0.5
"""Chance that the prerequisites are known, where no graph is shown."""

CERTAIN = 1.0 - 2.0**-20
"""Largest belief. At 1, which float32 reaches after some 12 right answers, no number of
wrong answers would ever move it again."""


@kernel
def trace(belief, right, gate):
    """Return the belief after one answer: Bayes' rule, then the chance to learn.

    Args:
        belief: P(skill known) before the answer.
        right: Whether the answer was right.
        gate: P(all prerequisites known); it scales the chance to learn.
    """
    known = belief * (1.0 - SLIP if right else SLIP)
    unknown = (1.0 - belief) * (GUESS if right else 1.0 - GUESS)
    posterior = known / (known + unknown)
    return min(posterior + (1.0 - posterior) * LEARN * gate, CERTAIN)


@kernel
def trace_parent(parent, evidence, right, child):
    """Return the belief in a prerequisite after an answer to one of its children.

    If the parent is unknown, so is the child, and the answer is a guess:
    `P(parent | answer) = parent * Z / (parent * Z + (1 - parent) * P(answer | guess))`,
    and the parent is known at least as surely as the child.

    Args:
        parent: P(parent known) before the answer.
        evidence: Z, the probability that the filter gave to this answer.
        right: Whether the answer was right.
        child: P(child known) after the answer.
    """
    guess = GUESS if right else 1.0 - GUESS
    posterior = parent * evidence / (parent * evidence + (1.0 - parent) * guess)
    return max(min(posterior, CERTAIN), child)


@kernel
def answer_probability(belief, right):
    """Return the probability that the filter gives to an answer."""
    p = belief * (1.0 - SLIP) + (1.0 - belief) * GUESS
    return p if right else 1.0 - p
