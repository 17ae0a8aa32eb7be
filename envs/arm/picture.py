"""Draw the arm's table from above."""

from __future__ import annotations

import numpy as np

from curiosity_rl.canvas import GOLD, INK, MUTED, PAPER, Canvas
from curiosity_rl.envs.arm.rules import (
    FAR,
    FOREARM,
    HAND,
    HANDLE,
    MAGNET,
    REACH,
    STICK,
    TABLE,
    TIP,
    TOY,
    UPPER_ARM,
    WALKER,
    ZONE,
    State,
)

SIDE = 400
WOOD, REACHED = (236, 228, 214), (222, 211, 192)
STICK_COLOUR, MAGNET_COLOUR = (139, 94, 52), (214, 69, 65)
TOY_COLOUR, WALKER_COLOUR, FAR_COLOUR = (58, 110, 196), (140, 84, 176), (62, 158, 96)
_EDGE = 12
_SCALE = (SIDE - 2 * _EDGE) / (2 * TABLE)


def _pixel(place: np.ndarray) -> tuple[float, float]:
    return SIDE / 2 + _SCALE * float(place[0]), SIDE / 2 - _SCALE * float(place[1])


def draw_table(state: State, lane: int) -> np.ndarray:
    """Return the picture of one lane, `(400, 400, 3)` uint8.

    Rings show how far hand and stick reach; gold is the goal zone, blue the toy, purple
    the walker, green the far toy, and the red end of the stick its magnet.
    """
    canvas = Canvas(SIDE, SIDE)
    canvas.box(_EDGE / 2, _EDGE / 2, SIDE - _EDGE / 2, SIDE - _EDGE / 2, WOOD, _EDGE)
    places = state.places[lane]
    middle = _pixel(np.zeros(2))
    canvas.ring(*middle, _SCALE * (REACH + STICK), 1.5, REACHED)
    canvas.ring(*middle, _SCALE * REACH, 1.5, REACHED)
    zone = _pixel(state.goal[lane] * TABLE)
    canvas.disc(*zone, _SCALE * ZONE, 0.5 * np.array(GOLD) + 0.5 * np.array(WOOD))
    canvas.ring(*zone, _SCALE * ZONE, 2.0, GOLD)
    for which, colour in ((WALKER, WALKER_COLOUR), (FAR, FAR_COLOUR)):
        canvas.disc(*_pixel(places[which]), 8.0, colour)
    handle, tip = _pixel(places[HANDLE]), _pixel(places[TIP])
    canvas.line(handle, tip, 5.0, STICK_COLOUR)
    canvas.disc(*handle, 4.5, STICK_COLOUR)
    canvas.ring(*tip, _SCALE * MAGNET, 1.0, MAGNET_COLOUR)
    canvas.disc(*_pixel(places[TOY]), 8.0, TOY_COLOUR)
    canvas.disc(*tip, 4.0, MAGNET_COLOUR)
    first, second = state.joints[lane, 0], state.joints[lane, :2].sum()
    elbow = UPPER_ARM * np.array([np.cos(first), np.sin(first)])
    wrist = elbow + FOREARM * np.array([np.cos(second), np.sin(second)])
    canvas.disc(*middle, 13.0, MUTED)
    bones = [np.zeros(2), elbow, wrist, places[HAND]]
    for k, start in enumerate(bones[:-1]):
        canvas.line(_pixel(start), _pixel(bones[k + 1]), 9.0 - 2.0 * k, INK)
    for joint in bones[:-1]:
        canvas.disc(*_pixel(joint), 3.0, PAPER)
    ahead = state.heading[lane]
    aside = np.array([-ahead[1], ahead[0]])
    width = 0.03 if state.closed[lane] else 0.08
    for side in (-width, width):
        root = places[HAND] + side * aside
        canvas.line(_pixel(places[HAND]), _pixel(root), 3.0, INK)
        canvas.line(_pixel(root), _pixel(root + 0.08 * ahead), 3.0, INK)
    return canvas.image()
