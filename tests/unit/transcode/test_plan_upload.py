"""The jobs of uploaded files: what is made, in which order, what is copied."""

from __future__ import annotations

import itertools
from dataclasses import replace
from fractions import Fraction

import pytest

from kernel.errors import EncodeError
from kernel.messages import PlanReport, SourceReport, UnitPlan
from kernel.timing import TICKS_PER_S
from transcode.intake.copying import CopyFacts, check_units, find_obstacle, judge_track
from transcode.intake.facts import UploadFacts, VideoFacts
from transcode.intake.packets import TrackPackets
from transcode.intake.streams import VideoStream
from transcode.intake.timing import LectureClock, fit_rate
from transcode.plan.build_upload import build_upload_plan, find_copy_grid
from transcode.plan.ladder import build_ladder
from transcode.specs import (
    CopyVideoSpec,
    DecodeSpec,
    EncodeVideoSpec,
    FileSource,
    PublishAddedSpec,
    PublishSpec,
    Shape,
    parse_spec,
)
from vod.jobs.plan import check_plan

RATE = Fraction(25)
HD = Shape(width_px=1280, height_px=720)
DECODE = DecodeSpec(pixel_format="yuv420p", frame_rate=RATE)
STREAM = VideoStream(
    index=0, codec="h264", profile="High", level=31, width_px=1280, height_px=720,
    sar=Fraction(1), pixel_format="yuv420p", field_order="progressive", colour_range="tv",
    colour_space="bt709", colour_transfer="bt709", colour_primaries="bt709", matrix_terms=None,
    time_base=Fraction(1, 90_000), nominal_rate=RATE, claimed_s=None, is_default=True,
    is_still=False, is_encrypted=False, is_dolby_vision=False,
)  # fmt: skip


def make_facts(
    seconds: int = 60,
    *,
    has_video: bool = True,
    has_audio: bool = True,
    copy: CopyFacts | None = None,
) -> UploadFacts:
    video = VideoFacts(
        shape=HD,
        decode=DECODE,
        frame_rate=RATE,
        frames_count=seconds * 25,
        bps=1_000_000,
        copy=copy or CopyFacts("编码不是通用的 H.264", (), 0),
    )
    return UploadFacts(
        source=FileSource(
            key="uploads/u", size_bytes=1000, demuxer="mov",
            video_index=0 if has_video else None, audio_index=1 if has_audio else None,
        ),
        sound_offset_ticks=0,
        duration_ticks=seconds * TICKS_PER_S,
        video=video if has_video else None,
        has_audio=has_audio,
        report=SourceReport(kind="video", container="mov", duration_s=seconds),
    )  # fmt: skip


def plan(facts: UploadFacts) -> PlanReport:
    grid, why = find_copy_grid(facts)
    return build_upload_plan(facts, filename="第一讲.mp4", program="ffmpeg", grid=grid, why=why)


def by_key(report: PlanReport) -> dict[str, UnitPlan]:
    units = {unit.key: unit for unit in report.units}
    assert len(units) == len(report.units)
    return units


def check_order(report: PlanReport) -> None:
    """Every unit can run: what it waits for exists, nothing waits for itself."""
    done: set[str] = set()
    for unit in report.units:
        assert set(unit.after) <= done, unit.key
        done.add(unit.key)


def check_coverage(report: PlanReport, duration_ticks: int) -> None:
    """The ranges of every rung tile the lecture, each made by the unit that is named."""
    units = by_key(report)
    spec = parse_spec(PublishSpec, units["publish"].spec)
    for rung in spec.rungs:
        ranges = [item for item in spec.ranges if item.rungs is None or rung.name in item.rungs]
        assert ranges[0].start_ticks == 0
        assert ranges[-1].end_ticks == duration_ticks
        for near, far in itertools.pairwise(ranges):
            assert near.end_ticks == far.start_ticks
        for item in ranges:
            made = units[item.key]
            assert made.key in units["publish"].after
            rungs = (
                parse_spec(EncodeVideoSpec, made.spec).rungs
                if made.kind == "encode_video"
                else (parse_spec(CopyVideoSpec, made.spec).rung,)
            )
            assert rung.name in {each.name for each in rungs}


@pytest.mark.parametrize("seconds", [1, 19, 20, 60, 301, 899, 900, 7200])
def test_every_rung_is_made_once_whatever_the_length(seconds: int) -> None:
    facts = make_facts(seconds)
    report = plan(facts)
    check_order(report)
    check_coverage(report, facts.duration_ticks)
    assert ("publish-first" in by_key(report)) == (seconds >= 20)


def test_a_long_lecture_does_not_stand_before_short_ones() -> None:
    queues = {unit.key: unit.queue for unit in plan(make_facts(7200)).units}
    assert {queue for key, queue in queues.items() if key.startswith("video-")} == {"long"}
    assert {queue for key, queue in queues.items() if not key.startswith("video-")} == {"short"}
    assert {unit.queue for unit in plan(make_facts(600)).units} == {"short"}


@pytest.mark.parametrize("seconds", [60, 3600])
def test_the_first_publication_is_what_is_made_quickest_with_sound(seconds: int) -> None:
    units = by_key(plan(make_facts(seconds)))
    first = parse_spec(PublishSpec, units["publish-first"].spec)
    assert first.is_partial
    assert first.images_key is None
    assert [rung.name for rung in first.rungs] == ["station"]
    assert "audio" in units["publish-first"].after
    assert not any(key.startswith("video-") for key in units["publish-first"].after)


def test_what_nobody_waits_for_yet_stands_back() -> None:
    patient = {
        unit.key: unit.spec["is_patient"]
        for unit in plan(make_facts(60)).units
        if unit.kind == "encode_video"
    }
    assert patient == {"first-0000": False, "video-0000": True}
    short = by_key(plan(make_facts(10)))
    assert not short["video-0000"].spec["is_patient"], "of a short one nothing is published first"


def test_sound_alone_has_no_pictures_to_wait_for() -> None:
    report = plan(make_facts(has_video=False))
    assert [unit.key for unit in report.units] == ["audio", "images", "publish"]
    assert [item.kind for item in report.renditions] == ["audio"]
    check_order(report)


def test_a_film_without_sound_gets_a_silent_track_and_says_so() -> None:
    report = plan(make_facts(has_audio=False))
    assert by_key(report)["audio"].spec["spans"][0]["source"] is None
    assert "无声" in report.renditions[-1].reason


def test_the_hash_follows_the_plan_and_the_program() -> None:
    facts = make_facts()
    one = build_upload_plan(facts, filename="a.mp4", program="ffmpeg 8")
    assert one.plan_hash == build_upload_plan(facts, filename="a.mp4", program="ffmpeg 8").plan_hash
    assert one.plan_hash != build_upload_plan(facts, filename="a.mp4", program="ffmpeg 9").plan_hash
    longer = replace(facts, duration_ticks=facts.duration_ticks + 90_000)
    assert (
        one.plan_hash != build_upload_plan(longer, filename="a.mp4", program="ffmpeg 8").plan_hash
    )


# ---- copying -----------------------------------------------------------------------------------


def make_track(count: int, gop: int, *, size: int = 4_000, is_open: bool = False) -> TrackPackets:
    """Packets in decode order; an open GOP shows a picture before its keyframe."""
    track = TrackPackets(90_000.0)
    order = list(range(count))
    if is_open:
        for key in range(gop, count, gop):
            order[key], order[key - 1] = order[key - 1], order[key]
    for frame in order:
        track.take(frame * 3600, frame * 3600, 3600, size, "K__" if frame % gop == 0 else "___")
    return track


def judge(
    track: TrackPackets, *, stream: VideoStream = STREAM, decode: DecodeSpec = DECODE
) -> CopyFacts:
    fit = fit_rate(sorted(track.pts), Fraction(1, 90_000))
    clock = LectureClock(0, len(track) * 3600)
    return judge_track(
        stream, track, fit, clock, decode=decode, shape=HD, rate=RATE, is_damaged=False
    )


def test_a_track_that_browsers_play_is_copied_on_its_own_keyframes() -> None:
    copy = judge(make_track(1500, 50))
    assert copy.obstacle == ""
    facts = make_facts(60, copy=copy)
    report = plan(facts)
    check_order(report)
    check_coverage(report, facts.duration_ticks)
    units = by_key(report)
    spec = parse_spec(CopyVideoSpec, units["copy"].spec)
    assert {tick % (2 * TICKS_PER_S) for tick in spec.grid.boundaries} == {0}
    # All other rungs are cut where the copied one is.
    assert parse_spec(PublishSpec, units["publish"].spec).grid == spec.grid
    assert set(units["publish-first"].after) == {"copy", "audio"}
    assert "不重新编码" in report.renditions[0].reason


@pytest.mark.parametrize(
    ("track", "word"),
    [
        (make_track(1500, 300), "关键帧间隔过长"),
        (make_track(1500, 50, is_open=True), "关键帧不规则"),
        (make_track(1500, 50, size=60_000), ""),
    ],
)
def test_a_track_that_makes_bad_segments_is_encoded(track: TrackPackets, word: str) -> None:
    facts = make_facts(60, copy=judge(track))
    if not word:  # Far more bits than the rung may have.
        assert facts.video is not None
        facts = replace(facts, video=replace(facts.video, bps=12_000_000))
        word = "码率"
    grid, why = find_copy_grid(facts)
    assert grid is None
    assert word in why
    assert f"重新编码,因为{why}" in plan(facts).renditions[0].reason


@pytest.mark.parametrize(
    ("stream", "decode"),
    [
        (replace(STREAM, codec="hevc"), DECODE),
        (replace(STREAM, profile="High 10"), DECODE),
        (replace(STREAM, level=62), DECODE),
        (STREAM, DECODE.model_copy(update={"pixel_format": "yuvj420p"})),
        (STREAM, DECODE.model_copy(update={"rotation_deg": 90})),
        (STREAM, DECODE.model_copy(update={"field_order": "tff"})),
        (STREAM, DECODE.model_copy(update={"transfer": "hlg"})),
        (STREAM, DECODE.model_copy(update={"is_full_range": True})),
    ],
)
def test_what_browsers_do_not_play_upright_is_encoded(
    stream: VideoStream, decode: DecodeSpec
) -> None:
    assert judge(make_track(500, 50), stream=stream, decode=decode).obstacle


def test_a_short_burst_of_bits_is_an_obstacle_too() -> None:
    top = build_ladder(HD, frame_rate=RATE, source_bps=1_000_000).rungs[0]
    copy = CopyFacts("", (0, 50), peak_bps=top.maxrate_bps * 4)
    assert "片段" in find_obstacle(copy, top, HD, bps=top.maxrate_bps)


def test_keyframes_must_be_idr_and_parameters_stay_the_same() -> None:
    line = "0, {pts}, {pts}, 1, 100, 0x{crc:08x}\n"
    idr = "#tb 0: 1/90000\n" + "".join(line.format(pts=n, crc=n) for n in range(3))
    same = "".join(line.format(pts=n, crc=7) for n in range(3))
    other = same + line.format(pts=9, crc=8)
    assert check_units(idr, [same, ""], 3) == ""
    assert "单独解码" in check_units(idr, [same, same], 4)
    assert "中途改变" in check_units(idr, [same, other], 3)


def test_sound_keeps_its_place_where_pictures_are_shown_late() -> None:
    facts = make_facts()
    late = facts.source.model_copy(update={"offset_ticks": 3600})
    units = by_key(plan(replace(facts, source=late)))
    assert units["audio"].spec["spans"][0]["source"]["offset_ticks"] == 0
    assert units["first-0000"].spec["source"]["offset_ticks"] == 3600


@pytest.mark.parametrize("seconds", [5, 60, 900])
def test_av1_follows_what_is_published(seconds: int) -> None:
    facts = make_facts(seconds)
    plain = plan(facts)
    more = build_upload_plan(facts, filename="第一讲.mp4", program="ffmpeg", has_av1=True)
    check_order(more)
    check_plan(more)
    # What viewers wait for is the same, to the byte.
    count = len(plain.units)
    assert more.units[:count] == plain.units
    assert plain.plan_hash != more.plan_hash
    later = more.units[count:]
    assert {unit.key for unit in later} == {
        "publish-av1",
        *(f"av1-{number:04}" for number in range(len(later) - 1)),
    }
    for unit in later[:-1]:
        assert unit.after == ("publish",)
        spec = parse_spec(EncodeVideoSpec, unit.spec)
        assert spec.is_patient
        assert {rung.codec for rung in spec.rungs} == {"av1"}
    added = parse_spec(PublishAddedSpec, later[-1].spec)
    names = [item.name for item in plain.renditions if item.kind == "video"]
    assert [rung.name for rung in added.rungs] == [f"{name}av1" for name in names]
    assert added.duration_ticks == facts.duration_ticks
    codecs = {item.name: item.codec for item in more.renditions}
    assert codecs["720pav1"] == "av1"
    assert codecs["720p"] == "h264"


def test_a_copied_track_gets_no_av1() -> None:
    keys = tuple(range(0, 60 * 25, 100))
    facts = make_facts(60, copy=CopyFacts("", keys, 1_000_000))
    grid, _ = find_copy_grid(facts)
    assert grid is not None
    with_grid = build_upload_plan(facts, filename="a", program="f", grid=grid, has_av1=True)
    assert not [unit for unit in with_grid.units if "av1" in unit.key]


def test_what_is_planned_is_never_more_than_a_plan_may_hold() -> None:
    """The second family is left out before a lecture is refused, and that with a sentence."""
    hours_30 = make_facts(30 * 3600)
    report = build_upload_plan(hours_30, filename="a", program="f", has_av1=True)
    check_plan(report)
    assert "publish-av1" not in by_key(report)
    assert "publish-av1" in by_key(
        build_upload_plan(make_facts(15 * 3600), filename="a", program="f", has_av1=True)
    )
    with pytest.raises(EncodeError) as caught:
        plan(make_facts(70 * 3600))
    assert caught.value.title == "文件过长,无法转码"
