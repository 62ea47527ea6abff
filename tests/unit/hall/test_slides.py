"""The generated lecture tells its age."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from hall.demo.slides import STRIP_CELLS, STRIP_HEIGHT_PX, SlidePainter, read_strip

NOW = datetime(2026, 7, 1, 9, 30, 15, 123_000, tzinfo=UTC)


@pytest.mark.parametrize(("width", "height"), [(1280, 720), (640, 360)])
def test_time_strip_is_readable_from_the_picture(width: int, height: int) -> None:
    painter = SlidePainter(width, height)
    frame = painter.paint(NOW, slide_index=3)
    assert len(frame) == width * height * 3
    row = (height - STRIP_HEIGHT_PX // 2) * width * 3
    bits = ""
    for cell in range(STRIP_CELLS):
        column = int((cell + 0.5) * width / STRIP_CELLS)
        bits += "1" if frame[row + column * 3] > 127 else "0"
    assert read_strip(bits) == round(NOW.timestamp() * 1000)


def test_strip_without_its_guards_is_not_believed() -> None:
    assert read_strip("0" * STRIP_CELLS) is None
    assert read_strip("1") is None
