"""Command lines that ask what a file is, and which program we have. Pure."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import ffmpeg

from transcode.commands.base import (
    MediaInput,
    compile_command,
    list_input,
    open_media,
    with_progress,
)

PROBE_BYTES: Final = 10_000_000  # Twice ffprobe's own: sound of a capture may come late.
ANALYSE_US: Final = 10_000_000


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


def probe_upload(program: Path, media: MediaInput, *, demuxers: tuple[str, ...]) -> list[str]:
    """Ask ffprobe what an unknown file is; only ``demuxers`` may answer."""
    return [
        *(str(program), "-v", "error"),
        *("-probesize", str(PROBE_BYTES), "-analyzeduration", str(ANALYSE_US)),
        *("-format_whitelist", ",".join(demuxers)),  # Checked before the demuxer runs.
        *("-show_format", "-show_streams", "-show_chapters", "-print_format", "json"),
        *list_input(media),
    ]


def list_packets(program: Path, media: MediaInput, *, output: Path) -> list[str]:
    """Write one line per packet of the whole file, without decoding anything."""
    return [
        *(str(program), "-v", "error"),
        *("-show_entries", "packet=stream_index,pts,dts,duration,size,flags"),
        *("-print_format", "csv=p=0", "-o", str(output)),
        *list_input(media),
    ]


def show_frames(program: Path, media: MediaInput, *, stream: int, packets_count: int) -> list[str]:
    """Decode the first packets of one track and describe its pictures."""
    entries = (
        "width,height,pix_fmt,sample_aspect_ratio,color_range,color_space,color_transfer,"
        "color_primaries,interlaced_frame,top_field_first"
    )
    return [
        *(str(program), "-v", "error", "-select_streams", str(stream)),
        *("-read_intervals", f"%+#{packets_count}", "-show_entries", f"frame={entries}"),
        *("-print_format", "json"),
        *list_input(media),
    ]


def sample_window(
    program: Path,
    media: MediaInput,
    *,
    video: int | None,
    audio: int | None,
    start_s: float,
    length_s: float,
) -> list[str]:
    """Decode a few seconds and print one line per decoded frame; ``idet`` sums up at the end.

    Args:
        start_s: From the start of the file, whatever its first time stamp is.
    """
    options = {"ss": f"{start_s:.3f}"} if start_s > 0 else {}
    source = open_media(
        media,
        **options,
        t=f"{length_s:.3f}",
        copyts=None,  # The file's own times are compared with those of its packets.
        max_error_rate="1.0",  # Damage is counted, not a reason to stop.
    )
    streams = []
    if video is not None:
        streams.append(source[str(video)].filter("idet"))
    if audio is not None:
        streams.append(source[str(audio)])
    result = ffmpeg.output(
        *streams,
        "-",
        **{
            "c:v": "wrapped_avframe",  # Frames are counted, not copied.
            "c:a": "pcm_s16le",
            "fps_mode": "passthrough",
            "enc_time_base": "demux",  # That of the source: no time is rounded.
            "f": "framecrc",
        },
    )
    return compile_command(program, result, loglevel="info")


def lay_out_anew(
    program: Path, media: MediaInput, *, tracks: tuple[int, ...], output: Path
) -> list[str]:
    """Copy tracks into a Matroska file with a clock that only goes forward.

    ffmpeg mends the leaps of joined captures when it may change time stamps (no ``copyts``).
    """
    opened = open_media(media, fflags="+genpts", max_error_rate="1.0")
    result = ffmpeg.output(
        *[opened[str(track)] for track in tracks],
        str(output),
        c="copy",
        map_metadata=-1,
        f="matroska",
    )
    return compile_command(program, with_progress(result))


def list_h264_units(
    program: Path, media: MediaInput, *, video: int, outputs: dict[str, Path]
) -> list[str]:
    """List the packets of an H.264 track reduced to NAL units of some types; none are left out.

    Args:
        outputs: Types as ``filter_units`` takes them (``5`` IDR, ``7`` SPS, ``8`` PPS) -> file.
    """
    opened = open_media(media, copyts=None)
    results = [
        ffmpeg.output(
            opened[str(video)],
            str(path),
            **{"c:v": "copy", "bsf:v": f"filter_units=pass_types={types}", "f": "framecrc"},
        )
        for types, path in outputs.items()
    ]
    return compile_command(program, with_progress(ffmpeg.merge_outputs(*results)))


def decode_strictly(program: Path, media: MediaInput, *, video: int) -> list[str]:
    """Decode a whole picture track to nowhere; the first error ends it."""
    opened = open_media(media, err_detect="crccheck+bitstream+buffer+explode")
    result = ffmpeg.output(
        opened[str(video)],
        "-",
        **{"c:v": "wrapped_avframe", "fps_mode": "passthrough", "f": "null"},
    )
    return compile_command(program, with_progress(result.global_args("-xerror")))


def version(program: Path) -> list[str]:
    return [str(program), "-hide_banner", "-version"]
