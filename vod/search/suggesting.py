"""Suggest titles and names: what holds the words, then what sounds or looks like them.

Bounded: one page of matches, and at most ``MAX_CANDIDATES`` titles that share a piece with what
was typed are compared with it.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final

from sqlalchemy import ColumnElement, and_, select
from sqlalchemy.ext.asyncio import AsyncSession

from vod.accounts.roles import Viewer
from vod.classes.models import LiveClass
from vod.classes.policy import may_see_class
from vod.lectures.models import Lecture
from vod.lectures.visible import build_visible
from vod.library.models import Instructor
from vod.library.policy import LibraryAction, may_in_library
from vod.search import schemas
from vod.search.distance import judge, list_pieces
from vod.search.finding import build_may_see, find_alike, find_documents
from vod.search.hits import render_marked
from vod.search.models import SearchDocument, SearchKind
from vod.search.moments import mark
from vod.search.port import SearchIndex, Wanted
from vod.search.query import parse_query, relax
from vod.search.sounds import spell
from vod.series.models import Series
from vod.series.policy import may_see_series

MAX_SUGGESTIONS: Final = 8
MAX_CANDIDATES: Final = 60  # Compared in a thread within some 20 ms.
TITLE_TIERS: Final = range(3)  # Titles, labels, how they sound.

Key = tuple[SearchKind, str]


async def suggest(
    session: AsyncSession, index: SearchIndex, words: str, viewer: Viewer
) -> list[schemas.SearchSuggestion]:
    """Suggest at most ``MAX_SUGGESTIONS`` titles and names that the viewer may see."""
    query = parse_query(words)
    if not query:
        return []
    may_see = build_may_see(viewer)
    wanted = Wanted(may_see, count=MAX_SUGGESTIONS, tiers=TITLE_TIERS)
    found = (await find_documents(session, index, query, wanted)).found
    if not found and relax(words) != query:
        query = relax(words)
        found = (await find_documents(session, index, query, wanted)).found
    keys: list[Key] = [(one.kind, one.object_id) for one in found]
    if len(keys) < MAX_SUGGESTIONS:
        keys.extend(await _find_alike(session, index, words, may_see))
    titles = await load_titles(session, keys, viewer)
    return [
        schemas.SearchSuggestion(
            kind=key[0], id=key[1], title=render_marked(mark(titles[key], query))
        )
        for key in dict.fromkeys(keys)
        if key in titles
    ][:MAX_SUGGESTIONS]


async def _find_alike(
    session: AsyncSession, index: SearchIndex, words: str, may_see: ColumnElement[bool]
) -> list[Key]:
    candidates = await find_alike(
        session, index, list_pieces(words), may_see=may_see, limit=MAX_CANDIDATES
    )
    return await asyncio.to_thread(_judge_blocking, words, candidates)


def _judge_blocking(words: str, candidates: Sequence[SearchDocument]) -> list[Key]:
    """Order those that may be meant, nearest first. Runs on: a worker thread."""
    key, sound = parse_query(words).key, spell(words)
    judged = (
        (judge(key, sound, title_key=row.title_key, title_sound=row.sound), at, row)
        for at, row in enumerate(candidates)
    )
    near = sorted((far, at, row.kind.value, row) for far, at, row in judged if far is not None)
    return [(row.kind, row.object_id) for _, _, _, row in near]


async def load_titles(session: AsyncSession, keys: Iterable[Key], viewer: Viewer) -> dict[Key, str]:
    """Load the titles of what the viewer may see now, from its own rows."""
    ids: defaultdict[SearchKind, set[str]] = defaultdict(set)
    for kind, object_id in keys:
        ids[kind].add(object_id)
    titles: dict[Key, str] = {}
    is_there = and_(Lecture.deleted_at.is_(None), build_visible(viewer))
    lectures = await session.execute(
        select(Lecture.id, Lecture.title).where(Lecture.id.in_(ids[SearchKind.LECTURE]), is_there)
    )
    for lecture_id, title in lectures.tuples():
        titles[SearchKind.LECTURE, lecture_id] = title
    for series in await session.scalars(
        select(Series).where(Series.id.in_(ids[SearchKind.SERIES]))
    ):
        if may_see_series(viewer, is_published=series.is_published):
            titles[SearchKind.SERIES, series.id] = series.title
    for live_class in await session.scalars(
        select(LiveClass).where(LiveClass.id.in_(ids[SearchKind.LIVE_CLASS]))
    ):
        if may_see_class(viewer, live_class.visibility):
            titles[SearchKind.LIVE_CLASS, live_class.id] = live_class.title
    for teacher in await session.scalars(
        select(Instructor).where(Instructor.id.in_(ids[SearchKind.INSTRUCTOR]))
    ):
        if teacher.is_published or may_in_library(viewer, LibraryAction.CURATE):
            titles[SearchKind.INSTRUCTOR, teacher.id] = teacher.name
    return titles
