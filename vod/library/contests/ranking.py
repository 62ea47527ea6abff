"""Rank the films of a contest from the judges' points. Pure: the same input, the same ranking.

A judge's mark for a film is the mean of the points weighted by the criteria. The film's score is
the mean of the marks; ``TRIMMED`` leaves out one highest and one lowest mark where three judges
or more have scored the film (去掉一个最高分和一个最低分).

Equal scores are decided by, in turn: the mean of the heaviest criterion, of the next ones (as
listed where weights are equal), the mean of all marks. Films that are equal in all of this share
a place, and the next place is skipped; among them the order is that of the programme. A film that
nobody has scored has no place and comes last. All sums are exact fractions; scores are rounded
half up to two decimals when they are shown, never before they are compared.
"""

from __future__ import annotations

import enum
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Final

MAX_POINTS: Final = 100
TRIM_FROM_COUNT: Final = 3  # Of fewer marks nothing would be left.


class Method(enum.Enum):
    """How the marks of the judges become one score."""

    MEAN = "mean"
    TRIMMED = "trimmed"


@dataclass(frozen=True, slots=True)
class Criterion:
    """What is scored; ``weight`` is relative to the others, from 1."""

    key: str
    name: str
    weight: int


@dataclass(frozen=True, slots=True)
class Candidate:
    """A film of the contest; ``position`` is its place in the programme."""

    film_id: str
    position: int
    category: str


@dataclass(frozen=True, slots=True)
class Sheet:
    """What one judge gave one film: points 0 to 100 by key of the criterion, all of them."""

    film_id: str
    points: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Ranked:
    """Where a film stands; ``None`` for one that nobody has scored."""

    film_id: str
    score: Decimal | None
    place: int | None
    category_place: int | None


Strength = tuple[Fraction, ...]


def rank_films(
    candidates: Iterable[Candidate],
    sheets: Iterable[Sheet],
    criteria: Sequence[Criterion],
    *,
    method: Method,
) -> list[Ranked]:
    """Rank, best first; neither order of the input matters."""
    by_film: defaultdict[str, list[Sheet]] = defaultdict(list)
    for sheet in sheets:
        by_film[sheet.film_id].append(sheet)
    strengths = {
        film_id: measure(given, criteria, method=method) for film_id, given in by_film.items()
    }
    ordered = sorted(candidates, key=lambda one: (one.position, one.film_id))
    scored = [one for one in ordered if one.film_id in strengths]
    scored.sort(key=lambda one: strengths[one.film_id], reverse=True)  # Stable: programme order.
    places = _place(scored, strengths)
    in_category: dict[str, int] = {}
    for category in {one.category for one in scored}:
        own = [one for one in scored if one.category == category]
        in_category |= _place(own, strengths)
    rest = [one for one in ordered if one.film_id not in strengths]
    return [
        Ranked(
            film_id=one.film_id,
            score=round_score(strengths[one.film_id][0]) if one.film_id in strengths else None,
            place=places.get(one.film_id),
            category_place=in_category.get(one.film_id),
        )
        for one in (*scored, *rest)
    ]


def measure(sheets: Sequence[Sheet], criteria: Sequence[Criterion], *, method: Method) -> Strength:
    """Compute what films are compared by: the score, then what decides equal scores.

    Args:
        sheets: At least one, all of one film.
    """
    marks = sorted(compute_mark(sheet, criteria) for sheet in sheets)
    counted = marks
    if method is Method.TRIMMED and len(marks) >= TRIM_FROM_COUNT:
        counted = marks[1:-1]
    heaviest = sorted(criteria, key=lambda one: -one.weight)  # Stable: as listed.
    means = [
        Fraction(sum(sheet.points[one.key] for sheet in sheets), len(sheets)) for one in heaviest
    ]
    return (_mean(counted), *means, _mean(marks))


def compute_mark(sheet: Sheet, criteria: Sequence[Criterion]) -> Fraction:
    """Weigh the points of one judge."""
    total = sum(one.weight for one in criteria)
    return Fraction(sum(one.weight * sheet.points[one.key] for one in criteria), total)


def round_score(score: Fraction) -> Decimal:
    """Round half up to two decimals."""
    hundredths = (score * 100 + Fraction(1, 2)).__floor__()
    return Decimal(hundredths).scaleb(-2)


def _mean(values: Sequence[Fraction]) -> Fraction:
    return sum(values, Fraction(0)) / len(values)


def _place(ordered: Sequence[Candidate], strengths: Mapping[str, Strength]) -> dict[str, int]:
    """Number films that are in order: 1, 2, 2, 4."""
    places: dict[str, int] = {}
    last: tuple[Strength, int] | None = None
    for number, one in enumerate(ordered, start=1):
        strength = strengths[one.film_id]
        place = last[1] if last is not None and last[0] == strength else number
        places[one.film_id], last = place, (strength, place)
    return places
