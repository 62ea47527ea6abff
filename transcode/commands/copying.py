"""Command lines that publish a picture track as it is. Pure."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import ffmpeg

from kernel.timing import TICKS_PER_S, rescale
from transcode.commands.base import MediaInput, compile_command, open_media, with_progress
from transcode.specs import CopyVideoSpec

# SEI (cameras write places and serial numbers there), parameter sets (the init segment has them),
# delimiters and filler.
DROPPED_UNITS: Final = "6-9|12"

# The same for encoded and copied ranges: what joining expects.
FRAGMENT_OPTIONS: Final[dict[str, Any]] = {
    # One fragment per keyframe, offsets from its own moof, nothing but moof and mdat.
    "movflags": "+frag_keyframe+delay_moov+default_base_moof+skip_sidx+skip_trailer",
    # The edit list takes back the delay of B-frames; negative offsets instead would be shown
    # late by FFmpeg-based players.
    "use_editlist": 1,
    "write_btrt": 0,  # A measured bit rate in the init would differ between ranges.
    "map_metadata": -1,
    "map_chapters": -1,  # Chapters of the source would become a track of their own.
    "fflags": "+bitexact",  # No version strings, no dates: equal input gives equal bytes.
    "flags:v": "+bitexact",
    "f": "mp4",
}


def list_track(program: Path, media: MediaInput, *, video_index: int, output: Path) -> list[str]:
    """List every packet of a track, in decode order, as ffmpeg's ``framecrc`` text."""
    opened = open_media(media, copyts=None)
    result = ffmpeg.output(opened[str(video_index)], str(output), c="copy", f="framecrc")
    return compile_command(program, with_progress(result))


def copy_track(
    program: Path, spec: CopyVideoSpec, media: MediaInput, *, delay_frames: int, output: Path
) -> list[str]:
    """Copy a track onto the lecture's clock, a fragment per keyframe.

    Time stamps are made anew: containers round them. A picture's is the nearest frame, decoding
    runs ``delay_frames`` before showing.
    """
    clock_hz = spec.rung.clock_hz
    frame = int(clock_hz / spec.rung.frame_rate)
    shift = rescale(spec.source.offset_ticks, from_hz=TICKS_PER_S, to_hz=clock_hz)
    times = ":".join(
        (
            f"pts=floor((PTS-({shift})+{frame // 2})/{frame})*{frame}",
            f"dts=(N-{delay_frames})*{frame}",
            f"duration={frame}",
            f"time_base=1/{clock_hz}",
            "prescale=1",
        )
    )
    opened = open_media(media, copyts=None)
    result = ffmpeg.output(
        opened[str(spec.source.video_index)],
        str(output),
        **{
            "c:v": "copy",
            "bsf:v": f"filter_units=remove_types={DROPPED_UNITS},setts={times}",
            "video_track_timescale": clock_hz,
            **FRAGMENT_OPTIONS,
        },
    )
    return compile_command(program, with_progress(result))
