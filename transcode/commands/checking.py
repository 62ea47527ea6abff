"""Command lines that check finished files. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import ffmpeg

from transcode.commands.base import Stream, compile_command, open_input, with_progress


@dataclass(frozen=True, slots=True)
class CheckedFile:
    """A video file that is decoded.

    Attributes:
        counts: Where one line per decoded frame is written.
        keyframes_only: Skip all other frames.
    """

    path: Path
    counts: Path
    keyframes_only: bool = False


def verify_files(program: Path, *, files: Sequence[CheckedFile], audio: Path | None) -> list[str]:
    """Decode everything once, in one process, to nowhere; any error ends it."""
    outputs = [
        ffmpeg.output(
            _strict_input(
                file.path, **({"skip_frame": "nokey"} if file.keyframes_only else {})
            ).video,
            "-",
            **{
                "c:v": "wrapped_avframe",  # Frames are counted, not copied.
                "fps_mode": "passthrough",
                "stats_enc_pre:v": str(file.counts),
                "stats_enc_pre_fmt:v": "{n}",
                "f": "null",
            },
        )
        for file in files
    ]
    if audio is not None:
        outputs.append(ffmpeg.output(_strict_input(audio).audio, "-", f="null"))
    merged = ffmpeg.merge_outputs(*outputs).global_args("-xerror")  # The first error is the end.
    return compile_command(program, with_progress(merged))


def _strict_input(path: Path, **options: str) -> Stream:
    return open_input(path, **options, err_detect="crccheck+bitstream+buffer+explode")
