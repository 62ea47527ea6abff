"""What a channel airs next: the log of runs, extended from the grid. Pure. No I/O, no clock.

Times are ticks (1/90000 s) since 1970. A **run** is an unbroken stretch of one asset's segments;
its number is the discontinuity of its segments. Runs are only appended, and the last one grows:
whatever an edit of the grid says, what was committed stays, so that a segment that somebody was
told of never changes (docs/decisions/0016-channels.md).

Rules:
- An airing begins at the first end of a segment at or after its start, at most ``EARLY`` before it.
- The next one cuts it off there, unless no more than ``GRACE`` of it is left: that is played.
- Whoever is more than ``JOIN_AFTER`` late (a grid that was changed, a channel that nobody had
  watched) joins in the middle, at the beginning of a segment.
- Gaps show the filler over and over, cut off in the same way; gaps without one, or shorter than
  ``MIN_FILLER``, are a pause: black and silent pieces, the last of which ends on time.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from kernel.timing import TICKS_PER_S
from vod.channels.track import Media

EARLY: Final = 1 * TICKS_PER_S
GRACE: Final = 8 * TICKS_PER_S
JOIN_AFTER: Final = 20 * TICKS_PER_S  # Above the latest start: a segment and GRACE.
MIN_FILLER: Final = 10 * TICKS_PER_S
PIECE: Final = 4 * TICKS_PER_S
LAST_PIECE: Final = 6 * TICKS_PER_S
MAX_PIECES: Final = 900

Kind = Literal["item", "filler", "pause"]


@dataclass(frozen=True, slots=True)
class Airing:
    """One entry of the grid at one time. ``media`` is ``None`` while it cannot be played."""

    key: str
    start: int
    lecture_id: str
    media: Media | None


@dataclass(frozen=True, slots=True)
class Grid:
    """``airings`` by start; of two that overlap the later one is aired from its start on."""

    airings: tuple[Airing, ...]
    filler: Media | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """A stretch of one asset, or a pause.

    Attributes:
        key: The airing it shows, or after which it fills the gap.
        first, count: Segments of the picture's grid; ``msn`` is the first one's number.
        audio_first, audio_count, audio_msn: The same of the sound.
        folder: Of the asset; empty for a pause.
    """

    number: int
    kind: Kind
    key: str
    lecture_id: str
    folder: str
    start: int
    end: int
    first: int
    count: int
    msn: int
    audio_first: int
    audio_count: int
    audio_msn: int


def extend(
    tail: Run | None, grid: Grid, *, media: Mapping[str, Media], anchor: int, until: int
) -> list[Run]:
    """Return the runs after ``tail`` up to ``until``; the first may be ``tail`` itself, grown.

    Args:
        media: By folder; has that of ``tail``.
        anchor: Where to go on when ``tail`` ends before it; nobody was told of the time between.
    """
    made: list[Run] = []
    is_joined = tail is not None and tail.end >= anchor
    cursor = tail.end if tail is not None and is_joined else anchor
    while cursor < until:
        grown = _step(tail, grid, media, cursor, is_joined=is_joined)
        if made and made[-1].number == grown.number:
            made[-1] = grown
        else:
            made.append(grown)
        tail, cursor, is_joined = grown, grown.end, True
    return made


def _step(
    tail: Run | None, grid: Grid, media: Mapping[str, Media], cursor: int, *, is_joined: bool
) -> Run:
    """Commit one more segment."""
    place = bisect_right(grid.airings, cursor + EARLY, key=lambda airing: airing.start)
    current = grid.airings[place - 1] if place else None
    following = grid.airings[place].start if place < len(grid.airings) else None
    last = tail if is_joined else None
    if last is not None and last.kind == "item" and _may_go_on(last, current, media):
        return _grow(last, media.get(last.folder))
    is_over = False
    if current is not None and current.media is not None:
        index = _find_index(last, current, cursor)
        if index is not None:
            key = current.key
            return _begin(tail, "item", current.media, key=key, at=cursor, first=index)
        is_over = True
    key = current.key if current is not None and is_over else ""
    return _fill(tail, last, grid, media, key=key, at=cursor, following=following)


def _may_go_on(last: Run, current: Airing | None, media: Mapping[str, Media]) -> bool:
    own = media.get(last.folder)
    if own is None or last.first + last.count >= own.count:
        return False
    if current is not None and (current.key, current.lecture_id) == (last.key, last.lecture_id):
        # Of a lecture that was replaced meanwhile the old media is played to its end.
        return current.media is not None
    is_next = current is not None and current.start >= last.start
    return is_next and own.bounds[-1] - own.bounds[last.first + last.count] <= GRACE


def _find_index(last: Run | None, current: Airing, cursor: int) -> int | None:
    """With which segment an airing begins; ``None`` when it is over."""
    if (
        last is not None
        and last.key == current.key
        and (last.kind != "item" or last.lecture_id == current.lecture_id)
    ):
        return None
    late = cursor - current.start
    assert current.media is not None  # noqa: S101 - the caller looked
    if late <= JOIN_AFTER:
        return 0
    index = bisect_left(current.media.bounds, late)
    return index if index < current.media.count else None


def _fill(
    tail: Run | None,
    last: Run | None,
    grid: Grid,
    media: Mapping[str, Media],
    *,
    key: str,
    at: int,
    following: int | None,
) -> Run:
    left = None if following is None else following - at
    filler = grid.filler
    is_same = last is not None and last.key == key
    if filler is not None:
        own = media.get(last.folder) if last is not None else None
        if (
            last is not None
            and own is not None
            and is_same
            and last.kind == "filler"
            and last.lecture_id == filler.lecture_id
            and last.first + last.count < own.count
        ):
            return _grow(last, own)
        if left is None or left >= MIN_FILLER:
            return _begin(tail, "filler", filler, key=key, at=at)
    piece = PIECE if left is None or left > LAST_PIECE else left
    if (
        last is not None and is_same and last.kind == "pause" and last.count < MAX_PIECES
        and last.end - last.start == last.count * PIECE
    ):  # fmt: skip
        return replace(
            last, end=last.end + piece, count=last.count + 1, audio_count=last.audio_count + 1
        )
    return _begin(tail, "pause", None, key=key, at=at, piece=piece)


def _begin(
    tail: Run | None,
    kind: Kind,
    media: Media | None,
    *,
    key: str,
    at: int,
    first: int = 0,
    piece: int = PIECE,
) -> Run:
    msn = tail.msn + tail.count if tail else 0
    audio_msn = tail.audio_msn + tail.audio_count if tail else 0
    audio = media.audio if media is not None else None
    audio_first = first
    if media is not None and audio is not None and first:
        audio_first = max(0, bisect_right(audio.bounds, media.bounds[first]) - 1)
    run = Run(
        number=tail.number + 1 if tail else 1,
        kind=kind,
        key=key,
        lecture_id=media.lecture_id if media else "",
        folder=media.folder if media else "",
        start=at,
        end=at,
        first=first,
        count=0,
        msn=msn,
        audio_first=audio_first,
        audio_count=0,
        audio_msn=audio_msn,
    )
    if media is None:
        return replace(run, end=at + piece, count=1, audio_count=1)
    return _grow(run, media)


def _grow(run: Run, media: Media | None) -> Run:
    """Add the next segment, and as much sound as covers it."""
    assert media is not None  # noqa: S101 - only runs with media grow here
    count = run.count + 1
    stop = media.bounds[run.first + count]
    audio_count = count
    if media.video and media.audio is not None:
        upto = min(bisect_left(media.audio.bounds, stop), len(media.audio.bounds) - 1)
        audio_count = max(run.audio_count, upto - run.audio_first)
    return replace(
        run,
        count=count,
        end=run.start + stop - media.bounds[run.first],
        audio_count=audio_count,
    )


def list_bounds(run: Run, media: Media | None) -> Sequence[int]:
    """Where the segments of the picture's grid begin and end, in ticks of the asset."""
    if media is not None:
        return media.bounds[run.first : run.first + run.count + 1]
    return (*(index * PIECE for index in range(run.count)), run.end - run.start)


def list_audio_bounds(run: Run, media: Media | None) -> Sequence[int]:
    """The same for the sound; without any, silence has the picture's grid."""
    if media is None or media.audio is None:
        return list_bounds(run, media)
    return media.audio.bounds[run.audio_first : run.audio_first + run.audio_count + 1]
