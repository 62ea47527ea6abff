"""What the API says about lectures."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from vod.accounts.roles import Visibility
from vod.captions.schemas import CaptionRef
from vod.chapters.schemas import Chapter
from vod.editing.policy import EditState
from vod.http.pagination import Page
from vod.http.types import Body, Identifier, LongText, Moment, Title, View
from vod.lectures.models import LectureState
from vod.lectures.publication import Publication
from vod.posters.schemas import PosterRef
from vod.series.schemas import SeriesMembership

WorkState = Literal["queued", "running", "done", "failed", "cancelled"]
MAX_SERIES = 50  # That one lecture is in.


class ReplayPlayback(View):
    """Where to play a lecture; ``audio_url`` is a playlist of the sound only."""

    hls_url: str
    audio_url: str


class Rendition(View):
    """A rung of the ladder or the audio, made or on its way; ``reason`` says why it is so."""

    name: str
    kind: Literal["video", "audio"]
    width: int | None
    height: int | None
    codec: str
    bitrate_bps: int | None
    state: WorkState
    reason: str


class JobSummary(View):
    """What is being made of a lecture; ``progress`` from 0 to 1."""

    id: str
    kind: str
    state: WorkState
    progress: float
    reason: str | None


class LectureSource(View):
    """What a lecture is made from; ``notes`` are sentences about what was repaired or left out."""

    kind: Literal["recording", "upload"]
    filename: str | None
    size_bytes: int | None
    notes: list[str]


class EditSummary(View):
    """How far the cutting of a lecture is."""

    state: EditState
    version: int


class Lecture(View):
    """A replay or recorded lesson.

    Attributes:
        duration_s: Of what plays.
        chapters: In the time of what plays, like the captions' addresses.
        is_partial: More renditions are being made; those that are ``done`` play.
        source: For those who may change the material; null for everybody else.
        may_manage: May change, delete and transcode it.
        may_edit: May change captions, chapters, poster and cuts.
    """

    id: str
    title: str
    description: str
    state: LectureState
    visibility: Visibility
    publication: Publication
    publish_at: Moment | None
    withdraw_at: Moment | None
    duration_s: float
    series: list[SeriesMembership]
    live_class_id: str | None
    recorded_at: Moment | None
    published_at: Moment | None
    playback: ReplayPlayback | None
    poster_url: str | None
    storyboard_url: str | None
    renditions: list[Rendition]
    jobs: list[JobSummary]
    captions: list[CaptionRef]
    chapters: list[Chapter]
    waveform_url: str | None
    audio_download_url: str | None
    source: LectureSource | None
    posters: list[PosterRef]
    is_partial: bool
    edit: EditSummary | None
    may_manage: bool
    may_edit: bool


class LecturePage(Page):
    items: list[Lecture]


class LectureChange(Body):
    """What an editor may change.

    Attributes:
        series_ids: Exactly these; at the end of those that are new to it.
    """

    title: Title | None = None
    description: LongText | None = None
    visibility: Visibility | None = None
    series_ids: Annotated[list[Identifier], Field(max_length=MAX_SERIES)] | None = None
