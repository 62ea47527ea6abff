"""The journal's lines: one JSON object each, ``t`` names its kind. Pure.

```
broadcast   header: ids, title, credentials (hashed)         first line, once
credential  one more hash that may come back without asking vod
revoked     none of the hashes so far may
epoch       all of EpochInfo, init segments in base64
part        epoch, msn, index, start, duration, independent, [offset, size] per rendition
segment     closed: sizes per rendition; ``gap`` when its media was lost
gap         a closed segment's media could not be kept after all
stored      the segment is in the blob store, size verified
inits       the epoch's init segments are in the blob store
closed      the epoch is over, and why
ended       ENDLIST; recording version
kept        every segment of that version and the journal are in the blob store
reopened    the broadcast goes on
restored    the spool was gone; this journal came back from the blob store
```
Short field names in ``part``: a two-hour class has 14 400 of them.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from datetime import datetime
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from kernel.layout import Rendition
from streamer.ports import EpochInfo, Part, SegmentInfo

MAX_LINE_BYTES: Final = 1 << 20  # Two init segments are ~5 kB in base64; parts ~130 bytes.

Count = Annotated[int, Field(ge=0, lt=1 << 62)]
Positive = Annotated[int, Field(gt=0, lt=1 << 62)]
Span = tuple[Count, Count]


class _Line(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", strict=False)


class BroadcastLine(_Line):
    t: Literal["broadcast"] = "broadcast"
    version: Literal[1] = 1
    broadcast_id: str = Field(max_length=64)
    live_class_id: str = Field(max_length=64)
    title: str = Field(default="", max_length=1000)
    credentials: tuple[str, ...] = ()
    first_epoch: Count = 0
    """Above 0 when nobody could say whether older media lies in the blob store."""


class CredentialLine(_Line):
    t: Literal["credential"] = "credential"
    digest: str = Field(max_length=128)


class RevokedLine(_Line):
    t: Literal["revoked"] = "revoked"


class InitBox(_Line):
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,100}$")
    base64: str


class EpochLine(_Line):
    t: Literal["epoch"] = "epoch"
    epoch: Count
    discontinuity: Count
    first_msn: Count
    start: Count
    at: datetime
    inits: dict[Rendition, InitBox]
    video_codec: str | None
    width_px: int | None
    height_px: int | None
    audio_codec: str
    sample_rate_hz: int
    channels_count: int
    protocol: Literal["rtmp", "whip"]
    frame_rate: float | None = None

    def to_info(self) -> EpochInfo:
        """Rebuild what the packager said.

        Raises:
            ValueError: The base64 is broken.
        """
        return EpochInfo(
            epoch=self.epoch,
            discontinuity=self.discontinuity,
            first_msn=self.first_msn,
            start_ticks=self.start,
            program_date_time=self.at,
            inits={
                rendition: (box.name, b64decode(box.base64, validate=True))
                for rendition, box in self.inits.items()
            },
            video_codec=self.video_codec,
            width_px=self.width_px,
            height_px=self.height_px,
            audio_codec=self.audio_codec,
            sample_rate_hz=self.sample_rate_hz,
            channels_count=self.channels_count,
            protocol=self.protocol,
            frame_rate=self.frame_rate,
        )


class PartLine(_Line):
    t: Literal["part"] = "part"
    e: Count
    m: Count
    i: Count
    s: Count
    d: Positive
    k: bool
    av: Span
    audio: Span


class SegmentLine(_Line):
    t: Literal["segment"] = "segment"
    e: Count
    m: Count
    s: Count
    d: Positive
    n: Count
    av: Count
    audio: Count
    gap: bool = False

    def to_info(self) -> SegmentInfo:
        return SegmentInfo(
            epoch=self.e,
            msn=self.m,
            start_ticks=self.s,
            duration_ticks=self.d,
            sizes={"av": 0, "audio": 0} if self.gap else {"av": self.av, "audio": self.audio},
            parts_count=self.n,
            is_gap=self.gap,
        )


class GapLine(_Line):
    t: Literal["gap"] = "gap"
    m: Count


class StoredLine(_Line):
    t: Literal["stored"] = "stored"
    m: Count


class InitsStoredLine(_Line):
    t: Literal["inits"] = "inits"
    e: Count


class ClosedLine(_Line):
    t: Literal["closed"] = "closed"
    e: Count
    reason: str = Field(max_length=200)


class EndedLine(_Line):
    t: Literal["ended"] = "ended"
    version: Positive
    at: datetime


class KeptLine(_Line):
    t: Literal["kept"] = "kept"
    version: Positive


class ReopenedLine(_Line):
    t: Literal["reopened"] = "reopened"


class RestoredLine(_Line):
    """``token`` goes into the ids of all later events: the old outbox is lost with the spool."""

    t: Literal["restored"] = "restored"
    token: str = Field(pattern=r"^[a-z0-9]{1,32}$")


Line = (
    BroadcastLine
    | CredentialLine
    | RevokedLine
    | EpochLine
    | PartLine
    | SegmentLine
    | GapLine
    | StoredLine
    | InitsStoredLine
    | ClosedLine
    | EndedLine
    | KeptLine
    | ReopenedLine
    | RestoredLine
)
_LINES: Final[TypeAdapter[Line]] = TypeAdapter(Annotated[Line, Field(discriminator="t")])


def encode_line(line: Line) -> bytes:
    """Encode one line with its newline."""
    return line.model_dump_json().encode() + b"\n"


def encode_part(part: Part, *, offsets: dict[Rendition, int]) -> bytes:
    """Encode a part's line by hand: twice a second and broadcast, without a model in between."""
    fields: dict[str, Any] = {
        "t": "part",
        "e": part.epoch,
        "m": part.msn,
        "i": part.index,
        "s": part.start_ticks,
        "d": part.duration_ticks,
        "k": part.is_independent,
    }
    for rendition, media in part.media.items():
        fields[rendition] = (offsets[rendition], len(media))
    return json.dumps(fields, separators=(",", ":")).encode() + b"\n"


def parse_line(raw: bytes) -> Line | None:
    """Decode one line; ``None`` for anything that is not one of ours."""
    if len(raw) > MAX_LINE_BYTES:
        return None
    try:
        return _LINES.validate_json(raw)
    except ValidationError:
        return None


def build_epoch_line(epoch: EpochInfo) -> EpochLine:
    return EpochLine(
        epoch=epoch.epoch,
        discontinuity=epoch.discontinuity,
        first_msn=epoch.first_msn,
        start=epoch.start_ticks,
        at=epoch.program_date_time,
        inits={
            rendition: InitBox(name=name, base64=b64encode(data).decode())
            for rendition, (name, data) in epoch.inits.items()
        },
        video_codec=epoch.video_codec,
        width_px=epoch.width_px,
        height_px=epoch.height_px,
        audio_codec=epoch.audio_codec,
        sample_rate_hz=epoch.sample_rate_hz,
        channels_count=epoch.channels_count,
        protocol="whip" if epoch.protocol == "whip" else "rtmp",
        frame_rate=epoch.frame_rate,
    )


def build_segment_line(segment: SegmentInfo) -> SegmentLine:
    return SegmentLine(
        e=segment.epoch,
        m=segment.msn,
        s=segment.start_ticks,
        d=segment.duration_ticks,
        n=segment.parts_count,
        av=segment.sizes.get("av", 0),
        audio=segment.sizes.get("audio", 0),
        gap=segment.is_gap,
    )
