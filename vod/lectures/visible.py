"""Which lectures somebody may know of, as SQL: the same as ``policy.may_see_lecture`` (a test)."""

from __future__ import annotations

from sqlalchemy import ColumnElement, and_, or_, select, true

from vod.accounts.roles import Role, Viewer, Visibility
from vod.audience.rule import build_fitting
from vod.classes.models import LiveClass
from vod.lectures.models import Lecture
from vod.lectures.policy import Exposure, may_edit_lectures
from vod.lectures.publication import Publication
from vod.uploads.models import Upload


def describe_exposure(lecture: Lecture) -> Exposure:
    """Read what decides who sees a lecture, but for its owners."""
    return Exposure(
        visibility=lecture.visibility, publication=lecture.publication, audience=lecture.audience
    )


def build_open() -> ColumnElement[bool]:
    """Everybody may see it, so shared caches may keep it."""
    return and_(
        Lecture.visibility == Visibility.PUBLIC,
        Lecture.publication == Publication.PUBLISHED,
        Lecture.audience.is_(None),
    )


def build_visible(viewer: Viewer) -> ColumnElement[bool]:
    """Build the condition on lectures; whether they were deleted is another question."""
    if may_edit_lectures(viewer):
        return true()
    if not viewer.is_signed_in:
        return build_open()
    fitting = build_fitting(Lecture.audience, viewer.member)
    shown = and_(
        Lecture.publication == Publication.PUBLISHED,
        or_(Lecture.audience.is_(None), fitting),
    )
    return or_(shown, _build_own(viewer)) if viewer.role is Role.INSTRUCTOR else shown


def _build_own(viewer: Viewer) -> ColumnElement[bool]:
    """Who taught the class or sent the file sees it before the members do."""
    taught = select(LiveClass.id).where(LiveClass.instructor_id == viewer.account_id)
    sent = select(Upload.id).where(Upload.account_id == viewer.account_id)
    return or_(Lecture.live_class_id.in_(taught), Lecture.upload_id.in_(sent))
