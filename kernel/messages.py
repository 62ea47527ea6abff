"""What the services say to each other: frozen, versioned, validated. Pure.

streamer -> vod   ``PublishRequest`` / ``PublishGrant``, ``BroadcastEvent`` (HTTP, private)
vod -> streamer   ``EndBroadcast``; answers ``BroadcastStatus``
vod -> worker     ``RunUnit`` (Celery task ``transcode.run_unit``)
worker -> vod     ``ClaimUnit``, ``UnitHeartbeat``, ``UnitCompleted``, ``UnitFailed``,
                  ``UnitReleased``, ``WorkersSeen`` (HTTP)
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from kernel.recording import RecordingIndex

RUN_UNIT_TASK: Final = "transcode.run_unit"
LEASE_S: Final = 60  # A worker that is silent for this long has lost its unit.
INDEX_NAME: Final = "index.m3u8"  # The multivariant playlist of a set, unless its report says so.
HEARTBEAT_S: Final = 10  # Six chances per lease; a cancelled unit is stopped within it.

Protocol = Literal["rtmp", "whip"]
Queue = Literal["live", "short", "long"]
UnitKind = Literal[
    "plan_recording",
    "plan_upload",
    "plan_edit",
    "encode_video",
    "copy_video",
    "encode_audio",
    "make_images",
    "transcribe",
    "make_clip",
    "publish_asset",
]
UnitState = Literal["waiting", "queued", "running", "done", "failed", "cancelled"]


class Message(BaseModel):
    """Base of all wire messages."""

    model_config = ConfigDict(frozen=True, extra="forbid")


# ---- streamer <-> vod --------------------------------------------------------------------------


class PublishRequest(Message):
    """May whoever holds ``credential`` publish?

    RTMP brings a stream key only, WHIP a bearer token and the class from the URL.
    """

    protocol: Protocol
    credential: str = Field(max_length=256, repr=False)
    live_class_id: str | None = Field(default=None, max_length=64)
    peer: str = Field(max_length=128)


class PublishGrant(Message):
    """Yes. A refusal is an HTTP 401/403/404/409 problem instead."""

    live_class_id: str
    broadcast_id: str
    title: str


class _Event(Message):
    event_id: str = Field(max_length=96)
    broadcast_id: str = Field(max_length=64)
    at: datetime


class EpochStarted(_Event):
    """Media flows (again): the class is live."""

    type: Literal["epoch_started"] = "epoch_started"
    epoch: int
    protocol: Protocol
    width_px: int | None
    height_px: int | None


class EpochEnded(_Event):
    """The publisher is gone, or its format changed (then ``is_interrupted`` is false)."""

    type: Literal["epoch_ended"] = "epoch_ended"
    epoch: int
    reason: str = Field(max_length=200)
    is_interrupted: bool


class SegmentsStored(_Event):
    """Everything up to and including ``through_msn`` is in the blob store, sizes verified."""

    type: Literal["segments_stored"] = "segments_stored"
    through_msn: int
    stored_ticks: int


class BroadcastEnded(_Event):
    """ENDLIST is written; ``index`` is the whole recording, playable now, perhaps still uploading.

    ``recording_version`` grows by one at each end; a reopened class ends again with a longer index.
    """

    type: Literal["broadcast_ended"] = "broadcast_ended"
    recording_version: int = Field(ge=1)
    index: RecordingIndex


class RecordingStored(_Event):
    """Every segment of that version is in the blob store: transcoding may begin."""

    type: Literal["recording_stored"] = "recording_stored"
    recording_version: int = Field(ge=1)


BroadcastEvent = Annotated[
    EpochStarted | EpochEnded | SegmentsStored | BroadcastEnded | RecordingStored,
    Field(discriminator="type"),
]
BROADCAST_EVENTS: Final[TypeAdapter[list[BroadcastEvent]]] = TypeAdapter(list[BroadcastEvent])


class StreamHealth(Message):
    """What the instructor sees. Rates over the last 5 s."""

    protocol: Protocol
    peer: str
    uptime_s: float
    video_bps: int
    audio_bps: int
    fps: float
    width_px: int | None
    height_px: int | None
    gop_s: float | None
    audio_level_dbfs: float | None
    dropped_count: int
    warnings: tuple[str, ...]
    """Stable codes: ``gop_too_long``, ``no_audio``, ``low_bitrate``, ``b_frames``,
    ``unstable_network``, ``recording_paused``, ``storage_behind``, ``disk_low``,
    ``contested`` (another publisher with the same key is being refused)."""


class BroadcastStatus(Message):
    """What streamer knows about one broadcast now."""

    broadcast_id: str
    state: Literal["idle", "live", "interrupted", "ended"]
    epoch: int | None
    viewers: int
    recorded_s: float
    stored_s: float
    has_video: bool
    has_b_frames: bool
    is_recording_paused: bool
    health: StreamHealth | None


class EndBroadcast(Message):
    reason: str = Field(max_length=200)


# ---- vod <-> transcode -------------------------------------------------------------------------


class RunUnit(Message):
    """The Celery payload: only where to look; the truth is fetched by claiming."""

    version: Literal[1] = 1
    unit_id: str


class UnitPlan(Message):
    """One unit that ``plan_recording`` asks vod to create.

    Attributes:
        key: Unique in the job, e.g. ``video-0003``.
        spec: JSON only the worker reads.
        after: Keys that must be done before; their results arrive in ``ClaimedUnit.inputs``.
        renditions: Names of the renditions whose progress this unit is part of.
        weight: Share of the job's work, any positive scale (seconds of media are fine).
    """

    key: str = Field(pattern=r"^[a-z0-9-]{1,64}$")
    kind: UnitKind
    queue: Queue
    spec: dict[str, Any]
    after: tuple[str, ...] = ()
    renditions: tuple[str, ...] = ()
    weight: float = Field(gt=0, default=1.0)


class RenditionPlan(Message):
    """A rung the job will make. ``reason`` says in one sentence why it is as it is."""

    name: str = Field(pattern=r"^[a-z0-9_-]{1,32}$")
    kind: Literal["video", "audio"]
    width_px: int | None = None
    height_px: int | None = None
    codec: str
    bitrate_bps: int | None = None
    reason: str = Field(max_length=500)


class SourceReport(Message):
    """What a lecture is made from, in facts and in sentences.

    Attributes:
        kind: What its media is: pictures (with or without sound), or sound alone.
        container: FFmpeg's first name of it: ``mp4``, ``matroska``, ``mpegts`` ...
        duration_s: Of the lecture that is made, not what a header claims.
        width_px: As shown: turned upright, before pixels are made square.
        frame_rate: Of the lecture, ``"25"`` or ``"30000/1001"``; ``None`` without pictures.
        notes: Chinese sentences for editors: what was repaired, converted or left out.
    """

    kind: Literal["video", "audio"]
    container: str = Field(max_length=32)
    duration_s: float = Field(gt=0)
    width_px: int | None = None
    height_px: int | None = None
    frame_rate: str | None = Field(default=None, max_length=32)
    video_codec: str | None = Field(default=None, max_length=32)
    audio_codec: str | None = Field(default=None, max_length=32)
    notes: tuple[str, ...] = Field(default=(), max_length=40)


class EmbeddedChapter(Message):
    """A chapter the file brought, in lecture time."""

    start_s: float = Field(ge=0)
    title: str = Field(max_length=200)


class EmbeddedCue(Message):
    start_ms: int = Field(ge=0)
    end_ms: int = Field(gt=0)
    text: str = Field(max_length=2_000)


class EmbeddedCaptions(Message):
    """A text track the file brought, in lecture time. ``language`` is BCP 47, ``und`` unknown."""

    language: str = Field(pattern=r"^[A-Za-z0-9-]{1,35}$")
    label: str = Field(max_length=100)
    cues: tuple[EmbeddedCue, ...] = Field(max_length=20_000)


class PlanReport(Message):
    """Result of a planning unit; ``UnitCompleted.result`` holds it."""

    plan_hash: str = Field(pattern=r"^[0-9a-f]{12,64}$")
    renditions: tuple[RenditionPlan, ...]
    units: tuple[UnitPlan, ...]
    source: SourceReport | None = None
    chapters: tuple[EmbeddedChapter, ...] = Field(default=(), max_length=500)
    captions: tuple[EmbeddedCaptions, ...] = Field(default=(), max_length=16)


class RenditionReport(Message):
    name: str
    kind: Literal["video", "audio"]
    width_px: int | None = None
    height_px: int | None = None
    frame_rate: float | None = None
    codec: str
    """RFC 6381 string."""
    bitrate_bps: int
    """Average over the rendition."""
    size_bytes: int


FileRole = Literal[
    "poster",
    "poster_candidates",
    "storyboard",
    "slides",
    "waveform",
    "audio_download",
]


class KeptRange(Message):
    """A half-open stretch of the uncut lecture that a cut asset shows, in lecture ticks."""

    start_ticks: int = Field(ge=0)
    end_ticks: int = Field(gt=0)


class AssetReport(Message):
    """Result of ``publish_asset``: an immutable set under ``prefix``, ``manifest.json`` last.

    Attributes:
        poster, storyboard: File names under ``prefix``; the storyboard is its WebVTT.
        files: Extras by role, as file names under ``prefix``. ``poster_candidates`` are
            ``poster-{ms}.jpg`` with the uncut lecture time, the best one first; ``slides`` is JSON
            ``{"slides": [{"start_s", "confidence"}]}`` in uncut time; ``storyboard`` is the WebVTT
            first, then its sheets; the other roles have one file.
        index: The multivariant playlist under ``prefix``. A second codec is added to a whole set
            with its own files and a new one; nothing that was there changes.
        is_partial: Some rungs are still being made; the whole set replaces this one.
        kept: What a cut asset shows of the uncut lecture, in order; ``None``: it is uncut.
    """

    prefix: str
    duration_s: float
    renditions: tuple[RenditionReport, ...]
    poster: str | None = None
    storyboard: str | None = None
    files: dict[FileRole, tuple[str, ...]] = Field(default_factory=dict)
    index: str = Field(default=INDEX_NAME, pattern=r"^index(-[a-z0-9]{1,16})?\.m3u8$")
    is_partial: bool = False
    kept: tuple[KeptRange, ...] | None = None


FailureCause = Literal[
    "media",  # the input is at fault
    "tool",  # a program ended badly
    "stall",  # a program made no progress
    "timeout",
    "memory",  # it took too much, or the system killed it
    "disk",
    "blobs",  # the store or another neighbour failed
    "defect",  # a mistake of ours
    "result",  # vod did not accept what was made
    "lost",  # the worker fell silent; only vod says so
    "other",
]
MAX_COMMANDS: Final = 200


class TranscriptReport(Message):
    """Result of ``transcribe``: what was heard, in the time of the sound that was given.

    The unit's spec is ``{"key", "duration_s", "language"}``: the blob of the sound (one AAC track
    in MP4, the uncut lecture), its length, and the language that is spoken in it.
    """

    language: str = Field(pattern=r"^[A-Za-z0-9-]{1,35}$")
    model: str = Field(default="", max_length=200)
    cues: tuple[EmbeddedCue, ...] = Field(max_length=20_000)


class ClipReport(Message):
    """Result of ``make_clip``: one MP4 for the world outside.

    Attributes:
        key: Of the blob, below the folder that the unit was given.
    """

    key: str = Field(max_length=256)
    size_bytes: int = Field(gt=0)
    duration_s: float = Field(gt=0)
    width_px: int = Field(gt=0)
    height_px: int = Field(gt=0)


class ClaimUnit(Message):
    """Ask for work of the queue that the named unit is in.

    Attributes:
        claim_id: Repeating a claim under the same one brings the same unit again, so an answer
            that got lost costs nothing.
    """

    worker: str = Field(max_length=128)
    claim_id: str | None = Field(default=None, max_length=64)


class ClaimedUnit(Message):
    """The unit is yours until the lease runs out. Every report carries ``fence``.

    ``unit_id`` may be of another unit than the message named: reports go to this one.
    """

    unit_id: str
    job_id: str
    key: str
    kind: UnitKind
    fence: int
    attempt: int
    lease_s: int
    lecture_id: str
    asset_id: str
    plan_hash: str | None
    spec: dict[str, Any]
    inputs: dict[str, dict[str, Any]]


class UnitHeartbeat(Message):
    fence: int
    progress: float = Field(ge=0, le=1)
    speed: float | None = None
    """Media seconds per second."""
    log_tail: str | None = Field(default=None, max_length=4_000)
    """What the programs said lately; ``None`` leaves what vod has."""


class _UnitEnded(Message):
    """``commands``: the exact command lines that ran, in order, folders left out."""

    fence: int
    log_tail: str = Field(default="", max_length=20_000)
    commands: tuple[str, ...] = Field(default=(), max_length=MAX_COMMANDS)


class UnitCompleted(_UnitEnded):
    result: dict[str, Any]


class UnitFailed(_UnitEnded):
    reason: str = Field(max_length=2_000)
    is_permanent: bool
    cause: FailureCause = "other"


class UnitReleased(Message):
    """The worker stops before the unit is done: queue it at once, no attempt is counted."""

    fence: int
    reason: str = Field(default="", max_length=200)


class WorkersSeen(Message):
    """What a worker process says every ``HEARTBEAT_S``.

    Attributes:
        names: One per unit it can run at a time, as in ``ClaimUnit.worker``.
        is_draining: It takes no new units.
        is_gone: Its last word.
    """

    names: tuple[str, ...] = Field(min_length=1, max_length=64)
    queues: tuple[Queue, ...]
    is_draining: bool = False
    is_gone: bool = False
