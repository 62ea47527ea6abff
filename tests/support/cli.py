"""The `hall` command as an operator runs it: its own process, its own environment."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DEADLINE_S = 60.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a command ended and what it said."""

    code: int
    out: str
    err: str


async def run_cli(*argv: str, env: Mapping[str, str] | None = None, stdin: str = "") -> Outcome:
    """Run ``hall ARGV`` with ``env`` as the only ``HALL_*`` variables."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("HALL_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "hall", *argv,
        cwd=ROOT, env={**inherited, **(env or {})},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(DEADLINE_S):
        out, err = await process.communicate(stdin.encode())
    return Outcome(process.returncode or 0, out.decode(), err.decode())
