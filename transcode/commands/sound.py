"""Command lines that decode and encode sound. Pure."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import ffmpeg

from transcode.commands.base import compile_command, open_input, with_progress
from transcode.specs import KEYFRAME_GRID_S

AUDIO_RATE_HZ: Final = 48_000
LIMITER_PEAK: Final = 0.84  # -1.5 dBFS: room for what AAC adds to a peak.


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
            open_input(source, copyts=None, max_error_rate="1.0")
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
    return compile_command(program, with_progress(result), loglevel="info")


def encode_audio(
    program: Path, *, list_file: Path, gain_db: float, bitrate_bps: int, output: Path
) -> list[str]:
    """Encode the joined spans once, as fragments of 4 s, from sample 0 on."""
    sound = open_input(list_file, demuxer="concat").audio  # Our own list of our own files.
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
            "hls_time": KEYFRAME_GRID_S,
            "hls_playlist_type": "vod",
            "hls_segment_type": "fmp4",
            "hls_flags": "single_file",
            "hls_segment_filename": str(output.with_suffix(".m4s")),
        },
    )
    return compile_command(program, with_progress(result))
