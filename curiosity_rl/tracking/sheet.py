"""A sheet of paper for pictures with words: shapes, arrays and text, by Pillow."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from curiosity_rl.canvas import INK, PAPER, Colour

SOFT = (98, 106, 118)
"""Colour of what explains."""
TITLE, TEXT, SMALL = 18, 13, 12
"""Sizes of letters in pixels."""
MARGIN = 16
LEADING = 1.4
"""Height of a line, in sizes of its letters."""


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
            at: Pillow's name of the anchor: l, m or r, then a (top), m or d (bottom).
        """
        self._draw.text((x, y), text, _rgb(colour), font=_font(size), anchor=at)

    def write_up(self, x: float, y: float, text: str, size: int = SMALL) -> None:
        """Write a line from the bottom to the top, its middle at `(x, y)`."""
        width, height = int(length(text, size)) + 2, int(size * LEADING) + 2
        mask = Image.new("L", (width, height))
        ImageDraw.Draw(mask).text(
            (width / 2, height / 2), text, 255, font=_font(size), anchor="mm"
        )
        turned = mask.transpose(Image.Transpose.ROTATE_90)
        corner = round(x - height / 2), round(y - width / 2)
        self._image.paste(SOFT, corner, turned)

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
    return _font(size).getlength(text)


def wrapped(text: str, width: float, size: int) -> list[str]:
    """Break a text into lines that are no wider than `width`, unless a word is."""
    lines: list[str] = []
    for word in text.split():
        if lines and length(f"{lines[-1]} {word}", size) <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


@cache
def _font(size: int) -> Any:
    return ImageFont.load_default(size)


def _rgb(colour: Colour) -> tuple[int, int, int]:
    red, green, blue = (round(float(part)) for part in colour)
    return red, green, blue
