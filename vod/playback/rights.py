"""Who may fetch the media of a broadcast or a lecture: one query, one decision."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, and_, exists, select
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.ids import derive_token, hash_secret
from vod.accounts.models import Account, AccountSession, RoleScope
from vod.accounts.roles import MemberFacts, Role, Viewer
from vod.accounts.sessions import MAX_TOKEN_CHARS, load_session
from vod.channels.models import Channel
from vod.channels.policy import may_watch_channel
from vod.classes.models import LiveClass
from vod.classes.policy import may_see_class
from vod.classes.states import ClassState
from vod.lectures.models import Lecture
from vod.lectures.policy import Exposure, may_see_lecture
from vod.playback.objects import MediaTarget
from vod.playback.signing import read_token
from vod.units.models import OrgUnit
from vod.uploads.models import Upload


@dataclass(frozen=True, slots=True)
class Credentials:
    """What came with a request; ``bearer`` wins over ``cookie``, a signed token over both."""

    cookie: str = ""
    bearer: str | None = None
    token: str | None = None
    viewer_cookie: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """``status`` is 204, 401 (nobody is signed in) or 403; ``viewer_id`` is opaque."""

    status: int
    viewer_id: str = ""


REFUSED: Final = Decision(403)


async def decide(
    session: AsyncSession,
    target: MediaTarget,
    given: Credentials,
    *,
    secret: bytes,
    now: datetime,
) -> Decision:
    """Decide on one object for one visitor; whoever is admitted costs one query.

    Raises:
        DependencyError: The database is away; the gate keeps whom it admitted before.
    """
    if given.token is not None:
        return await _decide_signed(session, target, given.token, secret=secret, now=now)
    token = given.cookie if given.bearer is None else given.bearer
    row = (await session.execute(_join_session(_select_object(target), token, now))).first()
    if row is None:  # No such object; say no more than to whoever may not see it.
        return Decision(401 if await load_session(session, token, now) is None else 403)
    viewer = _build_viewer(row)
    if not _is_visible(row, viewer, target):
        return Decision(403 if viewer.is_signed_in else 401)
    seen_as = row.session_id if viewer.is_signed_in else given.viewer_cookie
    return Decision(204, derive_viewer_id(secret, seen_as) if seen_as else "")


async def _decide_signed(
    session: AsyncSession, target: MediaTarget, token: str, *, secret: bytes, now: datetime
) -> Decision:
    path = read_token(secret, token, now=now)
    if path is None or not path.covers(target.kind, target.object_id):
        return REFUSED
    is_account = and_(Account.id == path.account_id, _is_well())
    query = _add_account(_select_object(target).outerjoin(Account, is_account))
    row = (await session.execute(query)).first()
    if row is None or row.account_id != path.account_id:
        return REFUSED  # The account is gone, disabled or without a password of its own.
    viewer = _build_viewer(row)
    if not _is_visible(row, viewer, target):
        return REFUSED
    return Decision(204, derive_viewer_id(secret, token))


def derive_viewer_id(secret: bytes, value: str) -> str:
    """Derive the opaque presence id as the API does, so that one person is one viewer."""
    return derive_token(secret, "viewer", value)


def _is_visible(row: Any, viewer: Viewer, target: MediaTarget) -> bool:
    """A lecture by its own visibility; a broadcast by the class's until it has a replay.

    Once a class has ended, its segments are the replay: what an editor decided for the lecture,
    or that it was deleted, holds for them too. While it is on, whoever may see either one may
    fetch them, since a reopened class has both.
    """
    if target.kind == "channel":
        return may_watch_channel(viewer, row.channel_visibility, row.channel_audience)
    has_lecture = row.lecture_visibility is not None
    by_lecture = (
        has_lecture and row.deleted_at is None and may_see_lecture(viewer, _read_exposure(row))
    )
    if target.kind == "media" or (has_lecture and row.class_state is ClassState.ENDED):
        return by_lecture
    return by_lecture or may_see_class(viewer, row.class_visibility)


def _read_exposure(row: Any) -> Exposure:
    return Exposure(
        visibility=row.lecture_visibility,
        publication=row.publication,
        audience=row.audience,
        owner_ids={row.instructor_id, row.uploader_id},
    )


def _select_object(target: MediaTarget) -> Select[Any]:
    if target.kind == "channel":
        columns_of_channel = (
            Channel.visibility.label("channel_visibility"),
            Channel.audience.label("channel_audience"),
        )
        is_there = and_(Channel.id == target.object_id, Channel.deleted_at.is_(None))
        return select(*columns_of_channel).select_from(Channel).where(is_there)
    columns = (
        Lecture.visibility.label("lecture_visibility"),
        Lecture.deleted_at.label("deleted_at"),
        Lecture.publication.label("publication"),
        Lecture.audience.label("audience"),
        LiveClass.instructor_id.label("instructor_id"),
        Upload.account_id.label("uploader_id"),
        LiveClass.visibility.label("class_visibility"),
        LiveClass.state.label("class_state"),
    )
    is_replay = Lecture.live_class_id == LiveClass.id
    if target.kind == "media":
        joined = select(*columns).select_from(Lecture).outerjoin(LiveClass, is_replay)
        is_object = Lecture.id == target.object_id
    else:
        joined = select(*columns).select_from(LiveClass).outerjoin(Lecture, is_replay)
        is_object = LiveClass.broadcast_id == target.object_id
    return joined.outerjoin(Upload, Upload.id == Lecture.upload_id).where(is_object)


def _join_session(query: Select[Any], token: str, now: datetime) -> Select[Any]:
    is_usable = 0 < len(token) <= MAX_TOKEN_CHARS and token.isascii()
    is_session = and_(
        AccountSession.token_hash == (hash_secret(token) if is_usable else ""),
        AccountSession.expires_at > now,
    )
    is_account = and_(Account.id == AccountSession.account_id, _is_well())
    with_session = query.add_columns(AccountSession.id.label("session_id"))
    return _add_account(
        with_session.outerjoin(AccountSession, is_session).outerjoin(Account, is_account)
    )


def _is_well() -> ColumnElement[bool]:
    """Whoever still has to choose a password is nobody here, as in the API."""
    return and_(Account.is_disabled.is_(False), Account.must_change_password.is_(False))


def _add_account(query: Select[Any]) -> Select[Any]:
    is_limited = exists().where(RoleScope.account_id == Account.id, RoleScope.role == Role.EDITOR)
    return query.add_columns(
        Account.id.label("account_id"),
        Account.role.label("role"),
        Account.category.label("category"),
        Account.level.label("level"),
        OrgUnit.path.label("unit_path"),
        is_limited.label("is_limited"),
    ).outerjoin(OrgUnit, OrgUnit.id == Account.unit_id)


def _build_viewer(row: Any) -> Viewer:
    """As ``sessions.describe_account`` does, as far as seeing lectures and classes goes."""
    if row.account_id is None:
        return Viewer()
    return Viewer(
        account_id=row.account_id,
        role=Role.MEMBER if row.role is Role.EDITOR and row.is_limited else row.role,
        member=MemberFacts(row.unit_path, row.category, row.level),
    )
