"""What the API says about channels."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import Field

from vod.audience.rule import AudienceRule
from vod.channels.models import ChannelVisibility
from vod.http.types import Body, Identifier, LongText, Moment, Title, View

MAX_EXCEPTIONS = 200

Weekdays = Annotated[list[Annotated[int, Field(ge=0, le=6)]], Field(max_length=7)]
Exceptions = Annotated[list[date], Field(max_length=MAX_EXCEPTIONS)]


class Airing(View):
    """One entry of the timetable.

    Attributes:
        key: Stable name of this airing.
        state: ``now`` is what the grid says; the player shows the very second.
        catch_up_url: The lecture from its start, once it was aired, for whoever may see it.
        problem: Why it is not aired as planned; for whoever curates channels.
    """

    key: str
    channel_id: str
    channel_title: str
    programme_id: str
    lecture_id: str
    title: str
    starts_at: Moment
    ends_at: Moment
    state: Literal["past", "now", "later"]
    is_repeat: bool
    catch_up_url: str | None
    problem: str | None


class AiringList(View):
    items: list[Airing]


class ChannelPlayback(View):
    hls_url: str
    audio_url: str


class FillerRef(View):
    id: str
    title: str


class Channel(View):
    """A channel with what is on and what comes.

    Attributes:
        audience: The rule; ``null`` unless ``may_manage``. ``filler`` so.
        may_seek: Else players hide the time line.
    """

    id: str
    title: str
    description: str
    visibility: ChannelVisibility
    audience: dict[str, Any] | None
    may_seek: bool
    position: int
    filler: FillerRef | None
    now: Airing | None
    next: Airing | None
    playback: ChannelPlayback
    watch_url: str
    may_manage: bool


class ChannelList(View):
    items: list[Channel]


class NewChannel(Body):
    title: Title
    description: LongText = ""
    visibility: ChannelVisibility = ChannelVisibility.MEMBERS
    audience: AudienceRule = AudienceRule()
    may_seek: bool = True
    filler_id: Identifier | None = None
    position: Annotated[int, Field(ge=0, le=10_000)] = 0


class ChannelChange(Body):
    title: Title | None = None
    description: LongText | None = None
    visibility: ChannelVisibility | None = None
    audience: AudienceRule | None = None
    may_seek: bool | None = None
    filler_id: Identifier | None = None
    position: Annotated[int, Field(ge=0, le=10_000)] | None = None


class Programme(View):
    """A lecture in the grid: once, or weekly on ``weekdays`` (0 is Monday, Asia/Shanghai)."""

    id: str
    lecture_id: str
    title: str
    duration_s: float
    starts_at: Moment
    weekdays: list[int]
    until: date | None
    exceptions: list[date]


class ProgrammeList(View):
    items: list[Programme]


class NewProgramme(Body):
    """``may_overlap``: put it there although something else is cut off."""

    lecture_id: Identifier
    starts_at: Moment
    weekdays: Weekdays = Field(default_factory=list)
    until: date | None = None
    exceptions: Exceptions = Field(default_factory=list)
    may_overlap: bool = False


class ProgrammeChange(Body):
    starts_at: Moment | None = None
    weekdays: Weekdays | None = None
    until: date | None = None
    exceptions: Exceptions | None = None
    may_overlap: bool = False
