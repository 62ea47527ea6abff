"""Draft a notice about a lecture or a series: one for each, whoever asks and how often."""

from __future__ import annotations

from datetime import datetime
from html import escape
from typing import Final, Literal

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.errors import NotFoundError
from kernel.ids import new_id
from vod.accounts.roles import Visibility
from vod.audit.service import record
from vod.db.upsert import insert_if_absent
from vod.lectures.models import Lecture
from vod.library.markup import clean_markup
from vod.notices.models import Notice, NoticeSection, NoticeState
from vod.notices.policy import build_plain_text
from vod.series.models import Series

TITLE_CHARS: Final = 200
HEADINGS: Final = {"lecture": "新课上线", "series": "新专题上线"}


async def draft_notice(
    session: AsyncSession,
    *,
    kind: Literal["lecture", "series"],
    subject_id: str,
    actor_id: str | None,
    now: datetime,
) -> bool:
    """Draft a notice in the caller's transaction.

    Returns:
        Whether there was none yet; a deleted one is not drafted again.

    Raises:
        NotFoundError: There is no such lecture or series.
    """
    subject: Lecture | Series | None = (
        await session.get(Lecture, subject_id)
        if kind == "lecture"
        else await session.get(Series, subject_id)
    )
    if subject is None or (isinstance(subject, Lecture) and subject.deleted_at is not None):
        raise NotFoundError(f"no such {kind}")
    body = build_body(subject)
    values = {
        "id": new_id(),
        "title": f"{HEADINGS[kind]}：{subject.title}"[:TITLE_CHARS],
        "section": NoticeSection.COURSES,
        "source": "",
        "body": body,
        "plain_text": build_plain_text(body),
        "visibility": find_visibility(subject),
        "state": NoticeState.DRAFT,
        "origin": build_origin(kind, subject_id),
        "version": 1,
        "created_at": now,
        "created_by": actor_id,
        "changed_at": now,
    }
    is_new = await insert_if_absent(session, Notice, values, conflict="origin")
    if is_new:
        record(
            session,
            now=now,
            actor_id=actor_id,
            action="notice.drafted",
            object_type="notice",
            object_id=str(values["id"]),
            title=values["title"],
            origin=values["origin"],
        )
    return is_new


def build_body(subject: Lecture | Series) -> str:
    """Take the introduction, which is markup, or else the description, which is plain text."""
    if isinstance(subject, Lecture) and subject.introduction:
        return clean_markup(subject.introduction)
    text = escape(subject.description.strip(), quote=False)
    return clean_markup("<p>" + text.replace("\n", "<br>") + "</p>") if text else ""


def find_visibility(subject: Lecture | Series) -> Visibility:
    """Strangers read of what everybody may see only."""
    if isinstance(subject, Lecture) and subject.audience is None:
        return subject.visibility
    return Visibility.MEMBERS


async def load_notice_about(session: AsyncSession, kind: str, subject_id: str) -> Notice:
    """Load the notice about a lecture or a series.

    Raises:
        NotFoundError: There is none, or somebody deleted it.
    """
    origin = build_origin(kind, subject_id)
    row = await session.scalar(select(Notice).where(Notice.origin == origin))
    if row is None or row.deleted_at is not None:
        raise NotFoundError("no such notice", title_zh="这条动态已经删除")
    return row


def build_origin(kind: str, subject_id: str) -> str:
    return f"{kind}:{subject_id}"
