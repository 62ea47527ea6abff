"""The timetable of channels: queries and their answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.timing import TICKS_PER_S
from vod.accounts.roles import Viewer
from vod.assets.models import Asset
from vod.channels import schemas
from vod.channels.models import Channel, Programme
from vod.channels.policy import may_edit_channels, may_watch_channel
from vod.channels.rule import (
    Occurrence,
    Rule,
    find_conflicts,
    list_occurrences,
    read_rule,
)
from vod.lectures.models import Lecture
from vod.lectures.policy import Exposure, may_see_lecture
from vod.lectures.publication import Publication


@dataclass(frozen=True, slots=True)
class Entry:
    """A programme with what is aired; ``length`` is that of the lecture now."""

    programme: Programme
    lecture: Lecture
    asset: Asset | None

    @property
    def length(self) -> timedelta:
        ticks = self.asset.duration_ticks if self.asset else self.lecture.duration_ticks
        return max(timedelta(seconds=1), timedelta(seconds=ticks / TICKS_PER_S))

    @property
    def rule(self) -> Rule:
        return read_rule(self.programme.starts_at, self.programme.repeat)

    @property
    def problem(self) -> str | None:
        """Why it is not aired, in a sentence; ``None`` when it is."""
        if self.lecture.deleted_at is not None:
            return "课程已删除"
        if self.lecture.publication is not Publication.PUBLISHED:
            return "课程没有发布"
        return None if self.asset else "课程还没有转码完成"


async def load_channels(session: AsyncSession, viewer: Viewer) -> list[Channel]:
    """Load the channels that the viewer may watch, in their order; there are dozens at most."""
    rows = await session.scalars(
        select(Channel)
        .where(Channel.deleted_at.is_(None))
        .order_by(Channel.position, Channel.id)
        .limit(200)
    )
    return [row for row in rows if may_watch_channel(viewer, row.visibility, row.audience)]


async def load_entries(session: AsyncSession, channel_ids: Iterable[str]) -> list[Entry]:
    """Load the programmes of channels in one query."""
    rows = await session.execute(
        select(Programme, Lecture, Asset)
        .join(Lecture, Lecture.id == Programme.lecture_id)
        .outerjoin(Asset, Asset.id == Lecture.asset_id)
        .where(Programme.channel_id.in_(set(channel_ids)))
        .order_by(Programme.starts_at, Programme.id)
    )
    return [Entry(*row) for row in rows.tuples()]


def find_occurrences(
    entries: Sequence[Entry], since: datetime, before: datetime
) -> list[Occurrence]:
    return list_occurrences(
        ((one.programme.id, one.rule, one.length) for one in entries), since, before
    )


def present_airings(
    channel: Channel,
    entries: Sequence[Entry],
    *,
    since: datetime,
    before: datetime,
    now: datetime,
    viewer: Viewer,
    origin: str,
) -> list[schemas.Airing]:
    """Build the entries of [since, before) of one channel, by start.

    Of two that overlap the later one cuts the earlier one off; its end says so.
    """
    own = {e.programme.id: e for e in entries if e.programme.channel_id == channel.id}
    found = find_occurrences(list(own.values()), since, before)
    cut: dict[str, datetime] = {}
    for earlier, later in find_conflicts(found):
        cut[earlier.key] = min(cut.get(earlier.key, earlier.ends_at), later.starts_at)
    return [
        _present(channel, own[one.programme_id], one, cut, now=now, viewer=viewer, origin=origin)
        for one in found
    ]


def _present(
    channel: Channel,
    entry: Entry,
    one: Occurrence,
    cut: Mapping[str, datetime],
    *,
    now: datetime,
    viewer: Viewer,
    origin: str,
) -> schemas.Airing:
    lecture, ends_at = entry.lecture, cut.get(one.key, one.ends_at)
    ends_at = max(ends_at, one.starts_at)
    problem = entry.problem or ("与后面的节目重叠,会提前结束" if one.key in cut else None)
    is_past = ends_at <= now
    is_now = one.starts_at <= now < ends_at
    exposure = Exposure(lecture.visibility, lecture.publication, lecture.audience)
    may_catch_up = entry.problem is None and may_see_lecture(viewer, exposure)
    return schemas.Airing(
        key=one.key,
        channel_id=channel.id,
        channel_title=channel.title,
        programme_id=entry.programme.id,
        lecture_id=lecture.id,
        title=lecture.title,
        starts_at=one.starts_at,
        ends_at=ends_at,
        state="now" if is_now else "past" if is_past else "later",
        is_repeat=bool(entry.programme.repeat),
        catch_up_url=f"{origin}/lectures/{lecture.id}" if is_past and may_catch_up else None,
        problem=problem if may_edit_channels(viewer) else None,
    )
