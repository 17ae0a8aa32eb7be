"""What a cell of the map holds: one `uint16`, its low byte is what the agent sees.

| bits | meaning |
|---|---|
| 0-2 | kind: UNSEEN, EMPTY, WALL, DOOR, KEY, BALL, BOX or GOAL |
| 3-5 | colour, MiniGrid's number |
| 6-7 | state of a door: OPEN, CLOSED or LOCKED |
| 8 | hidden: picking this up ends the episode |
| 9-12 | hidden, of a box: whether it holds a key, and the key's colour |
| 9-12 | hidden, of a door: its number in a chain of rooms; 0 for none |
| 15 | whether it hides what stands behind it |
"""

from __future__ import annotations

import numpy as np

UNSEEN, EMPTY, WALL, DOOR, KEY, BALL, BOX, GOAL = range(8)
RED, GREEN, BLUE, PURPLE, YELLOW, GREY = range(6)
OPEN, CLOSED, LOCKED = range(3)
COLOURS = 6

KIND_BITS, LOOK_BITS = 0b111, 0xFF
COLOUR_AT, DOOR_AT, CONTENT_AT = 3, 6, 10
NUMBER_AT = 9
TARGET, HOLDS_KEY, OPAQUE = 1 << 8, 1 << 9, 1 << 15

NUMBERS = (0, 1, 2, 4, 5, 6, 7, 8)
"""MiniGrid's number of each kind; its floor, lava and agent never come into view."""


def cell(kind: int, colour: int = 0, state: int = OPEN, key: int | None = None) -> int:
    """Return the code of a cell.

    Args:
        kind: What it holds.
        colour: The colour of that.
        state: State of a door.
        key: Colour of the key in a box; None for an empty box.
    """
    code = kind | colour << COLOUR_AT | state << DOOR_AT
    if kind == WALL or (kind == DOOR and state != OPEN):
        code |= OPAQUE
    if key is not None:
        code |= HOLDS_KEY | key << CONTENT_AT
    return code


STONE = cell(WALL, GREY)
FINISH = cell(GOAL, GREEN)


def triples() -> np.ndarray:
    """Return MiniGrid's (kind, colour, state) of every look, `(256, 3)` uint8."""
    looks = np.arange(256)
    kind = np.array(NUMBERS)[looks & KIND_BITS]
    return np.stack([kind, looks >> 3 & 7, looks >> 6], axis=1).astype(np.uint8)


SCALE = np.array([8.0, 5.0, 2.0], dtype=np.float32)
"""Largest kind, colour and state in view: what flat observations are divided by."""

ONE_HOT = (
    *("empty", "wall", "door", "key", "ball", "box", "goal", "closed", "locked"),
    *("red", "green", "blue", "purple", "yellow", "grey"),
)
"""What the features of a cell say in one-hot observations; all are 0 if unseen."""


def one_hot() -> np.ndarray:
    """Return the features of every look, `(256, 15)` float32.

    Colours are told of doors, keys, balls and boxes only: all else has but one.
    """
    looks = np.arange(256)
    kind, colour, state = looks & KIND_BITS, looks >> 3 & 7, looks >> 6
    features = np.zeros((256, len(ONE_HOT)), dtype=np.float32)
    features[looks, kind - 1] = kind != UNSEEN
    door = kind == DOOR
    features[:, 7] = door & (state == CLOSED)
    features[:, 8] = door & (state == LOCKED)
    coloured = (kind >= DOOR) & (kind <= BOX) & (colour < COLOURS)
    features[looks[coloured], 9 + colour[coloured]] = 1.0
    return features
