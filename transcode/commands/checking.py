"""Command lines that check finished files. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import ffmpeg

from transcode.commands.base import Stream, compile_command, open_input, with_progress


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
    return compile_command(program, with_progress(merged))


def _strict_input(path: Path) -> Stream:
    return open_input(path, err_detect="crccheck+bitstream+buffer+explode")
