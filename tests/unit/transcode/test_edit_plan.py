"""Cut arithmetic: nothing lost, nothing twice, no drift, whole GOPs are copied."""

from __future__ import annotations

import itertools
import json
from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from kernel.errors import EncodeError
from kernel.timing import TICKS_PER_S
from transcode.edit.extras import (
    CutClock,
    choose_kept_posters,
    cut_slides,
    cut_storyboard,
    cut_waveform,
)
from transcode.edit.plan import (
    CutBase,
    KeptFrames,
    cut_rung,
    place_boundaries,
    place_kept,
    snap_kept,
)
from transcode.edit.sound import choose_frames
from transcode.edit.specs import CutFacts, PlanEditSpec
from transcode.plan.ladder import build_ladder
from transcode.specs import Grid, Shape, first_frame, frame_ticks
from transcode.storyboard import Tile, parse_vtt, render_vtt
from transcode.units.plan_edit import build_edit_plan
from vod.jobs.plan import check_plan

RATES = [Fraction(15), Fraction(25), Fraction(30), Fraction(24_000, 1_001), Fraction(30_000, 1_001)]


@st.composite
def cuts(draw: st.DrawFn) -> tuple[CutBase, tuple[KeptFrames, ...]]:
    """A base of up to a minute on its usual grid, and what is kept of it."""
    rate = draw(st.sampled_from(RATES))
    frames = draw(st.integers(20, int(60 * rate)))
    duration = frame_ticks(frames, frame_rate=rate)
    base = CutBase(duration, rate, Grid.regular(rate).boundaries_in(0, duration))
    marks = draw(st.lists(st.integers(0, duration), min_size=2, max_size=12, unique=True))
    marks = sorted(marks)[: len(marks) // 2 * 2]
    kept = list(zip(marks[::2], marks[1::2], strict=True))
    try:
        return base, snap_kept(kept, base)
    except EncodeError:
        return base, snap_kept([(0, duration)], base)


@given(cuts())
def test_the_largest_rung_keeps_exactly_the_asked_frames(
    cut: tuple[CutBase, tuple[KeptFrames, ...]],
) -> None:
    base, kept = cut
    pieces = cut_rung(kept, base, frame_rate=base.frame_rate)
    shown = [n for piece in pieces for n in range(piece.first, piece.first + piece.count)]
    assert shown == [n for item in kept for n in range(item.first, item.end)]
    assert [piece.out_first for piece in pieces] == [
        sum(piece.count for piece in pieces[:number]) for number in range(len(pieces))
    ]
    edges = {first_frame(tick, frame_rate=base.frame_rate) for tick in base.starts}
    edges.add(first_frame(base.duration_ticks, frame_rate=base.frame_rate))
    for piece in pieces:
        inner = edges & set(range(piece.first, piece.first + piece.count + 1))
        if piece.is_copied:
            assert {piece.first, piece.first + piece.count} <= edges
        else:
            assert len(inner) <= 1 or inner == {piece.first, piece.first + piece.count} - edges


@given(cuts(), st.sampled_from([Fraction(1, 2), Fraction(1, 3), Fraction(2, 5)]))
def test_slow_rungs_never_drift(
    cut: tuple[CutBase, tuple[KeptFrames, ...]], share: Fraction
) -> None:
    base, kept = cut
    assume(all(item.count * share >= 2 for item in kept))  # Else whole ranges fall between frames.
    rate = base.frame_rate * share
    pieces = cut_rung(kept, base, frame_rate=rate)
    total = first_frame(place_kept(kept, base.frame_rate)[-1], frame_rate=rate)
    assert sum(piece.count for piece in pieces) == total
    clock = CutClock(
        [
            (
                frame_ticks(item.first, frame_rate=base.frame_rate),
                frame_ticks(item.end, frame_rate=base.frame_rate),
            )
            for item in kept
        ],
        place_kept(kept, base.frame_rate),
    )
    last = first_frame(base.duration_ticks, frame_rate=rate)
    half = TICKS_PER_S / rate / 2
    for piece in pieces:
        assert piece.first >= 0
        assert piece.first + piece.count <= last + (not piece.is_copied)
        newest = frame_ticks(piece.first + piece.count - 1, frame_rate=rate)
        assert newest - half < base.duration_ticks, "half of what it stands for is of the lecture"
        out = frame_ticks(piece.out_first, frame_rate=rate)
        shown = frame_ticks(piece.first, frame_rate=rate)
        if out < clock.duration_ticks:
            # A piece may begin up to half a frame before its range does.
            late = int(half) + 1
            wanted = (clock.to_base(out), clock.to_base(out + late) - late)
            assert min(abs(shown - place) for place in wanted) <= half + 2


@pytest.mark.parametrize(
    ("rate", "frames", "start", "share"),
    [
        (Fraction(24_000, 1_001), 1_303, 10, Fraction(1, 2)),
        (Fraction(30_000, 1_001), 1_061, 4, Fraction(2, 5)),
    ],
)
def test_the_last_half_frame_of_a_lecture_is_shown(
    rate: Fraction, frames: int, start: int, share: Fraction
) -> None:
    base = CutBase(frame_ticks(frames, frame_rate=rate), rate, (0,))
    slow = rate * share
    pieces = cut_rung([KeptFrames(start, frames)], base, frame_rate=slow)
    assert pieces[0].first == round(start * share)
    has = first_frame(base.duration_ticks, frame_rate=slow)
    assert pieces[-1].first + pieces[-1].count == has + 1
    assert not pieces[-1].is_copied


@given(cuts())
def test_segments_of_a_cut_are_neither_tiny_nor_long(
    cut: tuple[CutBase, tuple[KeptFrames, ...]],
) -> None:
    base, kept = cut
    slot = Grid.regular(base.frame_rate).slot_ticks
    starts = place_boundaries(kept, base, slot_ticks=slot)
    end = place_kept(kept, base.frame_rate)[-1]
    assert starts[0] == 0
    lengths = [b - a for a, b in itertools.pairwise([*starts, end])]
    assert all(length > 0 for length in lengths)
    assert max(lengths) <= slot * 11 / 8 + 2
    # A tiny one stands alone only between two that are full.
    for one, two in itertools.pairwise(lengths):
        assert one + two > slot * 9 / 8 - 2


def test_snapping_merges_what_touches_and_refuses_nothing() -> None:
    base = CutBase(10 * TICKS_PER_S, Fraction(25), (0, 4 * TICKS_PER_S, 8 * TICKS_PER_S))
    assert snap_kept([(0, 3_599), (3_600, 7_200)], base) == (KeptFrames(0, 2),)
    assert snap_kept([(0, 99 * TICKS_PER_S)], base) == (KeptFrames(0, 250),)
    with pytest.raises(EncodeError):
        snap_kept([(10, 20)], base)


@given(cuts())
def test_sound_is_never_more_than_half_a_frame_off(
    cut: tuple[CutBase, tuple[KeptFrames, ...]],
) -> None:
    base, kept = cut
    ranges = [
        (
            frame_ticks(item.first, frame_rate=base.frame_rate),
            frame_ticks(item.end, frame_rate=base.frame_rate),
        )
        for item in kept
    ]
    places = place_kept(kept, base.frame_rate)
    per_frame = Fraction(TICKS_PER_S * 1_024, 48_000)
    frames_count = -(-base.duration_ticks // int(per_frame)) + 1
    pieces = choose_frames(
        ranges, places, frames_count=frames_count, samples_per_frame=1_024, rate_hz=48_000
    )
    total = sum(piece.count for piece in pieces)
    assert abs(total * per_frame - places[-1]) <= per_frame / 2
    out = 0
    spans = [(r, p) for r, p in zip(ranges, itertools.pairwise(places), strict=True)]
    for piece in pieces:
        out_ticks = out * per_frame
        # The range that this piece is of: the one whose place is nearest.
        (start, _), (place, _) = min(spans, key=lambda item: abs(item[1][0] - out_ticks))
        skew = (piece.first * per_frame - start) - (out_ticks - place)
        assert abs(skew) <= per_frame / 2
        out += piece.count


def facts() -> CutFacts:
    ladder = build_ladder(
        Shape(width_px=1280, height_px=720), frame_rate=Fraction(25), source_bps=None
    )
    grid = Grid.regular(Fraction(25))
    duration = 20 * TICKS_PER_S
    return CutFacts(
        duration_ticks=duration,
        grid=grid,
        rungs=ladder.rungs,
        starts=grid.boundaries_in(0, duration),
        sizes={**{rung.name: 1_000 for rung in ladder.rungs}, "audio": 100},
        colour="bt709",
        preset="veryfast",
    )


def test_a_plan_encodes_the_cuts_only() -> None:
    spec = PlanEditSpec(
        base_asset_id="a",
        prefix="assets/a/0123456789ab/",
        kept=((2 * TICKS_PER_S, 14 * TICKS_PER_S), (16 * TICKS_PER_S, 20 * TICKS_PER_S)),
    )
    plan = build_edit_plan(spec, facts(), program="p")
    encoded = [unit for unit in plan.units if unit.kind == "encode_video"]
    # Head [2, 4) and tail [12, 14), for two frame rates each; [4, 12) and [16, 20) are copied.
    assert sorted((u.spec["start_ticks"], u.spec["end_ticks"]) for u in encoded) == sorted(
        2 * [(180_000, 360_000), (1_080_000, 1_260_000)]
    )
    assert all(u.spec["source"]["key"] == "assets/a/0123456789ab/720p.mp4" for u in encoded)
    check_plan(plan)  # As vod does.
    publish = plan.units[-1]
    assert set(publish.after) == {unit.key for unit in encoded}
    assert build_edit_plan(spec, facts(), program="p").plan_hash == plan.plan_hash
    assert build_edit_plan(spec, facts(), program="q").plan_hash != plan.plan_hash


def test_extras_move_with_the_cut() -> None:
    clock = CutClock(
        [(2 * TICKS_PER_S, 5 * TICKS_PER_S), (8 * TICKS_PER_S, 10 * TICKS_PER_S)],
        [0, 3 * TICKS_PER_S, 5 * TICKS_PER_S],
    )
    tiles = [Tile(n * 4_000, (n + 1) * 4_000, f"s.jpg#xywh={n},0,1,1") for n in range(3)]
    assert parse_vtt(cut_storyboard(render_vtt(tiles), clock)) == [
        Tile(0, 2_000, "s.jpg#xywh=0,0,1,1"),
        Tile(2_000, 3_000, "s.jpg#xywh=1,0,1,1"),
        Tile(3_000, 5_000, "s.jpg#xywh=2,0,1,1"),
    ]
    assert choose_kept_posters(("poster-9000.jpg", "poster-100.jpg", "x.jpg"), clock) == (
        "poster-9000.jpg",
    )
    slides = json.dumps({"slides": [{"start_s": 3.0, "confidence": 1}, {"start_s": 6.0}, "x"]})
    assert json.loads(cut_slides(slides, clock)) == {"slides": [{"start_s": 3.0, "confidence": 1}]}
    wave = {"version": 1, "step_ms": 1000, "peaks": list(range(12)), "silences": [[4000, 9000]]}
    moved = json.loads(cut_waveform(json.dumps(wave), clock) or "")
    assert moved["peaks"] == [2, 3, 4, 8, 9]
    assert moved["silences"] == [[2000, 3000], [3000, 4000]]


@given(st.text(max_size=60))
def test_foreign_extras_are_passed_over(text: str) -> None:
    clock = CutClock([(0, TICKS_PER_S)], [0, TICKS_PER_S])
    assert parse_vtt(text) == []
    assert json.loads(cut_slides(text, clock)) == {"slides": []}
    cut_waveform(text, clock)
