"""Progress, probing, loudness, storyboard, playlists, joins' helpers, staging prefixes."""

from __future__ import annotations

import itertools
import json
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.errors import EncodeError
from kernel.hls import parse_media_playlist, parse_multivariant_playlist
from kernel.timing import TICKS_PER_S
from transcode import commands
from transcode.commands import plan_storyboard
from transcode.commands.base import MediaInput
from transcode.context import ProgressCell, describe_command
from transcode.joins import JoinedFile, JoinedSegment
from transcode.loudness import choose_gain_db, combine_loudness, parse_loudness
from transcode.plan.ladder import build_ladder
from transcode.playlists import build_media_playlist, build_multivariant, measure_peak_bps
from transcode.probe import parse_probe
from transcode.progress import MAX_LINE_BYTES, Progress, ProgressParser
from transcode.publishing import find_stale_prefixes
from transcode.specs import EncodeVideoSpec, Grid, Shape
from transcode.storyboard import list_tiles, parse_vtt, render_vtt
from transcode.verify import check_lengths

BLOCK = b"frame=12\nfps=3\nout_time_us=480000\ntotal_size=99\nspeed=2x\nprogress=continue\n"
RUNGS = build_ladder(
    Shape(width_px=640, height_px=360), frame_rate=Fraction(25), source_bps=None
).rungs


GRID = Grid.regular(Fraction(25))

# ---- progress ----


def test_a_block_is_read() -> None:
    assert ProgressParser().feed(BLOCK) == [Progress(12, 480_000, 99, is_end=False)]
    assert ProgressParser().feed(b"frame=N/A\nprogress=end\n") == [Progress(is_end=True)]


@given(st.lists(st.integers(0, len(BLOCK) * 3), max_size=6))
def test_progress_is_the_same_however_it_is_sliced(places: list[int]) -> None:
    text, parser, found = BLOCK * 3, ProgressParser(), []
    edges = [0, *sorted(places), len(text)]
    for start, end in itertools.pairwise(edges):
        found += parser.feed(text[start:end])
    assert found == ProgressParser().feed(text)
    assert len(found) == 3


@given(st.lists(st.binary(max_size=300), max_size=20))
def test_any_bytes_are_no_error_for_progress(chunks: list[bytes]) -> None:
    parser = ProgressParser()
    for chunk in chunks:
        for block in parser.feed(chunk):
            assert block.frame >= 0
            assert block.out_time_us >= 0


def test_an_endless_line_costs_no_memory_and_hides_nothing_after_it() -> None:
    parser = ProgressParser()
    for _ in range(100):
        assert parser.feed(b"x" * MAX_LINE_BYTES) == []
    assert parser.feed(b"\n" + BLOCK) == ProgressParser().feed(BLOCK)


def test_the_progress_of_a_unit_never_goes_back() -> None:
    cell = ProgressCell()
    cell.report(0.5)
    cell.report(0.2)
    cell.report(7)
    assert cell.fraction == 1.0


# ---- probing ----


def probe_text(**stream: object) -> bytes:
    return json.dumps(
        {"streams": [{"codec_type": "video", "width": 64, "height": 36, **stream}]}
    ).encode()


def test_facts_are_read() -> None:
    facts = parse_probe(
        probe_text(sample_aspect_ratio="4:3", color_space="bt470bg", codec_name="h264")
    )
    assert facts.video is not None
    assert facts.video.shape.display_aspect == Fraction(64 * 4, 36 * 3)
    assert facts.video.colour == "smpte170m"
    assert facts.audio is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"not json", "JSON"),
        (b"[" * 100_000, "JSON"),
        (b"[]", "list of streams"),
        (b'{"streams": [1]}', "list of streams"),
        (json.dumps({"streams": [{}] * 17}).encode(), "17 streams"),
        (probe_text(width=0), "limit 8192"),
        (probe_text(width=65_535, height=65_535), "65535x65535"),
    ],
)
def test_hostile_probes_are_refused_for_good(text: bytes, words: str) -> None:
    with pytest.raises(EncodeError, match=words) as caught:
        parse_probe(text)
    assert caught.value.permanent


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=12),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=10,
)


@given(
    st.dictionaries(
        st.sampled_from(
            [
                "codec_type",
                "width",
                "height",
                "sample_aspect_ratio",
                "sample_rate",
                "channels",
                "color_space",
            ]
        ),
        json_values | st.sampled_from(["video", "audio", 16, "0:1", "99999999999:1"]),
    )
)
def test_any_json_gives_facts_or_our_error(stream: dict[str, object]) -> None:
    try:
        facts = parse_probe(json.dumps({"streams": [stream]}).encode())
    except EncodeError:
        return
    assert facts.video is None or facts.video.shape.display_aspect > 0


# ---- loudness ----


def test_loudness_is_read_from_the_last_summary() -> None:
    text = (
        "Summary:\n  Integrated loudness:\n    I:         -23.4 LUFS\n    Threshold: -33.6 LUFS\n"
    )
    assert parse_loudness(text) == -23.4
    assert parse_loudness("nothing") is None


def test_silence_neither_counts_nor_is_raised() -> None:
    assert combine_loudness([(-70.0, 1000)]) is None
    assert combine_loudness([(-20.0, 10), (-70.0, 990)]) == pytest.approx(-20)
    assert combine_loudness([(-20.0, 10), (-26.0, 10)]) == pytest.approx(-22.03, abs=0.01)
    assert choose_gain_db(None) == 0
    assert choose_gain_db(-20.0) == 4
    assert choose_gain_db(-55.0) == 20


# ---- storyboard ----


@given(st.integers(1, 12 * 3600 * TICKS_PER_S))
def test_a_storyboard_stays_small_and_on_the_grid(ticks: int) -> None:
    sheet = plan_storyboard(ticks)
    assert sheet.interval_s % 4 == 0
    assert 1 <= sheet.tiles_count <= 1_000
    assert sheet.rows_count <= 10
    assert sheet.sheets_count * sheet.rows_count * 10 >= sheet.tiles_count
    assert sheet.tiles_count * sheet.interval_s * TICKS_PER_S >= ticks


def test_cues_point_at_their_tiles() -> None:
    board = plan_storyboard(90 * TICKS_PER_S)
    text = render_vtt(list_tiles(board, duration_ticks=90 * TICKS_PER_S))
    sheet = "storyboard-00.jpg"
    assert text.startswith(f"WEBVTT\n\n00:00:00.000 --> 00:00:04.000\n{sheet}#xywh=0,0,160,90\n")
    assert f"00:00:44.000 --> 00:00:48.000\n{sheet}#xywh=160,90,160,90" in text
    assert "--> 00:01:30.000" in text


def test_a_long_lecture_gets_several_sheets() -> None:
    ticks = 10 * 3600 * TICKS_PER_S
    board = plan_storyboard(ticks)
    tiles = list_tiles(board, duration_ticks=ticks)
    assert board.sheets_count == 10
    assert {tile.place.split("#")[0] for tile in tiles} == {
        f"storyboard-{number:02}.jpg" for number in range(10)
    }
    assert parse_vtt(render_vtt(tiles)) == tiles


# ---- playlists and checks ----


def joined(duration_ticks: int = 10 * TICKS_PER_S, *, samples: int = 250) -> JoinedFile:
    grid = 4 * TICKS_PER_S
    starts = range(0, duration_ticks, grid)
    segments = tuple(
        JoinedSegment(1_000 + number * 50_000, 50_000, start, min(grid, duration_ticks - start))
        for number, start in enumerate(starts)
    )
    size = 1_000 + 50_000 * len(segments)
    return JoinedFile(Path("x.mp4"), 1_000, size, "avc1.64001e", samples, duration_ticks, segments)


def test_a_media_playlist_is_read_back() -> None:
    playlist = parse_media_playlist(build_media_playlist(joined(), file_name="360p.mp4"))
    assert [segment.duration_ticks // TICKS_PER_S for segment in playlist.segments] == [4, 4, 2]
    assert playlist.segments[1].byte_range is not None
    assert playlist.segments[1].byte_range.offset_bytes == 51_000
    assert playlist.kind == "VOD"


def test_the_peak_ignores_a_short_rest() -> None:
    # 50 kB in 0.1 s would be 4 Mbit/s; players should not be frightened by it.
    rest = joined(8 * TICKS_PER_S + 9_000)
    assert measure_peak_bps(rest) == rest.size_bytes * 8 * 10 // 81 < 200_000


def test_bandwidths_contain_the_sound() -> None:
    text = build_multivariant([(RUNGS[0], joined())], joined(), audio_uri="audio.m3u8")
    playlist = parse_multivariant_playlist(text)
    assert playlist.variants[0].bandwidth_bps == 400_000
    for variant in playlist.variants:
        assert variant.bandwidth_bps >= (variant.average_bandwidth_bps or 0) > 0
    assert playlist.variants[0].frame_rate == 25


@pytest.mark.parametrize(
    ("video", "audio", "words"),
    [
        (joined(10 * TICKS_PER_S + 3_601), joined(), r"360p is \+0\.040 s off"),
        (joined(), joined(10 * TICKS_PER_S - 4_000), r"audio is -0\.044 s off"),
        (joined(samples=249), joined(), "249 frames, planned 250"),
    ],
)
def test_sets_that_do_not_hold_are_refused(
    video: JoinedFile, audio: JoinedFile, words: str
) -> None:
    with pytest.raises(EncodeError, match=words):
        check_lengths([(RUNGS[0], video)], audio, duration_ticks=10 * TICKS_PER_S, grid=GRID)


def test_staging_of_every_attempt_is_found() -> None:
    inputs = {
        "video-0000": {"rungs": [{"file": {"key": "staging/0abc-2/360p.mp4"}}]},
        "audio": {"file": {"key": "staging/0def-1/audio.m4s"}, "commands": ["staging/no"]},
    }
    assert find_stale_prefixes(inputs) == ("staging/0abc-", "staging/0def-")


# ---- command lines ----


def test_every_input_is_a_forced_local_file(tmp_path: Path) -> None:
    spec = EncodeVideoSpec(
        start_ticks=0,
        end_ticks=4 * TICKS_PER_S,
        grid=GRID,
        source=None,
        shape=Shape(width_px=640, height_px=360),
        rungs=RUNGS,
        colour="bt709",
        preset="veryfast",
    )
    outputs = {rung.name: tmp_path / f"{rung.name}.mp4" for rung in RUNGS}
    program = Path("/x/ffmpeg")
    lines = [
        commands.encode_video(
            program, spec, media=MediaInput(str(tmp_path / "-i"), "mp4"), outputs=outputs
        ),
        commands.decode_span(
            program,
            source=MediaInput(str(tmp_path / "a"), "mp4"),
            start_ticks=0,
            samples_count=1,
            output=tmp_path / "b",
        ),
        commands.encode_audio(
            program,
            list_file=tmp_path / "l",
            gain_db=1,
            bitrate_bps=96_000,
            output=tmp_path / "o",
            silences=tmp_path / "s",
            peaks=tmp_path / "w",
            step_ms=20,
        ),
        commands.grab_posters(
            program, shots=[(tmp_path / "a", 1.0, tmp_path / "p")], width_px=1280
        ),
        commands.survey_keyframes(
            program,
            source=tmp_path / "a",
            board=plan_storyboard(TICKS_PER_S),
            sheets=tmp_path / "%02d.jpg",
            stats=tmp_path / "s",
        ),
        commands.verify_files(
            program, files=[commands.CheckedFile(tmp_path / "a", tmp_path / "c")], audio=None
        ),
    ]
    for argv in lines:
        assert "-nostdin" in argv
        for place in (number for number, part in enumerate(argv) if part == "-i"):
            before = argv[:place]
            assert before[-2:] == ["-protocol_whitelist", "file"] or "-protocol_whitelist" in before
            assert "-f" in before


def test_commands_are_shown_without_folders() -> None:
    assert describe_command(["/a/b/ffmpeg", "-i", "/tmp/x y/in.mp4"]) == "ffmpeg -i in.mp4"
