"""A belief over graph AND mastery: particles that are whole students.

The tutor knows how students are drawn and how often an author's links are wrong, and
sees goals, the graph as shown, activities and answers; no kernel here reads the true
student. Each particle is a hypothesis (hypotheses.py): an order with its layers,
distractors, prerequisites, rates, and when each skill became known. They are Markov
chains that follow the posterior while answers come in: an answer to k

1. lets k become known with chance T, or leak * T while a parent is missing;
2. moves every particle by Gibbs and Metropolis steps that leave the posterior after
   this answer as it is (graph_moves.py), most of them about k and its prerequisites.

No particle is weighed or copied once the lesson has begun. The usual filter does both,
and was exact with very many particles; with sixteen it kept copies of a few and was far
too sure of them (docs/unknown_graph.md). Chains lag a little instead.

Features of an activity are probabilities: `graph_known`; `graph_open`, its
prerequisites are known; `graph_needed` by the goals; `graph_missing`, needed and
unknown; `graph_ready`, open and unknown; `graph_useful`, that and needed; `graph_gain`,
that and learnt by one exercise; `graph_skill`, no distractor. In `info`, `belief` then
is the first and `needed` the third.

With more particles the marginals have less noise; with more and more sweeps over the
moves (`Model.sweeps`) they become those of the exact posterior. Rates stand in a table
of a sample of the population, independent between skills: that the able learn
everything faster is left out, and so is their larger prior knowledge.

Source: Gilks and Berzuini 2001, "Following a moving target" (moves that follow a
posterior), here without their weights.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from curiosity_rl.envs.rng import mix
from curiosity_rl.envs.tutor.graph_answers import ROOM
from curiosity_rl.envs.tutor.graph_moves import parents_given, sweep
from curiosity_rl.envs.tutor.hypotheses import (
    COUNT,
    FIRST,
    IMPOSSIBLE,
    LAST,
    NEVER,
    POSITION,
    POSSIBLE,
    ROW,
    SECOND,
    SLOT,
    START,
    WHEN,
    WINS,
    G,
    S,
    T,
    among,
    copy,
    draw,
    earliest_goal,
    enough_unknown,
    needed_by,
    one_of,
    opening,
)
from curiosity_rl.envs.tutor.state import State
from curiosity_rl.jit import kernel, routine

FEATURES = (
    "graph_known",
    "graph_open",
    "graph_needed",
    "graph_missing",
    "graph_ready",
    "graph_useful",
    "graph_gain",
    "graph_skill",
)
KNOWN, OPEN, NEEDED, MISSING, READY, USEFUL, GAIN, SKILL = range(8)
BURN_IN, STARTS = 10, 20_000
WEIGHTS = 1
"""Row of a desk for the first weights of particles; no moves are made until then."""
_SEED = np.uint64(0xA0761D6478BD642F)


class Particles(NamedTuple):
    """The belief of n lanes, and what it may read: M particles, budget B."""

    elapsed: np.ndarray  # (n,) int32, exercises answered
    dice: np.ndarray  # (n, 1) uint64, the filter's own stream
    past: np.ndarray  # (n, B + 1, 3, A) int16, see hypotheses.COUNT
    tables: np.ndarray  # (n, M + 1, 7, A) int16, hypotheses; the last is scratch
    goal: np.ndarray  # (n, 1) uint64, as shown
    shown: np.ndarray  # (n, A, 2) int16
    features: np.ndarray  # (n, A, F) float32, of the record; ours come last
    belief_before: np.ndarray  # (n, A) float32


def of_state(state: State) -> Particles:
    """Return the belief within a state, and what it may read of it."""
    return Particles(*(getattr(state, name) for name in Particles._fields))


@routine
def draw_order(h, goal, shown, dice, model):
    """Fill an order from its end, every skill before the children that are shown.

    Return `-log P(this order is drawn)`, or IMPOSSIBLE where no place was left, or
    goals would not stand in the last half.
    """
    surprise = 0.0
    for k in range(model.activities):
        h[POSITION, k] = -1
    for place in range(model.activities - 1, -1, -1):
        choices, pick, chosen = 0, -1, -1
        for turn in range(2):
            if turn:
                pick = int(draw(dice) * choices)
            for k in range(model.activities):
                fits = h[POSITION, k] < 0
                if place >= model.skills:
                    fits &= not among(goal, k)
                    fits &= shown[k, 0] < 0 and shown[k, 1] < 0
                elif place == model.skills - 1:
                    fits &= among(goal, k) > 0
                for child in range(model.activities):
                    if fits and one_of(k, shown[child, 0], shown[child, 1]):
                        fits = place < model.skills and h[POSITION, child] >= 0
                if fits and turn:
                    if pick == 0 and chosen < 0:
                        chosen = k
                    pick -= 1
                elif fits:
                    choices += 1
        if chosen < 0:
            return IMPOSSIBLE
        surprise += np.log(choices)
        h[POSITION, chosen] = place
        h[SLOT, place] = chosen
        if place == earliest_goal(model):
            for k in range(model.activities):
                if among(goal, k) and h[POSITION, k] < 0:
                    return IMPOSSIBLE
    return surprise


@routine
def draw_hypothesis(h, past, goal, shown, dice, desk, model):
    """Draw a student from the prior, given goals and the graph shown.

    Return the log-weight that makes up for an order and layers that were drawn without
    regard to how well they explain the links shown; IMPOSSIBLE if none was found.
    """
    t = np.int64(0)
    for _ in range(STARTS):
        weight = draw_order(h, goal, shown, dice, model)
        if weight < POSSIBLE:
            continue
        for k in range(model.activities):
            h[FIRST, k], h[SECOND, k], h[WHEN, k] = -1, -1, NEVER
            h[ROW, k] = int(draw(dice) * model.rates.shape[0])
        start, end = 0, 0
        for place in range(model.skills):
            if place == end:
                start = end
                end += 1 + int(draw(dice) * 3)
            h[START, place] = start
            k = np.int64(h[SLOT, place])
            weight += parents_given(h, past, shown, t, k, dice, desk, True, model)
            if weight < POSSIBLE:
                break
            if start == 0:  # its not being known, which is drawn below
                weight -= model.log_unknown
        # Only now: a skill that is known would be a likelier or unlikelier parent.
        for place in range(model.skills):
            k = h[SLOT, place]
            if opening(h, k) == 0 and draw(dice) < model.known:
                h[WHEN, k] = 0
        if weight > POSSIBLE and enough_unknown(h, goal, model):
            return weight
    return IMPOSSIBLE


@routine
def begin(i, belief, desk, model):
    """Begin the belief about a new student in lane i; return whether that was possible.

    The stream starts from goals and links shown, so that it tells nothing else.
    """
    word = _SEED ^ belief.goal[i, 0]
    past, shown, dice = belief.past[i], belief.shown[i], belief.dice[i]
    for k in range(model.activities):
        for row in range(3):
            past[0, row, k] = 0
        for column in range(2):
            word = mix(word ^ np.uint64(shown[k, column] + 1))
    dice[0] = mix(word)
    t = np.int64(0)
    weights, top = desk[WEIGHTS], IMPOSSIBLE
    for m in range(model.particles):
        h, goal = belief.tables[i, m], belief.goal[i, 0]
        weights[m] = draw_hypothesis(h, past, goal, shown, dice, desk, model)
        if weights[m] < POSSIBLE:
            if m == 0:
                return False
            copy(belief.tables[i, m - 1], h)
            weights[m] = weights[m - 1]
        top = max(top, weights[m])
    resample(i, belief, top, desk, model)
    for _ in range(BURN_IN if model.noisy else 0):
        move(i, t, np.int64(draw(dice) * model.activities), belief, desk, model)
    marginals(i, t, belief, model)
    for k in range(model.activities):
        known = belief.features[i, k, belief.features.shape[2] - len(FEATURES)]
        belief.belief_before[i, k] = known
    return True


@kernel
def resample(i, belief, top, desk, model):
    """Give particles copies in proportion to weight; survivors stay where they are.

    Weights are logs, the largest of them `top`.
    """
    copies, weights = desk[ROOM], desk[WEIGHTS]
    total = 0.0
    for m in range(model.particles):
        weights[m] = np.exp(weights[m] - top)
        total += weights[m]
    offset = draw(belief.dice[i])
    share = model.particles / total
    total = 0.0
    for m in range(model.particles):
        before = np.ceil(total * share - offset)
        total += weights[m]
        copies[m] = np.ceil(total * share - offset) - before
    free = 0
    for m in range(model.particles):
        while copies[m] > 1.5:
            while free < model.particles - 1 and copies[free] > 0.5:
                free += 1
            copy(belief.tables[i, m], belief.tables[i, free])
            copies[free] += 1.0
            copies[m] -= 1.0


@kernel
def learn(h, t, k, right, dice, model):
    """Let a hypothesis answer exercise t, of k, and perhaps learn by it."""
    if h[POSITION, k] >= model.skills or h[WHEN, k] < t:
        return
    row = h[ROW, k]
    rate = model.rates[row, T]
    if opening(h, k) >= t:
        rate *= model.leak
    if model.learn_first:
        slip, guess = model.rates[row, S], model.rates[row, G]
        known = 1.0 - slip if right else slip
        unknown = guess if right else 1.0 - guess
        rate *= known / (rate * known + (1.0 - rate) * unknown)
    if draw(dice) < rate:
        h[WHEN, k] = t


@routine
def move(i, t, k, belief, desk, model):
    """Move all particles of lane i, most moves being about activity k."""
    past, dice, goal = belief.past[i], belief.dice[i], belief.goal[i, 0]
    shown, spare = belief.shown[i], belief.tables[i, model.particles]
    for m in range(model.particles):
        h = belief.tables[i, m]
        for _ in range(model.sweeps):
            sweep(h, spare, past, shown, goal, t, k, dice, desk, model)


@routine
def follow(i, k, right, belief, desk, model):
    """Carry one answer to activity k through the belief of lane i."""
    t = np.int64(belief.elapsed[i])
    past, dice = belief.past[i], belief.dice[i]
    for row in range(3):
        for j in range(model.activities):
            past[t, row, j] = past[t - 1, row, j]
    past[t, COUNT, k] += 1
    past[t, WINS, k] += right
    past[t, LAST, k] = t
    dice[0] = mix(dice[0] ^ np.uint64(2 * k + right))
    for m in range(model.particles):
        learn(belief.tables[i, m], t, k, right, dice, model)
    move(i, t, k, belief, desk, model)
    first = belief.features.shape[2] - len(FEATURES)
    for j in range(model.activities):
        belief.belief_before[i, j] = belief.features[i, j, first + KNOWN]
    marginals(i, t, belief, model)


@kernel
def marginals(i, t, belief, model):
    """Write what lane i believes of every activity into its features."""
    first = belief.features.shape[2] - len(FEATURES)
    f = belief.features[i]
    for k in range(model.activities):
        for c in range(len(FEATURES)):
            f[k, first + c] = 0.0
    weight = 1.0 / model.particles
    for m in range(model.particles):
        h = belief.tables[i, m]
        needed = needed_by(h, belief.goal[i, 0], model)
        for place in range(model.skills):
            k = h[SLOT, place]
            known, ready = h[WHEN, k] <= t, opening(h, k) <= t
            f[k, first + SKILL] += weight
            if known:
                f[k, first + KNOWN] += weight
            if ready:
                f[k, first + OPEN] += weight
            if ready and not known:
                f[k, first + READY] += weight
            if among(needed, k):
                f[k, first + NEEDED] += weight
                if not known:
                    f[k, first + MISSING] += weight
                    if ready:
                        f[k, first + USEFUL] += weight
                        rate = model.rates[h[ROW, k], T]
                        f[k, first + GAIN] += weight * rate
    for k in range(model.activities):
        for c in range(len(FEATURES)):
            f[k, first + c] = min(f[k, first + c], 1.0)


@kernel
def begin_lanes(lanes, belief, desk, model):
    """Begin the belief in these lanes; return the first where it failed, or -1."""
    for i in lanes:
        if not begin(i, belief, desk, model):
            return i
    return -1


@kernel
def follow_all(actions, outcomes, belief, desk, model, out):
    """Carry the answers through the belief of every lane; write its features."""
    width = belief.features.shape[2]
    for i in range(actions.shape[0]):
        follow(i, np.int64(actions[i]), int(outcomes[i]), belief, desk, model)
        for k in range(model.activities):
            for c in range(width - len(FEATURES), width):
                out[i, k * width + c] = belief.features[i, k, c]
