"""Command lines that decode and encode sound. Pure."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import ffmpeg

from kernel.timing import TICKS_PER_S, rescale
from transcode.commands.base import (
    MediaInput,
    Stream,
    compile_command,
    open_input,
    open_media,
    with_progress,
)
from transcode.silence import SILENCE_DB, SILENCE_S
from transcode.specs import KEYFRAME_GRID_S

AUDIO_RATE_HZ: Final = 48_000
SEEK_MARGIN_S: Final = 10  # Decoders of sound settle within a second; demuxers seek coarsely.
LIMITER_PEAK: Final = 0.84  # -1.5 dBFS: room for what AAC adds to a peak.

# How samples follow their time stamps, in seconds. A source whose stamps are exact passes
# untouched; one whose clock runs fast or slow is stretched by at most a thousandth, which nobody
# hears; a hole is filled before it shows in the lips (40 ms).
_SYNC: Final[dict[str, Any]] = {
    "async": 1,
    "min_comp": 0.005,  # Above the rounding of Matroska and FLV (1 ms).
    "comp_duration": 1,
    "max_soft_comp": 0.001,
    "min_hard_comp": 0.035,
    "first_pts": 0,  # Starts at the span: silence before a late start, an early one is cut.
}


def decode_span(
    program: Path,
    *,
    source: MediaInput | None,
    stream_index: int | None = None,
    start_ticks: int,
    samples_count: int,
    output: Path,
    is_seeking: bool = False,
) -> list[str]:
    """Decode one span to exactly ``samples_count`` samples of 48 kHz stereo; print its loudness.

    Holes in the time stamps become silence; what hangs over is cut.

    Args:
        source: ``None`` for silence.
        stream_index: Of the sound in a file of several streams; else its only one.
        start_ticks: Time stamp of the source where the span begins.
        is_seeking: Begin to read shortly before the span instead of at the start of the file.
    """
    if source is None:
        graph = f"anullsrc=r={AUDIO_RATE_HZ}:cl=stereo"
        sound = ffmpeg.input(graph, f="lavfi", protocol_whitelist="file").audio
    else:
        sound = _follow_stamps(
            open_media(
                source,
                copyts=None,  # Keep the file's time stamps: samples are placed by them.
                max_error_rate="1.0",  # Damaged sound becomes silence, never a reason to stop.
                **(_seek_before(start_ticks) if is_seeking else {}),
            ),
            stream_index,
            start_ticks=start_ticks,
            samples_count=samples_count,
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
            "map_metadata": -1,
            "map_chapters": -1,  # Chapters of the source would become a track of their own.
            "fflags": "+bitexact",
            "f": "flac",
        },
    )
    return compile_command(program, with_progress(result), loglevel="info")


def _seek_before(start_ticks: int) -> dict[str, Any]:
    """Options of an input that is read from a little before a time stamp."""
    return {
        "ss": f"{start_ticks / TICKS_PER_S - SEEK_MARGIN_S:.3f}",
        "seek_timestamp": 1,  # Of the file's own clock, wherever that begins.
        "noaccurate_seek": None,  # What comes too early is cut by its time stamps.
    }


def _follow_stamps(
    media: Stream, stream_index: int | None, *, start_ticks: int, samples_count: int
) -> Stream:
    stream = media.audio if stream_index is None else media[str(stream_index)]
    # A stamp far behind the end would have all of the hole before it filled, in memory.
    last = rescale(samples_count, from_hz=AUDIO_RATE_HZ, to_hz=TICKS_PER_S) + TICKS_PER_S
    return (
        stream.filter("asettb", f"1/{TICKS_PER_S}")
        .filter("asetpts", f"PTS-({start_ticks})")
        .filter("atrim", end_pts=last)
        .filter("aresample", AUDIO_RATE_HZ, **_SYNC)
        .filter("aformat", sample_fmts="s16", channel_layouts="stereo")
        .filter("apad")
    )


def encode_audio(
    program: Path,
    *,
    list_file: Path,
    gain_db: float,
    bitrate_bps: int,
    output: Path,
    silences: Path,
    peaks: Path,
    step_ms: int,
) -> list[str]:
    """Encode the joined spans once, as fragments of 4 s, from sample 0 on, and measure them.

    Args:
        silences: Where to print where silences begin and end.
        peaks: Where to print the peak of every ``step_ms``.
    """
    sound = open_input(list_file, demuxer="concat").audio  # Our own list of our own files.
    sound = sound.filter("asetpts", "N/SR/TB").filter("volume", f"{gain_db:.2f}dB")
    # Raised speech may clip: hold the peaks; latency=1 keeps every sample in its place.
    sound = sound.filter("alimiter", limit=LIMITER_PEAK, level=0, latency=1)
    result = ffmpeg.output(
        _measure(sound, silences=silences, peaks=peaks, step_ms=step_ms),
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
            "map_chapters": -1,  # Chapters of the source would become a track of their own.
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


def _measure(sound: Stream, *, silences: Path, peaks: Path, step_ms: int) -> Stream:
    """Write down silences and peaks of what passes; the samples stay as they are."""
    return (
        sound.filter("silencedetect", noise=f"{SILENCE_DB}dB", d=SILENCE_S)
        .filter("ametadata", mode="print", file=str(silences))
        .filter("asetnsamples", n=AUDIO_RATE_HZ * step_ms // 1000, p=0)
        .filter(
            "astats",
            metadata=1,
            reset=1,  # Each step for itself.
            measure_perchannel="none",
            measure_overall="Peak_level",
        )
        .filter("ametadata", mode="print", key="lavfi.astats.Overall.Peak_level", file=str(peaks))
    )


def make_download(program: Path, *, source: Path, title: str | None, output: Path) -> list[str]:
    """Put the encoded sound into a plain M4A whose index comes first; nothing is encoded again."""
    result = ffmpeg.output(
        open_input(source).audio,
        str(output),
        **{
            "c:a": "copy",
            "map_metadata": -1,
            "map_chapters": -1,  # Chapters of the source would become a track of their own.
            **({} if title is None else {"metadata": f"title={title}"}),
            "movflags": "+faststart",
            "fflags": "+bitexact",
            "f": "ipod",
        },
    )
    return compile_command(program, with_progress(result))


def decode_speech(
    program: Path,
    *,
    source: MediaInput,
    rate_hz: int,
    output: Path,
    pauses: Path,
    pause_db: float,
    pause_s: float,
) -> list[str]:
    """Decode sound for a speech model: raw samples of one channel; print where nobody speaks."""
    sound = (
        open_media(source, max_error_rate="1.0")
        .audio.filter("aresample", rate_hz)
        .filter("aformat", sample_fmts="s16", channel_layouts="mono")
        .filter("silencedetect", noise=f"{pause_db}dB", d=pause_s)
        .filter("ametadata", mode="print", file=str(pauses))
    )
    return compile_command(program, with_progress(ffmpeg.output(sound, str(output), f="s16le")))
