"""When a programme is aired: once, or every week on some days. Pure. No I/O, no clock.

Days and times of day are those of Asia/Shanghai, which has had no summer time since 1991.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any, Final

SHANGHAI: Final = timezone(timedelta(hours=8), "Asia/Shanghai")
DAY: Final = timedelta(days=1)
MAX_DAYS: Final = 400  # What one question may look at.


@dataclass(frozen=True, slots=True)
class Rule:
    """Once at ``starts_at``, or from then on weekly at that time of day.

    Attributes:
        weekdays: 0 is Monday; empty is once.
        until: Last day, included; ``None`` is for ever.
        exceptions: Days left out.
    """

    starts_at: datetime
    weekdays: frozenset[int] = frozenset()
    until: date | None = None
    exceptions: frozenset[date] = frozenset()


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One airing in the timetable: half-open, of one programme."""

    programme_id: str
    starts_at: datetime
    ends_at: datetime

    @property
    def key(self) -> str:
        """Names it for as long as neither the programme nor the time is another."""
        return f"{self.programme_id}@{int(self.starts_at.timestamp())}"


def read_rule(starts_at: datetime, repeat: dict[str, Any]) -> Rule:
    """Read what :func:`write_rule` wrote."""
    until = repeat.get("until")
    return Rule(
        starts_at,
        frozenset(repeat.get("weekdays", ())),
        date.fromisoformat(until) if until else None,
        frozenset(date.fromisoformat(day) for day in repeat.get("exceptions", ())),
    )


def write_rule(rule: Rule) -> dict[str, Any]:
    """The parts that repeat, as JSON; ``{}`` is once."""
    if not rule.weekdays:
        return {}
    return {
        "weekdays": sorted(rule.weekdays),
        "until": rule.until.isoformat() if rule.until else None,
        "exceptions": sorted(day.isoformat() for day in rule.exceptions),
    }


def list_starts(rule: Rule, since: datetime, before: datetime) -> Iterator[datetime]:
    """Yield the starts in [since, before), in order; at most ``MAX_DAYS`` days are looked at."""
    if not rule.weekdays:
        if since <= rule.starts_at < before:
            yield rule.starts_at
        return
    local = rule.starts_at.astimezone(SHANGHAI)
    day = max(local.date(), since.astimezone(SHANGHAI).date())
    for _ in range(MAX_DAYS):
        start = datetime.combine(day, local.timetz()).astimezone(UTC)
        if start >= before or (rule.until is not None and day > rule.until):
            return
        if start >= since and day.weekday() in rule.weekdays and day not in rule.exceptions:
            yield start
        day += DAY


def list_occurrences(
    programmes: Iterable[tuple[str, Rule, timedelta]], since: datetime, before: datetime
) -> list[Occurrence]:
    """Return what overlaps [since, before), by start.

    Args:
        programmes: Identifier, rule and length of each.
    """
    found = [
        Occurrence(key, start, start + length)
        for key, rule, length in programmes
        for start in list_starts(rule, since - length, before)
        if start + length > since or start >= since
    ]
    return sorted(found, key=lambda one: (one.starts_at, one.programme_id))


def find_conflicts(occurrences: Iterable[Occurrence]) -> list[tuple[Occurrence, Occurrence]]:
    """Return the pairs of which the later one cuts the earlier one off. Sorted input."""
    pairs: list[tuple[Occurrence, Occurrence]] = []
    open_ones: list[Occurrence] = []
    for one in occurrences:
        open_ones = [other for other in open_ones if other.ends_at > one.starts_at]
        pairs += [(other, one) for other in open_ones]
        open_ones.append(one)
    return pairs
