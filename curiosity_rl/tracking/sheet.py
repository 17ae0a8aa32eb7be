"""A sheet of paper for pictures with words: shapes, arrays and text, by Pillow."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, lru_cache
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from curiosity_rl.canvas import GOLD, INK, MUTED, PAPER, Colour

SOFT = (98, 106, 118)
"""Colour of what explains."""
TITLE, TEXT, SMALL = 18, 13, 12
"""Sizes of letters in pixels."""
MARGIN = 16
LEADING = 1.4
"""Height of a line, in sizes of its letters."""


FINE = 3
"""How much larger graphs are drawn before they are reduced."""


class Sheet:
    """A picture in progress, with a title and a note at its top.

    Attributes:
        width: Width in pixels.
        top: Where the body begins, below title and note.
    """

    def __init__(self, title: str, note: str, body: int, width: int) -> None:
        """Lay out title and note.

        Args:
            title: What is drawn.
            note: How to read it; broken into lines.
            body: Height of what follows, in pixels.
            width: Width of the sheet in pixels.
        """
        self.width = width
        lines = wrapped(note, width - 2 * MARGIN, TEXT)
        first = MARGIN + int(TITLE * LEADING) + 2
        self.top = first + int(len(lines) * TEXT * LEADING) + 12
        self._image = Image.new("RGB", (width, self.top + body), PAPER)
        self._draw = ImageDraw.Draw(self._image)
        self.write(MARGIN, MARGIN, title, TITLE, at="la")
        for number, line in enumerate(lines):
            y = first + number * TEXT * LEADING
            self.write(MARGIN, y, line, TEXT, SOFT, at="la")

    def write(
        self,
        x: float,
        y: float,
        text: str,
        size: int = SMALL,
        colour: Colour = INK,
        at: str = "mm",
    ) -> None:
        """Write a line.

        Args:
            x: Where its anchor is.
            y: Where its anchor is.
            text: What to write.
            size: Height of the letters in pixels.
            colour: Of the letters.
            at: Its anchor: l, m or r (left, middle, right), then a, m or d (top,
                middle, bottom).
        """
        mask, (wide, tall) = _letters(text, size), _size(text, size)
        left = x - {"l": 0.0, "m": wide / 2, "r": wide}[at[0]]
        upper = y - {"a": 0.0, "m": tall / 2, "d": tall}[at[1]]
        self._image.paste(_rgb(colour), (round(left), round(upper)), mask)

    def write_up(self, x: float, y: float, text: str, size: int = SMALL) -> None:
        """Write a line from the bottom to the top, its middle at `(x, y)`."""
        turned = _letters(text, size).transpose(Image.Transpose.ROTATE_90)
        corner = round(x - turned.width / 2), round(y - turned.height / 2)
        self._image.paste(INK, corner, turned)

    def box(self, x0: float, y0: float, x1: float, y1: float, colour: Colour) -> None:
        """Fill the pixels from `x0` up to, without, `x1`, and so on."""
        if round(x1) > round(x0) and round(y1) > round(y0):
            corners = (round(x0), round(y0), round(x1) - 1, round(y1) - 1)
            self._draw.rectangle(corners, _rgb(colour))

    def frame(self, x0: float, y0: float, x1: float, y1: float) -> None:
        """Draw a line of one pixel around the pixels of a box."""
        corners = (round(x0) - 1, round(y0) - 1, round(x1), round(y1))
        self._draw.rectangle(corners, outline=INK)

    def line(self, x0: float, y0: float, x1: float, y1: float, colour: Colour) -> None:
        """Draw a line of one pixel."""
        corners = (round(x0), round(y0), round(x1), round(y1))
        self._draw.line(corners, _rgb(colour))

    def paste(self, x: float, y: float, picture: np.ndarray) -> None:
        """Put a picture `(h, w, 3)` uint8 with its upper left corner at `(x, y)`."""
        self._image.paste(Image.fromarray(picture), (round(x), round(y)))

    def graph(
        self,
        x: float,
        y: float,
        size: tuple[int, int],
        places: np.ndarray,
        edges: np.ndarray,
        fill: np.ndarray,
        ringed: np.ndarray,
        labels: Sequence[int] | np.ndarray,
    ) -> None:
        """Draw a graph of skills, smooth edges by drawing it `FINE` times as large.

        Args:
            x: Left edge.
            y: Upper edge.
            size: Width and height in pixels.
            places: Of the nodes, `(n, 2)` as (x, y) in [0, 1].
            edges: Pairs (from, to), `(E, 2)` int.
            fill: Colours of the nodes, `(n, 3)`.
            ringed: Nodes with a golden ring, `(n,)` bool.
            labels: Whole numbers written in the nodes, `(n,)`.
        """
        wide, tall = size
        _, crowd = np.unique(places[:, 1], return_counts=True)
        room = min(wide / crowd.max(), tall / len(crowd), 48.0)
        radius = 0.33 * room
        edge = np.array([0.02 * wide, 1.4 * radius])
        at = edge + places * (np.array(size) - 2 * edge)
        large = Image.new("RGB", (FINE * wide, FINE * tall), PAPER)
        draw = ImageDraw.Draw(large)
        for origin, target in edges:
            _arrow(draw, FINE * at[origin], FINE * at[target], FINE * radius)
        for node, middle in enumerate(at):
            if ringed[node]:
                _disc(draw, middle, 1.3 * radius, GOLD)
                _disc(draw, middle, 1.12 * radius, PAPER)
            dark = 0.8 * np.asarray(fill[node], float)
            _disc(draw, middle, radius, dark)
            _disc(draw, middle, radius - max(0.09 * radius, 0.7), fill[node])
        self._image.paste(large.reduce(FINE), (round(x), round(y)))
        letters = min(SMALL, int(1.1 * radius))
        if letters < 7:
            return
        for node, (nx, ny) in enumerate(at.tolist()):
            light = np.dot(fill[node], (0.299, 0.587, 0.114)) > 140
            ink = INK if light else PAPER
            self.write(round(x) + nx, round(y) + ny, str(labels[node]), letters, ink)

    def scale(
        self, x: float, y: float, width: int, colours: np.ndarray, low: str, high: str
    ) -> None:
        """Draw a bar of colours `(n, 3)` from left to right, and what its ends mean."""
        left, right = length(low, SMALL) + 8, length(high, SMALL) + 8
        room = max(int(width - left - right), 1)
        bar = colours[(np.arange(room) * len(colours)) // room]
        self.write(x, y, low, SMALL, SOFT, at="lm")
        row = np.rint(bar).astype(np.uint8)[None].repeat(12, axis=0)
        self.paste(x + left, y - 6, row)
        self.write(x + left + room + 8, y, high, SMALL, SOFT, at="lm")

    def key(self, x: float, y: float, colour: Colour, text: str) -> float:
        """Draw a square of a colour and what it means; return where the next begins."""
        self.box(x, y - 6, x + 12, y + 6, colour)
        self.frame(x, y - 6, x + 12, y + 6)
        self.write(x + 18, y, text, SMALL, SOFT, at="lm")
        return x + 18 + length(text, SMALL) + 18

    def image(self) -> np.ndarray:
        """Return the picture, `(height, width, 3)` uint8."""
        return np.array(self._image)


def length(text: str, size: int) -> float:
    """Return the width of a line in pixels."""
    return _size(text, size)[0]


def wrapped(text: str, width: float, size: int) -> list[str]:
    """Break a text into lines that are no wider than `width`, unless a word is.

    Where the text breaks a line, a new one begins.
    """
    lines: list[list[str]] = []
    space = length(" ", size)
    for part in text.splitlines():
        room = -1.0
        for word in part.split():
            wide = length(word, size)
            if wide + space <= room:
                lines[-1].append(word)
                room -= wide + space
            else:
                lines.append([word])
                room = width - wide
    return [" ".join(line) for line in lines]


def _disc(
    draw: ImageDraw.ImageDraw, middle: np.ndarray, radius: float, colour: Colour
) -> None:
    """Fill a circle on a picture `FINE` times as large."""
    x, y = (FINE * middle).tolist()
    size = FINE * radius
    draw.ellipse((x - size, y - size, x + size, y + size), _rgb(colour))


def _arrow(
    draw: ImageDraw.ImageDraw, start: np.ndarray, end: np.ndarray, radius: float
) -> None:
    """Draw an arrow from the edge of one node to just before that of another."""
    ahead = (end - start) / max(float(np.hypot(*(end - start))), 1e-9)
    aside = np.array([-ahead[1], ahead[0]])
    tip, tail = end - 1.36 * radius * ahead, start + radius * ahead
    neck = tip - 0.42 * radius * ahead
    line = max(round(0.1 * radius), FINE)
    draw.line([tuple(tail.tolist()), tuple(neck.tolist())], MUTED, line)
    corners = tip, neck + 0.2 * radius * aside, neck - 0.2 * radius * aside
    draw.polygon([tuple(corner.tolist()) for corner in corners], MUTED)


@cache
def _font(size: int) -> Any:
    return ImageFont.load_default(size)


@lru_cache(4096)
def _size(text: str, size: int) -> tuple[float, int]:
    """Return the width of a line and its height, as Pillow measures them."""
    ascent, descent = _font(size).getmetrics()
    return float(_font(size).getlength(text)), ascent + descent


@lru_cache(512)
def _letters(text: str, size: int) -> Image.Image:
    """Write a line on a mask of its own; most are the same in every picture."""
    wide, tall = _size(text, size)
    mask = Image.new("L", (int(wide) + 2, tall))
    ImageDraw.Draw(mask).text((0, 0), text, 255, font=_font(size), anchor="la")
    return mask


def _rgb(colour: Colour) -> tuple[int, int, int]:
    red, green, blue = (round(float(part)) for part in colour)
    return red, green, blue
