"""Ladder, rates, cuts and the whole plan."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.errors import EncodeError
from kernel.recording import RecordedEpoch, RecordedSegment, RecordingIndex
from kernel.timing import TICKS_PER_S
from transcode.plan import SourceFacts, build_plan
from transcode.plan.cuts import MIN_RANGE_TICKS, cut_ranges, select_segments, split_spans
from transcode.plan.ladder import Ladder, build_ladder, choose_level, fit_inside
from transcode.plan.rates import LECTURE_RATES, choose_frame_rate
from transcode.specs import EncodeVideoSpec, Grid, PublishSpec, Shape, parse_spec

HD = Shape(width_px=1280, height_px=720)
GRID = Grid.regular(Fraction(30))


def ladder(width: int, height: int, *, bps: int | None = None, fps: int = 30) -> Ladder:
    shape = Shape(width_px=width, height_px=height)
    return build_ladder(shape, frame_rate=Fraction(fps), source_bps=bps)


def names(made: Ladder) -> list[str]:
    return [rung.name for rung in made.rungs]


def build_index(
    *epochs: list[tuple[int, bool]], video: tuple[bool, ...] | None = None
) -> RecordingIndex:
    """Epochs as lists of (duration in ticks, is it lost)."""
    clock, msn, made = 0, 0, []
    for number, rows in enumerate(epochs):
        segments = []
        for ticks, is_gap in rows:
            size = 0 if is_gap else 100_000
            segments.append(
                RecordedSegment(
                    msn=msn,
                    start_ticks=clock,
                    duration_ticks=ticks,
                    av_bytes=size,
                    audio_bytes=size // 10,
                    is_gap=is_gap,
                )
            )
            clock, msn = clock + ticks, msn + 1
        has_video = video is None or video[number]
        made.append(
            RecordedEpoch(
                epoch=number,
                program_date_time=datetime(2026, 7, 1, tzinfo=UTC),
                av_init="init-aa.mp4",
                audio_init="init-bb.mp4",
                video_codec="avc1.64001f" if has_video else None,
                width_px=1280 if has_video else None,
                height_px=720 if has_video else None,
                audio_codec="mp4a.40.2",
                sample_rate_hz=48_000,
                channels_count=2,
                protocol="rtmp",
                segments=tuple(segments),
            )
        )
    return RecordingIndex(broadcast_id="b", epochs=tuple(made))


SECONDS = TICKS_PER_S


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((1920, 1080), ["1080p", "720p", "360p", "station"]),
        ((3840, 2160), ["1080p", "720p", "360p", "station"]),
        ((1280, 720), ["720p", "360p", "station"]),
        ((854, 480), ["480p", "360p", "station"]),
        ((640, 360), ["360p", "station"]),
        ((720, 400), ["400p", "station"]),
        ((320, 180), ["180p", "station"]),
        ((1080, 1920), ["1080p", "720p", "360p", "station"]),
    ],
)
def test_the_ladder_never_upscales_and_skips_what_wins_nothing(
    size: tuple[int, int], expected: list[str]
) -> None:
    made = ladder(*size)
    assert names(made) == expected
    assert all(rung.width_px <= size[0] and rung.height_px <= size[1] for rung in made.rungs)
    assert all(rung.reason for rung in made.rungs)


@given(st.integers(16, 8192), st.integers(16, 8192), st.sampled_from(LECTURE_RATES))
def test_every_ladder_holds(width: int, height: int, fps: Fraction) -> None:
    shape = Shape(width_px=width, height_px=height)
    rungs = build_ladder(shape, frame_rate=fps, source_bps=None).rungs
    assert rungs[-1].name == "station"
    assert rungs[-1].maxrate_bps <= 200_000
    caps = [rung.maxrate_bps for rung in rungs]
    assert caps == sorted(caps, reverse=True)
    for rung in rungs:
        assert rung.width_px % 2 == rung.height_px % 2 == 0
        assert Fraction(Grid.regular(fps).gop_frames) * rung.frame_rate / fps % 1 == 0


def test_caps_are_those_of_lectures_and_of_the_source() -> None:
    caps = {rung.name: rung.maxrate_bps for rung in ladder(1280, 720).rungs}
    assert 1_200_000 <= caps["720p"] <= 1_800_000
    assert caps["station"] == 150_000
    slides = {rung.name: rung.maxrate_bps for rung in ladder(1280, 720, bps=300_000).rungs}
    assert slides["720p"] == 450_000


@pytest.mark.parametrize(
    ("measured", "expected"),
    [
        ([], 15),
        ([7.5], 15),
        ([25.2], 25),
        ([29.97], 30),
        ([28.4, 11.0], 30),
        ([60.0], 30),
        ([59.94], 30),
        ([50.0], 25),  # Every other frame, not five of six.
        ([49.2], 25),
        ([45.0], 30),
        ([24], 25),
    ],
)
def test_the_frame_rate_follows_the_fastest_sample(measured: list[float], expected: int) -> None:
    assert choose_frame_rate([Fraction(rate) for rate in measured]) == expected


@pytest.mark.parametrize(
    ("size", "fps", "level"),
    [((640, 360), 30, "3.0"), ((1280, 720), 30, "3.1"), ((1920, 1080), 30, "4.0")],
)
def test_levels(size: tuple[int, int], fps: int, level: str) -> None:
    assert choose_level(*size, Fraction(fps)) == level


@pytest.mark.parametrize(
    ("aspect", "expected"),
    [((4, 3), (960, 720)), ((16, 9), (1280, 720)), ((9, 16), (404, 720)), ((3, 1), (1280, 426))],
)
def test_other_shapes_fit_inside(aspect: tuple[int, int], expected: tuple[int, int]) -> None:
    assert fit_inside(Fraction(*aspect), width_px=1280, height_px=720) == expected


MAX_USUAL_ASPECT = 3  # Of longer strips a line is more than the rounding of a side.


@given(st.integers(160, 4096), st.integers(160, 2160), st.integers(160, 2160))
def test_a_lecture_fills_the_rungs_that_were_made_for_it(width: int, height: int, px: int) -> None:
    """Sides are rounded to even numbers; that alone must not bring black lines."""
    shape = Shape(width_px=width, height_px=height, sar_num=px, sar_den=800)
    for rung in build_ladder(shape, frame_rate=Fraction(25), source_bps=None).rungs:
        scale = max(rung.width_px, rung.height_px) / min(rung.width_px, rung.height_px)
        fitted = fit_inside(shape.display_aspect, width_px=rung.width_px, height_px=rung.height_px)
        lost = max(rung.width_px - fitted[0], rung.height_px - fitted[1])
        assert lost == 0 or scale > MAX_USUAL_ASPECT, (rung, fitted)


rows = st.lists(st.tuples(st.integers(1, 6 * SECONDS), st.booleans()), min_size=1, max_size=40)


@given(st.lists(rows, min_size=1, max_size=5), st.integers(4, 30))
def test_ranges_tile_the_lecture(epochs: list[list[tuple[int, bool]]], range_s: int) -> None:
    index = build_index(*epochs)
    spans = split_spans(index)
    pieces = cut_ranges(spans, grid=GRID, range_ticks=range_s * SECONDS)
    assert pieces[0].start_ticks == 0
    assert pieces[-1].end_ticks == index.duration_ticks
    starts = {span.start_ticks for span in spans}
    for before, after in itertools.pairwise(pieces):
        assert before.end_ticks == after.start_ticks
        # A cut lies on the grid or where media of another kind begins.
        assert after.start_ticks in starts or GRID.is_boundary(after.start_ticks)
        assert after.end_ticks - after.start_ticks >= MIN_RANGE_TICKS
    for piece in pieces:
        assert {item.is_gap for item in piece.span.segments} == {piece.span.is_gap}
        assert select_segments(piece)


@given(rows, st.sampled_from(LECTURE_RATES))
def test_frames_of_ranges_add_up_and_keep_lecture_time(
    segments: list[tuple[int, bool]], fps: Fraction
) -> None:
    index = build_index(segments)
    pieces = cut_ranges(split_spans(index), grid=GRID, range_ticks=8 * SECONDS)
    for rung in build_ladder(HD, frame_rate=fps, source_bps=None).rungs:
        total = sum(rung.first_frame(p.end_ticks) - rung.first_frame(p.start_ticks) for p in pieces)
        assert total == rung.first_frame(index.duration_ticks)
        off_ticks = rung.frame_ticks(total) - index.duration_ticks
        assert abs(off_ticks) <= 40 * TICKS_PER_S // 1000


def test_a_plan_has_every_unit_in_its_order() -> None:
    media = [(2 * SECONDS, False)] * 150
    index = build_index(media, [(2 * SECONDS, False), (2 * SECONDS, True), (3 * SECONDS, False)])
    facts = {
        0: SourceFacts(shape=HD, frame_rates=(Fraction(30),)),
        1: SourceFacts(shape=Shape(width_px=640, height_px=480)),
    }
    report = build_plan(index, facts, program="p")
    kinds = [unit.kind for unit in report.units]
    assert kinds == ["encode_video"] * 5 + ["encode_audio", "make_images", "publish_asset"]
    specs = [parse_spec(EncodeVideoSpec, unit.spec) for unit in report.units[:5]]
    assert [spec.source is None for spec in specs] == [False, False, False, True, False]
    assert specs[0].end_ticks == specs[1].start_ticks
    assert specs[0].grid.is_boundary(specs[0].end_ticks)
    # The second range can look back 30 s for a keyframe, no further.
    source = specs[1].source
    assert source is not None
    lead = specs[1].start_ticks - source.segments[0].start_ticks
    assert 28 * SECONDS <= lead <= 34 * SECONDS
    publish = parse_spec(PublishSpec, report.units[-1].spec)
    assert publish.duration_ticks == index.duration_ticks
    assert set(report.units[-1].after) == {unit.key for unit in report.units[:-1]}
    assert [item.name for item in report.renditions] == ["720p", "360p", "station", "audio"]


def test_a_class_without_pictures_becomes_sound_alone() -> None:
    index = build_index([(2 * SECONDS, False)] * 3, video=(False,))
    report = build_plan(index, {0: SourceFacts(shape=None)}, program="p")
    kinds = [unit.kind for unit in report.units]
    assert kinds == ["encode_audio", "make_images", "publish_asset"]  # Its poster is drawn.
    assert [item.name for item in report.renditions] == ["audio"]


def test_an_epoch_without_pictures_is_black_among_others() -> None:
    index = build_index([(4 * SECONDS, False)] * 3, [(4 * SECONDS, False)], video=(True, False))
    facts = {0: SourceFacts(shape=HD, frame_rates=(Fraction(25),)), 1: SourceFacts(shape=None)}
    report = build_plan(index, facts, program="p")
    specs = [parse_spec(EncodeVideoSpec, u.spec) for u in report.units if u.kind == "encode_video"]
    assert [spec.source is None for spec in specs] == [False, True]


def test_nothing_recorded_is_a_clear_failure() -> None:
    index = RecordingIndex(broadcast_id="b", epochs=())
    with pytest.raises(EncodeError, match="empty") as caught:
        build_plan(index, {}, program="p")
    assert caught.value.permanent


def test_a_spec_of_another_planner_is_refused_by_name() -> None:
    with pytest.raises(EncodeError, match=r"PublishSpec\.duration_ticks") as caught:
        parse_spec(PublishSpec, {"rungs": []})
    assert caught.value.permanent
