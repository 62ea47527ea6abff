"""Small pure parts of reading files by ranges: entries, copied tracks, inputs, addresses."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.errors import EncodeError
from kernel.timing import TICKS_PER_S
from tests.support.file_ranges import build_rung
from transcode import commands
from transcode.commands.base import MediaInput, list_input
from transcode.commands.frames import format_seconds, group_rates
from transcode.context import describe_command
from transcode.copying import CopiedTrack, check_track, read_track
from transcode.entry import parse_entry
from transcode.runner import hide_signatures
from transcode.specs import CopyVideoSpec, DecodeSpec, EncodeVideoSpec, FileSource, Grid, Shape

RATE = Fraction(25)
SIGNED = "https://s3.example/bucket/uploads/u1?X-Amz-Signature=abc&X-Amz-Expires=600"
HEAD = "#software: Lavf\n#tb 0: 1/12800\n#media_type 0: video\n"


# ---- entries ----


@pytest.mark.parametrize(
    ("text", "ticks"),
    [
        (HEAD + "0,      51200,      51200,      512,     4598, 0xaf4cf386\n", 360_000),
        (HEAD + "0,     -1024,     -512,      512,     4598, 0xaf4cf386\n", -3600),
        (HEAD, None),
        ("", None),
        ("0, 1, 2, 3, 4, 0x0\n", None),
        ("#tb 0: 0/0\n0, 1, 2, 3, 4, 0x0\n", None),
        (HEAD + "0, NOPTS, NOPTS, 3, 4, 0x0\n", None),
    ],
)
def test_the_first_packet_tells_where_decoding_begins(text: str, ticks: int | None) -> None:
    assert parse_entry(text.encode()) == ticks


@given(st.binary(max_size=300))
def test_any_answer_is_read(data: bytes) -> None:
    found = parse_entry(b"#tb 0: 1/1000\n" + data)
    assert found is None or isinstance(found, int)


@given(st.integers(-(10**15), 10**15))
def test_times_are_written_exactly_to_the_microsecond(ticks: int) -> None:
    written = Fraction(format_seconds(ticks))
    assert abs(written - Fraction(ticks, TICKS_PER_S)) <= Fraction(1, 2_000_000)


# ---- copied tracks ----


def list_packets(order: list[int], *, keys: set[int], start: int = 0) -> list[str]:
    """A listing in decode order; ``order`` holds frame numbers."""
    lines = HEAD.splitlines(keepends=True)
    for number, frame in enumerate(order):
        flags = "" if frame in keys else ", F=0x0"
        lines.append(f"0, {number * 512}, {frame * 512 + start}, 512, 99, 0x0{flags}\n")
    return lines


def test_a_track_with_b_frames_is_understood() -> None:
    lines = list_packets([0, 3, 1, 2, 4, 7, 5, 6], keys={0, 4}, start=12_800)
    track = read_track(lines, offset_ticks=TICKS_PER_S, frame_rate=RATE)
    assert track == CopiedTrack(frames_count=8, delay_frames=1, keyframes=(0, 4))


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (list_packets([0, 4, 1, 2], keys={0}), "not the frames 0 to 3"),
        (list_packets([0, 1, 1], keys={0}), "not the frames"),
        (list_packets([0, 4, 2, 3, 1], keys={0, 4}), "shown before its keyframe"),
        (list_packets([0, 1], keys=set()), "shown before its keyframe"),
        (list_packets([*range(40, 80), *range(40)], keys=set(range(80))), "not in order"),
        (["#tb 0: x\n"], "no time base"),
        ([HEAD, "0, NOPTS, NOPTS, 1, 2, 0x0\n"], "no time stamp"),
        ([], "not in order"),
    ],
)
def test_tracks_that_cannot_be_copied_are_refused(lines: list[str], words: str) -> None:
    with pytest.raises(EncodeError, match=words) as caught:
        read_track(lines, offset_ticks=0, frame_rate=RATE)
    assert caught.value.permanent


@given(st.lists(st.text(max_size=60), max_size=8))
def test_any_listing_is_a_track_or_our_error(lines: list[str]) -> None:
    try:
        track = read_track(["#tb 0: 1/25\n", *lines], offset_ticks=0, frame_rate=RATE)
    except EncodeError:
        return
    assert track.frames_count > 0


def test_a_track_must_have_keyframes_where_segments_begin() -> None:
    track = CopiedTrack(frames_count=250, delay_frames=2, keyframes=(0, 50, 150))
    fitting = Grid(frame_rate=RATE, gop_frames=100, boundaries=(0, 180_000, 540_000))
    check_track(track, fitting, frame_rate=RATE, frames_count=250)
    with pytest.raises(EncodeError, match="frame 100 begins a segment"):
        check_track(track, Grid.regular(RATE), frame_rate=RATE, frames_count=250)
    with pytest.raises(EncodeError, match="250 frames, planned 249"):
        check_track(track, fitting, frame_rate=RATE, frames_count=249)


# ---- inputs ----


def test_an_input_opens_one_protocol_only() -> None:
    local = MediaInput("/data/uploads/u1", "mov")
    assert local.options == {"f": "mov", "protocol_whitelist": "file"}
    assert list_input(local)[-2:] == ["-i", "/data/uploads/u1"]
    remote = MediaInput(SIGNED, "matroska")
    assert remote.options["protocol_whitelist"] == "https,tls,tcp"
    assert remote.options["max_redirects"] == 0
    plain = MediaInput(SIGNED.replace("https", "http"), "mov")
    assert plain.options["protocol_whitelist"] == "http,tcp"
    assert "f" not in MediaInput("/data/u", None).options


def test_a_connection_that_broke_is_no_damaged_file() -> None:
    said = "[http @ 0x1] Stream ends prematurely at 300000, should be 900000"
    MediaInput("/data/u", "mov").check(said)
    MediaInput(SIGNED, "mov").check("[h264 @ 0x1] error while decoding MB 3 4")
    with pytest.raises(EncodeError) as caught:
        MediaInput(SIGNED, "mov").check(said)
    assert not caught.value.permanent


def test_signatures_are_never_shown() -> None:
    assert describe_command(["/usr/bin/ffmpeg", "-i", SIGNED]) == "ffmpeg -i u1"
    said = hide_signatures(f"Error opening input file {SIGNED}.\nand '{SIGNED}' again")
    assert "Signature" not in said
    assert "https://s3.example/bucket/uploads/u1" in said


def build_spec(*rates: Fraction) -> EncodeVideoSpec:
    source = FileSource(key="uploads/u1", size_bytes=9, demuxer="mov", video_index=1)
    return EncodeVideoSpec(
        start_ticks=0,
        end_ticks=4 * TICKS_PER_S,
        grid=Grid.regular(max(rates)),
        source=source,
        decode=DecodeSpec(pixel_format="yuv420p10le", transfer="pq", primaries="bt2020"),
        shape=Shape(width_px=160, height_px=90),
        rungs=tuple(build_rung(f"r{n}", rate) for n, rate in enumerate(rates)),
        colour="bt709",
        preset="veryfast",
    )


def test_every_command_for_files_forces_format_and_protocol(tmp_path: Path) -> None:
    media = MediaInput(str(tmp_path / "-i"), "mov")
    spec = build_spec(RATE)
    assert isinstance(spec.source, FileSource)
    copy = CopyVideoSpec(source=spec.source, duration_ticks=9, grid=spec.grid, rung=spec.rungs[0])
    program = Path("/x/ffmpeg")
    lines = [
        commands.encode_video(
            program, spec, media=media, entry_ticks=90, outputs={"r0": tmp_path / "o"}
        ),
        commands.find_entry(program, media, video_index=1, entry_ticks=-90),
        commands.list_track(program, media, video_index=1, output=tmp_path / "l"),
        commands.copy_track(program, copy, media, delay_frames=2, output=tmp_path / "o"),
    ]
    for argv in lines:
        assert "-nostdin" in argv
        place = argv.index(media.address)
        before = argv[:place]
        assert before[before.index("-f") + 1] == "mov"
        assert before[before.index("-protocol_whitelist") + 1] == "file"


def test_slower_rungs_show_frames_of_faster_ones() -> None:
    spec = build_spec(Fraction(30), Fraction(15), Fraction(25), Fraction(25, 2), Fraction(5))
    families = [[rung.name for rung in family] for family in group_rates(spec.rungs)]
    assert families == [["r0", "r1", "r4"], ["r2", "r3"]]
    argv = " ".join(
        commands.encode_video(
            Path("/x/ffmpeg"),
            spec,
            media=MediaInput("/data/u1", "mov"),
            outputs={rung.name: Path(f"/o/{rung.name}") for rung in spec.rungs},
        )
    )
    assert argv.count("-i /data/u1") == 1, "decoded once"
    assert argv.count("tonemap") + argv.count("in_transfer=smpte2084") == len(families)
