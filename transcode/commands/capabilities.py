"""Ask an ffmpeg what it was built with. Pure."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

Kind = Literal["filters", "decoders", "encoders"]


def list_parts(program: Path, kind: Kind) -> list[str]:
    """Print every filter, decoder or encoder of a build, one a line."""
    return [str(program), "-hide_banner", f"-{kind}"]


def parse_parts(text: str) -> frozenset[str]:
    """Read the names: each line is flags, a name and what it is. Total on any text."""
    words = (line.split(maxsplit=2) for line in text.splitlines())
    return frozenset(line[1] for line in words if len(line) > 1)
