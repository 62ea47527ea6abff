"""Cut recordings and files into spans and ranges, and choose where segments begin. Pure.

A *span* is a run of segments of one epoch that is media throughout or lost throughout; a *range*
is a piece of a span of about two minutes, cut on the keyframe grid. Ranges tile the lecture.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Final

from kernel.recording import RecordedEpoch, RecordedSegment, RecordingIndex
from kernel.timing import TICKS_PER_S
from transcode.specs import KEYFRAME_GRID_S, Grid, frame_ticks

RANGE_TICKS: Final = 120 * TICKS_PER_S  # About two minutes: a worker lost costs no more than that.
MIN_RANGE_TICKS: Final = TICKS_PER_S // 2  # Six frames of the slowest rung, twice x264's delay.
MAX_LEAD_IN_TICKS: Final = 30 * TICKS_PER_S  # The longest GOP we look back for.
MAX_SEGMENT_S: Final = 6  # Of a copied track: players fetch that much before they change rungs.
TAIL_SEGMENTS: Final = 1  # Reordered pictures of the range may be stored one segment later.


@dataclass(frozen=True, slots=True)
class Span:
    """Half-open stretch of lecture time with one kind of content."""

    epoch: RecordedEpoch
    segments: tuple[RecordedSegment, ...]
    is_gap: bool

    @property
    def start_ticks(self) -> int:
        return self.segments[0].start_ticks

    @property
    def end_ticks(self) -> int:
        return self.segments[-1].start_ticks + self.segments[-1].duration_ticks


@dataclass(frozen=True, slots=True)
class Range:
    start_ticks: int
    end_ticks: int
    span: Span


def split_spans(index: RecordingIndex) -> tuple[Span, ...]:
    """Split at epochs and where media begins or ends to be lost."""
    spans: list[Span] = []
    for epoch in index.epochs:
        run: list[RecordedSegment] = []
        for segment in epoch.segments:
            if run and run[-1].is_gap != segment.is_gap:
                spans.append(Span(epoch, tuple(run), is_gap=run[-1].is_gap))
                run = []
            run.append(segment)
        if run:
            spans.append(Span(epoch, tuple(run), is_gap=run[-1].is_gap))
    return tuple(spans)


def cut_ranges(
    spans: tuple[Span, ...], *, grid: Grid, range_ticks: int = RANGE_TICKS
) -> tuple[Range, ...]:
    """Cut every span into balanced ranges; inner boundaries lie on the keyframe grid.

    A span shorter than ``MIN_RANGE_TICKS`` gives its time to the range before it (whose last
    picture stays), or to the one after it: encoders treat a few frames unlike many, and the init
    segments of all ranges must be equal.
    """
    ranges: list[Range] = []
    for piece in _cut_spans(spans, grid, range_ticks):
        if ranges and _length(piece) < MIN_RANGE_TICKS:
            ranges[-1] = replace(ranges[-1], end_ticks=piece.end_ticks)
        elif len(ranges) == 1 and _length(ranges[0]) < MIN_RANGE_TICKS:
            ranges[0] = replace(piece, start_ticks=ranges[0].start_ticks)
        else:
            ranges.append(piece)
    return tuple(ranges)


def _length(piece: Range) -> int:
    return piece.end_ticks - piece.start_ticks


def _cut_spans(spans: tuple[Span, ...], grid: Grid, range_ticks: int) -> Iterator[Range]:
    for span in spans:
        length = span.end_ticks - span.start_ticks
        count = max(1, round(length / range_ticks))
        edges = [span.start_ticks]
        for number in range(1, count):
            edge = grid.nearest(span.start_ticks + length * number // count)
            if edges[-1] < edge < span.end_ticks:
                edges.append(edge)
        edges.append(span.end_ticks)
        for start, end in itertools.pairwise(edges):
            yield Range(start, end, span)


def select_segments(piece: Range) -> tuple[RecordedSegment, ...]:
    """Return the segments a range needs: lead-in candidates, its own, and the tail."""
    segments = piece.span.segments
    first = max(
        (n for n, segment in enumerate(segments) if segment.start_ticks <= piece.start_ticks),
        default=0,
    )
    while first > 0 and piece.start_ticks - segments[first].start_ticks < MAX_LEAD_IN_TICKS:
        first -= 1
    last = first
    while last < len(segments) and segments[last].start_ticks < piece.end_ticks:
        last += 1
    return segments[first : last + TAIL_SEGMENTS]


def cut_file_ranges(
    duration_ticks: int, *, grid: Grid, range_ticks: int = RANGE_TICKS
) -> tuple[tuple[int, int], ...]:
    """Cut the pictures of a file into balanced half-open ranges that tile ``[0, duration)``.

    Inner boundaries lie on the grid; a rest shorter than ``MIN_RANGE_TICKS`` stays with the range
    before it.
    """
    count = max(1, round(duration_ticks / range_ticks))
    edges = [0]
    for number in range(1, count):
        edge = grid.nearest(duration_ticks * number // count)
        if edges[-1] < edge <= duration_ticks - MIN_RANGE_TICKS:
            edges.append(edge)
    return tuple(itertools.pairwise([*edges, duration_ticks]))


def grid_of_keyframes(
    frames: Sequence[int], *, frame_rate: Fraction, slowest_rate: Fraction
) -> Grid | None:
    """Choose segments among the keyframes of a track that is copied: about 4 s each.

    Every other keyframe stays inside a segment. Chosen are those at which the slowest rung has a
    frame, too.

    Args:
        frames: Numbers of the keyframes' frames, ascending, from the track's start on; behind the
            last one come at most ``MAX_SEGMENT_S``.
        frame_rate: Constant, of the copied track.
        slowest_rate: Of the slowest rung beside it; ``frame_rate`` is a multiple of it.

    Returns:
        ``None`` when the first frame is none, or such keyframes are too far apart.
    """
    step = frame_rate / slowest_rate
    if step.denominator != 1:
        return None
    usable = [frame for frame in frames if frame % step.numerator == 0]
    if not usable or usable[0] != 0:
        return None
    target, limit = KEYFRAME_GRID_S * frame_rate, MAX_SEGMENT_S * frame_rate
    chosen = [0]
    for near, far in itertools.pairwise(usable):
        if far - near > limit:
            return None
        # Take the nearer of the two once the next one lies past the target.
        reach = far - chosen[-1]
        if near > chosen[-1] and (reach > limit or reach + (near - chosen[-1]) > 2 * target):
            chosen.append(near)
    if usable[-1] > chosen[-1]:
        chosen.append(usable[-1])
    return Grid(
        frame_rate=frame_rate,
        gop_frames=Grid.regular(frame_rate).gop_frames,
        boundaries=tuple(frame_ticks(frame, frame_rate=frame_rate) for frame in chosen),
    )
