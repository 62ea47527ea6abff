"""What a contest refuses, and its results. Statements only; the caller owns the transaction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.errors import ConflictError, InputError
from vod.lectures.models import Lecture
from vod.library.contests import queries, schemas
from vod.library.contests.models import Contest, ContestFilm, ContestSheet
from vod.library.contests.policy import ContestState
from vod.library.contests.ranking import Candidate, Sheet, rank_films
from vod.library.models import LectureFilm


def check_dates(starts_at: datetime, ends_at: datetime) -> None:
    """Raises ``InputError``: 422, it would end before it begins."""
    if ends_at <= starts_at:
        raise InputError(
            "ends_at: before it begins",
            field="ends_at",
            status=422,
            title_zh="结束时间要晚于开始时间",
        )


def refuse_closed(row: Contest) -> None:
    if row.state is ContestState.CLOSED:
        raise ConflictError("the contest is closed", title_zh="评比已经结束，不能再改")


async def check_films(
    session: AsyncSession, row: Contest, films: Sequence[schemas.WantedFilm]
) -> None:
    ids = {film.lecture_id for film in films}
    if len(ids) != len(films):
        raise InputError(
            "films: the same film twice", field="films", status=422, title_zh="同一部作品只能报一次"
        )
    query = (
        select(LectureFilm.lecture_id)
        .join(Lecture, Lecture.id == LectureFilm.lecture_id)
        .where(LectureFilm.lecture_id.in_(ids), Lecture.deleted_at.is_(None))
    )
    if ids - set(await session.scalars(query)):
        raise InputError(
            "films: not in the film library",
            field="films",
            status=422,
            title_zh="只有片库里的作品可以参评",
        )
    check_categories((film.category for film in films), row.categories)


def check_categories(used: Iterable[str], categories: Sequence[str]) -> None:
    if missing := set(used) - set(categories):
        raise InputError(
            f"categories: {min(missing)} is none of them",
            field="categories",
            status=422,
            title_zh=f"这次评比没有“{min(missing)}”这个类别",
        )


async def refuse_scored(session: AsyncSession, contest_id: str, film_ids: set[str]) -> None:
    scored = {sheet.film_id for sheet in await queries.load_sheets(session, contest_id)}
    if scored & film_ids:
        raise ConflictError("a film has been scored", title_zh="已经有评委打分的作品不能移除")


def write_results(
    contest: Contest, films: Sequence[ContestFilm], sheets: Sequence[ContestSheet]
) -> None:
    """Write what the pure ranking says into the films."""
    candidates = [Candidate(film.id, film.position, film.category) for film in films]
    given = [Sheet(sheet.film_id, sheet.points) for sheet in sheets]
    ranked = rank_films(candidates, given, queries.read_criteria(contest), method=contest.method)
    by_id = {film.id: film for film in films}
    for one in ranked:
        film = by_id[one.film_id]
        film.score, film.place, film.category_place = one.score, one.place, one.category_place
