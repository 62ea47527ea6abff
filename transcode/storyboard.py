"""The WebVTT that tells players which tile of the storyboard belongs to which time. Pure."""

from __future__ import annotations

from kernel.timing import TICKS_PER_S
from transcode.commands import STORYBOARD_COLUMNS, STORYBOARD_TILE_PX, Picture


def build_vtt(sheet: Picture, *, duration_ticks: int, image: str) -> str:
    """Render one cue per tile; the last one ends with the lecture."""
    width, height = STORYBOARD_TILE_PX
    duration_ms = duration_ticks * 1000 // TICKS_PER_S
    cues = ["WEBVTT\n"]
    for number in range(sheet.tiles_count):
        start_ms = number * sheet.interval_s * 1000
        end_ms = min(duration_ms, start_ms + sheet.interval_s * 1000)
        row, column = divmod(number, STORYBOARD_COLUMNS)
        cues.append(
            f"{_format_ms(start_ms)} --> {_format_ms(end_ms)}\n"
            f"{image}#xywh={column * width},{row * height},{width},{height}\n"
        )
    return "\n".join(cues)


def _format_ms(value: int) -> str:
    seconds, ms = divmod(value, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}.{ms:03}"
