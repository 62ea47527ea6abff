"""What the API says about live classes."""

from __future__ import annotations

from datetime import timedelta
from typing import Self

from pydantic import model_validator

from kernel.messages import StreamHealth
from vod.accounts.roles import Visibility
from vod.classes.states import ClassState
from vod.http.pagination import Page
from vod.http.types import Body, Identifier, LongText, Moment, Title, View
from vod.lectures.models import LectureState
from vod.lectures.schemas import ReplayPlayback
from vod.series.schemas import SeriesRef

MAX_LENGTH = timedelta(hours=24)  # A planned class; a longer one is a wrong date.


class InstructorRef(View):
    id: str
    display_name: str


class LivePlayback(View):
    """Where to watch now; ``whep_url`` is null where WebRTC would not work."""

    hls_url: str
    audio_url: str
    whep_url: str | None


class RecordingProgress(View):
    """Seconds recorded, and how many of them are safe in the blob store."""

    recorded_s: float
    stored_s: float


class Replay(View):
    lecture_id: str
    state: LectureState
    duration_s: float
    playback: ReplayPlayback | None


class IceServer(View):
    """As ``RTCPeerConnection`` takes it."""

    urls: list[str]


class PublishInfo(View):
    """How to send: for encoders (RTMP) and for browsers (WHIP). Secret."""

    rtmp_url: str
    stream_key: str
    whip_url: str
    whip_token: str
    ice_servers: list[IceServer]


class LiveClass(View):
    """A scheduled class, its live transmission and its replay."""

    id: str
    title: str
    description: str
    state: ClassState
    visibility: Visibility
    starts_at: Moment | None
    planned_end: Moment | None
    started_at: Moment | None
    ended_at: Moment | None
    series: SeriesRef | None
    instructor: InstructorRef | None
    viewers: int
    watch_url: str
    may_manage: bool
    is_ending: bool
    playback: LivePlayback | None
    recording: RecordingProgress | None
    health: StreamHealth | None
    replay: Replay | None
    poster_url: str | None


class CreatedLiveClass(LiveClass):
    publish: PublishInfo


class LiveClassPage(Page):
    items: list[LiveClass]


class _Schedule(Body):
    starts_at: Moment | None = None
    planned_end: Moment | None = None

    @model_validator(mode="after")
    def _ends_after_start(self) -> Self:
        if self.starts_at and self.planned_end:
            require_order(self.starts_at, self.planned_end)
        return self


def require_order(starts_at: Moment, planned_end: Moment) -> None:
    """Raise ``ValueError`` unless a class from ... to ... makes sense."""
    if not timedelta(0) < planned_end - starts_at <= MAX_LENGTH:
        raise ValueError("planned_end must be after starts_at, by 24 hours at most")


class NewLiveClass(_Schedule):
    """A class to create; ``instructor_id`` is oneself unless an editor names somebody."""

    title: Title
    visibility: Visibility
    description: LongText = ""
    series_id: Identifier | None = None
    instructor_id: Identifier | None = None


class LiveClassChange(_Schedule):
    """Members left out stay; null clears a time or the series."""

    title: Title | None = None
    description: LongText | None = None
    visibility: Visibility | None = None
    series_id: Identifier | None = None
    instructor_id: Identifier | None = None
