"""What the API says about lectures."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import Field

from vod.accounts.roles import Visibility
from vod.audience.rule import AudienceRule
from vod.captions.schemas import CaptionRef
from vod.chapters.schemas import Chapter
from vod.editing.policy import EditState
from vod.http.pagination import Page
from vod.http.types import Body, Identifier, LongText, Moment, Title, View
from vod.lectures.hours import Hours
from vod.lectures.models import LectureState
from vod.lectures.publication import LectureKind, Publication
from vod.library.markup import Markup
from vod.library.types import (
    Day,
    Document,
    ExternalId,
    Film,
    FormKey,
    FormRef,
    Label,
    Tag,
    Teacher,
    WebAddress,
)
from vod.posters.schemas import PosterRef
from vod.series.schemas import SeriesMembership

WorkState = Literal["queued", "running", "done", "failed", "cancelled"]
MAX_SERIES = 50  # That one lecture is in.
MAX_TAGS = 20
MAX_TEACHERS = 20
MAX_BULK = 500  # Lectures in one change.


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
        introduction: A little HTML, harmless.
        duration_s: Of what plays.
        audience: For those who may manage it; null for everybody else.
        version: Goes with the next change, so that nobody overwrites unseen ones.
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
    kind: LectureKind
    form: FormRef | None
    tags: list[str]
    introduction: str
    hours: Hours
    instructors: list[Teacher]
    documents: list[Document]
    film: Film | None
    source_label: str | None
    licence: str | None
    external_id: str | None
    external_url: str | None
    review_by: date | None
    review_step: int
    audience: AudienceRule | None
    is_featured: bool
    version: int
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


class CatalogueEntry(Body):
    """What the catalogue says of a lecture, as editors send it; left out is left alone.

    Attributes:
        instructor_ids: Exactly these, in this order; so ``tags``.
        series_ids: Exactly these; at the end of those that are new to it.
        audience: Whom it is for; ``{}`` is everybody.
        is_featured: A featured one 精品: with a badge, and in a list of its own.
    """

    description: LongText | None = None
    introduction: Markup | None = None
    visibility: Visibility | None = None
    form: FormKey | None = None
    tags: Annotated[list[Tag], Field(max_length=MAX_TAGS)] | None = None
    hours: Hours | None = None
    instructor_ids: Annotated[list[Identifier], Field(max_length=MAX_TEACHERS)] | None = None
    series_ids: Annotated[list[Identifier], Field(max_length=MAX_SERIES)] | None = None
    film: Film | None = None
    source_label: Label | None = None
    licence: Label | None = None
    external_id: ExternalId | None = None
    external_url: WebAddress | None = None
    review_by: Day | None = None
    audience: AudienceRule | None = None
    is_featured: bool | None = None


class LectureChange(CatalogueEntry):
    """What an editor may change. Null clears form, film, labels, addresses and days.

    Attributes:
        version: Of the lecture that was changed; 409 if somebody else has changed it since.
    """

    title: Title | None = None
    version: Annotated[int, Field(ge=0)] | None = None


class NewLecture(CatalogueEntry):
    """A lecture without media: papers to read or a page elsewhere."""

    title: Title
    kind: Literal["document", "link"]


class BulkChange(Body):
    """One change for many lectures, all or none; ``add_tags`` keeps the others."""

    lecture_ids: Annotated[list[Identifier], Field(min_length=1, max_length=MAX_BULK)]
    form: FormKey | None = None
    visibility: Visibility | None = None
    hours: Hours | None = None
    review_by: Day | None = None
    audience: AudienceRule | None = None
    add_tags: Annotated[tuple[Tag, ...], Field(max_length=MAX_TAGS)] = ()
    add_to_series: Identifier | None = None


class BulkAnswer(View):
    changed_count: int
