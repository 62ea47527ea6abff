"""Take reports of players, forget them when asked. Owns its transactions."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from vod.accounts.roles import Viewer
from vod.assets.models import Asset
from vod.db.engine import Database
from vod.db.upsert import insert_if_absent
from vod.lectures.models import Lecture
from vod.lectures.present import build_duration_s
from vod.lectures.publication import LectureKind
from vod.lectures.service import load_lecture
from vod.watching import schemas
from vod.watching.models import Favourite, WatchRecord
from vod.watching.ranges import Range, count_seconds, is_finished, merge_ranges

KEY: Final = ("account_id", "lecture_id")


@dataclass(frozen=True, slots=True)
class Member:
    """Who reports, and when."""

    account_id: str
    viewer: Viewer
    now: datetime


async def take_report(
    database: Database, report: schemas.WatchReport, *, lecture_id: str, member: Member
) -> schemas.WatchState:
    """Add what was played to what is known; a paper or a link is finished once it was opened.

    Raises:
        NotFoundError: There is no such lecture, or the member may not know of it.
    """
    async with database.write() as session:
        lecture = await load_lecture(session, lecture_id, member.viewer)
        row = await _ensure_row(session, lecture_id, member)
        duration_s = await _load_duration(session, lecture)
        _add(row, report, duration_s=duration_s)
        row.updated_at = member.now
        is_read = lecture.kind is not LectureKind.MEDIA
        if row.finished_at is None and (is_read or is_finished(row.watched_s, duration_s)):
            row.finished_at = member.now
        return await _present(session, row, member.account_id)


async def _ensure_row(session: AsyncSession, lecture_id: str, member: Member) -> WatchRecord:
    """Load the row for a change, made if need be; two tabs at once take turns."""
    key = {"account_id": member.account_id, "lecture_id": lecture_id}
    values = {
        **key, "position_s": 0, "duration_s": 0, "furthest_s": 0, "watched_s": 0, "ranges": [],
        "updated_at": member.now,
    }  # fmt: skip
    await insert_if_absent(session, WatchRecord, values, conflict=KEY)
    return (await session.scalars(select(WatchRecord).filter_by(**key).with_for_update())).one()


async def _load_duration(session: AsyncSession, lecture: Lecture) -> int:
    asset = await session.get(Asset, lecture.asset_id) if lecture.asset_id else None
    return math.ceil(build_duration_s(lecture, asset))


def _add(row: WatchRecord, report: schemas.WatchReport, *, duration_s: int) -> None:
    """Clip what is new to the lecture; what was watched of a longer file before stays."""
    until_s = max(duration_s, row.furthest_s)
    sent = ((start, min(end, duration_s)) for start, end in report.ranges)
    merged = merge_ranges(read_ranges(row), sent, until_s=until_s)
    row.ranges = [list(one) for one in merged]
    row.watched_s = count_seconds(merged)
    row.furthest_s = merged[-1][1] if merged else 0
    row.duration_s = duration_s
    if report.position is not None:
        row.position_s = min(int(report.position), duration_s)


def read_ranges(row: WatchRecord) -> list[Range]:
    """Ranges of a row as pairs."""
    return [(start, end) for start, end in row.ranges]


async def load_state(session: AsyncSession, lecture_id: str, member: Member) -> schemas.WatchState:
    """Load how far the member is with a lecture; raises ``NotFoundError``."""
    lecture = await load_lecture(session, lecture_id, member.viewer)
    row = await session.get(WatchRecord, (member.account_id, lecture_id))
    if row is None:
        duration_s = await _load_duration(session, lecture)
        row = WatchRecord(
            account_id=member.account_id, lecture_id=lecture_id, position_s=0, furthest_s=0,
            watched_s=0, duration_s=duration_s, ranges=[], finished_at=None,
        )  # fmt: skip
    return await _present(session, row, member.account_id)


async def _present(session: AsyncSession, row: WatchRecord, account_id: str) -> schemas.WatchState:
    is_favourite = await session.get(Favourite, (account_id, row.lecture_id)) is not None
    return schemas.WatchState(
        lecture_id=row.lecture_id,
        position_s=row.position_s,
        duration_s=row.duration_s,
        furthest_s=row.furthest_s,
        watched_s=row.watched_s,
        ranges=[list(pair) for pair in read_ranges(row)],
        finished_at=row.finished_at,
        updated_at=row.updated_at,
        is_favourite=is_favourite,
    )


async def forget(database: Database, account_id: str, *, lecture_id: str | None = None) -> None:
    """Forget what a member watched, of one lecture or of all; nothing to forget is fine."""
    statement = delete(WatchRecord).where(WatchRecord.account_id == account_id)
    if lecture_id is not None:
        statement = statement.where(WatchRecord.lecture_id == lecture_id)
    async with database.write() as session:
        await session.execute(statement)


async def add_favourite(database: Database, *, lecture_id: str, member: Member) -> None:
    """Keep a lecture at hand; raises ``NotFoundError``."""
    async with database.write() as session:
        await load_lecture(session, lecture_id, member.viewer)
        values = {
            "account_id": member.account_id, "lecture_id": lecture_id, "created_at": member.now,
        }  # fmt: skip
        await insert_if_absent(session, Favourite, values, conflict=KEY)


async def remove_favourite(database: Database, *, lecture_id: str, account_id: str) -> None:
    """Keep it no longer; one that was not kept is fine."""
    async with database.write() as session:
        await session.execute(
            delete(Favourite).where(
                Favourite.account_id == account_id, Favourite.lecture_id == lecture_id
            )
        )
