"""Pictures of a student: the skill graph, coloured by what is known."""

from __future__ import annotations

import numpy as np

from curiosity_rl.canvas import MUTED, ramp
from curiosity_rl.envs.tutor.bits import unpack
from curiosity_rl.envs.tutor.state import Params, State
from curiosity_rl.graph_picture import draw_graph, layered_positions

KNOWN_SHADE, UNKNOWN_SHADE = 0.85, 0.05


def draw_student(state: State, lane: int, params: Params) -> np.ndarray:
    """Draw the true graph of one lane, `(height, width, 3)` uint8.

    Dark skills are known, pale ones not; goals wear a golden ring, distractors are grey
    in a row of their own, the last activity is outlined, numbers count the exercises,
    and the bar shows what is left of the budget.
    """
    row = slice(lane, lane + 1)
    known, goal, distractor = (
        unpack(mask[row], params.activities)[0]
        for mask in (state.mastery, state.goal, state.distractor)
    )
    parents = state.parents[lane]
    child, slot = np.nonzero(parents >= 0)
    fill = ramp(np.where(known, KNOWN_SHADE, UNKNOWN_SHADE))
    fill[distractor] = MUTED
    active = int(state.activity[lane])
    return draw_graph(
        layered_positions(parents, distractor),
        np.stack([parents[child, slot], child], axis=1),
        fill,
        ringed=goal,
        active=None if active < 0 else active,
        labels=state.attempts[lane],
        left=1.0 - float(state.elapsed[lane]) / params.budget,
    )
