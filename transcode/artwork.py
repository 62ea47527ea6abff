"""Draw the poster of a lecture without pictures: calm colours, a sound wave, no words."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Final

from PIL import Image, ImageDraw

SIZE_PX: Final = (1280, 720)
_TOP: Final = (250, 246, 240)  # Warm neutral, as the pages are.
_BOTTOM: Final = (236, 226, 214)
_BAR: Final = (180, 35, 42)  # The one accent of the house.
_BARS_COUNT: Final = 41
_SCALE: Final = 2  # Drawn larger and shrunk: smooth edges.


def draw_sound_poster_blocking(path: Path) -> None:
    """Write the JPEG; the same bytes every time."""
    width, height = SIZE_PX[0] * _SCALE, SIZE_PX[1] * _SCALE
    picture = Image.new("RGB", (1, height))
    for y in range(height):
        share = y / (height - 1)
        picture.putpixel(
            (0, y),
            tuple(round(a + (b - a) * share) for a, b in zip(_TOP, _BOTTOM, strict=True)),
        )
    picture = picture.resize((width, height))
    pen = ImageDraw.Draw(picture)
    step = width * 0.6 / _BARS_COUNT
    for number in range(_BARS_COUNT):
        place = (number - (_BARS_COUNT - 1) / 2) / (_BARS_COUNT / 2)
        swing = 0.55 + 0.3 * math.sin(number * 1.7) + 0.15 * math.sin(number * 0.6)
        tall = height * 0.32 * math.cos(place * math.pi / 2) * swing + height * 0.02
        middle = width / 2 + (number - (_BARS_COUNT - 1) / 2) * step
        pen.rounded_rectangle(
            (
                middle - step * 0.28,
                height / 2 - tall,
                middle + step * 0.28,
                height / 2 + tall,
            ),
            radius=step * 0.28,
            fill=_BAR,
        )
    picture.resize(SIZE_PX, Image.Resampling.LANCZOS).save(path, "JPEG", quality=88)
