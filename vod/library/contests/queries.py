"""Statements on contests. They never commit."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.errors import NotFoundError
from vod.accounts.models import Account
from vod.accounts.roles import Viewer
from vod.lectures.models import Lecture
from vod.lectures.visible import build_visible
from vod.library.contests.models import Contest, ContestFilm, ContestJudge, ContestSheet
from vod.library.contests.policy import ContestState, may_curate, may_know
from vod.library.contests.ranking import Criterion


def build_list(viewer: Viewer) -> Select[tuple[Contest]]:
    """What the viewer may know of, the latest first."""
    query = select(Contest).order_by(Contest.starts_at.desc(), Contest.id.desc())
    return query if may_curate(viewer) else query.where(Contest.state != ContestState.DRAFT)


async def load_contest(session: AsyncSession, contest_id: str, viewer: Viewer) -> Contest:
    """Load one.

    Raises:
        NotFoundError: There is none that the viewer may know of.
    """
    row = await session.get(Contest, contest_id)
    if row is None or not may_know(viewer, row.state):
        raise NotFoundError("no such contest")
    return row


async def lock_contest(session: AsyncSession, contest_id: str) -> Contest | None:
    """Load one that nobody changes meanwhile."""
    query = select(Contest).where(Contest.id == contest_id).with_for_update()
    row: Contest | None = await session.scalar(query.execution_options(populate_existing=True))
    return row


async def count_films(session: AsyncSession, contest_ids: Collection[str]) -> dict[str, int]:
    query = (
        select(ContestFilm.contest_id, func.count())
        .join(Lecture, Lecture.id == ContestFilm.lecture_id)
        .where(ContestFilm.contest_id.in_(contest_ids), Lecture.deleted_at.is_(None))
        .group_by(ContestFilm.contest_id)
    )
    return dict((await session.execute(query)).tuples().all())


async def load_films(
    session: AsyncSession, contest_id: str, *, viewer: Viewer | None = None
) -> list[tuple[ContestFilm, Lecture]]:
    """Load the films that are there, in the order of the programme.

    Args:
        viewer: Only those that they may see; ``None`` for all.
    """
    query = (
        select(ContestFilm, Lecture)
        .join(Lecture, Lecture.id == ContestFilm.lecture_id)
        .where(ContestFilm.contest_id == contest_id, Lecture.deleted_at.is_(None))
        .order_by(ContestFilm.position, ContestFilm.id)
    )
    if viewer is not None:
        query = query.where(build_visible(viewer))
    return list((await session.execute(query)).tuples())


async def load_judged(
    session: AsyncSession, account_id: str, contest_ids: Collection[str]
) -> set[str]:
    """Find in which of the contests the account is a judge."""
    query = select(ContestJudge.contest_id).where(
        ContestJudge.account_id == account_id, ContestJudge.contest_id.in_(contest_ids)
    )
    return set(await session.scalars(query))


async def load_judges(session: AsyncSession, contest_id: str) -> list[Account]:
    query = (
        select(Account)
        .join(ContestJudge, ContestJudge.account_id == Account.id)
        .where(ContestJudge.contest_id == contest_id)
        .order_by(Account.pinyin, Account.id)
    )
    return list(await session.scalars(query))


async def load_sheets(
    session: AsyncSession, contest_id: str, *, account_id: str | None = None
) -> list[ContestSheet]:
    """Load what the present judges gave the films that are there; of one judge, or of all."""
    query = (
        select(ContestSheet)
        .join(ContestFilm, ContestFilm.id == ContestSheet.film_id)
        .join(Lecture, Lecture.id == ContestFilm.lecture_id)
        .where(ContestFilm.contest_id == contest_id, Lecture.deleted_at.is_(None))
        .order_by(ContestFilm.position, ContestFilm.id, ContestSheet.account_id)
    )
    if account_id is not None:
        query = query.where(ContestSheet.account_id == account_id)
    return list(await session.scalars(query))


def read_criteria(contest: Contest) -> tuple[Criterion, ...]:
    return tuple(Criterion(**one) for one in contest.criteria)
