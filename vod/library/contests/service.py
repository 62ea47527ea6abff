"""Prepare, open and close contests. Owns its transactions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.errors import ConflictError, InputError, NotAllowedError, NotFoundError
from vod.accounts.models import Account
from vod.accounts.roles import Viewer
from vod.audit.service import record
from vod.db.engine import Database
from vod.library.contests import queries, schemas
from vod.library.contests.checks import (
    check_categories,
    check_dates,
    check_films,
    refuse_closed,
    refuse_scored,
    write_results,
)
from vod.library.contests.models import Contest, ContestFilm, ContestJudge
from vod.library.contests.policy import ContestState, may_see_desk

STALE_ZH: Final = "这个评比刚被别人改过，请重新打开"
RULES: Final = frozenset({"categories", "criteria", "method"})
DATES: Final = frozenset({"starts_at", "ends_at"})


async def create_contest(
    database: Database, wanted: schemas.NewContest, *, viewer: Viewer, now: datetime
) -> str:
    """Raises ``InputError``: 422, it would end before it begins."""
    check_dates(wanted.starts_at, wanted.ends_at)
    values = wanted.model_dump(exclude={"criteria"})
    async with database.write() as session:
        row = Contest(
            **{**values, "categories": list(wanted.categories)},
            criteria=number_criteria(wanted.criteria), state=ContestState.DRAFT, version=1,
            created_at=now, created_by=viewer.account_id,
        )  # fmt: skip
        session.add(row)
        await session.flush()
        _note(session, row, "contest.created", viewer, now)
        return row.id


async def change_contest(
    database: Database,
    contest_id: str,
    wanted: schemas.ContestChange,
    *,
    viewer: Viewer,
    now: datetime,
) -> None:
    """Change the members that were sent.

    Raises:
        NotFoundError: There is no such contest.
        NotAllowedError: A judge of it asks while it is open.
        ConflictError: It was changed since, or has come too far for this change.
        InputError: 422, dates, or a category that films are entered in is left out.
    """
    given = wanted.model_dump(exclude_unset=True, exclude={"version", "criteria"})
    values = {name: value for name, value in given.items() if value is not None}
    if wanted.criteria is not None:
        values["criteria"] = number_criteria(wanted.criteria)
    async with database.write() as session:
        row = await _take(session, contest_id, wanted.version, viewer)
        if row.state is not ContestState.DRAFT and RULES & values.keys():
            raise ConflictError("the contest is open", title_zh="评比已经开始，规则不能再改")
        if row.state is ContestState.CLOSED and DATES & values.keys():
            raise ConflictError("the contest is closed", title_zh="评比已经结束，时间不能再改")
        if "categories" in values:
            values["categories"] = list(values["categories"])
            films = await queries.load_films(session, contest_id)
            check_categories((film.category for film, _ in films), values["categories"])
        for name, value in values.items():
            setattr(row, name, value)
        check_dates(row.starts_at, row.ends_at)
        _note(session, row, "contest.changed", viewer, now, fields=sorted(values))


async def set_films(
    database: Database,
    contest_id: str,
    wanted: schemas.WantedFilms,
    *,
    viewer: Viewer,
    now: datetime,
) -> None:
    """Set the programme; films that stay keep what was given to them.

    Raises:
        NotFoundError, NotAllowedError: As above.
        ConflictError: It was changed since, is closed, or a film was scored already.
        InputError: 422, not in the film library, no such category, or the same film twice.
    """
    async with database.write() as session:
        row = await _take(session, contest_id, wanted.version, viewer)
        refuse_closed(row)
        await check_films(session, row, wanted.films)
        before = await session.scalars(
            select(ContestFilm).where(ContestFilm.contest_id == contest_id)
        )
        known = {film.lecture_id: film for film in before}
        kept = {film.lecture_id for film in wanted.films}
        gone = [film for lecture_id, film in known.items() if lecture_id not in kept]
        await refuse_scored(session, contest_id, {film.id for film in gone})
        for film in gone:
            await session.delete(film)
        for position, one in enumerate(wanted.films):
            film = known.get(one.lecture_id) or ContestFilm(
                contest_id=contest_id, lecture_id=one.lecture_id
            )
            film.category, film.entrant, film.position = one.category, one.entrant, position
            session.add(film)
        # Who entered what is not for the log: administrators may be judges.
        _note(session, row, "contest.films_set", viewer, now, films_count=len(wanted.films))


async def set_judges(
    database: Database,
    contest_id: str,
    wanted: schemas.WantedJudges,
    *,
    viewer: Viewer,
    now: datetime,
) -> None:
    """Set who scores.

    Raises:
        NotFoundError, NotAllowedError: As above.
        ConflictError: It was changed since, is closed, or a judge has scored already.
        InputError: 422, an account that does not exist or is disabled.
    """
    logins = set(wanted.logins)
    async with database.write() as session:
        row = await _take(session, contest_id, wanted.version, viewer)
        refuse_closed(row)
        accounts = await session.execute(
            select(Account.login, Account.id).where(
                Account.login.in_(logins), Account.is_disabled.is_(False)
            )
        )
        found = dict(accounts.tuples().all())
        if missing := logins - found.keys():
            raise InputError(
                f"logins: there is no account {min(missing)}",
                field="logins",
                status=422,
                title_zh=f"没有可用的账号“{min(missing)}”",
            )
        scored = {one.account_id for one in await queries.load_sheets(session, contest_id)}
        if scored - set(found.values()):
            raise ConflictError("a judge has scored", title_zh="已经打过分的评委不能移除")
        await session.execute(delete(ContestJudge).where(ContestJudge.contest_id == contest_id))
        session.add_all(
            ContestJudge(contest_id=contest_id, account_id=account_id)
            for account_id in found.values()
        )
        _note(session, row, "contest.judges_set", viewer, now, judges=sorted(found.values()))


async def open_contest(
    database: Database, contest_id: str, version: int, *, viewer: Viewer, now: datetime
) -> None:
    """Let the judges score, from ``starts_at`` on.

    Raises:
        NotFoundError, NotAllowedError: As above.
        ConflictError: It was changed since, is open already, or lacks films or judges.
    """
    async with database.write() as session:
        row = await _take(session, contest_id, version, viewer)
        if row.state is not ContestState.DRAFT:
            raise ConflictError("the contest is open already", title_zh="评比已经开始")
        films = await queries.load_films(session, contest_id)
        if not films or not await queries.load_judges(session, contest_id):
            raise ConflictError(
                "no films or no judges", title_zh="请先选好参评作品和评委，再开始评比"
            )
        row.state = ContestState.OPEN
        _note(session, row, "contest.opened", viewer, now)


async def close_contest(
    database: Database,
    contest_id: str,
    wanted: schemas.ContestClosing,
    *,
    viewer: Viewer,
    now: datetime,
) -> None:
    """Rank the films and publish the results; nothing is scored any more.

    Raises:
        NotFoundError, NotAllowedError: As above.
        ConflictError: It was changed since, is not open, or points are missing.
    """
    async with database.write() as session:
        row = await _take(session, contest_id, wanted.version, viewer)
        if row.state is not ContestState.OPEN:
            raise ConflictError("the contest is not open", title_zh="评比没有在进行，不能结束")
        films = [film for film, _ in await queries.load_films(session, contest_id)]
        judges_count = len(await queries.load_judges(session, contest_id))
        sheets = await queries.load_sheets(session, contest_id)
        missing_count = len(films) * judges_count - len(sheets)
        if missing_count and not wanted.accepts_missing:
            raise ConflictError(
                f"{missing_count} scores are missing",
                title_zh=f"还差 {missing_count} 份打分，可以等评委打完，或者按现有打分结束",
            )
        write_results(row, films, sheets)
        row.state, row.closed_at = ContestState.CLOSED, now
        _note(session, row, "contest.closed", viewer, now, missing_count=missing_count)


async def delete_contest(
    database: Database, contest_id: str, version: int, *, viewer: Viewer, now: datetime
) -> None:
    """Delete it with its scores; the films stay in the library."""
    async with database.write() as session:
        row = await _take(session, contest_id, version, viewer)
        _note(session, row, "contest.deleted", viewer, now)
        await session.delete(row)


def number_criteria(criteria: Sequence[schemas.NewCriterion]) -> list[dict[str, Any]]:
    """Give criteria their keys: they only change while there are no points."""
    return [
        {"key": f"c{number}", "name": one.name, "weight": one.weight}
        for number, one in enumerate(criteria, start=1)
    ]


async def _take(session: AsyncSession, contest_id: str, version: int, viewer: Viewer) -> Contest:
    """Lock the contest for a change over the version that was seen, and count it up."""
    row = await queries.lock_contest(session, contest_id)
    if row is None:
        raise NotFoundError("no such contest")
    judged = await queries.load_judged(session, viewer.account_id or "", [contest_id])
    if not may_see_desk(viewer, row.state, is_judge=bool(judged)):
        raise NotAllowedError(
            "a judge of an open contest", title_zh="您是这次评比的评委，结束前不能管理这个评比"
        )
    if row.version != version:
        raise ConflictError("the contest was changed meanwhile", title_zh=STALE_ZH)
    row.version = version + 1
    return row


def _note(
    session: AsyncSession,
    row: Contest,
    action: str,
    viewer: Viewer,
    now: datetime,
    **detail: Any,
) -> None:
    record(
        session,
        now=now,
        actor_id=viewer.account_id,
        action=action,
        object_type="contest",
        object_id=row.id,
        title=row.title,
        **detail,
    )
