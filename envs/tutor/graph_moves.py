"""Moves that leave the posterior over hypotheses as it is: Gibbs and Metropolis steps.

Parents and learning times are drawn from their conditionals; where two skills
change places or a layer begins elsewhere, the parents that this touches are integrated
out: the step is taken with the ratio of the normalisers, then they are drawn anew.
Where rates or parents of one skill are drawn, its own learning time is summed out
(graph_answers.py): what opened a skill and when it was learnt are hardly free of each
other.

Source: Geman and Geman 1984 (full conditionals); Hastings 1970 (ratios); as moves of
particles: Gilks and Berzuini 2001, "Following a moving target".

Whole numbers are handed on as int64: a literal and an int16 are types of their own to
numba, which would compile every kernel below once more for each.
"""

from __future__ import annotations

import numpy as np

from curiosity_rl.envs.tutor.graph_answers import (
    ROOM,
    draw_when,
    evidence,
    tabulate,
)
from curiosity_rl.envs.tutor.hypotheses import (
    COUNT,
    FIRST,
    IMPOSSIBLE,
    NEVER,
    POSITION,
    POSSIBLE,
    ROW,
    SECOND,
    SLOT,
    START,
    WHEN,
    among,
    copy,
    draw,
    enough_unknown,
    goals_fit,
    layers,
    learning,
    of_others,
    opening,
    showing,
)
from curiosity_rl.jit import kernel, routine

LAYER_MOVES = 0.2
_COIN = float(np.log(0.5))


@kernel
def by_when(h, past, t, k, start, room, model):
    """Lay out the chance of k's learning time by each earlier skill that may open it.

    Return the log of their unit.
    """
    top = IMPOSSIBLE
    for place in range(start):
        when = h[WHEN, h[SLOT, place]]
        if place > 0 and when == h[WHEN, h[SLOT, place - 1]]:
            room[place] = room[place - 1]
        else:
            room[place] = learning(h, past, t, k, np.int64(when), model)
        top = max(top, room[place])
    for place in range(start):
        room[place] = np.exp(room[place] - top) if room[place] < top else 1.0
    return top


@kernel
def by_answers(h, past, t, k, start, desk, model):
    """Lay out the chance of the answers to k by each earlier skill that may open it."""
    for place in range(start):
        when = h[WHEN, h[SLOT, place]]
        if place > 0 and when == h[WHEN, h[SLOT, place - 1]]:
            desk[ROOM, place] = desk[ROOM, place - 1]
        else:
            chance = evidence(past, t, k, np.int64(when), desk, model)
            desk[ROOM, place] = chance


@routine
def choose_parents(h, shown, k, dice, room, choose, model):
    """Return the normaliser of P(parents of k), given chances by what opens it.

    Draw them if asked. The sum runs over the prior's choices: a first parent in the
    layer before, and a second, half the time, in any earlier layer; times the chance
    `room[place]` of the one known later, times that of the links shown.
    """
    start = int(h[START, h[POSITION, k]])
    before = int(h[START, start - 1])
    none = np.int64(-1)
    total, whole, stop = 0.0, 0.0, 0.0
    for turn in range(2 if choose else 1):
        if turn:
            stop = draw(dice) * whole
            total = 0.0
        for place in range(before, start):
            first = np.int64(h[SLOT, place])
            for other in range(-1, start):
                if other == place:
                    continue
                second, later = none, place
                if other >= 0:
                    second = np.int64(h[SLOT, other])
                    if h[WHEN, second] > h[WHEN, first]:
                        later = other
                chance = room[later] * (0.5 / start + (0.5 if other < 0 else 0.0))
                if model.noisy and chance > 0.0:
                    chance *= showing(h, shown, k, first, second, model)
                total += chance
                if turn and chance > 0.0:
                    h[FIRST, k], h[SECOND, k] = first, second
                    if total > stop:
                        return whole / (start - before)
        whole = total
        if whole <= 0.0:
            break
    return whole / (start - before)


@routine
def parents_given(h, past, shown, t, k, dice, desk, choose, model):
    """Return the log-normaliser of `P(parents of k | all else)`; draw them if asked."""
    start = int(h[START, h[POSITION, k]])
    none, at_once = np.int64(-1), np.int64(0)
    if start == 0:
        chance = showing(h, shown, k, none, none, model) if model.noisy else 1.0
        if chance <= 0.0:
            return IMPOSSIBLE
        if choose:
            h[FIRST, k], h[SECOND, k] = -1, -1
        return learning(h, past, t, k, at_once, model) + np.log(chance)
    unit = by_when(h, past, t, k, start, desk[ROOM], model)
    if unit < POSSIBLE:
        return IMPOSSIBLE
    whole = choose_parents(h, shown, k, dice, desk[ROOM], choose, model)
    return unit + np.log(whole) if whole > 0.0 else IMPOSSIBLE


@kernel
def of_children(h, past, t, k, model):
    """Return log P of the learning times of k's children."""
    total = 0.0
    for place in range(h[POSITION, k] + 1, model.skills):
        child = np.int64(h[SLOT, place])
        if h[FIRST, child] == k or h[SECOND, child] == k:
            total += learning(h, past, t, child, opening(h, child), model)
    return total


@routine
def learn_anew(h, past, goal, t, k, row, dice, desk, model):
    """Draw when k became known from all but its children; take it by their ratio.

    Return whether it was taken; if not, nothing has changed. With rates of another row,
    whose answers are on the desk, k has them then.
    """
    old_row, old = h[ROW, k], h[WHEN, k]
    change = -of_children(h, past, t, k, model)
    h[ROW, k] = row
    draw_when(h, past, t, k, opening(h, k), row, dice, desk, model)
    taken = True
    if h[WHEN, k] != old:
        change += of_children(h, past, t, k, model)
        taken = np.log(draw(dice)) < change
        if taken and h[WHEN, k] == 0:
            taken = enough_unknown(h, goal, model)
    if not taken:
        h[ROW, k], h[WHEN, k] = old_row, old
    return taken


@routine
def move_skill(h, past, shown, goal, t, k, dice, desk, model):
    """Draw rates, parents and learning time of k anew; the last is summed over first.

    Rates are proposed from the population; parents are drawn from their conditional
    given rates, order and all other learning times.
    """
    opened = opening(h, k)
    row, proposed = int(h[ROW, k]), int(draw(dice) * model.rates.shape[0])
    new = tabulate(past, t, k, proposed, desk, model)
    new += np.log(evidence(past, t, k, opened, desk, model))
    now = tabulate(past, t, k, row, desk, model)
    now += np.log(evidence(past, t, k, opened, desk, model))
    if np.log(draw(dice)) < new - now:
        tabulate(past, t, k, proposed, desk, model)
        if learn_anew(h, past, goal, t, k, proposed, dice, desk, model):
            row = proposed
        else:
            tabulate(past, t, k, row, desk, model)
    first, second, when = h[FIRST, k], h[SECOND, k], h[WHEN, k]
    start = int(h[START, h[POSITION, k]])
    if start > 0:
        by_answers(h, past, t, k, start, desk, model)
        choose_parents(h, shown, k, dice, desk[ROOM], True, model)
    taken = learn_anew(h, past, goal, t, k, row, dice, desk, model)
    if not (taken and enough_unknown(h, goal, model)):
        h[FIRST, k], h[SECOND, k], h[WHEN, k] = first, second, when


@kernel
def exchange(h, a, b, model):
    """Let a and b change places, also as parents of others."""
    h[POSITION, a], h[POSITION, b] = h[POSITION, b], h[POSITION, a]
    h[SLOT, h[POSITION, a]], h[SLOT, h[POSITION, b]] = a, b
    for k in range(model.activities):
        for row in range(FIRST, SECOND + 1):
            if h[row, k] == a:
                h[row, k] = b
            elif h[row, k] == b:
                h[row, k] = a


@routine
def move_places(h, past, shown, goal, t, a, b, dice, desk, model):
    """Propose that skills a and b change places; draw their own parents anew."""
    a1, a2 = h[FIRST, a], h[SECOND, a]
    b1, b2 = h[FIRST, b], h[SECOND, b]
    old = of_others(h, past, shown, t, a, b, model)
    old += parents_given(h, past, shown, t, a, dice, desk, False, model)
    old += parents_given(h, past, shown, t, b, dice, desk, False, model)
    exchange(h, a, b, model)
    new = IMPOSSIBLE
    if not (among(goal, a) or among(goal, b)) or goals_fit(h, goal, model):
        new = of_others(h, past, shown, t, a, b, model)
    if new > POSSIBLE:
        new += parents_given(h, past, shown, t, a, dice, desk, True, model)
    if new > POSSIBLE:
        new += parents_given(h, past, shown, t, b, dice, desk, True, model)
    taken = new > POSSIBLE and np.log(draw(dice)) < new - old
    if not (taken and enough_unknown(h, goal, model)):
        exchange(h, a, b, model)
        h[FIRST, a], h[SECOND, a] = a1, a2
        h[FIRST, b], h[SECOND, b] = b1, b2


@routine
def move_distractor(h, past, shown, goal, t, k, other, dice, desk, model):
    """Propose that skill k is a distractor and `other`, a distractor, in its place."""
    if among(goal, k) or shown[k, 0] >= 0 or shown[k, 1] >= 0:
        return
    first, second = h[FIRST, k], h[SECOND, k]
    when, row = h[WHEN, k], h[ROW, k]
    opened = opening(h, k)
    old = of_others(h, past, shown, t, k, other, model)
    old += tabulate(past, t, k, int(row), desk, model)
    old += np.log(evidence(past, t, k, opened, desk, model))
    old += int(past[t, COUNT, other]) * _COIN
    exchange(h, k, other, model)
    h[FIRST, other], h[SECOND, other] = first, second
    h[FIRST, k], h[SECOND, k], h[WHEN, k] = -1, -1, NEVER
    drawn = int(draw(dice) * model.rates.shape[0])
    new = tabulate(past, t, other, drawn, desk, model)
    new += np.log(evidence(past, t, other, opened, desk, model))
    new += int(past[t, COUNT, k]) * _COIN
    h[ROW, other] = drawn
    draw_when(h, past, t, other, opened, drawn, dice, desk, model)
    new += of_others(h, past, shown, t, k, other, model)
    taken = new > POSSIBLE and np.log(draw(dice)) < new - old
    if not (taken and enough_unknown(h, goal, model)):
        h[FIRST, other], h[SECOND, other], h[WHEN, other] = -1, -1, NEVER
        exchange(h, k, other, model)
        h[FIRST, k], h[SECOND, k] = first, second
        h[WHEN, k], h[ROW, k] = when, row


@routine
def move_layers(h, spare, past, shown, goal, t, dice, desk, model):
    """Propose that a layer begins, or no longer, at some place; draw parents anew.

    `spare` is room for another hypothesis.
    """
    copy(h, spare)
    place = 1 + int(draw(dice) * (model.skills - 1))
    mark = h[START, place]
    start = place if mark != place else h[START, place - 1]
    p = place
    while p < model.skills and h[START, p] == mark:
        h[START, p] = start
        p += 1
    new = layers(h[START], model)
    old = layers(spare[START], model)
    p = place
    while p < model.skills and new > POSSIBLE:
        was, now = spare[START, p], h[START, p]
        changed = was != now
        if not changed and now > 0:
            changed = spare[START, was - 1] != h[START, now - 1]
        if changed:
            k = np.int64(h[SLOT, p])
            old += parents_given(spare, past, shown, t, k, dice, desk, False, model)
            new += parents_given(h, past, shown, t, k, dice, desk, True, model)
        p += 1
    taken = new > POSSIBLE and np.log(draw(dice)) < new - old
    if not (taken and enough_unknown(h, goal, model)):
        copy(spare, h)


@routine
def sweep(h, spare, past, shown, goal, t, k, dice, desk, model):
    """A few moves of one hypothesis, most of them about activity k.

    Its parents are moved before it: a row of wrong answers may be their fault.
    """
    for turn in range(4):
        skill = k
        if turn == 0:
            skill = np.int64(h[SLOT, int(draw(dice) * model.skills)])
        elif turn < 3:
            skill = np.int64(h[FIRST if turn == 1 else SECOND, k])
        if skill >= 0 and h[POSITION, skill] < model.skills:
            move_skill(h, past, shown, goal, t, skill, dice, desk, model)
    a = k if draw(dice) < 0.5 else np.int64(draw(dice) * model.activities)
    b = np.int64(draw(dice) * (model.activities - 1))
    b += b >= a
    if h[POSITION, a] >= model.skills:
        a, b = b, a
    if h[POSITION, b] < model.skills:
        move_places(h, past, shown, goal, t, a, b, dice, desk, model)
    elif h[POSITION, a] < model.skills:
        move_distractor(h, past, shown, goal, t, a, b, dice, desk, model)
    if model.skills > 1 and draw(dice) < LAYER_MOVES:
        move_layers(h, spare, past, shown, goal, t, dice, desk, model)
