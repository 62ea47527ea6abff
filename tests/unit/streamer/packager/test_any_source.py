"""Whatever a source does, every rule holds on each successive playlist (checked in ``world``)."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.media import AudioUnit, VideoUnit
from streamer.ports import EndReason
from tests.unit.streamer.packager.world import (
    LARGE,
    SECOND,
    SMALL,
    World,
    aac,
    mix,
    pictures,
    sound,
    time_of,
)

stretches = st.fixed_dictionaries(
    {
        "seconds": st.floats(0.1, 9),
        "fps": st.sampled_from([0.7, 2, 5, 12.5, 25, 30_000 / 1001, 30, 60]),
        "gop_s": st.sampled_from([0.5, 1, 2, 2.002, 3.7, 10]),
        "video": st.sampled_from([None, SMALL, SMALL, SMALL, LARGE]),
        "rate": st.sampled_from([None, 8_000, 44_100, 48_000, 48_000, 48_000]),
        "mute": st.tuples(st.floats(0, 9), st.floats(0, 4)),
        "freeze": st.tuples(st.floats(0, 9), st.floats(0, 4)),
        "b_frames": st.booleans(),
        "in_ms": st.booleans(),
        "audio_late_s": st.sampled_from([0, 0, 0.1, 0.3, 0.7, -0.3]),
        "before": st.sampled_from(["goes_on", "goes_on", "reconnect", "jump", "reopen"]),
        "jump_s": st.sampled_from([-5000, -1, 4, 90_000]),
    }
)


def units_of(stretch: dict, start: int) -> list[VideoUnit | AudioUnit]:
    fps, seconds = stretch["fps"], stretch["seconds"]
    video = pictures(
        seconds,
        fps=fps,
        gop=max(1, round(stretch["gop_s"] * fps)),
        start=start,
        b_frames=stretch["b_frames"] and fps > 5,
    )
    audio = sound(seconds, rate=stretch["rate"] or 48_000, start=start, in_ms=stretch["in_ms"])
    video = without(video, start, *stretch["freeze"]) if stretch["video"] else []
    audio = without(audio, start, *stretch["mute"]) if stretch["rate"] else []
    late = round(stretch["audio_late_s"] * SECOND)
    keyed = [(time_of(unit), unit) for unit in video]
    keyed += [(time_of(unit) + late, unit) for unit in audio]
    return [unit for _, unit in sorted(keyed, key=lambda item: item[0])]


def without(units: list, start: int, at_s: float, for_s: float) -> list:
    begin, end = start + at_s * SECOND, start + (at_s + for_s) * SECOND
    return [unit for unit in units if not begin <= time_of(unit) < end]


@settings(max_examples=40)
@given(st.lists(stretches, min_size=1, max_size=4))
def test_every_rule_holds_on_each_version(script):
    world = World()
    packager = world.packager
    packager.open_connection("whip")
    start = 0
    for stretch in script:
        if stretch["before"] == "reconnect":
            packager.close_connection(EndReason.CONNECTION_LOST)
            world.wait(1)
            packager.open_connection("rtmp")
        elif stretch["before"] == "reopen":
            packager.end()
            packager.reopen()
            packager.open_connection("rtmp")
        elif stretch["before"] == "jump":
            start += stretch["jump_s"] * SECOND
        if stretch["video"] is not None:
            packager.set_video_config(stretch["video"])
        if stretch["rate"] is not None:
            packager.set_audio_config(aac(stretch["rate"]))
        world.play(units_of(stretch, start))
        start += round(stretch["seconds"] * SECOND)
    packager.end()
    check_whole(world)


def check_whole(world: World) -> None:
    sink = world.sink
    assert sink.calls[-1] == "end"
    assert len(sink.ends) == len(sink.epochs)
    if sink.segments:
        assert world.playlist().is_ended
    for epoch in sink.epochs:
        total = sum(s.duration_ticks for s in sink.segments if s.epoch == epoch.epoch)
        if not total:
            # A format that changed before one frame of sound was whole: nothing to show, nothing
            # published under its number, and the recording leaves it out.
            assert sink.audio_positions(epoch.epoch) == []
            continue
        # Both renditions keep lecture time: sound fills the epoch from end to end, no holes.
        positions = sink.audio_positions(epoch.epoch)
        rate = epoch.sample_rate_hz
        frame = 1024
        gaps = {b - a for a, b in pairwise(positions)}
        assert gaps <= {frame}
        assert abs(positions[0] / rate - epoch.start_ticks / SECOND) <= frame / rate + 1e-3
        end = (positions[-1] + frame) / rate
        # The last part may be shorter than a frame, yet each rendition needs one in it.
        assert abs(end - (epoch.start_ticks + total) / SECOND) <= 2 * frame / rate + 1e-3


@settings(max_examples=30)
@given(
    st.lists(st.integers(-60, 60), min_size=40, max_size=160),
    st.floats(-0.0008, 0.0008),
)
def test_jitter_and_drift_of_the_sound_stay_within_bounds(jitter_ms, drift):
    world = World()
    world.packager.open_connection("rtmp")
    world.packager.set_video_config(SMALL)
    world.packager.set_audio_config(aac(48_000))
    seconds = len(jitter_ms) * 1024 / 48_000
    shaken = [
        AudioUnit(round(unit.pts * (1 + drift)) + jitter * 90, unit.data)
        for unit, jitter in zip(sound(seconds + 1), jitter_ms, strict=False)
    ]
    world.play(mix(pictures(seconds), sorted(shaken, key=time_of)))
    world.packager.end()
    check_whole(world)
