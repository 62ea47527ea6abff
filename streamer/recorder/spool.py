"""Where the spool keeps a broadcast, and what a start finds there."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from kernel.ids import is_id
from kernel.layout import RENDITIONS, Rendition
from streamer.ports import EndReason
from streamer.recorder.history import History, close_after_crash, replay_journal
from streamer.recorder.lines import ClosedLine, GapLine, build_segment_line, encode_line

JOURNAL: Final = "journal.jsonl"
MAX_JOURNAL_BYTES: Final = 256 * 1024 * 1024  # Hundreds of hours; what is larger is not ours.

log = structlog.get_logger(__name__)


def is_folder_name(name: str) -> bool:
    """Tell whether ``name`` may be a broadcast's folder."""
    return is_id(name) or (0 < len(name) <= 64 and name.replace("-", "").isalnum())  # noqa: PLR2004


@dataclass(frozen=True, slots=True)
class SpoolFolder:
    """``{data}/spool/{broadcast_id}/`` and the files in it."""

    root: Path
    broadcast_id: str

    @property
    def path(self) -> Path:
        return self.root / self.broadcast_id

    @property
    def journal(self) -> Path:
        return self.path / JOURNAL

    @property
    def events(self) -> Path:
        return self.path / "events.jsonl"

    def segment(self, *, epoch: int, rendition: Rendition, msn: int) -> Path:
        return self.path / str(epoch) / rendition / f"{msn}.m4s"

    def list_sizes_blocking(self) -> dict[tuple[int, Rendition, int], int]:
        """Bytes on disk by (epoch, rendition, msn)."""
        sizes: dict[tuple[int, Rendition, int], int] = {}
        for rendition in RENDITIONS:
            for path in self.path.glob(f"*/{rendition}/*.m4s"):
                epoch, msn = path.parent.parent.name, path.stem
                if epoch.isdigit() and msn.isdigit():
                    sizes[int(epoch), rendition, int(msn)] = path.stat().st_size
        return sizes

    def delete_segment_blocking(self, *, epoch: int, msn: int) -> None:
        for rendition in RENDITIONS:
            self.segment(epoch=epoch, rendition=rendition, msn=msn).unlink(missing_ok=True)

    def delete_blocking(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)


def recover_blocking(folder: SpoolFolder) -> History | None:
    """Rebuild a broadcast from its folder and make the folder agree with it.

    The torn end of the journal is cut off; the half-written segment is closed as it is; the
    epoch that the crash ended is closed with ``CRASH``; segments whose bytes are missing or short
    and that are not in the blob store become gaps.

    Returns:
        ``None`` when there is no journal with a header: nothing was ever announced.
    """
    try:
        data = folder.journal.read_bytes()[:MAX_JOURNAL_BYTES]
    except FileNotFoundError:
        return None
    history, complete_bytes = replay_journal(data)
    if history.broadcast_id != folder.broadcast_id:
        log.error("journal_without_header", folder=str(folder.path))
        return None
    lines = _repair(history, folder)
    with folder.journal.open("r+b") as journal:
        journal.truncate(complete_bytes)
        journal.seek(complete_bytes)
        journal.write(b"".join(lines))
    return history


def _repair(history: History, folder: SpoolFolder) -> list[bytes]:
    lines: list[bytes] = []
    sizes = folder.list_sizes_blocking()
    half = close_after_crash(history, sizes)
    if half is not None:
        for rendition in RENDITIONS:
            path = folder.segment(epoch=half.epoch, rendition=rendition, msn=half.msn)
            with path.open("r+b") as media:
                media.truncate(half.sizes[rendition])
        line = build_segment_line(half)
        history.apply(line)
        lines.append(encode_line(line))
    history.open_parts = []
    lines += _mark_lost(history, folder)
    for epoch in history.epochs:
        if epoch.end_reason is None and not history.is_ended:
            closed = ClosedLine(e=epoch.info.epoch, reason=EndReason.CRASH.value)
            history.apply(closed)
            lines.append(encode_line(closed))
    return lines


def _mark_lost(history: History, folder: SpoolFolder) -> list[bytes]:
    sizes = folder.list_sizes_blocking()
    lines = []
    for segment in list(history.segments):
        if segment.is_gap or segment.msn in history.stored:
            continue
        for rendition in RENDITIONS:
            found = sizes.get((segment.epoch, rendition, segment.msn), 0)
            if found < segment.sizes[rendition]:
                log.error("segment_lost", broadcast_id=history.broadcast_id, msn=segment.msn)
                line = GapLine(m=segment.msn)
                history.apply(line)
                lines.append(encode_line(line))
                break
    return lines
