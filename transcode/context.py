"""What a running unit has at hand, and how it tells how far it is."""

from __future__ import annotations

import shlex
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from pydantic import BaseModel

from kernel.blobs import BlobStore
from kernel.layout import staging_prefix
from kernel.messages import ClaimedUnit
from transcode import commands
from transcode.progress import Progress
from transcode.runner import ProgressSink, ToolResult, run_tool
from transcode.settings import ENCODE_LIMITS, PROBE_LIMITS, Limits, Programs
from transcode.specs import StagedFile

MAX_LOG_CHARS: Final = 20_000  # What UnitCompleted and UnitFailed carry.
MIME: Final = {
    ".mp4": "video/mp4",
    ".m4s": "audio/mp4",
    ".m4a": "audio/mp4",
    ".m3u8": "application/vnd.apple.mpegurl",
    ".jpg": "image/jpeg",
    ".vtt": "text/vtt; charset=utf-8",
    ".json": "application/json",
}


class ProgressCell:
    """Share of the unit that is done, in [0, 1], never going back, and media seconds per second."""

    def __init__(self) -> None:
        self._started_s = time.monotonic()
        self.fraction = 0.0
        self.speed: float | None = None

    def report(self, fraction: float, *, media_s: float | None = None) -> None:
        """Note ``fraction`` done; ``media_s`` of media since the start gives the speed."""
        self.fraction = max(self.fraction, min(1.0, fraction))
        elapsed_s = time.monotonic() - self._started_s
        if media_s is not None and elapsed_s > 0:
            self.speed = round(media_s / elapsed_s, 3)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a unit produced.

    Attributes:
        stale_prefixes: Blobs nobody needs once vod knows the result.
    """

    result: BaseModel
    stale_prefixes: tuple[str, ...] = ()


@dataclass(slots=True)
class UnitContext:
    """One claimed unit at work. Everything under ``folder`` vanishes at its end."""

    unit: ClaimedUnit
    store: BlobStore
    programs: Programs
    folder: Path
    progress: ProgressCell
    log_lines: list[str] = field(default_factory=list)

    @property
    def staging(self) -> str:
        return staging_prefix(f"{self.unit.unit_id}-{self.unit.fence}")

    @property
    def log_tail(self) -> str:
        return "\n".join(self.log_lines)[-MAX_LOG_CHARS:]

    async def encode(
        self,
        argv: Sequence[str],
        *,
        media_s: float,
        share: tuple[float, float] = (0.0, 1.0),
        frame_rate: float | None = None,
        limits: Limits | None = None,
    ) -> ToolResult:
        """Run ffmpeg under the watchdog and report its progress.

        Args:
            media_s: Length of what it writes.
            share: Which part of the unit's progress this run is.
            frame_rate: Of the first output, when frames tell more than its time stamps.
            limits: Else those of any encode.
        """
        low, high = share

        def take(progress: Progress) -> None:
            done_s = progress.out_time_us / 1e6
            if frame_rate:
                done_s = max(done_s, progress.frame / frame_rate)
            part = min(1.0, done_s / media_s) if media_s > 0 else 1.0
            self.progress.report(low + (high - low) * part, media_s=done_s)

        result = await self._run(argv, limits=limits or ENCODE_LIMITS, on_progress=take)
        self.progress.report(high)
        return result

    async def ask(self, argv: Sequence[str]) -> bytes:
        """Run a short program that prints its answer."""
        return (await self._run(argv, limits=PROBE_LIMITS, on_progress=None)).stdout

    async def inspect(self, argv: Sequence[str], *, limits: Limits) -> ToolResult:
        """Run a program with limits of its own; what it said is kept for the log."""
        return await self._run(argv, limits=limits, on_progress=None)

    async def ask_version(self) -> str:
        """First line of ``ffmpeg -version``."""
        text = (await self.ask(commands.version(self.programs.ffmpeg))).decode("utf-8", "replace")
        return text.splitlines()[0][:200] if text else "unknown"

    async def _run(
        self, argv: Sequence[str], *, limits: Limits, on_progress: ProgressSink | None
    ) -> ToolResult:
        self.log_lines.append("$ " + describe_command(argv))
        limits = limits.within(self.programs, self.folder)
        result = await run_tool(argv, limits=limits, on_progress=on_progress)
        if result.stderr_tail:
            self.log_lines.append(result.stderr_tail.rstrip())
        return result

    async def stage(self, path: Path) -> StagedFile:
        """Put a finished file where the next unit finds it."""
        info = await self.store.put_file(
            self.staging + path.name, path, content_type=MIME[path.suffix]
        )
        return StagedFile(key=info.key, size_bytes=info.size_bytes)

    async def fetch(self, file: StagedFile, name: str) -> Path:
        """Return a local path of a staged file: in place when it lies here, else a copy."""
        local = self.store.local_path(file.key)
        if local is not None:
            return local
        path = self.folder / name
        await self.store.download(file.key, path)
        return path


def describe_command(argv: Sequence[str]) -> str:
    """Shell-quoted, with file names only: folders are temporary and nobody's business.

    Of addresses only the object's name remains: the rest is a place and a signature.
    """
    return shlex.join(_shorten(part) for part in argv)


def _shorten(part: str) -> str:
    if part.startswith(("http://", "https://")):
        part = urlsplit(part).path
    return Path(part).name if part.startswith("/") else part
