"""Command lines that encode pictures. Pure."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import ffmpeg

from transcode.commands.base import MediaInput, compile_command, open_media, with_progress
from transcode.commands.copying import FRAGMENT_OPTIONS
from transcode.commands.frames import black_chain, build_chains, seek_options
from transcode.specs import EncodeVideoSpec, Rung

# Short side of a rung, threads of its encoder.
THREADS: Final = ((400, 3), (800, 4), (8192, 6))
AV1_PRESET: Final = 8  # About the time of x264 "medium"; slower ones win less than they cost.
MAX_GOP_FRAMES: Final = 2_400  # 20 s at 120 frames/s: longer than any slot of a grid.


def encode_video(
    program: Path,
    spec: EncodeVideoSpec,
    *,
    media: MediaInput | None,
    outputs: dict[str, Path],
    entry_ticks: int | None = None,
    muxer: dict[str, Any] | None = None,
) -> list[str]:
    """Build the one command that decodes a range once and encodes all its rungs.

    Args:
        media: Init and segments of one epoch in one file, or the stored file; ``None`` for black.
        entry_ticks: Time stamp in the file to seek to, at or before the range; ``None`` reads
            from the file's start.
        outputs: Rung name -> file.
        muxer: Replaces encoder and muxer options; tests hash the frames with it.
    """
    if media is None:
        chains = {rung.name: black_chain(rung, spec) for rung in spec.rungs}
    else:
        chains = build_chains(spec, media, entry_ticks)
    results = [
        ffmpeg.output(
            chains[rung.name],
            str(outputs[rung.name]),
            **(muxer if muxer is not None else _video_options(rung, spec)),
        )
        for rung in spec.rungs
    ]
    return compile_command(program, with_progress(ffmpeg.merge_outputs(*results)))


def find_entry(
    program: Path, media: MediaInput, *, video_index: int, entry_ticks: int
) -> list[str]:
    """Ask where decoding would begin after a seek: prints the first keyframe packet.

    Nothing is decoded. The answer is ffmpeg's ``framecrc`` text: a header with the time base,
    then ``stream, dts, pts, duration, size, checksum``.
    """
    opened = open_media(media, **seek_options(entry_ticks), copyts=None)
    result = ffmpeg.output(
        opened[str(video_index)],
        "-",
        **{"c": "copy", "frames:v": 1, "f": "framecrc"},
    )
    return compile_command(program, result, loglevel="error")


def _count_threads(rung: Rung) -> int:
    """Frames that x264 works on at once: more would cost memory and bits, and share less."""
    short_px = min(rung.width_px, rung.height_px)
    return next(count for limit, count in THREADS if short_px <= limit)


def _place_keyframes(rung: Rung, spec: EncodeVideoSpec) -> str:
    """Keyframes exactly on the grid of the lecture, and where the range starts."""
    grid, first = spec.grid, rung.first_frame(spec.start_ticks)
    gop = grid.gop_frames * rung.frame_rate / grid.frame_rate
    if grid.is_regular and gop.denominator == 1:
        return f"expr:eq(n,0)+not(mod(n+{first % int(gop)},{gop}))"
    inside = grid.boundaries_in(spec.start_ticks, spec.end_ticks)
    frames = {first, *(rung.first_frame(tick) for tick in inside)}
    # Microseconds; ffmpeg takes the nearest frame.
    return ",".join(f"{float((n - first) / rung.frame_rate):.6f}" for n in sorted(frames))


def _video_options(rung: Rung, spec: EncodeVideoSpec) -> dict[str, Any]:
    if rung.codec == "av1":
        return _av1_options(rung, spec)
    return {
        "c:v": "libx264",
        "preset": rung.preset or spec.preset,
        # By the rung, not by the machine: equal input gives equal bytes on every worker.
        "threads:v": _count_threads(rung),
        "profile:v": "high",
        "level:v": rung.level,  # Fixed: equal parameter sets in every range.
        **({"x264-params": rung.x264_params} if rung.x264_params else {}),
        "crf": rung.crf,  # Still slides cost next to nothing ...
        "maxrate": rung.maxrate_bps,  # ... and motion no more than the cap,
        "bufsize": 2 * rung.maxrate_bps,  # over two seconds, half a segment.
        "force_key_frames": _place_keyframes(rung, spec),
        "forced-idr": 1,  # They are IDRs: a segment decodes alone.
        "g": MAX_GOP_FRAMES,  # No keyframe of x264's own in between;
        "keyint_min": MAX_GOP_FRAMES,  # scene cuts become plain I pictures.
        "fps_mode": "passthrough",  # The filter graph has chosen the frames.
        "video_track_timescale": rung.clock_hz,
        **FRAGMENT_OPTIONS,
    }


def _av1_options(rung: Rung, spec: EncodeVideoSpec) -> dict[str, Any]:
    """SVT-AV1, as far as it matters like x264: same grid, capped quality, fixed threads."""
    return {
        "c:v": "libsvtav1",
        "preset": AV1_PRESET,
        "crf": rung.crf,
        "maxrate": rung.maxrate_bps,
        "bufsize": 2 * rung.maxrate_bps,
        # Threads by the rung, not by the machine; no keyframes at scene cuts.
        "svtav1-params": f"lp={_count_threads(rung)}:scd=0",
        "force_key_frames": _place_keyframes(rung, spec),
        "g": MAX_GOP_FRAMES,
        "fps_mode": "passthrough",
        "video_track_timescale": rung.clock_hz,
        **FRAGMENT_OPTIONS,
    }
