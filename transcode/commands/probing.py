"""Command lines that ask what a file is, and which program we have. Pure."""

from __future__ import annotations

from pathlib import Path


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
