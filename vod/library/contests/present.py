"""Contests as the API shows them. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from vod.accounts.models import Account
from vod.accounts.roles import Viewer
from vod.lectures.extras import LectureExtras
from vod.lectures.models import Lecture
from vod.lectures.present import (
    build_duration_s,
    build_image_urls,
    build_playback,
    present_lecture,
)
from vod.library.contests import models, schemas
from vod.library.contests.judging import JudgedFilm
from vod.library.contests.policy import (
    ContestState,
    ExhibitionOrder,
    find_standing,
    may_see_desk,
)
from vod.library.contests.queries import read_criteria
from vod.library.contests.ranking import Sheet, compute_mark, round_score

FilmRow = tuple[models.ContestFilm, Lecture]


def build_criteria(row: models.Contest) -> list[schemas.Criterion]:
    return [schemas.Criterion.model_validate(one) for one in row.criteria]


def build_row(
    row: models.Contest, viewer: Viewer, *, films_count: int, is_judge: bool, now: datetime
) -> schemas.ContestRow:
    return schemas.ContestRow(
        id=row.id,
        title=row.title,
        description=row.description,
        categories=row.categories,
        criteria=build_criteria(row),
        method=row.method,
        exhibition_order=row.exhibition_order,
        standing=find_standing(row.state, row.starts_at, row.ends_at, now=now),
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        closed_at=row.closed_at,
        films_count=films_count,
        version=row.version,
        may_manage=may_see_desk(viewer, row.state, is_judge=is_judge),
        is_judge=is_judge,
    )


def order_films(row: models.Contest, films: Sequence[FilmRow]) -> list[FilmRow]:
    """By the ranking where the exhibition says so; what has no place comes last."""
    is_ranked = row.state is ContestState.CLOSED and (
        row.exhibition_order is ExhibitionOrder.RANKING
    )
    if not is_ranked:
        return list(films)
    return sorted(films, key=lambda one: (one[0].place is None, one[0].place or 0))  # Stable.


def build_films(
    films: Iterable[FilmRow],
    extras: Mapping[str, LectureExtras],
    *,
    viewer: Viewer,
    origin: str,
    counts: Counter[str] | None,
) -> list[schemas.ContestFilm]:
    """``counts``: sheets by film, for the desk."""
    return [
        schemas.ContestFilm(
            id=film.id,
            number=film.position + 1,
            category=film.category,
            entrant=film.entrant,
            scores_count=None if counts is None else counts[film.id],
            score=None if film.score is None else float(film.score),
            place=film.place,
            category_place=film.category_place,
            lecture=present_lecture(lecture, extras[lecture.id], viewer=viewer, origin=origin),
        )
        for film, lecture in films
    ]


def build_judges(
    accounts: Iterable[Account], sheets: Iterable[models.ContestSheet]
) -> list[schemas.ContestJudge]:
    given = Counter(sheet.account_id for sheet in sheets)
    return [
        schemas.ContestJudge(
            account_id=account.id,
            login=account.login,
            name=account.display_name,
            scores_count=given[account.id],
        )
        for account in accounts
    ]


def build_sheets(
    row: models.Contest, sheets: Iterable[models.ContestSheet], names: Mapping[str, str]
) -> schemas.ContestSheets:
    criteria = read_criteria(row)
    items = [
        schemas.ContestSheet(
            film_id=sheet.film_id,
            judge_name=names.get(sheet.account_id, ""),
            points=sheet.points,
            mark=float(round_score(compute_mark(Sheet(sheet.film_id, sheet.points), criteria))),
        )
        for sheet in sheets
    ]
    return schemas.ContestSheets(items=items)


def build_judging_row(
    row: models.Contest, *, films_count: int, scores_count: int, now: datetime
) -> schemas.JudgingRow:
    return schemas.JudgingRow(
        id=row.id,
        title=row.title,
        standing=find_standing(row.state, row.starts_at, row.ends_at, now=now),
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        films_count=films_count,
        scores_count=scores_count,
    )


def build_judging(
    row: models.Contest,
    films: Sequence[JudgedFilm],
    extras: Mapping[str, LectureExtras],
    *,
    origin: str,
    now: datetime,
) -> schemas.Judging:
    done_count = sum(one.points is not None for one in films)
    head: dict[str, Any] = dict(
        build_judging_row(row, films_count=len(films), scores_count=done_count, now=now)
    )
    return schemas.Judging(
        **head,
        description=row.description,
        criteria=build_criteria(row),
        films=[_build_judged(one, extras[one.lecture.id], origin) for one in films],
    )


def _build_judged(one: JudgedFilm, extras: LectureExtras, origin: str) -> schemas.JudgingFilm:
    lecture = one.lecture
    return schemas.JudgingFilm(
        id=one.film.id,
        number=one.film.position + 1,
        title=lecture.title,
        category=one.film.category,
        duration_s=build_duration_s(lecture, extras.asset),
        poster_url=build_image_urls(lecture, extras, origin)[0] if one.is_seen else None,
        playback=build_playback(lecture, origin) if one.is_seen else None,
        points=one.points,
    )
