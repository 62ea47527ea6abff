"""Calendars of live classes and channels as iCalendar text. Pure. Spec: RFC 5545."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Final
from zoneinfo import ZoneInfo

from icalendar import Calendar, Event, Timezone

PRODUCT: Final = "-//lecture-hall//timetable//ZH"
ZONE_NAME: Final = "Asia/Shanghai"
ZONE: Final = ZoneInfo(ZONE_NAME)
USUAL_LENGTH: Final = timedelta(hours=1)  # Of a class whose end nobody has planned.
ASK_AGAIN: Final = timedelta(hours=1)
DESCRIPTION_CHARS: Final = 1_000


@dataclass(frozen=True, slots=True)
class Entry:
    """One event.

    Attributes:
        uid: Stays for as long as the event, whatever changes of it.
        sequence: Counts its changes.
        changed_at: When it became what it is.
    """

    uid: str
    title: str
    starts_at: datetime
    ends_at: datetime | None
    sequence: int
    changed_at: datetime
    text: str = ""
    url: str | None = None
    is_cancelled: bool = False


def render_calendar(title: str, entries: Iterable[Entry]) -> bytes:
    """Render a calendar to subscribe to; times are those of the centre."""
    calendar = Calendar()
    calendar.add("prodid", PRODUCT)
    calendar.add("version", "2.0")
    calendar.add("calscale", "GREGORIAN")
    # RFC 7986 §5.1, §5.7, and what older programs look for.
    calendar.add("name", title)
    calendar.add("x-wr-calname", title)
    calendar.add("x-wr-timezone", ZONE_NAME)
    calendar.add("refresh-interval", ASK_AGAIN, parameters={"VALUE": "DURATION"})
    calendar.add_component(_build_zone())
    for entry in entries:
        calendar.add_component(_build_event(entry))
    return bytes(calendar.to_ical())


@cache
def _build_zone() -> Timezone:
    return Timezone.from_tzid(ZONE_NAME, first_date=date(2000, 1, 1))


def _build_event(entry: Entry) -> Event:
    event = Event()
    event.add("uid", entry.uid)
    # §3.8.7.2: without a METHOD it is when the information was last revised.
    event.add("dtstamp", _whole(entry.changed_at))
    event.add("last-modified", _whole(entry.changed_at))
    event.add("sequence", entry.sequence)
    event.add("dtstart", _whole(entry.starts_at).astimezone(ZONE))
    ends_at = entry.ends_at or entry.starts_at + USUAL_LENGTH
    event.add("dtend", _whole(max(ends_at, entry.starts_at)).astimezone(ZONE))
    event.add("summary", entry.title)
    if entry.text:
        event.add("description", entry.text[:DESCRIPTION_CHARS])
    if entry.url:
        event.add("url", entry.url)
    event.add("status", "CANCELLED" if entry.is_cancelled else "CONFIRMED")
    event.add("transp", "TRANSPARENT" if entry.is_cancelled else "OPAQUE")
    return event


def _whole(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(microsecond=0)
