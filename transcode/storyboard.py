"""The WebVTT that tells players which tile of which sheet belongs to which time. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from kernel.timing import TICKS_PER_S
from transcode.commands.pictures import (
    SHEET_PATTERN,
    STORYBOARD_COLUMNS,
    STORYBOARD_TILE_PX,
    Storyboard,
)

_CUE: Final = re.compile(
    r"(\d{2,}):(\d\d):(\d\d)\.(\d{3}) --> (\d{2,}):(\d\d):(\d\d)\.(\d{3})\n"
    r"(\S+#xywh=\d+,\d+,\d+,\d+)"
)


@dataclass(frozen=True, slots=True)
class Tile:
    """What is shown for ``[start_ms, end_ms)``; ``place`` names the sheet and the part of it."""

    start_ms: int
    end_ms: int
    place: str


def list_tiles(board: Storyboard, *, duration_ticks: int) -> list[Tile]:
    """List one tile per interval; the last one ends with the lecture."""
    width, height = STORYBOARD_TILE_PX
    duration_ms = duration_ticks * 1000 // TICKS_PER_S
    per_sheet = STORYBOARD_COLUMNS * board.rows_count
    tiles: list[Tile] = []
    for number in range(board.tiles_count):
        start_ms = number * board.interval_s * 1000
        end_ms = min(duration_ms, start_ms + board.interval_s * 1000)
        sheet, place = divmod(number, per_sheet)
        row, column = divmod(place, STORYBOARD_COLUMNS)
        part = f"#xywh={column * width},{row * height},{width},{height}"
        tiles.append(Tile(start_ms, end_ms, SHEET_PATTERN % sheet + part))
    return tiles


def render_vtt(tiles: Iterable[Tile]) -> str:
    """Render the cues."""
    cues = [
        f"{_format_ms(tile.start_ms)} --> {_format_ms(tile.end_ms)}\n{tile.place}\n"
        for tile in tiles
        if tile.end_ms > tile.start_ms
    ]
    return "\n".join(["WEBVTT\n", *cues])


def parse_vtt(text: str) -> list[Tile]:
    """Read a storyboard of ours; anything else in it is passed over. Total."""
    tiles: list[Tile] = []
    for match in _CUE.finditer(text):
        parts = [int(part) for part in match.groups()[:8]]
        start_ms, end_ms = _join_ms(parts[:4]), _join_ms(parts[4:])
        tiles.append(Tile(start_ms, end_ms, match.group(9)))
    return tiles


def map_tiles(
    tiles: Iterable[Tile], kept_ms: Iterable[tuple[int, int]], to_out: Callable[[int], int]
) -> list[Tile]:
    """Keep the tiles of what is kept and move them to the time of the cut lecture.

    Args:
        kept_ms: Half-open ranges of base time.
        to_out: Out time of the start of such a range.
    """
    known = list(tiles)
    moved: list[Tile] = []
    for start_ms, end_ms in kept_ms:
        out_ms = to_out(start_ms)
        for tile in known:
            low, high = max(start_ms, tile.start_ms), min(end_ms, tile.end_ms)
            if low < high:
                moved.append(Tile(out_ms + low - start_ms, out_ms + high - start_ms, tile.place))
    return moved


def _join_ms(parts: list[int]) -> int:
    hours, minutes, seconds, ms = parts
    return ((hours * 60 + minutes) * 60 + seconds) * 1000 + ms


def _format_ms(value: int) -> str:
    seconds, ms = divmod(value, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}.{ms:03}"
