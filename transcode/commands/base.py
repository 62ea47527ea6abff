"""What all command lines have in common: safe inputs, quiet programs, told progress. Pure."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ffmpeg

# ffmpeg-python ships no types; a stream is its node of the filter graph.
Stream = Any


def open_input(path: Path | str, *, demuxer: str = "mp4", **options: Any) -> Stream:
    """A local file with a forced format, as a node of the filter graph."""
    return ffmpeg.input(
        str(path),
        f=demuxer,  # Never let the content choose its demuxer.
        protocol_whitelist="file",  # No other address can be opened, whatever the file says.
        **options,
    )


def compile_command(program: Path, outputs: Stream, *, loglevel: str = "warning") -> list[str]:
    """Render the argument list."""
    command = outputs.global_args(
        "-nostdin",  # Never read a terminal.
        "-hide_banner",  # Keep the tail of stderr for what matters.
        "-nostats",  # Progress comes through -progress, not through stderr.
        "-loglevel",
        loglevel,
    ).overwrite_output()
    argv: list[str] = ffmpeg.compile(command, cmd=str(program))
    return argv


def with_progress(outputs: Stream) -> Stream:
    """Let the program tell how far it is on standard output."""
    # The runner's watchdog reads this; twice a second is plenty.
    return outputs.global_args("-progress", "pipe:1", "-stats_period", "0.5")
