"""What the items of menus lead to: titles, pictures, and whether it is there at all.

A fixed number of queries, however many items. Never commits.
"""

from __future__ import annotations

import enum
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from vod.accounts.roles import Viewer
from vod.assets.models import Asset
from vod.channels.models import Channel
from vod.channels.policy import may_watch_channel
from vod.classes.models import LiveClass
from vod.classes.policy import may_see_class
from vod.classes.states import ClassState
from vod.lectures.extras import LectureExtras
from vod.lectures.models import Lecture, LectureState
from vod.lectures.present import build_duration_s, build_image_urls
from vod.lectures.publication import Publication
from vod.lectures.visible import build_visible
from vod.material.models import Material
from vod.menus.content import TARGET_KINDS, ItemKind, MenuItem
from vod.posters.service import load_own_names
from vod.series.models import Series, SeriesLecture
from vod.series.policy import may_edit_series

Ref = tuple[ItemKind, str]


class TargetState(enum.Enum):
    """Whether members get there; everything but ``there`` is flagged for editors."""

    THERE = "there"
    MISSING = "missing"
    DELETED = "deleted"
    UNPUBLISHED = "unpublished"
    FAILED = "failed"
    HIDDEN = "hidden"


REASONS = {
    TargetState.MISSING: "内容不存在",
    TargetState.DELETED: "内容已删除",
    TargetState.UNPUBLISHED: "内容未发布或已下架",
    TargetState.FAILED: "内容处理失败,无法播放",
    TargetState.HIDDEN: "当前身份看不到这项内容",
}


@dataclass(frozen=True, slots=True)
class Target:
    """Something an item leads to.

    Attributes:
        title: Empty where the viewer may not know of it.
        lectures_count: Of a series, as far as the viewer may see.
        starts_at: Of a live class.
    """

    title: str
    state: TargetState
    poster_url: str | None = None
    duration_s: float | None = None
    lectures_count: int | None = None
    starts_at: datetime | None = None
    class_state: ClassState | None = None


Targets = Mapping[Ref, Target]


def collect_refs(items: Iterable[MenuItem]) -> set[Ref]:
    return {(item.kind, item.target_id) for item in items if item.target_id is not None}


def find_target(item: MenuItem, targets: Targets) -> Target | None:
    """What an item leads to; ``None`` for links and headings, and where there is nothing."""
    return targets.get((item.kind, item.target_id)) if item.target_id is not None else None


def is_there(item: MenuItem, targets: Targets) -> bool:
    """Members see the item: what it leads to is there, or it needs nothing."""
    if item.kind not in TARGET_KINDS:
        return True
    target = find_target(item, targets)
    return target is not None and target.state is TargetState.THERE


def find_state(item: MenuItem, targets: Targets) -> TargetState:
    if item.kind not in TARGET_KINDS:
        return TargetState.THERE
    target = find_target(item, targets)
    return TargetState.MISSING if target is None else target.state


async def load_targets(
    session: AsyncSession, refs: Collection[Ref], viewer: Viewer, *, origin: str | None = None
) -> dict[Ref, Target]:
    """Load what is referred to, as ``viewer`` sees it.

    Args:
        origin: Where pictures come from; without it there are none, and fewer queries.
    """
    wanted: defaultdict[ItemKind, set[str]] = defaultdict(set)
    for kind, name in refs:
        wanted[kind].add(name)
    found: dict[Ref, Target] = {}
    if ids := wanted[ItemKind.LECTURE]:
        found |= await _load_lectures(session, ids, viewer, origin)
    if ids := wanted[ItemKind.SERIES]:
        found |= await _load_series(session, ids, viewer)
    if ids := wanted[ItemKind.LIVE_CLASS]:
        found |= await _load_classes(session, ids, viewer)
    if ids := wanted[ItemKind.CHANNEL]:
        found |= await _load_channels(session, ids, viewer)
    return found


async def _load_lectures(
    session: AsyncSession, ids: set[str], viewer: Viewer, origin: str | None
) -> dict[Ref, Target]:
    rows = await session.execute(select(Lecture, build_visible(viewer)).where(Lecture.id.in_(ids)))
    lectures = {row: bool(is_visible) for row, is_visible in rows.tuples()}
    extras = await _load_pictures(session, lectures) if origin is not None else {}
    found: dict[Ref, Target] = {}
    for lecture, is_visible in lectures.items():
        own = extras.get(lecture.id, LectureExtras())
        found[ItemKind.LECTURE, lecture.id] = Target(
            title=lecture.title if is_visible else "",
            state=_judge_lecture(lecture, is_visible=is_visible),
            poster_url=build_image_urls(lecture, own, origin)[0] if origin is not None else None,
            duration_s=build_duration_s(lecture, own.asset),
        )
    return found


def _judge_lecture(lecture: Lecture, *, is_visible: bool) -> TargetState:
    if lecture.deleted_at is not None:
        return TargetState.DELETED
    if lecture.publication is not Publication.PUBLISHED:
        return TargetState.UNPUBLISHED
    if lecture.state is LectureState.FAILED:
        return TargetState.FAILED
    return TargetState.THERE if is_visible else TargetState.HIDDEN


async def _load_pictures(
    session: AsyncSession, lectures: Iterable[Lecture]
) -> dict[str, LectureExtras]:
    """Only what posters are chosen from, of the many things that are known of lectures."""
    rows = list(lectures)
    extras = {row.id: LectureExtras() for row in rows}
    by_asset = {row.asset_id: row.id for row in rows if row.asset_id}
    for asset in await session.scalars(select(Asset).where(Asset.id.in_(by_asset))):
        extras[by_asset[asset.id]].asset = asset
    for material in await session.scalars(select(Material).where(Material.lecture_id.in_(extras))):
        extras[material.lecture_id].material = material
    for lecture_id, names in (await load_own_names(session, list(extras))).items():
        extras[lecture_id].own_posters = names
    return extras


async def _load_series(session: AsyncSession, ids: set[str], viewer: Viewer) -> dict[Ref, Target]:
    counted = (
        select(SeriesLecture.series_id, func.count().label("lectures_count"))
        .join(Lecture, Lecture.id == SeriesLecture.lecture_id)
        .where(
            SeriesLecture.series_id.in_(ids), Lecture.deleted_at.is_(None), build_visible(viewer)
        )
        .group_by(SeriesLecture.series_id)
        .subquery()
    )
    rows = await session.execute(
        select(Series.id, Series.title, Series.is_published, counted.c.lectures_count)
        .outerjoin(counted, counted.c.series_id == Series.id)
        .where(Series.id.in_(ids))
    )
    return {
        (ItemKind.SERIES, name): Target(
            title=title if is_published or may_edit_series(viewer) else "",
            state=TargetState.THERE if is_published else TargetState.UNPUBLISHED,
            lectures_count=count or 0,
        )
        for name, title, is_published, count in rows.tuples()
    }


async def _load_classes(session: AsyncSession, ids: set[str], viewer: Viewer) -> dict[Ref, Target]:
    rows = await session.scalars(select(LiveClass).where(LiveClass.id.in_(ids)))
    return {
        (ItemKind.LIVE_CLASS, row.id): Target(
            title=row.title,
            state=TargetState.THERE
            if may_see_class(viewer, row.visibility)
            else TargetState.HIDDEN,
            starts_at=row.starts_at,
            class_state=row.state,
        )
        for row in rows
    }


async def _load_channels(session: AsyncSession, ids: set[str], viewer: Viewer) -> dict[Ref, Target]:
    rows = await session.scalars(select(Channel).where(Channel.id.in_(ids)))
    return {(ItemKind.CHANNEL, row.id): _describe_channel(row, viewer) for row in rows}


def _describe_channel(channel: Channel, viewer: Viewer) -> Target:
    is_visible = may_watch_channel(viewer, channel.visibility, channel.audience)
    state = TargetState.THERE if is_visible else TargetState.HIDDEN
    if channel.deleted_at is not None:
        state = TargetState.DELETED
    return Target(title=channel.title if is_visible else "", state=state)
