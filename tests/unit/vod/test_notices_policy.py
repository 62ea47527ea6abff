"""Notices: where they stand, which week it is, who reads and writes; what is drafted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from vod.accounts.roles import ANONYMOUS, Role, Scope, Viewer, Visibility
from vod.lectures.models import Lecture
from vod.notices.drafting import build_body, find_visibility
from vod.notices.models import NoticeState
from vod.notices.policy import (
    SUMMARY_CHARS,
    NoticeStanding,
    build_plain_text,
    build_summary,
    find_publish_at,
    find_standing,
    find_week_start,
    may_read,
    may_write,
)
from vod.series.models import Series

NOW = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("state", "publish_at", "withdraw_at", "expected"),
    [
        (NoticeState.DRAFT, None, None, NoticeStanding.DRAFT),
        (NoticeState.DRAFT, NOW - HOUR, None, NoticeStanding.DRAFT),
        (NoticeState.PUBLISHED, NOW + HOUR, None, NoticeStanding.SCHEDULED),
        (NoticeState.PUBLISHED, NOW, None, NoticeStanding.PUBLISHED),
        (NoticeState.PUBLISHED, NOW - HOUR, NOW + HOUR, NoticeStanding.PUBLISHED),
        (NoticeState.PUBLISHED, NOW - HOUR, NOW, NoticeStanding.WITHDRAWN),
    ],
)
def test_times_are_half_open(
    state: NoticeState,
    publish_at: datetime | None,
    withdraw_at: datetime | None,
    expected: NoticeStanding,
) -> None:
    assert find_standing(state, publish_at, withdraw_at, now=NOW) is expected


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        # Monday 23 November 2026 began in Ordos at 16:00 of Sunday, Greenwich time.
        ("2026-11-22T16:00:00", "2026-11-22T16:00:00"),
        ("2026-11-22T15:59:59", "2026-11-15T16:00:00"),
        ("2026-11-29T15:59:59", "2026-11-22T16:00:00"),
        ("2027-01-01T00:00:00", "2026-12-27T16:00:00"),
    ],
)
def test_the_week_begins_on_monday_where_the_centre_is(now: str, expected: str) -> None:
    moment = datetime.fromisoformat(now).replace(tzinfo=UTC)
    assert find_week_start(moment) == datetime.fromisoformat(expected).replace(tzinfo=UTC)


@pytest.mark.parametrize("standing", NoticeStanding)
def test_what_is_seen_keeps_its_time_unless_told_another(standing: NoticeStanding) -> None:
    before = NOW - HOUR
    kept = before if standing is NoticeStanding.PUBLISHED else NOW
    assert find_publish_at(standing, before, wished=None, now=NOW) == kept
    assert find_publish_at(standing, before, wished=NOW + HOUR, now=NOW) == NOW + HOUR


def test_who_reads_and_writes() -> None:
    writers = {role for role in Role if may_write(Viewer(account_id="a", role=role))}
    assert writers == {Role.EDITOR, Role.ADMIN}
    scoped = Viewer(account_id="a", role=Role.MEMBER, scopes=(Scope(Role.EDITOR, "/c/"),))
    assert not may_write(scoped)
    assert may_read(ANONYMOUS, Visibility.PUBLIC)
    assert not may_read(ANONYMOUS, Visibility.MEMBERS)
    assert may_read(scoped, Visibility.MEMBERS)


def test_the_summary_is_plain_text() -> None:
    text = build_plain_text("<p>第一段&amp;</p><p>第<b>二</b>段<br>三</p>")
    assert text == "第一段& 第二段 三"
    assert build_summary(text) == text
    assert build_summary("长" * 500) == "长" * (SUMMARY_CHARS - 1) + "…"


def test_a_draft_keeps_markup_that_is_markup_and_escapes_what_is_text() -> None:
    lecture = Lecture(description="a < b\n第二行", introduction="", visibility=Visibility.PUBLIC)
    assert build_body(lecture) == "<p>a &lt; b<br>第二行</p>"
    lecture.introduction = "<p>好<script>x</script></p>"
    assert build_body(lecture) == "<p>好</p>"
    assert build_body(Series(description="")) == ""


def test_strangers_are_told_of_open_lectures_only() -> None:
    lecture = Lecture(visibility=Visibility.PUBLIC, audience=None)
    assert find_visibility(lecture) is Visibility.PUBLIC
    lecture.audience = {"categories": ["retired"]}
    assert find_visibility(lecture) is Visibility.MEMBERS
    assert find_visibility(Series()) is Visibility.MEMBERS
