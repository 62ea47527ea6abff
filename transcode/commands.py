"""Command lines of ffmpeg and ffprobe, built with ffmpeg-python. Pure.

Inputs are always local files with a forced format and the ``file`` protocol only, so that no input
can name another address. Decoding never stops at damaged pictures: a lecture recorded over a bad
link still becomes a replay.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import ffmpeg

from kernel.timing import TICKS_PER_S
from transcode.plan.ladder import fit_inside
from transcode.specs import EncodeVideoSpec, Rung

AUDIO_RATE_HZ: Final = 48_000
SEGMENT_S: Final = 4
LIMITER_PEAK: Final = 0.84  # -1.5 dBFS: room for what AAC adds to a peak.
STORYBOARD_TILE_PX: Final = (160, 90)
STORYBOARD_COLUMNS: Final = 10
POSTER_WINDOW_S: Final = 120  # One range: thirty keyframes to choose from.
POSTER_WIDTH_PX: Final = 1280

# ffmpeg-python ships no types; a stream is its node of the filter graph.
Stream = Any


@dataclass(frozen=True, slots=True)
class Picture:
    """One frame size of the storyboard sheet."""

    interval_s: int
    tiles_count: int
    rows_count: int


def _input(path: Path | str, *, demuxer: str = "mp4", **options: Any) -> Stream:
    return ffmpeg.input(
        str(path),
        f=demuxer,  # Never let the content choose its demuxer.
        protocol_whitelist="file",  # No other address can be opened, whatever the file says.
        **options,
    )


def _compile(program: Path, outputs: Stream, *, loglevel: str = "warning") -> list[str]:
    command = outputs.global_args(
        "-nostdin",  # Never read a terminal.
        "-hide_banner",  # Keep the tail of stderr for what matters.
        "-nostats",  # Progress comes through -progress, not through stderr.
        "-loglevel",
        loglevel,
    ).overwrite_output()
    argv: list[str] = ffmpeg.compile(command, cmd=str(program))
    return argv


def _with_progress(outputs: Stream) -> Stream:
    # The runner's watchdog reads this; twice a second is plenty.
    return outputs.global_args("-progress", "pipe:1", "-stats_period", "0.5")


# ---- video -------------------------------------------------------------------------------------


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
            **(muxer if muxer is not None else _video_options(rung, spec.start_ticks, spec.preset)),
        )
        for rung in spec.rungs
    ]
    return _compile(program, _with_progress(ffmpeg.merge_outputs(*results)))


def _decoded_chains(
    spec: EncodeVideoSpec, source: Path, source_start_ticks: int
) -> dict[str, Stream]:
    decoded = _input(
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


def _video_options(rung: Rung, start_ticks: int, preset: str) -> dict[str, Any]:
    gop = rung.gop_frames
    offset = rung.first_frame(start_ticks) % gop
    return {
        "c:v": "libx264",
        "preset": preset,
        "profile:v": "high",
        "level:v": rung.level,  # Fixed: equal parameter sets in every range.
        "crf": rung.crf,  # Still slides cost next to nothing ...
        "maxrate": rung.maxrate_bps,  # ... and motion no more than the cap,
        "bufsize": 2 * rung.maxrate_bps,  # over two seconds, half a segment.
        # Keyframes exactly on the 4 s grid of the lecture, and where the range starts.
        "force_key_frames": f"expr:eq(n,0)+not(mod(n+{offset},{gop}))",
        "forced-idr": 1,  # They are IDRs: a segment decodes alone.
        "g": 10 * gop,  # No keyframe of x264's own in between;
        "keyint_min": 10 * gop,  # scene cuts become plain I pictures.
        "fps_mode": "passthrough",  # The filter graph has chosen the frames.
        "video_track_timescale": TICKS_PER_S,
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


# ---- sound -------------------------------------------------------------------------------------


def decode_span(
    program: Path, *, source: Path | None, start_ticks: int, samples_count: int, output: Path
) -> list[str]:
    """Decode one span to exactly ``samples_count`` samples of 48 kHz stereo; print its loudness.

    Holes in the time stamps become silence; what hangs over is cut.
    """
    if source is None:
        sound = ffmpeg.input(
            f"anullsrc=r={AUDIO_RATE_HZ}:cl=stereo", f="lavfi", protocol_whitelist="file"
        ).audio
    else:
        sound = (
            _input(source, copyts=None, max_error_rate="1.0")
            .audio.filter("asettb", "1/90000")
            .filter("asetpts", f"PTS-{start_ticks}")
            # 'async' fills holes over 0.1 s with silence; 'first_pts' starts at the span.
            .filter("aresample", AUDIO_RATE_HZ, **{"async": 1, "first_pts": 0})
            .filter("aformat", sample_fmts="s16", channel_layouts="stereo")
            .filter("apad")
        )
    sound = sound.filter("atrim", end_sample=samples_count).filter("asetpts", "N/SR/TB")
    if source is not None:
        sound = sound.filter("ebur128", framelog="quiet")  # Integrated loudness, at no extra pass.
    result = ffmpeg.output(
        sound,
        str(output),
        **{
            "c:a": "flac",  # Exact, and a third of the size of plain samples.
            "compression_level": 0,  # It lives for a minute.
            "sample_fmt": "s16",
            "ar": AUDIO_RATE_HZ,
            "fflags": "+bitexact",
            "f": "flac",
        },
    )
    return _compile(program, _with_progress(result), loglevel="info")


def encode_audio(
    program: Path, *, list_file: Path, gain_db: float, bitrate_bps: int, output: Path
) -> list[str]:
    """Encode the joined spans once, as fragments of 4 s, from sample 0 on."""
    sound = _input(list_file, demuxer="concat").audio  # Our own list of our own files.
    sound = sound.filter("asetpts", "N/SR/TB").filter("volume", f"{gain_db:.2f}dB")
    # Raised speech may clip: hold the peaks; latency=1 keeps every sample in its place.
    sound = sound.filter("alimiter", limit=LIMITER_PEAK, level=0, latency=1)
    result = ffmpeg.output(
        sound,
        str(output),
        **{
            "c:a": "aac",
            "b:a": bitrate_bps,
            "ar": AUDIO_RATE_HZ,
            "ac": 2,
            # The first packet only primes the decoder; without it time starts at 0 for players
            # that ignore edit lists, too.
            "bsf:a": "noise=drop=lt(pts\\,0)",
            "map_metadata": -1,
            "fflags": "+bitexact",
            "flags:a": "+bitexact",
            "f": "hls",  # It cuts on the 4 s grid; plain MP4 fragments would drift off it.
            "hls_time": SEGMENT_S,
            "hls_playlist_type": "vod",
            "hls_segment_type": "fmp4",
            "hls_flags": "single_file",
            "hls_segment_filename": str(output.with_suffix(".m4s")),
        },
    )
    return _compile(program, _with_progress(result))


# ---- pictures ----------------------------------------------------------------------------------


def make_poster(program: Path, *, source: Path, rung: Rung, output: Path) -> list[str]:
    """Pick the most representative keyframe of the first two minutes of ``source``."""
    picture = (
        # Keyframes only: cheap, and pictures 4 s apart differ more than neighbours do.
        _input(source, t=POSTER_WINDOW_S, skip_frame="nokey")
        .video.filter("thumbnail", POSTER_WINDOW_S // SEGMENT_S)
        .filter("scale", min(POSTER_WIDTH_PX, rung.width_px), -2, out_range="pc")
        .filter("format", "yuvj420p")
    )
    result = ffmpeg.output(
        picture,
        str(output),
        **{"frames:v": 1, "c:v": "mjpeg", "q:v": 3, "f": "image2", "update": 1, "map_metadata": -1},
    )
    return _compile(program, _with_progress(result))


def plan_storyboard(duration_ticks: int, *, max_tiles: int = 300) -> Picture:
    """Choose the distance of the tiles: a multiple of the keyframe grid, at most ``max_tiles``."""
    duration_s = -(-duration_ticks // TICKS_PER_S)
    interval_s = SEGMENT_S * max(1, -(-duration_s // (SEGMENT_S * max_tiles)))
    tiles = max(1, -(-duration_s // interval_s))
    return Picture(interval_s, tiles, -(-tiles // STORYBOARD_COLUMNS))


def make_storyboard(program: Path, *, source: Path, sheet: Picture, output: Path) -> list[str]:
    """Tile the keyframes of a whole joined rung into one JPEG."""
    width, height = STORYBOARD_TILE_PX
    picture = (
        _input(source, skip_frame="nokey")  # Every tile is a keyframe: nothing else is decoded.
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
    return _compile(program, _with_progress(result))


# ---- checking ----------------------------------------------------------------------------------


def verify_files(
    program: Path, *, files: Sequence[tuple[Path, Path]], audio: Path | None
) -> list[str]:
    """Decode everything once, in one process, to nowhere; any error ends it.

    Args:
        files: Video file -> where to write one line per decoded frame.
    """
    outputs = [
        ffmpeg.output(
            _strict_input(path).video,
            "-",
            **{
                "c:v": "wrapped_avframe",  # Frames are counted, not copied.
                "fps_mode": "passthrough",
                "stats_enc_pre:v": str(counts),
                "stats_enc_pre_fmt:v": "{n}",
                "f": "null",
            },
        )
        for path, counts in files
    ]
    if audio is not None:
        outputs.append(ffmpeg.output(_strict_input(audio).audio, "-", f="null"))
    merged = ffmpeg.merge_outputs(*outputs).global_args("-xerror")  # The first error is the end.
    return _compile(program, _with_progress(merged))


def _strict_input(path: Path) -> Stream:
    return _input(path, err_detect="crccheck+bitstream+buffer+explode")


def probe(program: Path, path: Path) -> list[str]:
    """Ask ffprobe about the streams of a local MP4."""
    return [
        str(program),
        "-v",
        "error",
        "-f",
        "mp4",  # As for ffmpeg: the content never chooses the demuxer,
        "-protocol_whitelist",
        "file",  # and never another file or address.
        "-show_streams",
        "-print_format",
        "json",
        "-i",
        str(path),
    ]


def version(program: Path) -> list[str]:
    return [str(program), "-hide_banner", "-version"]
