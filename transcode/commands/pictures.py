"""Command lines that make posters and storyboards. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import ffmpeg

from kernel.timing import TICKS_PER_S
from transcode.commands.base import Stream, compile_command, open_input, with_progress
from transcode.specs import KEYFRAME_GRID_S

STORYBOARD_TILE_PX: Final = (160, 90)
STORYBOARD_COLUMNS: Final = 10
STORYBOARD_ROWS: Final = 10  # 1600 x 900 per sheet: old phones decode it.
MAX_TILES: Final = 1_000  # Ten sheets, about 4 MB; ten hours get a tile every 36 s.
POSTER_WIDTH_PX: Final = 1280
SHEET_PATTERN: Final = "storyboard-%02d.jpg"
_JPEG: Final[dict[str, Any]] = {"c:v": "mjpeg", "f": "image2", "map_metadata": -1}


@dataclass(frozen=True, slots=True)
class Storyboard:
    """The tiles of a lecture: one every ``interval_s``, ten rows and columns to a sheet."""

    interval_s: int
    tiles_count: int

    @property
    def sheets_count(self) -> int:
        return -(-self.tiles_count // (STORYBOARD_COLUMNS * STORYBOARD_ROWS))

    @property
    def rows_count(self) -> int:
        """Rows of a sheet; a single one is no larger than it must be."""
        return min(STORYBOARD_ROWS, -(-self.tiles_count // STORYBOARD_COLUMNS))


def plan_storyboard(duration_ticks: int, *, max_tiles: int = MAX_TILES) -> Storyboard:
    """Choose the distance of the tiles: a multiple of about one GOP, at most ``max_tiles``."""
    duration_s = -(-duration_ticks // TICKS_PER_S)
    interval_s = KEYFRAME_GRID_S * max(1, -(-duration_s // (KEYFRAME_GRID_S * max_tiles)))
    return Storyboard(interval_s, max(1, -(-duration_s // interval_s)))


def survey_keyframes(
    program: Path, *, source: Path, board: Storyboard, sheets: Path, stats: Path
) -> list[str]:
    """Decode the keyframes of a whole rung once: tiles for the storyboard, figures of each.

    Args:
        sheets: Pattern of the JPEG files, ``%02d`` counts from 0.
        stats: Where ``metadata=print`` writes; ``transcode.posters`` reads it.
    """
    # Keyframes only: cheap, and pictures 4 s apart differ more than neighbours do.
    picture = open_input(source, skip_frame="nokey").video
    split = picture.filter_multi_output("split", 2)
    outputs = [
        ffmpeg.output(
            _tile(split.stream(0), board), str(sheets), **{**_JPEG, "q:v": 5, "start_number": 0}
        ),
        ffmpeg.output(_measure(split.stream(1), stats), "-", f="null", fps_mode="passthrough"),
    ]
    return compile_command(program, with_progress(ffmpeg.merge_outputs(*outputs)))


def _tile(picture: Stream, board: Storyboard) -> Stream:
    width, height = STORYBOARD_TILE_PX
    return (
        picture.filter("fps", fps=f"1/{board.interval_s}", start_time=0, round="up")
        .filter("tpad", stop=-1, stop_mode="clone")
        .filter("trim", end_frame=board.tiles_count)
        .filter("scale", width, height, force_original_aspect_ratio="decrease", out_range="pc")
        .filter("pad", width, height, "(ow-iw)/2", "(oh-ih)/2", color="black")
        .filter("tile", layout=f"{STORYBOARD_COLUMNS}x{board.rows_count}")
        .filter("format", "yuvj420p")
    )


def _measure(picture: Stream, stats: Path) -> Stream:
    return (
        picture.filter("scdet", threshold=100)  # Scores only; what a change is, we decide.
        .filter("signalstats")
        .filter("blurdetect", block_width=32, block_height=32, block_pct=80)
        .filter("entropy")
        .filter("metadata", mode="print", file=str(stats))
    )


def grab_posters(
    program: Path,
    *,
    shots: Sequence[tuple[Path, float, Path]],
    width_px: int,
    is_at_keyframes: bool = False,
) -> list[str]:
    """Take single pictures, each out of its own file, at its time in it (seconds).

    Args:
        is_at_keyframes: Take the last keyframe up to that time and decode nothing else; without
            it the first frame from that time on.
    """
    seek: dict[str, Any] = {"noaccurate_seek": None} if is_at_keyframes else {}
    outputs = [
        ffmpeg.output(
            open_input(source, ss=f"{at_s:.3f}", **seek)
            .video.filter("scale", min(POSTER_WIDTH_PX, width_px), -2, out_range="pc")
            .filter("format", "yuvj420p"),
            str(output),
            **{**_JPEG, "q:v": 3, "frames:v": 1, "update": 1},
        )
        for source, at_s, output in shots
    ]
    return compile_command(program, with_progress(ffmpeg.merge_outputs(*outputs)))
