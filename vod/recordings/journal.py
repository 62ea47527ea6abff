"""Read a recording back from ``live/{broadcast}/journal.jsonl``. Pure; total over any bytes.

The journal is the recorder's (``streamer.recorder.lines`` writes it, a contract test holds both
to each other). Only what an index needs is read: ``broadcast``, ``epoch``, ``segment``, ``gap``,
``ended``. Lines that are torn, foreign or do not fit what came before are left out; segments
whose lines were lost become gaps of exactly the missing time, so lecture time keeps no hole.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from kernel.errors import InputError
from kernel.layout import Rendition
from kernel.recording import RecordedEpoch, RecordedSegment, RecordingIndex

MAX_LINE_BYTES: Final = 1 << 20
MAX_LOST_SEGMENTS: Final = 10_000  # Wider holes than a day of segments are not believed.

Count = Annotated[int, Field(ge=0, lt=1 << 62)]
Positive = Annotated[int, Field(gt=0, lt=1 << 62)]


class _Line(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class _Broadcast(_Line):
    t: Literal["broadcast"]
    broadcast_id: str = Field(max_length=64)
    live_class_id: str = Field(max_length=64)


class _Init(_Line):
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,100}$")


class _Epoch(_Line):
    t: Literal["epoch"]
    epoch: Count
    at: datetime
    inits: dict[Rendition, _Init]
    video_codec: str | None
    width_px: int | None
    height_px: int | None
    audio_codec: str
    sample_rate_hz: int
    channels_count: int
    protocol: Literal["rtmp", "whip"]


class _Segment(_Line):
    t: Literal["segment"]
    e: Count
    m: Count
    s: Count
    d: Positive
    av: Count
    audio: Count
    gap: bool = False


class _Gap(_Line):
    t: Literal["gap"]
    m: Count


class _Ended(_Line):
    t: Literal["ended"]
    version: Positive
    at: datetime


_Known = _Broadcast | _Epoch | _Segment | _Gap | _Ended
_LINES: Final[TypeAdapter[_Known]] = TypeAdapter(Annotated[_Known, Field(discriminator="t")])


@dataclass(frozen=True, slots=True)
class JournalRecording:
    """The last end that a journal tells of.

    Attributes:
        version: Recording version, from 1; ``ended_at`` is its moment.
    """

    live_class_id: str
    version: int
    ended_at: datetime
    index: RecordingIndex


@dataclass
class _Reader:
    broadcast: _Broadcast | None = None
    epochs: list[tuple[_Epoch, list[RecordedSegment]]] = field(default_factory=list)
    next_msn: int = 0
    next_ticks: int = 0
    ended: JournalRecording | None = None

    def feed(self, line: _Known) -> None:
        match line:
            case _Broadcast():
                self.broadcast = self.broadcast or line
            case _Epoch():
                is_next = not self.epochs or line.epoch > self.epochs[-1][0].epoch
                if is_next and set(line.inits) == {"av", "audio"}:
                    self.epochs.append((line, []))
            case _Segment():
                self._add_segment(line)
            case _Gap():
                self._mark_gap(line.m)
            case _Ended():
                self._end(line)

    def _add_segment(self, line: _Segment) -> None:
        if not self.epochs or line.e != self.epochs[-1][0].epoch or line.m < self.next_msn:
            return
        lost_count, lost_ticks = line.m - self.next_msn, line.s - self.next_ticks
        if lost_count == 0:
            if lost_ticks != 0:
                return
        elif lost_count > MAX_LOST_SEGMENTS or lost_ticks < lost_count:
            return
        for position in range(lost_count):
            share, rest = divmod(lost_ticks, lost_count)
            self._append(share + (1 if position < rest else 0), is_gap=True)
        self._append(line.d, is_gap=line.gap, av_bytes=line.av, audio_bytes=line.audio)

    def _append(self, ticks: int, *, is_gap: bool, av_bytes: int = 0, audio_bytes: int = 0) -> None:
        self.epochs[-1][1].append(
            RecordedSegment(
                msn=self.next_msn,
                start_ticks=self.next_ticks,
                duration_ticks=ticks,
                av_bytes=0 if is_gap else av_bytes,
                audio_bytes=0 if is_gap else audio_bytes,
                is_gap=is_gap,
            )
        )
        self.next_msn, self.next_ticks = self.next_msn + 1, self.next_ticks + ticks

    def _mark_gap(self, msn: int) -> None:
        for _, segments in reversed(self.epochs):
            for position, segment in enumerate(segments):
                if segment.msn == msn:
                    lost = {"is_gap": True, "av_bytes": 0, "audio_bytes": 0}
                    segments[position] = segment.model_copy(update=lost)
                    return

    def _end(self, line: _Ended) -> None:
        last = 0 if self.ended is None else self.ended.version
        if self.broadcast is None or line.version <= last:
            return
        epochs = tuple(_build_epoch(epoch, s) for epoch, s in self.epochs if s)
        self.ended = JournalRecording(
            live_class_id=self.broadcast.live_class_id,
            version=line.version,
            ended_at=line.at,
            index=RecordingIndex(broadcast_id=self.broadcast.broadcast_id, epochs=epochs),
        )


def _build_epoch(line: _Epoch, segments: list[RecordedSegment]) -> RecordedEpoch:
    return RecordedEpoch(
        epoch=line.epoch,
        program_date_time=line.at,
        av_init=line.inits["av"].name,
        audio_init=line.inits["audio"].name,
        video_codec=line.video_codec,
        width_px=line.width_px,
        height_px=line.height_px,
        audio_codec=line.audio_codec,
        sample_rate_hz=line.sample_rate_hz,
        channels_count=line.channels_count,
        protocol=line.protocol,
        segments=tuple(segments),
    )


def read_journal(data: bytes) -> JournalRecording:
    """Return the newest recording version a journal tells of.

    Raises:
        InputError: It has no beginning or no end: there is no recording to rebuild.
    """
    reader = _Reader()
    for raw in data[: data.rfind(b"\n") + 1].splitlines():
        if len(raw) > MAX_LINE_BYTES:
            continue
        try:
            line = _LINES.validate_json(raw)
        except ValidationError:  # Of another kind, or torn: the docstring says what follows.
            continue
        reader.feed(line)
    if reader.ended is None:
        raise InputError("the journal tells of no finished recording")
    return reader.ended
