"""Where a notice stands, which week it is, who writes. Pure."""

from __future__ import annotations

import enum
import html
from datetime import UTC, datetime, time, timedelta
from typing import Final

import nh3

from vod.accounts.rights import Action, may
from vod.accounts.roles import Viewer, Visibility
from vod.library.calendar import CENTRE
from vod.notices.models import NoticeState

SUMMARY_CHARS: Final = 120  # Two lines of a list.


class NoticeStanding(enum.Enum):
    """What a notice is to the members at a moment: only published ones are seen."""

    DRAFT = "draft"
    SCHEDULED = "scheduled"
    PUBLISHED = "published"
    WITHDRAWN = "withdrawn"


def find_standing(
    state: NoticeState,
    publish_at: datetime | None,
    withdraw_at: datetime | None,
    *,
    now: datetime,
) -> NoticeStanding:
    """Tell where a notice stands; the times are half-open, ``[publish_at, withdraw_at)``."""
    if state is NoticeState.DRAFT or publish_at is None:
        return NoticeStanding.DRAFT
    if withdraw_at is not None and withdraw_at <= now:
        return NoticeStanding.WITHDRAWN
    return NoticeStanding.PUBLISHED if publish_at <= now else NoticeStanding.SCHEDULED


def find_week_start(now: datetime) -> datetime:
    """Find when the centre's week began: Monday, midnight in Asia/Shanghai, as UTC."""
    today = now.astimezone(CENTRE).date()
    monday = today - timedelta(days=today.weekday())
    return datetime.combine(monday, time.min, tzinfo=CENTRE).astimezone(UTC)


def may_write(viewer: Viewer) -> bool:
    """Notices are the whole city's: its editors write them, those of a sub-tree do not."""
    return may(viewer, Action.CURATE, None)


def may_read(viewer: Viewer, visibility: Visibility) -> bool:
    """Tell whether ``viewer`` sees a published notice."""
    return visibility is Visibility.PUBLIC or viewer.is_signed_in


def build_plain_text(body: str) -> str:
    """Turn markup into its text, on one line."""
    spaced = body.replace("><", "> <").replace("<br>", " ")
    return " ".join(html.unescape(nh3.clean(spaced, tags=set())).split())


def build_summary(plain_text: str) -> str:
    """Cut the beginning of a text for a list."""
    is_short = len(plain_text) <= SUMMARY_CHARS
    return plain_text if is_short else plain_text[: SUMMARY_CHARS - 1] + "…"


def find_publish_at(
    standing: NoticeStanding, publish_at: datetime | None, *, wished: datetime | None, now: datetime
) -> datetime:
    """Find from when a notice is seen: what is seen already keeps its time unless told another."""
    if wished is not None:
        return wished
    if standing is NoticeStanding.PUBLISHED and publish_at is not None:
        return publish_at
    return now
