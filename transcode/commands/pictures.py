"""Command lines that make posters and storyboards. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import ffmpeg

from kernel.timing import TICKS_PER_S
from transcode.commands.base import compile_command, open_input, with_progress
from transcode.specs import KEYFRAME_GRID_S, Rung

STORYBOARD_TILE_PX: Final = (160, 90)
STORYBOARD_COLUMNS: Final = 10
POSTER_WINDOW_S: Final = 120  # One range: thirty keyframes to choose from.
POSTER_WIDTH_PX: Final = 1280


@dataclass(frozen=True, slots=True)
class Picture:
    """One frame size of the storyboard sheet."""

    interval_s: int
    tiles_count: int
    rows_count: int


def make_poster(program: Path, *, source: Path, rung: Rung, output: Path) -> list[str]:
    """Pick the most representative keyframe of the first two minutes of ``source``."""
    picture = (
        # Keyframes only: cheap, and pictures 4 s apart differ more than neighbours do.
        open_input(source, t=POSTER_WINDOW_S, skip_frame="nokey")
        .video.filter("thumbnail", POSTER_WINDOW_S // KEYFRAME_GRID_S)
        .filter("scale", min(POSTER_WIDTH_PX, rung.width_px), -2, out_range="pc")
        .filter("format", "yuvj420p")
    )
    result = ffmpeg.output(
        picture,
        str(output),
        **{"frames:v": 1, "c:v": "mjpeg", "q:v": 3, "f": "image2", "update": 1, "map_metadata": -1},
    )
    return compile_command(program, with_progress(result))


def plan_storyboard(duration_ticks: int, *, max_tiles: int = 300) -> Picture:
    """Choose the distance of the tiles: a multiple of the keyframe grid, at most ``max_tiles``."""
    duration_s = -(-duration_ticks // TICKS_PER_S)
    interval_s = KEYFRAME_GRID_S * max(1, -(-duration_s // (KEYFRAME_GRID_S * max_tiles)))
    tiles = max(1, -(-duration_s // interval_s))
    return Picture(interval_s, tiles, -(-tiles // STORYBOARD_COLUMNS))


def make_storyboard(program: Path, *, source: Path, sheet: Picture, output: Path) -> list[str]:
    """Tile the keyframes of a whole joined rung into one JPEG."""
    width, height = STORYBOARD_TILE_PX
    picture = (
        open_input(source, skip_frame="nokey")  # Every tile is a keyframe: nothing else is decoded.
        .video.filter("fps", fps=f"1/{sheet.interval_s}", start_time=0, round="up")
        .filter("tpad", stop=-1, stop_mode="clone")
        .filter("trim", end_frame=sheet.tiles_count)
        .filter("scale", width, height, force_original_aspect_ratio="decrease", out_range="pc")
        .filter("pad", width, height, "(ow-iw)/2", "(oh-ih)/2", color="black")
        .filter("tile", layout=f"{STORYBOARD_COLUMNS}x{sheet.rows_count}")
        .filter("format", "yuvj420p")
    )
    result = ffmpeg.output(
        picture,
        str(output),
        **{"frames:v": 1, "c:v": "mjpeg", "q:v": 5, "f": "image2", "update": 1, "map_metadata": -1},
    )
    return compile_command(program, with_progress(result))
