"""Where a contest stands and who does what in it. Pure.

``draft -> open -> closed``; the dates say when judges score while it is open. Nobody but editors
and administrators knows of a draft. While it is open nobody at all reads points of others: judges
see their own, the desk sees how many are given. A judge does not come to the desk of the contest
before it is closed, whatever their role, because there it says who entered the films.
"""

from __future__ import annotations

import enum
from datetime import datetime
from typing import Final

from vod.accounts.roles import Viewer
from vod.library.policy import LibraryAction, may_in_library

FILM_CATEGORIES: Final = (
    "典型事迹片",
    "微视频",
    "纪录片",
    "培训片",
    "文艺片",
    "新媒体课件",
    "视频党课",
)


class ContestState(enum.Enum):
    """How far the editors have brought it."""

    DRAFT = "draft"
    OPEN = "open"
    CLOSED = "closed"


class ContestStanding(enum.Enum):
    """What a contest is at a moment."""

    DRAFT = "draft"
    UPCOMING = "upcoming"
    JUDGING = "judging"
    ENDED = "ended"  # The time is over, the results are not published yet.
    CLOSED = "closed"  # The results are published, the films are shown.


class ExhibitionOrder(enum.Enum):
    """In which order the exhibition plays."""

    RANKING = "ranking"
    PROGRAMME = "programme"


def find_standing(
    state: ContestState, starts_at: datetime, ends_at: datetime, *, now: datetime
) -> ContestStanding:
    """Tell where a contest stands; its time is half-open, ``[starts_at, ends_at)``."""
    if state is ContestState.DRAFT:
        return ContestStanding.DRAFT
    if state is ContestState.CLOSED:
        return ContestStanding.CLOSED
    if now < starts_at:
        return ContestStanding.UPCOMING
    return ContestStanding.JUDGING if now < ends_at else ContestStanding.ENDED


def may_curate(viewer: Viewer) -> bool:
    """Contests are the whole city's, as the library is."""
    return may_in_library(viewer, LibraryAction.CURATE)


def may_see_desk(viewer: Viewer, state: ContestState, *, is_judge: bool) -> bool:
    """Tell whether ``viewer`` manages this contest and reads who entered its films."""
    return may_curate(viewer) and (state is not ContestState.OPEN or not is_judge)


def may_know(viewer: Viewer, state: ContestState) -> bool:
    """Tell whether ``viewer`` may know that there is this contest."""
    return state is not ContestState.DRAFT or may_curate(viewer)
