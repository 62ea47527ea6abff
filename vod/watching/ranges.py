"""Watched ranges of a lecture: merging and when it is finished. Pure. No I/O, no clock.

A range is half-open whole seconds ``[start_s, end_s)``. What is kept of a lecture is a union, so
that two tabs or three entry links over the same minute make one minute.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import Final, TypeAlias

Range: TypeAlias = tuple[int, int]

MAX_RANGES: Final = 200  # Kept of one lecture, some 3 kB; who seeks more often loses the shortest.
FINISHED_SHARE: Final = Fraction(9, 10)  # Closing words and applause are left early in good faith.


def merge_ranges(*groups: Iterable[Range], until_s: int) -> tuple[Range, ...]:
    """Build the union of all ranges, as few as possible, in order.

    Args:
        groups: In any order, overlapping or not; empty and reversed ranges count for nothing.
        until_s: What lies before 0 or after this is left out.

    Returns:
        Disjoint ranges with a gap between any two; at most ``MAX_RANGES``, the longest of them.
    """
    clipped = sorted(
        (max(0, start), min(end, until_s))
        for group in groups
        for start, end in group
        if max(0, start) < min(end, until_s)
    )
    merged: list[Range] = []
    for start, end in clipped:
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return tuple(merged) if len(merged) <= MAX_RANGES else _keep_longest(merged)


def _keep_longest(ranges: list[Range]) -> tuple[Range, ...]:
    longest = sorted(ranges, key=lambda one: (one[0] - one[1], one[0]))[:MAX_RANGES]
    return tuple(sorted(longest))


def count_seconds(ranges: Iterable[Range]) -> int:
    """Add up disjoint ranges."""
    return sum(end - start for start, end in ranges)


def is_finished(watched_s: int, duration_s: int) -> bool:
    """Enough of it was watched; a lecture without a length never is."""
    return duration_s > 0 and watched_s >= FINISHED_SHARE * duration_s
