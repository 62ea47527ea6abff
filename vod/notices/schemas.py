"""What the API says about notices."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from vod.accounts.roles import Visibility
from vod.http.pagination import Page
from vod.http.types import Body, Identifier, Moment, Title, View
from vod.library.markup import Markup
from vod.library.types import Label
from vod.notices.models import NoticeSection
from vod.notices.policy import NoticeStanding

Subject = Literal["lecture", "series"]
Version = Annotated[int, Field(ge=1, le=2**31 - 1)]


class NoticeSubject(View):
    """What a notice tells of."""

    kind: Subject
    id: str


class NoticeRow(View):
    """A notice in a list.

    Attributes:
        summary: The beginning of its text, without markup.
        standing: What it is to the members now.
        publish_at: Null while it is a draft.
    """

    id: str
    title: str
    section: NoticeSection
    source: str
    summary: str
    visibility: Visibility
    standing: NoticeStanding
    publish_at: Moment | None
    withdraw_at: Moment | None
    about: NoticeSubject | None
    version: int
    may_manage: bool


class Notice(NoticeRow):
    """A notice with its text: markup that is safe to show."""

    body: str


class NoticeSectionCount(View):
    """How many a section holds that whoever asks can read."""

    section: NoticeSection
    count: int


class NoticePage(Page):
    """Notices, newest first.

    Attributes:
        week_count: Published since ``week_starts_at``, whatever the list is narrowed to.
        sections: Every section with the number of its notices.
    """

    items: list[NoticeRow]
    week_count: int
    week_starts_at: Moment
    sections: list[NoticeSectionCount]


class NoticeDraftPage(Page):
    """Notices as editors see them, last changed first."""

    items: list[NoticeRow]


class NewNotice(Body):
    """A notice to be written; it begins as a draft."""

    title: Title
    section: NoticeSection = NoticeSection.WORK
    source: Label = ""
    visibility: Visibility = Visibility.MEMBERS
    body: Markup = ""


class NoticeChange(Body):
    """Members left out stay."""

    version: Version
    title: Title | None = None
    section: NoticeSection | None = None
    visibility: Visibility | None = None
    source: Label | None = None
    body: Markup | None = None


class WantedNotice(Body):
    """What a notice shall be drafted about."""

    kind: Subject
    id: Identifier


class NoticePublication(Body):
    """From when and until when members see it.

    Attributes:
        publish_at: Without it at once; what is seen already keeps its time.
        withdraw_at: Without it for good.
    """

    version: Version
    publish_at: Moment | None = None
    withdraw_at: Moment | None = None


class NoticeWithdrawal(Body):
    """The version that was seen."""

    version: Version
