"""TensorBoard's file of events, written quickly."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import PIL.Image
from stable_baselines3.common.logger import Image, TensorBoardOutputFormat
from tensorboard.compat.proto import summary_pb2

QUICK = 1
"""Level of compression of pictures: a third of the time, a fifth more bytes."""
COLOURS = 256
"""Colours of a picture in a file; the rest, of the edges of letters, is rounded."""
MOST_COLOURS = 2048
"""Colours above which a picture is none of ours, and keeps them all."""


_PROTO: Any = summary_pb2  # built when it is imported: no types are known before


class Events(TensorBoardOutputFormat):
    """Writes as SB3's format does, but numbers at once, and packs pictures itself.

    An event of its own for each number takes three times as long. torch turns a uint8
    picture into numbers and back, and compresses it as well as it can, which takes
    longer than to draw it.
    """

    def write(
        self,
        key_values: dict[str, Any],
        key_excluded: dict[str, tuple[str, ...]],
        step: int = 0,
    ) -> None:
        """Write one dump."""
        rest, summary = dict(key_values), _PROTO.Summary()
        for key, value in key_values.items():
            if "tensorboard" in (key_excluded[key] or ()):
                continue
            if isinstance(value, int | float | np.integer | np.floating):
                summary.value.add(tag=key, simple_value=float(value))
            elif _packs(value):
                summary.value.append(packed(key, value.image))
            else:
                continue
            del rest[key]
        if summary.value:
            file: Any = self.writer.file_writer
            file.add_summary(summary, step)
        super().write(rest, {key: key_excluded[key] for key in rest}, step)


def _packs(value: Any) -> bool:
    if not (isinstance(value, Image) and value.dataformats == "HWC"):
        return False
    picture = value.image
    return (
        isinstance(picture, np.ndarray)
        and picture.dtype == np.uint8
        and picture.shape[2:] == (3,)
    )


def packed(tag: str, picture: np.ndarray) -> Any:
    """Return a picture `(h, w, 3)` uint8 as a value of a summary.

    Its colours may be a few levels off: with a palette it has half the bytes, in a
    fourth of the time.
    """
    image = PIL.Image.fromarray(picture)
    found: Any = image.getcolors(MOST_COLOURS)  # each with its number of pixels
    if found is not None:
        common = sorted(found, reverse=True)[:COLOURS]
        palette = PIL.Image.new("P", (1, 1))
        palette.putpalette([level for _, colour in common for level in colour])
        image = image.quantize(palette=palette, dither=PIL.Image.Dither.NONE)
    png = io.BytesIO()
    image.save(png, format="PNG", compress_level=QUICK)
    height, width, _ = picture.shape
    image = _PROTO.Summary.Image(
        height=height, width=width, colorspace=3, encoded_image_string=png.getvalue()
    )
    return _PROTO.Summary.Value(tag=tag, image=image)
