"""The seams inside streamer: who calls whom between ingest, packager, window and recorder.

```
rtmp/ whip/  --Publication-->  broadcast/ --> packager/ --PackagerSink--> live/ (LL-HLS)
     ^  IngestConnection           |                                 `--> recorder/ (spool, journal)
     `-----------------------------'  evict, ask for a keyframe           SegmentReader --> live/
```
Everything here is called on the event loop and returns at once; nobody blocks in a callback.
"""

from __future__ import annotations

import enum
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from kernel.layout import Rendition
from kernel.messages import PublishRequest
from streamer.media import AudioConfig, AudioUnit, OpusUnit, VideoConfig, VideoUnit


class EndReason(enum.Enum):
    """Why a connection or an epoch ended; the value is what the log and the studio say."""

    CLOSED_BY_PUBLISHER = "closed by the publisher"
    CONNECTION_LOST = "connection lost"
    STALLED = "no media for 5 s"
    TAKEN_OVER = "taken over by a newer connection"
    CLASS_ENDED = "the class was ended"
    KEY_REPLACED = "the stream key was replaced"
    PROTOCOL_ERROR = "the publisher broke the protocol"
    FORMAT_CHANGED = "the stream's format changed"
    TIMESTAMP_JUMP = "the time stamps jumped"
    SHUTDOWN = "the server is stopping"
    CRASH = "the server was interrupted"


class IngestConnection(Protocol):
    """One publisher's connection, as the broadcast sees it."""

    protocol: str
    peer: str

    def evict(self, reason: EndReason) -> None:
        """Tell the peer in its protocol and close. Idempotent."""

    def request_keyframe(self) -> None:
        """Ask the encoder for an IDR if the protocol can (PLI); otherwise do nothing."""


class Publication(Protocol):
    """An admitted connection's way in. Obtained from ``Publishing.admit``.

    Units of a connection that was evicted are ignored, never an error. ``set_*`` may be called
    again at any time: a changed configuration starts a new epoch at the next IDR.
    """

    @property
    def broadcast_id(self) -> str: ...

    def set_video_config(self, config: VideoConfig) -> None: ...

    def set_audio_config(self, config: AudioConfig) -> None: ...

    def write_video(self, unit: VideoUnit) -> None: ...

    def write_audio(self, unit: AudioUnit) -> None: ...

    def write_opus(self, unit: OpusUnit) -> None:
        """For WHEP only; the same sound comes as ``write_audio`` too."""

    def count_dropped(self, count: int) -> None:
        """Frames or packets the ingest had to drop; shown in the health panel."""

    def close(self, reason: EndReason) -> None:
        """The connection is over. Idempotent."""


class Publishing(Protocol):
    """Admission: the one door for every ingest protocol."""

    async def admit(self, request: PublishRequest, connection: IngestConnection) -> Publication:
        """Check the credential and take the class over from an older connection.

        The credential of an open broadcast is known by hash, so a return needs no vod.

        Raises:
            NotAllowedError: Wrong or expired credential, or the class has ended.
            ConflictError: Three takeovers in 60 s; the incumbent stays for 60 s.
            CapacityError: Too many publishers.
            DependencyError: vod cannot be asked and the credential is not known.
        """


# ---- packager -> window and recorder -----------------------------------------------------------


@dataclass(frozen=True, slots=True)
class EpochInfo:
    """An epoch as the packager opens it; both renditions' init segments included.

    Attributes:
        discontinuity: Number of discontinuities before it in the broadcast (its EXT-X sequence).
        first_msn: Media sequence number of its first segment.
        start_ticks: Lecture time of its first segment.
        program_date_time: Wall clock at ``start_ticks``, UTC.
        inits: Rendition -> (file name ``init-{hash}.mp4``, bytes).
        frame_rate: Estimate for FRAME-RATE, ``None`` when unknown.
    """

    epoch: int
    discontinuity: int
    first_msn: int
    start_ticks: int
    program_date_time: datetime
    inits: dict[Rendition, tuple[str, bytes]]
    video_codec: str | None
    width_px: int | None
    height_px: int | None
    audio_codec: str
    sample_rate_hz: int
    channels_count: int
    protocol: str
    frame_rate: float | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """One part of both renditions; ``media`` are whole moof+mdat runs.

    Attributes:
        index: Position in its segment, from 0.
        start_ticks: Lecture time; ``duration_ticks`` is nominal (EXT-X-PART DURATION).
        is_independent: The ``av`` part begins with an IDR (audio parts always are independent).
    """

    epoch: int
    msn: int
    index: int
    start_ticks: int
    duration_ticks: int
    is_independent: bool
    media: dict[Rendition, bytes]


@dataclass(frozen=True, slots=True)
class SegmentInfo:
    """A closed segment: the concatenation of its parts.

    ``sizes`` are bytes per rendition. ``is_gap``: the recorder could not keep it (EXT-X-GAP).
    """

    epoch: int
    msn: int
    start_ticks: int
    duration_ticks: int
    sizes: dict[Rendition, int]
    parts_count: int
    is_gap: bool = False


class PackagerSink(Protocol):
    """Receives the packager's output in order.

    Bytes first, playlist second: the recorder is called before the window, so that nothing is
    listed that is not at least queued for the disk.
    """

    def on_epoch(self, epoch: EpochInfo) -> None: ...

    def on_part(self, part: Part) -> None: ...

    def on_segment(self, segment: SegmentInfo) -> None: ...

    def on_epoch_end(self, epoch: int, reason: EndReason) -> None: ...

    def on_end(self) -> None:
        """The broadcast is over: ENDLIST."""

    def on_reopen(self) -> None:
        """A finished broadcast goes on."""


@dataclass(frozen=True, slots=True)
class ResumePoint:
    """Where a broadcast goes on after a restart or a reopening. All counters only grow.

    ``next_date_time``: wall clock that EXT-X-PROGRAM-DATE-TIME has reached, ``None`` when unknown;
    it must not run back either.
    """

    next_epoch: int = 0
    next_msn: int = 0
    next_discontinuity: int = 0
    next_ticks: int = 0
    next_date_time: datetime | None = None


class SegmentReader(Protocol):
    """Bytes of what is no longer in memory: from the spool, else from the blob store."""

    async def read_segment(self, epoch: int, rendition: Rendition, msn: int) -> bytes:
        """Read all of it. Raises ``BlobMissingError`` when nobody has it."""

    def iter_segment(
        self, epoch: int, rendition: Rendition, msn: int, *, start: int, end: int | None
    ) -> AsyncIterator[bytes]:
        """Read bytes ``[start, end)``; ``None``: to the end. Raises as ``read_segment``."""
