"""Command lines that encode pictures. Pure."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import ffmpeg

from kernel.timing import TICKS_PER_S
from transcode.commands.base import Stream, compile_command, open_input, with_progress
from transcode.plan.ladder import fit_inside
from transcode.specs import EncodeVideoSpec, Rung

MAX_GOP_FRAMES: Final = 2_400  # 20 s at 120 frames/s: longer than any slot of a grid.


def encode_video(
    program: Path,
    spec: EncodeVideoSpec,
    *,
    source: Path | None,
    source_start_ticks: int,
    outputs: dict[str, Path],
    muxer: dict[str, Any] | None = None,
) -> list[str]:
    """Build the one command that decodes a range once and encodes all its rungs.

    Args:
        source: Init and segments of one epoch in one file; ``None`` for black.
        source_start_ticks: Lecture time where ``source`` starts, at or before the range or, when
            the range's first keyframe comes late, after it.
        outputs: Rung name -> file.
        muxer: Replaces encoder and muxer options; tests hash the frames with it.
    """
    if source is None:
        chains = {rung.name: _black_chain(rung, spec) for rung in spec.rungs}
    else:
        chains = _decoded_chains(spec, source, source_start_ticks)
    results = [
        ffmpeg.output(
            chains[rung.name],
            str(outputs[rung.name]),
            **(muxer if muxer is not None else _video_options(rung, spec)),
        )
        for rung in spec.rungs
    ]
    return compile_command(program, with_progress(ffmpeg.merge_outputs(*results)))


def _decoded_chains(
    spec: EncodeVideoSpec, source: Path, source_start_ticks: int
) -> dict[str, Stream]:
    decoded = open_input(
        source,
        copyts=None,  # Keep lecture time: ranges are chosen by it.
        max_error_rate="1.0",  # Damaged pictures are shown as they are, never a reason to stop.
    ).video
    rates = sorted({rung.frame_rate for rung in spec.rungs}, reverse=True)
    heads = _split(decoded, len(rates))
    chains: dict[str, Stream] = {}
    for rate, head in zip(rates, heads, strict=True):
        group = [rung for rung in spec.rungs if rung.frame_rate == rate]
        grid = _select_frames(head, group[0], spec, source_start_ticks)
        for rung, branch in zip(group, _split(grid, len(group)), strict=True):
            chains[rung.name] = _shape_frames(branch, rung, spec)
    return chains


def _split(stream: Stream, count: int) -> list[Stream]:
    if count == 1:
        return [stream]
    parts = stream.filter_multi_output("split", count)
    return [parts.stream(number) for number in range(count)]


def _select_frames(
    stream: Stream, rung: Rung, spec: EncodeVideoSpec, source_start_ticks: int
) -> Stream:
    """Put the pictures on the lecture's frame grid and keep those of the half-open range.

    Which picture a grid frame shows depends on absolute time stamps only, so ranges cut anywhere
    give together exactly the frames of a single pass.
    """
    first = rung.first_frame(spec.start_ticks)
    count = rung.first_frame(spec.end_ticks) - first
    start = rung.frame_ticks(first)
    lead_ticks = max(0, start - source_start_ticks)
    lead = -(-lead_ticks * rung.frame_rate // TICKS_PER_S) + 1
    return (
        stream.filter("settb", "1/90000")  # Lecture ticks, so that the shift below is exact.
        .filter("setpts", f"PTS-{start}")
        # Nearest picture per grid frame; the first one is held backwards to the lead-in's start.
        .filter("fps", fps=str(rung.frame_rate), start_time=f"-{lead / rung.frame_rate}")
        .filter("tpad", stop=-1, stop_mode="clone")  # A picture that froze stays until the end.
        .filter("trim", start_frame=lead, end_frame=lead + count)
        .filter("setpts", "PTS-STARTPTS")  # Joining puts the range where it belongs.
    )


def _shape_frames(stream: Stream, rung: Rung, spec: EncodeVideoSpec) -> Stream:
    aspect = spec.shape.display_aspect if spec.shape else Fraction(rung.width_px, rung.height_px)
    width, height = fit_inside(aspect, width_px=rung.width_px, height_px=rung.height_px)
    scaled = stream.filter("scale", width, height, flags="bicubic", out_range="tv")
    if (width, height) != (rung.width_px, rung.height_px):
        # An epoch of another shape keeps it, inside black bars.
        scaled = scaled.filter(
            "pad", rung.width_px, rung.height_px, "(ow-iw)/2", "(oh-ih)/2", color="black"
        )
    return _tag_frames(scaled, spec)


def _tag_frames(stream: Stream, spec: EncodeVideoSpec) -> Stream:
    # All ranges must carry the same colour tags, or their parameter sets would differ.
    return (
        stream.filter("format", "yuv420p")
        .filter("setsar", "1")
        .filter(
            "setparams",
            range="tv",
            color_primaries=spec.colour,
            color_trc=spec.colour,
            colorspace=spec.colour,
            field_mode="prog",
        )
    )


def _black_chain(rung: Rung, spec: EncodeVideoSpec) -> Stream:
    count = rung.first_frame(spec.end_ticks) - rung.first_frame(spec.start_ticks)
    graph = f"color=c=black:s={rung.width_px}x{rung.height_px}:r={rung.frame_rate}"
    source = ffmpeg.input(graph, f="lavfi", protocol_whitelist="file")
    return _tag_frames(source.video.filter("trim", end_frame=count), spec)


def _place_keyframes(rung: Rung, spec: EncodeVideoSpec) -> str:
    """Keyframes exactly on the grid of the lecture, and where the range starts."""
    grid, first = spec.grid, rung.first_frame(spec.start_ticks)
    gop = grid.gop_frames * rung.frame_rate / grid.frame_rate
    if grid.is_regular and gop.denominator == 1:
        return f"expr:eq(n,0)+not(mod(n+{first % int(gop)},{gop}))"
    frames = {
        rung.first_frame(tick) for tick in grid.boundaries_in(spec.start_ticks, spec.end_ticks)
    }
    # Microseconds; ffmpeg takes the nearest frame.
    return ",".join(f"{float((n - first) / rung.frame_rate):.6f}" for n in sorted(frames))


def _video_options(rung: Rung, spec: EncodeVideoSpec) -> dict[str, Any]:
    return {
        "c:v": "libx264",
        "preset": spec.preset,
        "profile:v": "high",
        "level:v": rung.level,  # Fixed: equal parameter sets in every range.
        "crf": rung.crf,  # Still slides cost next to nothing ...
        "maxrate": rung.maxrate_bps,  # ... and motion no more than the cap,
        "bufsize": 2 * rung.maxrate_bps,  # over two seconds, half a segment.
        "force_key_frames": _place_keyframes(rung, spec),
        "forced-idr": 1,  # They are IDRs: a segment decodes alone.
        "g": MAX_GOP_FRAMES,  # No keyframe of x264's own in between;
        "keyint_min": MAX_GOP_FRAMES,  # scene cuts become plain I pictures.
        "fps_mode": "passthrough",  # The filter graph has chosen the frames.
        "video_track_timescale": rung.clock_hz,
        # One fragment per keyframe, offsets from its own moof, nothing but moof and mdat.
        "movflags": "+frag_keyframe+delay_moov+default_base_moof+skip_sidx+skip_trailer",
        # The edit list takes back the delay of B-frames; negative offsets instead would be shown
        # late by FFmpeg-based players.
        "use_editlist": 1,
        "write_btrt": 0,  # A measured bit rate in the init would differ between ranges.
        "map_metadata": -1,
        "fflags": "+bitexact",  # No version strings, no dates: equal input gives equal bytes.
        "flags:v": "+bitexact",
        "f": "mp4",
    }
