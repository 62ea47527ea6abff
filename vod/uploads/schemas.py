"""What the API says about uploads."""

from __future__ import annotations

from vod.http.pagination import Page
from vod.http.types import Moment, View
from vod.uploads.models import UploadState


class LectureRef(View):
    id: str
    title: str


class Upload(View):
    """A file that somebody sends; ``reason`` is a sentence for people."""

    id: str
    filename: str
    title: str
    size_bytes: int
    received_bytes: int
    state: UploadState
    reason: str | None
    lecture_id: str | None
    duplicate_of: LectureRef | None
    created_at: Moment
    expires_at: Moment


class UploadPage(Page):
    items: list[Upload]


class UploadLimits(View):
    """``quota_bytes`` is null where there is no limit; ``extensions`` are those of tus."""

    max_size_bytes: int
    quota_bytes: int | None
    used_bytes: int
    expires_after_s: int
    extensions: list[str]


class KnownFile(View):
    """Whether a file with that digest is a lecture already."""

    lecture: LectureRef | None
