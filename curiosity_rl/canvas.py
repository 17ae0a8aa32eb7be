"""Draw with NumPy alone: shapes, digits, and a scale of colours.

Shapes are drawn from their signed distance d (negative inside, in pixels): a pixel is
covered by `clip(0.5 - d, 0, 1)`, which gives smooth edges without any drawing library.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

Colour = Sequence[int] | np.ndarray
"""Red, green and blue, each 0..255."""

PAPER = (250, 249, 246)
INK = (45, 52, 64)
MUTED = (203, 207, 213)
GOLD = (235, 158, 28)
SEA = np.array(  # pale sand to deep sea: lighter means less
    [[244, 236, 219], [183, 219, 190], [90, 178, 165], [36, 123, 145], [24, 74, 117]],
    dtype=float,
)
FIRE = np.array(
    [[252, 238, 205], [253, 200, 118], [241, 134, 62], [207, 66, 46], [122, 20, 46]],
    dtype=float,
)
PLUM = np.array(
    [[245, 236, 244], [215, 186, 222], [172, 128, 192], [124, 72, 158], [70, 26, 108]],
    dtype=float,
)
_DIGIT_ROWS = (  # rows of 3 bits, top to bottom
    (7, 5, 5, 5, 7),
    (2, 6, 2, 2, 7),
    (7, 1, 7, 4, 7),
    (7, 1, 7, 1, 7),
    (5, 5, 7, 1, 1),
    (7, 4, 7, 1, 7),
    (7, 4, 7, 5, 7),
    (7, 1, 1, 2, 2),
    (7, 5, 7, 5, 7),
    (7, 5, 7, 1, 7),
)


def ramp(values: Any, stops: np.ndarray = SEA) -> np.ndarray:
    """Map numbers in [0, 1] to colours `(..., 3)` float, pale (0) to deep (1).

    Values outside the range are clipped.

    Args:
        values: The numbers.
        stops: Colours between which to blend, `(n, 3)`: `SEA`, `FIRE` or `PLUM`.
    """
    at = np.clip(np.asarray(values, dtype=float), 0.0, 1.0) * (len(stops) - 1)
    low = np.minimum(at.astype(int), len(stops) - 2)
    part = (at - low)[..., None]
    return stops[low] * (1.0 - part) + stops[low + 1] * part


class Canvas:
    """A picture in progress; x goes right, y goes down, both in pixels.

    Attributes:
        pixels: The picture so far, `(height, width, 3)` float in 0..255.
    """

    def __init__(self, height: int, width: int, background: Colour = PAPER) -> None:
        self.pixels = np.empty((height, width, 3))
        self.pixels[:] = np.asarray(background, dtype=float)

    def image(self) -> np.ndarray:
        """Return the picture, `(height, width, 3)` uint8, a fresh array."""
        return np.rint(self.pixels).astype(np.uint8)

    def disc(self, x: float, y: float, radius: float, colour: Colour) -> None:
        """Fill a circle."""
        window, xs, ys = self._window(x, y, x, y, radius)
        self._blend(window, np.hypot(xs - x, ys - y) - radius, colour)

    def ring(
        self, x: float, y: float, radius: float, thickness: float, colour: Colour
    ) -> None:
        """Draw a circle of a given radius to the middle of its line."""
        window, xs, ys = self._window(x, y, x, y, radius + thickness)
        away = np.abs(np.hypot(xs - x, ys - y) - radius) - thickness / 2
        self._blend(window, away, colour)

    def line(
        self,
        start: tuple[float, float],
        end: tuple[float, float],
        thickness: float,
        colour: Colour,
    ) -> None:
        """Draw a straight line with round ends from `(x, y)` to `(x, y)`."""
        (x0, y0), (x1, y1) = start, end
        window, xs, ys = self._window(x0, y0, x1, y1, thickness)
        dx, dy = x1 - x0, y1 - y0
        along = ((xs - x0) * dx + (ys - y0) * dy) / max(dx * dx + dy * dy, 1e-12)
        along = np.clip(along, 0.0, 1.0)
        away = np.hypot(xs - x0 - along * dx, ys - y0 - along * dy)
        self._blend(window, away - thickness / 2, colour)

    def arrow(
        self,
        start: tuple[float, float],
        end: tuple[float, float],
        thickness: float,
        colour: Colour,
    ) -> None:
        """Draw a line with a filled head whose tip is at `end`."""
        tip, back = np.array(end, dtype=float), np.array(start, dtype=float)
        ahead = (tip - back) / max(float(np.hypot(*(tip - back))), 1e-12)
        length, half = 5.0 * thickness, 2.2 * thickness
        neck = tip - length * ahead
        self.line(start, (neck[0], neck[1]), thickness, colour)
        side = np.array([-ahead[1], ahead[0]])
        window, xs, ys = self._window(tip[0], tip[1], tip[0], tip[1], length + half)
        from_tip = (tip[0] - xs) * ahead[0] + (tip[1] - ys) * ahead[1]
        across = np.abs((xs - tip[0]) * side[0] + (ys - tip[1]) * side[1])
        slope = half / length
        flank = (across - from_tip * slope) / np.hypot(1.0, slope)
        self._blend(window, np.maximum(flank, from_tip - length), colour)

    def box(
        self,
        x0: float,
        y0: float,
        x1: float,
        y1: float,
        colour: Colour,
        corner: float = 0.0,
    ) -> None:
        """Fill a rectangle whose corners are rounded with radius `corner`."""
        window, xs, ys = self._window(x0, y0, x1, y1, 0.0)
        corner = min(corner, (x1 - x0) / 2, (y1 - y0) / 2)
        qx = np.abs(xs - (x0 + x1) / 2) - (x1 - x0) / 2 + corner
        qy = np.abs(ys - (y0 + y1) / 2) - (y1 - y0) / 2 + corner
        outside = np.hypot(np.maximum(qx, 0.0), np.maximum(qy, 0.0))
        inside = np.minimum(np.maximum(qx, qy), 0.0)
        self._blend(window, outside + inside - corner, colour)

    def number(self, x: float, y: float, value: int, dot: int, colour: Colour) -> None:
        """Write a whole number centred at `(x, y)`, in dots of `dot` pixels."""
        text = str(abs(int(value)))
        width = (4 * len(text) - 1) * dot
        left, top = round(x - width / 2), round(y - 5 * dot / 2)
        for place, digit in enumerate(text):
            for row, bits in enumerate(_DIGIT_ROWS[int(digit)]):
                for column in range(3):
                    if bits >> (2 - column) & 1:
                        px = left + (4 * place + column) * dot
                        py = top + row * dot
                        self.box(px, py, px + dot, py + dot, colour)

    def _window(
        self, x0: float, y0: float, x1: float, y1: float, margin: float
    ) -> tuple[tuple[slice, slice], np.ndarray, np.ndarray]:
        """Return the part of the picture to touch, and its pixels' centres."""
        height, width = self.pixels.shape[:2]
        left = int(np.clip(np.floor(min(x0, x1) - margin) - 1, 0, width))
        right = int(np.clip(np.ceil(max(x0, x1) + margin) + 1, 0, width))
        top = int(np.clip(np.floor(min(y0, y1) - margin) - 1, 0, height))
        bottom = int(np.clip(np.ceil(max(y0, y1) + margin) + 1, 0, height))
        ys, xs = np.mgrid[top:bottom, left:right] + 0.5
        return (slice(top, bottom), slice(left, right)), xs, ys

    def _blend(
        self, window: tuple[slice, slice], away: np.ndarray, colour: Colour
    ) -> None:
        cover = np.clip(0.5 - away, 0.0, 1.0)[..., None]
        part = self.pixels[window]
        part += cover * (np.asarray(colour, dtype=float) - part)
