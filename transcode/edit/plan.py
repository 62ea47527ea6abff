"""Cut arithmetic: which frames of a finished asset stay, and which are copied whole. Pure.

Time runs twice: *base* time is that of the uncut asset, *out* time that of the cut one. Both are
counted in frames of a rung. The largest rung decides where a cut lies; rungs of other frame rates
follow its out time to the nearest frame of their own, so that no error adds up over the cuts.

    base    |----GOP----|----GOP----|----GOP----|----GOP----|
    kept         [ head |   whole, copied       | tail )
"""

from __future__ import annotations

import itertools
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from kernel.errors import EncodeError
from kernel.timing import TICKS_PER_S
from transcode.specs import Grid, first_frame, frame_ticks

# Neighbours become one segment while it stays about as long as the others.
MAX_MERGED: Final = Fraction(9, 8)
MIN_SEGMENT: Final = Fraction(1, 4)  # Shorter ones join a neighbour, which may then be longer.
MAX_STRETCHED: Final = Fraction(11, 8)


@dataclass(frozen=True, slots=True)
class CutBase:
    """What is cut.

    Attributes:
        starts: Base ticks where the segments of every rung begin; the first one is 0.
        frame_rate: Of the largest rung.
    """

    duration_ticks: int
    frame_rate: Fraction
    starts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class KeptFrames:
    """Half-open stretch of base frames of the largest rung."""

    first: int
    end: int

    @property
    def count(self) -> int:
        return self.end - self.first


@dataclass(frozen=True, slots=True)
class CutPiece:
    """Successive frames of the output that come from one place.

    Attributes:
        first: In base frames of the rung.
        out_first: In out frames of the rung.
        is_copied: Whole GOPs; otherwise they are encoded again.
    """

    first: int
    count: int
    out_first: int
    is_copied: bool


def snap_kept(kept: Iterable[tuple[int, int]], base: CutBase) -> tuple[KeptFrames, ...]:
    """Put ranges (base ticks) on the frames of the largest rung; what vanishes or touches merges.

    Raises:
        EncodeError: Permanent: nothing would be left.
    """
    total = first_frame(base.duration_ticks, frame_rate=base.frame_rate)
    found: list[KeptFrames] = []
    for start, end in kept:
        first = first_frame(start, frame_rate=base.frame_rate)
        last = min(total, first_frame(end, frame_rate=base.frame_rate))
        if found and first <= found[-1].end:
            first = found[-1].end
        if last <= first:
            continue
        if found and first == found[-1].end:
            found[-1] = KeptFrames(found[-1].first, last)
        else:
            found.append(KeptFrames(first, last))
    if not found:
        raise EncodeError("nothing is kept", permanent=True, title_zh="剪辑后没有内容")
    return tuple(found)


def place_kept(kept: Sequence[KeptFrames], frame_rate: Fraction) -> tuple[int, ...]:
    """Out ticks where each range begins, and where the last one ends."""
    counts = itertools.accumulate((item.count for item in kept), initial=0)
    return tuple(frame_ticks(count, frame_rate=frame_rate) for count in counts)


def cut_rung(
    kept: Sequence[KeptFrames], base: CutBase, *, frame_rate: Fraction
) -> tuple[CutPiece, ...]:
    """Say where the frames of a rung of ``frame_rate`` come from, in out order.

    The frame after the rung's last one may be asked for, where the end of the lecture was nearer
    to the beginning of that frame than to its end: it is encoded from the largest rung.
    """
    total = first_frame(base.duration_ticks, frame_rate=frame_rate)
    edges = [first_frame(tick, frame_rate=frame_rate) for tick in base.starts] + [total]
    places = place_kept(kept, base.frame_rate)
    outs = [first_frame(tick, frame_rate=frame_rate) for tick in places]
    pieces: list[CutPiece] = []
    for number, item in enumerate(kept):
        start_ticks = frame_ticks(item.first, frame_rate=base.frame_rate)
        ahead = Fraction(outs[number], 1) - places[number] * frame_rate / TICKS_PER_S
        count = outs[number + 1] - outs[number]
        place = start_ticks * frame_rate / TICKS_PER_S + ahead
        first = max(0, min(_choose_first(place, count, edges), total + 1 - count))
        pieces += _split_piece(first, first + count, outs[number], edges)
    return tuple(pieces)


def _choose_first(place: Fraction, count: int, edges: Sequence[int]) -> int:
    """Round to the nearest frame; half-way between two, take the one that saves encoding."""
    low = place.numerator // place.denominator
    over = place - low
    if over != Fraction(1, 2):
        return low + (over > Fraction(1, 2))
    return max(
        low, low + 1, key=lambda first: sum(_is_edge(x, edges) for x in (first, first + count))
    )


def _is_edge(frame: int, edges: Sequence[int]) -> bool:
    at = bisect_left(edges, frame)
    return at < len(edges) and edges[at] == frame


def _split_piece(first: int, end: int, out_first: int, edges: Sequence[int]) -> list[CutPiece]:
    """Split base frames ``[first, end)`` at the outermost GOP boundaries inside."""
    low = bisect_left(edges, first)
    high = bisect_right(edges, end) - 1
    cuts = [first, end]
    if low < high:
        cuts = [first, edges[low], edges[high], end]
    pieces: list[CutPiece] = []
    for number, (start, stop) in enumerate(itertools.pairwise(cuts)):
        if stop > start:
            is_copied = low < high and number == 1
            pieces.append(CutPiece(start, stop - start, out_first + start - first, is_copied))
    return pieces


def place_boundaries(
    kept: Sequence[KeptFrames], base: CutBase, *, slot_ticks: int
) -> tuple[int, ...]:
    """Out ticks where segments begin: at GOPs, tiny neighbours together.

    Args:
        slot_ticks: Usual length of a segment.
    """
    fragments: list[int] = []
    edges = [first_frame(tick, frame_rate=base.frame_rate) for tick in base.starts]
    out = 0
    for item in kept:
        inside = edges[bisect_right(edges, item.first) : bisect_left(edges, item.end)]
        fragments += [out, *(out + edge - item.first for edge in inside)]
        out += item.count
    ticks = [frame_ticks(place, frame_rate=base.frame_rate) for place in (*fragments, out)]
    return _merge_short(ticks, slot_ticks)


def _merge_short(ticks: Sequence[int], slot_ticks: int) -> tuple[int, ...]:
    """Drop boundaries between short neighbours; ``ticks`` ends with the end of the lecture."""
    starts = [ticks[0]]
    for here, after in itertools.pairwise(ticks[1:]):
        shortest = min(here - starts[-1], after - here)
        limit = MAX_STRETCHED if shortest < MIN_SEGMENT * slot_ticks else MAX_MERGED
        if after - starts[-1] > limit * slot_ticks:
            starts.append(here)
    return tuple(starts)


def build_cut_grid(boundaries: tuple[int, ...], base: Grid) -> Grid:
    """Build the explicit grid of the cut asset."""
    return base.model_copy(update={"boundaries": boundaries})


def map_tick(tick: int, kept: Sequence[KeptFrames], frame_rate: Fraction) -> int | None:
    """Out time of a base time; ``None`` when it was cut out."""
    out = 0
    for item in kept:
        start = frame_ticks(item.first, frame_rate=frame_rate)
        end = frame_ticks(item.end, frame_rate=frame_rate)
        if start <= tick < end:
            return frame_ticks(out, frame_rate=frame_rate) + tick - start
        out += item.count
    return None
