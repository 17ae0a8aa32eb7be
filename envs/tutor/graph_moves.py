"""Moves that leave the posterior over hypotheses as it is: Gibbs and Metropolis steps.

Parents and learning times are drawn from their full conditionals; where two skills
change places or a layer begins elsewhere, the parents that this touches are integrated
out: the step is taken with the ratio of the normalisers, then they are drawn anew.

Source: Geman and Geman 1984 (full conditionals); Hastings 1970 (ratios); as moves of
particles: Gilks and Berzuini 2001, "Following a moving target".

Whole numbers are handed on as int64: a literal and an int16 are types of their own to
numba, which would compile every kernel below once more for each.
"""

from __future__ import annotations

import numpy as np

from curiosity_rl.envs.tutor.hypotheses import (
    COUNT,
    FIRST,
    IMPOSSIBLE,
    LAST,
    LOG_G,
    LOG_NOT,
    LOG_NOT_G,
    LOG_NOT_LEAK,
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
    answers,
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

LARGEST = 1e150  # ratio of likelihoods that float64 can still multiply
LAYER_MOVES = 0.2
_COIN = float(np.log(0.5))


@routine
def parents_given(h, past, shown, t, k, dice, desk, choose, model):
    """Return the log-normaliser of `P(parents of k | all else)`; draw them if asked.

    The sum runs over the prior's choices: a first parent in the layer before, and a
    second, half the time, in any earlier layer; times the chance of k's learning time
    under the later of the two, times that of the links shown. `desk` is scratch, `(K,)`
    at least.
    """
    start = int(h[START, h[POSITION, k]])
    none, at_once = np.int64(-1), np.int64(0)
    if start == 0:
        chance = showing(h, shown, k, none, none, model) if model.noisy else 1.0
        if chance <= 0.0:
            return IMPOSSIBLE
        if choose:
            h[FIRST, k], h[SECOND, k] = -1, -1
        return learning(h, past, t, k, at_once, model) + np.log(chance)
    before = int(h[START, start - 1])
    top = IMPOSSIBLE
    for place in range(start):
        when = h[WHEN, h[SLOT, place]]
        if place > 0 and when == h[WHEN, h[SLOT, place - 1]]:
            desk[place] = desk[place - 1]
        else:
            desk[place] = learning(h, past, t, k, np.int64(when), model)
        top = max(top, desk[place])
    if top < POSSIBLE:
        return IMPOSSIBLE
    for place in range(start - 1, -1, -1):
        here = h[WHEN, h[SLOT, place]]
        if place + 1 < start and here == h[WHEN, h[SLOT, place + 1]]:
            desk[place] = desk[place + 1]
        elif desk[place] < top:
            desk[place] = np.exp(desk[place] - top)
        else:
            desk[place] = 1.0
    total, log_total, stop = 0.0, 0.0, 0.0
    for turn in range(2 if choose else 1):
        if turn:
            stop = draw(dice) * total
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
                chance = desk[later] * (0.5 / start + (0.5 if other < 0 else 0.0))
                if model.noisy and chance > 0.0:
                    chance *= showing(h, shown, k, first, second, model)
                total += chance
                if turn and chance > 0.0:
                    h[FIRST, k], h[SECOND, k] = first, second
                    if total > stop:
                        return log_total
        if total <= 0.0:
            return IMPOSSIBLE
        log_total = top + np.log(total / (start - before))
    return log_total


@routine
def when_given(h, past, t, k, opened, row, dice, choose, model):
    """Return log of `sum over w of P(w | opened) P(answers to k | w)`; draw w if asked.

    One walk back over the exercises of k: `failed` is the chance of not learning before
    exercise x, `ratio` that of the answers after it, known against unknown.
    """
    rate, guess, slip = model.rates[row, T], model.rates[row, G], model.rates[row, S]
    count, right = int(past[t, COUNT, k]), int(past[t, WINS, k])
    scale = right * model.rates[row, LOG_G]
    scale += (count - right) * model.rates[row, LOG_NOT_G]
    shut = int(past[min(opened, t), COUNT, k])
    never = shut * model.rates[row, LOG_NOT_LEAK]
    never += (count - shut) * model.rates[row, LOG_NOT]
    if opened == 0:
        never += model.log_unknown
    never = np.exp(never)
    hit, miss = (1.0 - slip) / guess, slip / (1.0 - guess)
    total, log_total, stop = 0.0, 0.0, 0.0
    for turn in range(2 if choose else 1):
        if turn:
            stop = draw(dice) * total
        failed, ratio = never, 1.0
        total = never
        x = int(past[t, LAST, k])
        if turn:
            h[WHEN, k] = NEVER
            if total > stop:
                return log_total
        while x > 0:
            chance = rate if opened < x else rate * model.leak
            failed /= 1.0 - chance
            told = hit if past[x, WINS, k] > past[x - 1, WINS, k] else miss
            after = min(ratio * told, LARGEST)
            total += failed * chance * (after if model.learn_first else ratio)
            ratio = after
            if turn and chance > 0.0:
                h[WHEN, k] = x
                if total > stop:
                    return log_total
            x = int(past[x - 1, LAST, k])
        if opened == 0 and model.known > 0.0:
            total += model.known * ratio
            if turn:
                h[WHEN, k] = 0
        if turn == 0:
            log_total = scale + np.log(total)
    return log_total


@kernel
def of_children(h, past, t, k, model):
    """Return log P of the learning times of k's children."""
    total = 0.0
    for place in range(h[POSITION, k] + 1, model.skills):
        child = np.int64(h[SLOT, place])
        if h[FIRST, child] == k or h[SECOND, child] == k:
            total += learning(h, past, t, child, opening(h, child), model)
    return total


@kernel
def move_row(h, past, t, k, dice, model):
    """Propose other rates for k."""
    old, new = h[ROW, k], int(draw(dice) * model.rates.shape[0])
    opened, when = opening(h, k), int(h[WHEN, k])
    change = -learning(h, past, t, k, opened, model)
    change -= answers(past, t, k, when, old, model)
    h[ROW, k] = new
    change += learning(h, past, t, k, opened, model)
    change += answers(past, t, k, when, new, model)
    if np.log(draw(dice)) >= change:
        h[ROW, k] = old


@routine
def move_when(h, past, goal, t, k, dice, model):
    """Draw when k became known from all but its children; take it by their ratio."""
    old = h[WHEN, k]
    when_given(h, past, t, k, opening(h, k), int(h[ROW, k]), dice, True, model)
    new = h[WHEN, k]
    if new == old:
        return
    change = of_children(h, past, t, k, model)
    taken = change > POSSIBLE
    if taken:
        h[WHEN, k] = old
        change -= of_children(h, past, t, k, model)
        h[WHEN, k] = new
        taken = np.log(draw(dice)) < change
        if taken and new == 0:
            taken = enough_unknown(h, goal, model)
    if not taken:
        h[WHEN, k] = old


@kernel
def move_parents(h, past, shown, goal, t, k, dice, desk, model):
    """Draw the parents of k from their full conditional."""
    first, second = h[FIRST, k], h[SECOND, k]
    parents_given(h, past, shown, t, k, dice, desk, True, model)
    if not enough_unknown(h, goal, model):
        h[FIRST, k], h[SECOND, k] = first, second


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
def move_distractor(h, past, shown, goal, t, k, other, dice, model):
    """Propose that skill k is a distractor and `other`, a distractor, in its place."""
    if among(goal, k) or shown[k, 0] >= 0 or shown[k, 1] >= 0:
        return
    first, second = h[FIRST, k], h[SECOND, k]
    when, row = h[WHEN, k], h[ROW, k]
    opened = opening(h, k)
    old = of_others(h, past, shown, t, k, other, model)
    old += when_given(h, past, t, k, opened, int(row), dice, False, model)
    old += int(past[t, COUNT, other]) * _COIN
    exchange(h, k, other, model)
    h[FIRST, other], h[SECOND, other] = first, second
    h[FIRST, k], h[SECOND, k], h[WHEN, k] = -1, -1, NEVER
    h[ROW, other] = int(draw(dice) * model.rates.shape[0])
    new = when_given(h, past, t, other, opened, int(h[ROW, other]), dice, True, model)
    new += int(past[t, COUNT, k]) * _COIN
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
    """A few moves of one hypothesis, half of them about activity k."""
    for turn in range(2):
        skill = k if turn else int(h[SLOT, int(draw(dice) * model.skills)])
        if h[POSITION, skill] < model.skills:
            move_when(h, past, goal, t, skill, dice, model)
            move_row(h, past, t, skill, dice, model)
            if turn == 0:
                move_parents(h, past, shown, goal, t, skill, dice, desk, model)
            else:
                move_row(h, past, t, skill, dice, model)
    for turn in range(2):
        a = k if turn else int(draw(dice) * model.activities)
        b = int(draw(dice) * (model.activities - 1))
        b += b >= a
        if h[POSITION, a] >= model.skills:
            a, b = b, a
        if h[POSITION, b] < model.skills:
            move_places(h, past, shown, goal, t, a, b, dice, desk, model)
        elif h[POSITION, a] < model.skills:
            move_distractor(h, past, shown, goal, t, a, b, dice, model)
    if model.skills > 1 and draw(dice) < LAYER_MOVES:
        move_layers(h, spare, past, shown, goal, t, dice, desk, model)
