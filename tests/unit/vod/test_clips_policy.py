"""Clips: ranges, sizes, and the rung that pictures come from."""

from __future__ import annotations

import math
from typing import Any

import pytest

from kernel.errors import ConflictError, InputError
from kernel.timing import TICKS_PER_S
from vod.clips.models import ClipShape
from vod.clips.policy import BYTES_PER_MB, choose_rung, name_range, read_limit, read_range

HOUR = 3600 * TICKS_PER_S


def test_a_range_becomes_ticks_and_ends_with_the_lecture() -> None:
    assert read_range(730, 780, duration_ticks=HOUR) == (730 * TICKS_PER_S, 780 * TICKS_PER_S)
    assert read_range(3590, 3600.4, duration_ticks=HOUR) == (3590 * TICKS_PER_S, HOUR)


@pytest.mark.parametrize(
    ("start_s", "end_s"),
    [
        (5, 5), (5, 5.9), (6, 5), (0, 600.1), (-1, 5), (3590, 3601), (math.nan, 5),
        (0, math.inf), (3600, 3600.4),
    ],
)  # fmt: skip
def test_other_ranges_are_refused_in_words(start_s: float, end_s: float) -> None:
    with pytest.raises(InputError) as caught:
        read_range(start_s, end_s, duration_ticks=HOUR)
    assert caught.value.http_status == 422
    assert caught.value.title


def test_so_long_a_clip_cannot_be_so_small() -> None:
    assert read_limit(23, length_ticks=600 * TICKS_PER_S) == 23 * BYTES_PER_MB
    with pytest.raises(InputError) as caught:
        read_limit(22, length_ticks=600 * TICKS_PER_S)
    assert "23 MB" in caught.value.title


def make_rung(height: int, codec: str = "avc1.640028") -> dict[str, Any]:
    return {
        "name": f"{height}p", "kind": "video", "codec": codec, "width_px": height * 16 // 9,
        "height_px": height,
    }  # fmt: skip


def test_the_rung_is_as_large_as_it_is_of_use() -> None:
    sound = {"name": "audio", "kind": "audio", "codec": "mp4a.40.2"}
    rungs = [make_rung(360), make_rung(2160), make_rung(1080), make_rung(4320, "av01.0.1"), sound]
    found = {shape: choose_rung(rungs, shape)["name"] for shape in ClipShape}
    assert found == {
        ClipShape.LANDSCAPE: "1080p", ClipShape.BLUR: "1080p", ClipShape.CROP: "2160p",
    }  # fmt: skip
    assert choose_rung([make_rung(240), sound], ClipShape.BLUR)["name"] == "240p"
    with pytest.raises(ConflictError):
        choose_rung([sound], ClipShape.LANDSCAPE)


def test_a_file_is_named_after_its_range() -> None:
    assert name_range(730 * TICKS_PER_S, 3780 * TICKS_PER_S) == "00.12.10-01.03.00"
