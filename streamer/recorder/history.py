"""What a journal says about its broadcast: replay, total over any bytes. Pure.

``History`` is kept up to date by the recorder while it writes, and rebuilt from the file alone
after a crash; both go through the same ``apply``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from kernel.layout import Rendition
from kernel.recording import RecordedEpoch, RecordedSegment, RecordingIndex
from kernel.timing import to_seconds
from streamer.ports import EpochInfo, ResumePoint, SegmentInfo
from streamer.recorder.lines import (
    BroadcastLine,
    ClosedLine,
    CredentialLine,
    EndedLine,
    EpochLine,
    GapLine,
    InitsStoredLine,
    KeptLine,
    Line,
    PartLine,
    ReopenedLine,
    RestoredLine,
    RevokedLine,
    SegmentLine,
    StoredLine,
    parse_line,
)

MAX_LOST_SEGMENTS: Final = 10_000  # Holes wider than a day of segments are not filled.

SizeOf = Mapping[tuple[int, Rendition, int], int]


@dataclass
class EpochHistory:
    """One epoch: what the packager said, its closed segments, and whether it is over.

    ``recorded`` says the same as ``segments`` in the words of the index, kept along so that the
    end of a ten-hour class does not stop the loop.
    """

    info: EpochInfo
    segments: list[SegmentInfo] = field(default_factory=list)
    recorded: list[RecordedSegment] = field(default_factory=list)
    end_reason: str | None = None
    are_inits_stored: bool = False

    def add(self, segment: SegmentInfo) -> None:
        self.segments.append(segment)
        self.recorded.append(_index_segment(segment))

    def put(self, position: int, segment: SegmentInfo) -> None:
        self.segments[position] = segment
        self.recorded[position] = _index_segment(segment)


@dataclass
class History:
    """Everything known of one broadcast.

    Attributes:
        told_epoch: Epochs up to it were reported by an outbox that is gone.
        told_version: The same for recording versions.
        event_token: Distinguishes later event ids from those of that outbox.

    Invariants: msn and start of the segments run on without a hole; ``stored`` holds msns of
    closed segments only.
    """

    broadcast_id: str = ""
    live_class_id: str = ""
    title: str = ""
    credentials: list[str] = field(default_factory=list)
    epochs: list[EpochHistory] = field(default_factory=list)
    open_parts: list[PartLine] = field(default_factory=list)
    stored: set[int] = field(default_factory=set)
    recording_version: int = 0
    is_ended: bool = False
    ended_at: datetime | None = None
    kept_version: int = 0
    first_epoch: int = 0
    told_epoch: int = -1
    told_version: int = 0
    event_token: str = ""

    @property
    def is_kept(self) -> bool:
        """Ended, and all of it is in the blob store."""
        return self.is_ended and self.kept_version == self.recording_version

    @property
    def next_msn(self) -> int:
        last = self.last_segment
        return 0 if last is None else last.msn + 1

    @property
    def next_ticks(self) -> int:
        last = self.last_segment
        return 0 if last is None else last.start_ticks + last.duration_ticks

    @property
    def last_segment(self) -> SegmentInfo | None:
        for epoch in reversed(self.epochs):
            if epoch.segments:
                return epoch.segments[-1]
        return None

    @property
    def segments(self) -> Iterable[SegmentInfo]:
        for epoch in self.epochs:
            yield from epoch.segments

    @property
    def recorded_ticks(self) -> int:
        """Media that is not a gap, closed segments and open parts."""
        closed = sum(item.duration_ticks for item in self.segments if not item.is_gap)
        return closed + sum(part.d for part in self.open_parts)

    def resume_point(self) -> ResumePoint:
        """Where the packager goes on.

        One epoch number is left out: the crash may have swallowed the line of an epoch whose URLs
        somebody has cached already.
        """
        if not self.epochs:
            return ResumePoint(next_epoch=self.first_epoch)
        last = self.epochs[-1].info
        return ResumePoint(
            next_epoch=last.epoch + 2,
            next_msn=self.next_msn,
            next_discontinuity=last.discontinuity + 1,
            next_ticks=self.next_ticks,
            next_date_time=_date_at(last, self.next_ticks),
        )

    def build_index(self) -> RecordingIndex:
        """The recording so far; epochs without a segment are left out."""
        return RecordingIndex(
            broadcast_id=self.broadcast_id,
            epochs=tuple(_index_epoch(epoch) for epoch in self.epochs if epoch.segments),
        )

    # ---- replay --------------------------------------------------------------------------------

    def apply(self, line: Line) -> bool:  # noqa: C901, PLR0911, PLR0912 - one case per kind of line
        """Take one line in; ``False`` when it does not fit what came before and is left out."""
        match line:
            case BroadcastLine():
                if self.broadcast_id:
                    return False
                self.broadcast_id, self.live_class_id = line.broadcast_id, line.live_class_id
                self.title, self.credentials = line.title, list(line.credentials)
                self.first_epoch = line.first_epoch
            case CredentialLine():
                if line.digest in self.credentials:
                    return False
                self.credentials.append(line.digest)
            case RevokedLine():
                self.credentials.clear()
            case EpochLine():
                return self._open_epoch(line)
            case PartLine():
                return self._add_part(line)
            case SegmentLine():
                return self._add_segment(line.to_info())
            case GapLine():
                return mark_gap(self, line.m) is not None
            case StoredLine():
                if line.m >= self.next_msn:
                    return False
                self.stored.add(line.m)
            case InitsStoredLine():
                epoch = self.find_epoch(line.e)
                if epoch is None:
                    return False
                epoch.are_inits_stored = True
            case ClosedLine():
                epoch = self.find_epoch(line.e)
                if epoch is None or epoch.end_reason is not None:
                    return False
                epoch.end_reason, self.open_parts = line.reason, []
            case EndedLine():
                if line.version != self.recording_version + 1 or self.is_ended:
                    return False
                self.is_ended, self.recording_version = True, line.version
                self.ended_at, self.open_parts = line.at, []
            case KeptLine():
                if line.version > self.recording_version:
                    return False
                self.kept_version = line.version
            case ReopenedLine():
                if not self.is_ended:
                    return False
                self.is_ended, self.ended_at = False, None
            case RestoredLine():
                self.told_epoch = self.epochs[-1].info.epoch if self.epochs else -1
                self.told_version = self.kept_version = self.recording_version
                self.event_token = line.token
        return True

    def find_epoch(self, number: int) -> EpochHistory | None:
        return next((item for item in reversed(self.epochs) if item.info.epoch == number), None)

    def _open_epoch(self, line: EpochLine) -> bool:
        try:
            info = line.to_info()
        except ValueError:
            return False
        if set(info.inits) != {"av", "audio"} or (
            self.epochs and info.epoch <= self.epochs[-1].info.epoch
        ):
            return False
        self.epochs.append(EpochHistory(info))
        self.open_parts = []
        return True

    def _add_part(self, part: PartLine) -> bool:
        if not self.epochs or part.e != self.epochs[-1].info.epoch or part.m < self.next_msn:
            return False
        if self.open_parts and part.m != self.open_parts[0].m:
            self.open_parts = []  # The line that closed the segment before is lost.
        if part.i != len(self.open_parts):
            return False
        last = self.open_parts[-1] if self.open_parts else None
        follows = last is None or (
            part.s == last.s + last.d
            and part.av[0] == last.av[0] + last.av[1]
            and part.audio[0] == last.audio[0] + last.audio[1]
        )
        if not follows or (last is None and (part.av[0] or part.audio[0])):
            return False
        self.open_parts.append(part)
        return True

    def _add_segment(self, segment: SegmentInfo) -> bool:
        if not self.epochs or segment.epoch != self.epochs[-1].info.epoch:
            return False
        if segment.msn < self.next_msn or not self._fill_hole(segment):
            return False
        self.epochs[-1].add(segment)
        self.open_parts = []
        return True

    def _fill_hole(self, segment: SegmentInfo) -> bool:
        """Mark lost lines before ``segment`` as gaps of exactly the time that is missing."""
        lost_count = segment.msn - self.next_msn
        lost_ticks = segment.start_ticks - self.next_ticks
        if lost_count == 0:
            return lost_ticks == 0
        if lost_count > MAX_LOST_SEGMENTS or lost_ticks < lost_count:
            return False
        each, rest = divmod(lost_ticks, lost_count)
        for position in range(lost_count):
            self.epochs[-1].add(
                SegmentInfo(
                    epoch=segment.epoch,
                    msn=self.next_msn,
                    start_ticks=self.next_ticks,
                    duration_ticks=each + (1 if position < rest else 0),
                    sizes={"av": 0, "audio": 0},
                    parts_count=0,
                    is_gap=True,
                )
            )
        return True


def replay_journal(data: bytes) -> tuple[History, int]:
    """Rebuild a history from a journal's bytes; lines that are not ours are left out.

    Returns:
        The history, and the length of the journal up to its last complete line: what comes after
        is torn and is cut off before anything is appended.
    """
    history = History()
    complete_bytes = data.rfind(b"\n") + 1
    for raw in data[:complete_bytes].splitlines():
        line = parse_line(raw)
        if line is not None:
            history.apply(line)
    return history, complete_bytes


def close_after_crash(history: History, sizes: SizeOf) -> SegmentInfo | None:
    """Return the half-written segment as a closed one, made of the parts whose bytes are there.

    Args:
        history: Its ``open_parts`` are judged, not changed.
        sizes: Bytes on disk by (epoch, rendition, msn).
    """
    whole = []
    for part in history.open_parts:
        av_bytes = sizes.get((part.e, "av", part.m), 0)
        audio_bytes = sizes.get((part.e, "audio", part.m), 0)
        if sum(part.av) > av_bytes or sum(part.audio) > audio_bytes:
            break
        whole.append(part)
    if not whole or whole[0].s != history.next_ticks or whole[0].m != history.next_msn:
        return None
    first, last = whole[0], whole[-1]
    return SegmentInfo(
        epoch=first.e,
        msn=first.m,
        start_ticks=first.s,
        duration_ticks=last.s + last.d - first.s,
        sizes={"av": sum(last.av), "audio": sum(last.audio)},
        parts_count=len(whole),
    )


def mark_gap(history: History, msn: int) -> SegmentInfo | None:
    """Turn a closed segment into a gap (its media could not be kept); return it."""
    for epoch in reversed(history.epochs):
        for position, segment in enumerate(epoch.segments):
            if segment.msn == msn:
                gap = replace(segment, is_gap=True, sizes={"av": 0, "audio": 0})
                epoch.put(position, gap)
                return gap
    return None


def _date_at(epoch: EpochInfo, ticks: int) -> datetime | None:
    """Wall clock at a lecture time of ``epoch``; ``None`` for a journal beyond the calendar."""
    try:
        return epoch.program_date_time + timedelta(seconds=to_seconds(ticks - epoch.start_ticks))
    except OverflowError:
        return None


def _index_epoch(epoch: EpochHistory) -> RecordedEpoch:
    info = epoch.info
    return RecordedEpoch(
        epoch=info.epoch,
        program_date_time=info.program_date_time,
        av_init=info.inits["av"][0],
        audio_init=info.inits["audio"][0],
        video_codec=info.video_codec,
        width_px=info.width_px,
        height_px=info.height_px,
        audio_codec=info.audio_codec,
        sample_rate_hz=info.sample_rate_hz,
        channels_count=info.channels_count,
        protocol="whip" if info.protocol == "whip" else "rtmp",
        segments=tuple(epoch.recorded),
    )


def _index_segment(item: SegmentInfo) -> RecordedSegment:
    return RecordedSegment(
        msn=item.msn,
        start_ticks=item.start_ticks,
        duration_ticks=item.duration_ticks,
        av_bytes=item.sizes.get("av", 0),
        audio_bytes=item.sizes.get("audio", 0),
        is_gap=item.is_gap,
    )
