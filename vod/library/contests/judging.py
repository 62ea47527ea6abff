"""What a judge sees and gives. Owns its transactions.

Nothing here reads who entered a film, nor a sheet of anybody else.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.errors import ConflictError, InputError, NotFoundError
from vod.accounts.roles import Viewer
from vod.db.engine import Database
from vod.lectures.models import Lecture
from vod.library.contests import queries
from vod.library.contests.models import Contest, ContestFilm, ContestJudge, ContestSheet
from vod.library.contests.policy import ContestStanding, ContestState, find_standing


@dataclass(frozen=True, slots=True)
class JudgedFilm:
    """``is_seen``: the judge may play it, as a member."""

    film: ContestFilm
    lecture: Lecture
    points: dict[str, int] | None
    is_seen: bool


async def load_own(session: AsyncSession, account_id: str) -> list[tuple[Contest, int, int]]:
    """Load the contests in which one judges, latest first, with films and own sheets counted."""
    rows = await session.scalars(
        select(Contest)
        .join(ContestJudge, ContestJudge.contest_id == Contest.id)
        .where(ContestJudge.account_id == account_id, Contest.state != ContestState.DRAFT)
        .order_by(Contest.starts_at.desc(), Contest.id.desc())
        .limit(100)
    )
    contests = list(rows)
    ids = [row.id for row in contests]
    films = await queries.count_films(session, ids)
    given = await session.execute(
        select(ContestFilm.contest_id, func.count())
        .join(ContestSheet, ContestSheet.film_id == ContestFilm.id)
        .join(Lecture, Lecture.id == ContestFilm.lecture_id)
        .where(
            ContestFilm.contest_id.in_(ids),
            ContestSheet.account_id == account_id,
            Lecture.deleted_at.is_(None),
        )
        .group_by(ContestFilm.contest_id)
    )
    done = dict(given.tuples().all())
    return [(row, films.get(row.id, 0), done.get(row.id, 0)) for row in contests]


async def load_judged_films(
    session: AsyncSession, contest_id: str, viewer: Viewer
) -> list[JudgedFilm]:
    """Load the films with the judge's own points, in the order of the programme."""
    films = await queries.load_films(session, contest_id)
    seen = {film.id for film, _ in await queries.load_films(session, contest_id, viewer=viewer)}
    sheets = await queries.load_sheets(session, contest_id, account_id=viewer.account_id)
    points = {sheet.film_id: sheet.points for sheet in sheets}
    return [
        JudgedFilm(film, lecture, points.get(film.id), film.id in seen) for film, lecture in films
    ]


async def require_judge(session: AsyncSession, row: Contest | None, account_id: str) -> Contest:
    """Raises ``NotFoundError``: no such contest, or the account is no judge of it."""
    if row is None or row.state is ContestState.DRAFT:
        raise NotFoundError("no such contest")
    if not await queries.load_judged(session, account_id, [row.id]):
        raise NotFoundError("no such contest")
    return row


async def put_sheet(
    database: Database,
    contest_id: str,
    film_id: str,
    points: dict[str, int],
    *,
    account_id: str,
    now: datetime,
) -> None:
    """Give points, or change them, while it is time.

    Raises:
        NotFoundError: The account is no judge of such a contest, or it has no such film.
        ConflictError: It is not the time to score.
        InputError: 422, not exactly the criteria of the contest.
    """
    async with database.write() as session:
        # Locked: what is given while it is being closed counts, or is refused.
        row = await queries.lock_contest(session, contest_id)
        row = await require_judge(session, row, account_id)
        standing = find_standing(row.state, row.starts_at, row.ends_at, now=now)
        if standing is not ContestStanding.JUDGING:
            raise ConflictError("not the time to score", title_zh="现在不在评分时间内，不能打分")
        if points.keys() != {one.key for one in queries.read_criteria(row)}:
            raise InputError(
                "points: give every criterion",
                field="points",
                status=422,
                title_zh="请给每一项都打分",
            )
        films = await queries.load_films(session, contest_id)
        if film_id not in {film.id for film, _ in films}:
            raise NotFoundError("no such film in the contest")
        sheet = await session.get(ContestSheet, (film_id, account_id))
        if sheet is None:
            sheet = ContestSheet(film_id=film_id, account_id=account_id)
            session.add(sheet)
        sheet.points, sheet.scored_at = points, now
