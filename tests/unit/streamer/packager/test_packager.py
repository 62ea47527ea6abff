"""The packager in fake time: what is cut where, and what happens when sources misbehave."""

from __future__ import annotations

from datetime import timedelta

import pytest

from streamer.packager.silence import encode_silent_frame
from streamer.ports import EndReason, ResumePoint
from tests.unit.streamer.packager.world import (
    LARGE,
    PART,
    SECOND,
    SMALL,
    World,
    aac,
    mix,
    pictures,
    read_runs,
    sound,
)


def start(world: World, *, video=SMALL, audio=48_000) -> None:
    world.packager.open_connection("rtmp")
    if video is not None:
        world.packager.set_video_config(video)
    if audio is not None:
        world.packager.set_audio_config(aac(audio))


def durations(world: World) -> list[float]:
    return [segment.duration_ticks / SECOND for segment in world.sink.segments]


def test_a_two_second_gop_makes_segments_of_four_parts():
    world = World()
    start(world)
    world.play(mix(pictures(8), sound(8)))
    assert durations(world) == [2, 2, 2]
    assert {part.duration_ticks for part in world.sink.parts} == {PART}
    assert [part.index for part in world.sink.parts if part.is_independent] == [0] * 4


def test_a_part_is_published_as_soon_as_both_tracks_have_passed_its_end():
    world = World()
    start(world)
    units = mix(pictures(0.56), sound(0.56))
    world.play(units)
    assert len(world.sink.parts) == 1


def test_a_ten_second_gop_is_cut_at_four_seconds_and_at_the_idr():
    world = World()
    start(world)
    world.play(mix(pictures(21, gop=250), sound(21)))
    assert durations(world) == [4, 4, 2, 4, 4, 2]
    first_of_each = [part.is_independent for part in world.sink.parts if part.index == 0]
    assert first_of_each == [True, False, False, True, False, False, True]


def test_a_gop_of_29_97_fps_makes_no_part_of_two_milliseconds():
    world = World()
    start(world)
    world.play(mix(pictures(40, fps=30_000 / 1001, gop=60), sound(40)))
    assert min(part.duration_ticks for part in world.sink.parts) > 0.02 * SECOND
    assert sum(part.is_independent for part in world.sink.parts) >= 19
    assert {part.index for part in world.sink.parts if part.is_independent} == {0}


def test_b_frames_keep_their_presentation_times():
    world = World()
    start(world)
    units = pictures(5, b_frames=True)
    world.play(mix(units, sound(5)))
    world.packager.close_connection(EndReason.CLOSED_BY_PUBLISHER)
    samples = world.sink.video_samples(0)
    assert [(dts, pts) for dts, pts, _ in samples] == [(unit.dts, unit.pts) for unit in units]


def test_every_frame_of_sound_is_published_once():
    world = World()
    start(world)
    units = sound(6, in_ms=True)
    world.play(mix(pictures(6), units))
    world.packager.close_connection(EndReason.CLOSED_BY_PUBLISHER)
    positions = world.sink.audio_positions(0)
    assert positions == list(range(0, 1024 * len(positions), 1024))
    media = b"".join(part.media["audio"] for part in world.sink.parts)
    assert all(media.count(unit.data) == 1 for unit in units)
    assert world.packager.dropped_count == 0


def test_media_before_the_first_idr_is_dropped():
    world = World()
    start(world)
    units = pictures(5)
    world.play(mix(units[20:], sound(5)))
    assert world.sink.video_samples(0)[0][2] is True
    assert world.packager.dropped_count > 0
    assert world.sink.epochs[0].start_ticks == 0


def test_a_source_without_sound_gets_silence_of_48_khz_stereo():
    world = World()
    start(world, audio=None)
    world.play(pictures(6))
    epoch = world.sink.epochs[0]
    assert (epoch.sample_rate_hz, epoch.channels_count) == (48_000, 2)
    assert durations(world) == [2, 2]
    assert encode_silent_frame(48_000, 2) in world.sink.parts[0].media["audio"]


def test_late_audio_config_is_waited_for():
    world = World()
    start(world, audio=None)
    world.play(pictures(0.6))
    assert world.sink.epochs == []
    world.packager.set_audio_config(aac(44_100))
    assert world.sink.epochs[0].sample_rate_hz == 44_100
    assert world.sink.video_samples(0)[:1] == [] or world.sink.video_samples(0)[0][0] == 0


def test_mute_is_filled_with_silence_and_the_sound_comes_back():
    world = World()
    start(world)
    frames = sound(10)
    heard = [unit for unit in frames if not 3 * SECOND <= unit.pts < 6 * SECOND]
    world.play(mix(pictures(10), heard))
    world.packager.close_connection(EndReason.CLOSED_BY_PUBLISHER)
    positions = world.sink.audio_positions(0)
    assert positions == list(range(0, 1024 * len(positions), 1024))
    media = b"".join(part.media["audio"] for part in world.sink.parts)
    back = [unit for unit in heard if unit.pts >= 6.1 * SECOND]
    assert all(unit.data in media for unit in back)
    assert set(durations(world)) == {2.0}


def test_sound_that_always_comes_late_is_not_silenced_for_ever():
    world = World()
    start(world)
    video, late = pictures(12), sound(12)
    delayed = sorted(
        [(unit.dts, unit) for unit in video]
        + [(unit.pts + SECOND * 7 // 10, unit) for unit in late],
        key=lambda item: item[0],
    )
    world.play([unit for _, unit in delayed], pace=False)
    media = b"".join(part.media["audio"] for part in world.sink.parts[-10:])
    assert media.count(b"real") > 10 * 20


def test_a_static_screen_does_not_hold_the_sound_back():
    world = World()
    start(world)
    still = [unit for unit in pictures(8, gop=1000) if unit.dts < SECOND or unit.dts > 5 * SECOND]
    world.play(mix(still, [u for u in sound(8) if u.pts < 4 * SECOND]))
    assert world.window.duration_ticks >= 3.5 * SECOND
    world.play(mix([u for u in sound(8) if u.pts >= 4 * SECOND]))
    world.packager.close_connection(EndReason.CLOSED_BY_PUBLISHER)
    assert [dts for dts, _, _ in world.sink.video_samples(0)] == [unit.dts for unit in still]


def test_without_sound_a_static_screen_still_makes_parts_by_the_clock():
    world = World()
    start(world, audio=None)
    world.play(pictures(2.1, gop=1000))
    before = len(world.sink.parts)
    world.wait(2)
    assert len(world.sink.parts) >= before + 3


def test_a_source_of_sound_alone_is_cut_by_the_sound():
    world = World()
    start(world, video=None)
    world.play(sound(9))
    epoch = world.sink.epochs[0]
    assert epoch.video_codec is None
    assert durations(world)[:3] == [2, 2, 2]
    assert all(part.is_independent for part in world.sink.parts)
    assert world.sink.parts[0].media["av"] == world.sink.parts[0].media["audio"]


def test_video_that_joins_later_starts_an_epoch():
    world = World()
    start(world, video=None)
    world.play(sound(3))
    world.packager.set_video_config(SMALL)
    world.play(mix(pictures(3, start=3 * SECOND), sound(3, start=3 * SECOND)))
    assert [epoch.video_codec for epoch in world.sink.epochs] == [None, "avc1.42c00c"]
    assert world.sink.ends == [(0, EndReason.FORMAT_CHANGED)]


def test_a_changed_resolution_starts_an_epoch_at_the_next_idr():
    world = World()
    start(world)
    world.play(mix(pictures(5), sound(5)))
    world.packager.set_video_config(LARGE)
    world.play(mix(pictures(5, start=5 * SECOND), sound(5, start=5 * SECOND)))
    world.packager.end()
    assert [(epoch.width_px, epoch.height_px) for epoch in world.sink.epochs] == [
        (320, 180),
        (640, 360),
    ]
    assert world.sink.epochs[1].start_ticks == 5 * SECOND
    assert world.sink.ends[0] == (0, EndReason.FORMAT_CHANGED)
    first, second = (epoch.program_date_time for epoch in world.sink.epochs)
    assert (second - first).total_seconds() == 5.0
    assert world.playlist().segments[3].is_discontinuity


def test_after_a_restart_the_date_does_not_run_back_though_the_clock_was_set_back():
    reached = World().clock.now() + timedelta(hours=1)
    world = World(ResumePoint(next_date_time=reached))
    start(world)
    world.play(mix(pictures(3), sound(3)))
    assert world.sink.epochs[0].program_date_time == reached


def test_the_same_configuration_again_changes_nothing():
    world = World()
    start(world)
    world.play(mix(pictures(3), sound(3)))
    world.packager.set_video_config(SMALL)
    world.packager.set_audio_config(aac(48_000))
    world.play(mix(pictures(3, start=3 * SECOND), sound(3, start=3 * SECOND)))
    assert len(world.sink.epochs) == 1


def test_a_changed_sample_rate_starts_an_epoch():
    world = World()
    start(world)
    world.play(mix(pictures(4), sound(4)))
    world.packager.set_audio_config(aac(44_100, 1))
    world.play(mix(pictures(4, start=4 * SECOND), sound(4, start=4 * SECOND, rate=44_100)))
    assert [epoch.sample_rate_hz for epoch in world.sink.epochs] == [48_000, 44_100]
    positions = world.sink.audio_positions(1)
    assert abs(positions[0] / 44_100 - 4) < 0.03


@pytest.mark.parametrize("jump_s", [3600, -3600, 5])
def test_a_time_stamp_jump_ends_the_epoch_and_leaves_no_hole(jump_s):
    world = World()
    start(world)
    base = 10_000 * SECOND
    world.play(mix(pictures(5, start=base), sound(5, start=base)))
    later = base + (5 + jump_s) * SECOND
    world.play(mix(pictures(5, start=later), sound(5, start=later)))
    world.packager.end()
    assert world.sink.ends[0] == (0, EndReason.TIMESTAMP_JUMP)
    assert len(world.sink.epochs) == 2
    assert abs(world.window.duration_ticks - 10 * SECOND) < 0.1 * SECOND


def test_sound_whose_clock_alone_jumped_is_put_back_beside_the_picture():
    world = World()
    start(world)
    world.play(mix(pictures(4), sound(4)))
    moved = sorted(
        [(u.dts, u) for u in pictures(10, start=4 * SECOND)]
        + [(u.pts - 900 * SECOND, u) for u in sound(10, start=904 * SECOND)],
        key=lambda item: item[0],
    )
    world.play([unit for _, unit in moved], pace=False)
    assert len(world.sink.epochs) == 1
    assert world.sink.parts[-1].media["audio"].count(b"real") > 15


def test_a_return_of_the_publisher_continues_the_broadcast():
    world = World()
    start(world)
    world.play(mix(pictures(5), sound(5)))
    world.packager.close_connection(EndReason.CONNECTION_LOST)
    world.wait(30)
    start(world, video=LARGE, audio=44_100)
    world.play(mix(pictures(5, start=777), sound(5, start=777, rate=44_100)))
    world.packager.end()
    assert [segment.msn for segment in world.sink.segments] == list(range(len(world.sink.segments)))
    playlist = world.playlist()
    assert playlist.is_ended
    assert sum(segment.is_discontinuity for segment in playlist.segments) == 1
    assert world.sink.calls[-1] == "end"
    gap = world.sink.epochs[1].program_date_time - world.sink.epochs[0].program_date_time
    assert 34.5 < gap.total_seconds() < 36


def test_a_newer_connection_ends_the_older_ones_epoch():
    world = World()
    start(world)
    world.play(mix(pictures(3), sound(3)))
    start(world)
    world.play(mix(pictures(3), sound(3)))
    assert world.sink.ends == [(0, EndReason.TAKEN_OVER)]


def test_a_resumed_broadcast_goes_on_where_it_was():
    world = World(
        ResumePoint(next_epoch=3, next_msn=40, next_discontinuity=3, next_ticks=80 * SECOND)
    )
    start(world)
    world.play(mix(pictures(3), sound(3)))
    epoch = world.sink.epochs[0]
    assert (epoch.epoch, epoch.first_msn, epoch.discontinuity) == (3, 40, 3)
    assert read_runs(world.sink.parts[0].media["av"])[0].decode == 80 * SECOND


def test_end_and_reopen_are_idempotent():
    world = World()
    start(world)
    world.play(mix(pictures(3), sound(3)))
    world.packager.end()
    world.packager.end()
    world.packager.reopen()
    world.packager.reopen()
    start(world)
    world.play(mix(pictures(3), sound(3)))
    assert world.sink.calls.count("end") == 1
    assert world.sink.calls.count("reopen") == 1
    assert not world.playlist().is_ended


def test_broken_configurations_are_ignored():
    world = World()
    start(world)
    world.packager.set_video_config(type(SMALL)(sps=(b"\x67",), pps=()))
    world.packager.set_audio_config(type(aac(48_000))(b"\xff\xff", 48_000, 2))
    world.play(mix(pictures(3), sound(3)))
    assert len(world.sink.epochs) == 1
