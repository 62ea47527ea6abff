"""Joining is gapless and exact, however a track was cut into pieces."""

from __future__ import annotations

import itertools
import tempfile
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernel.errors import BoxError, EncodeError
from kernel.fmp4.fragment import Sample, TrackRun, build_fragment
from kernel.fmp4.init_reader import parse_init
from kernel.fmp4.reader import index_file
from kernel.timing import TICKS_PER_S
from tests.support.synthetic_recording import run_ffmpeg
from transcode.edit.inits import fits_init, holds_parameters, read_init_blocking, unite_inits
from transcode.edit.samples import read_samples
from transcode.edit.sound import SoundPiece, count_frames_blocking, cut_sound_blocking
from transcode.joins import JoinedFile, Piece, join_blocking
from transcode.specs import Grid

FRAME = 3_600  # 25 frames/s
DELAY = 2 * FRAME
GRID = Grid.regular(Fraction(25))


@pytest.fixture(scope="module")
def init(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """An init segment as the pipeline's own: B-frames, an edit list of two frames."""
    return make_init(tmp_path_factory.mktemp("init") / "i.mp4")


def make_init(path: Path, *more: str) -> bytes:
    run_ffmpeg(
        *["-f", "lavfi", "-i", "testsrc2=s=64x36:r=25", "-frames:v", "8", "-c:v", "libx264"],
        *["-pix_fmt", "yuv420p", "-video_track_timescale", "90000", *more, "-movflags"],
        *["+frag_keyframe+delay_moov+default_base_moof+skip_sidx+skip_trailer"],
        *["-use_editlist", "1", "-write_btrt", "0", "-fflags", "+bitexact", "-f", "mp4", path],
    )
    return read_init_blocking(path)


def write_track(path: Path, init: bytes, gops: list[int], *, first: int = 0) -> None:
    """GOPs of numbered samples; decode times begin at 0, as every range's do."""
    out, clock = bytearray(init), 0
    for number, count in enumerate(gops):
        samples = [
            Sample(b"%08d" % (first + clock + n), FRAME, DELAY, is_sync=n == 0)
            for n in range(count)
        ]
        out += build_fragment(number + 1, [TrackRun(1, clock * FRAME, samples)])
        clock += count
    path.write_bytes(bytes(out))


def read_numbers(joined: JoinedFile) -> list[int]:
    """The samples of a joined file in order; decode times must run on without a hole."""
    data = joined.path.read_bytes()
    with joined.path.open("rb") as stream:
        index = index_file(stream, len(data))
    numbers: list[int] = []
    clock = 0
    for sequence, fragment in enumerate(index.fragments, start=1):
        assert fragment.sequence_number == sequence
        assert fragment.runs[0].tfdt_ticks == clock
        clock += fragment.runs[0].duration_ticks
        part = data[fragment.offset : fragment.offset + fragment.size_bytes]
        numbers += [int(item.data) for item in read_samples(part, index.init.tracks[0])]
    return numbers


@settings(max_examples=40, deadline=None)
@given(
    ranges=st.lists(st.lists(st.integers(1, 12), min_size=1, max_size=4), min_size=1, max_size=5)
)
def test_ranges_join_without_a_gap(init: bytes, ranges: list[list[int]]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pieces, place = [], 0
        for number, gops in enumerate(ranges):
            path = folder / f"{number}.mp4"
            write_track(path, init, gops, first=place)
            pieces.append(Piece(path, place * FRAME, sum(gops)))
            place += sum(gops)
        joined = join_blocking(pieces, folder / "out.mp4", grid=GRID)
        assert read_numbers(joined) == list(range(place))
        assert joined.samples_count == place
        assert joined.duration_ticks == place * FRAME
        ends = [item.start_ticks + item.duration_ticks for item in joined.segments]
        assert [item.start_ticks for item in joined.segments] == [0, *ends[:-1]]
        assert sum(item.size_bytes for item in joined.segments) + joined.init_bytes == (
            joined.size_bytes
        )
        slots = [GRID.slot(item.start_ticks) for item in joined.segments]
        assert len(set(slots)) == len(slots), "one segment per slot"


@settings(max_examples=40, deadline=None)
@given(gops=st.lists(st.integers(1, 9), min_size=2, max_size=8), data=st.data())
def test_slices_of_a_file_are_the_same_bytes(
    init: bytes, gops: list[int], data: st.DataObject
) -> None:
    edges = [0, *itertools.accumulate(gops)]
    marks = sorted(data.draw(st.sets(st.sampled_from(edges), min_size=2)))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_track(folder / "base.mp4", init, gops)
        kept = list(itertools.pairwise(marks))[::2]
        pieces, place = [], 0
        for first, end in kept:
            pieces.append(
                Piece(folder / "base.mp4", place * FRAME, end - first, first_sample=first)
            )
            place += end - first
        joined = join_blocking(pieces, folder / "out.mp4", grid=None, init=init)
        assert read_numbers(joined) == [n for first, end in kept for n in range(first, end)]


def test_a_slice_inside_a_gop_is_refused(init: bytes, tmp_path: Path) -> None:
    write_track(tmp_path / "base.mp4", init, [4, 4])
    for first, count in ((1, 4), (4, 3), (8, 1)):
        piece = Piece(tmp_path / "base.mp4", 0, count, first_sample=first)
        with pytest.raises(EncodeError):
            join_blocking([piece], tmp_path / "out.mp4", grid=None)


def test_holes_wrong_counts_and_foreign_inits_are_refused(init: bytes, tmp_path: Path) -> None:
    one, other = tmp_path / "1.mp4", tmp_path / "2.mp4"
    write_track(one, init, [4])
    write_track(other, make_init(tmp_path / "i.mp4", "-profile:v", "baseline"), [4])
    out = tmp_path / "out.mp4"
    with pytest.raises(EncodeError, match="starts at"):
        join_blocking([Piece(one, 0, 4), Piece(one, 5 * FRAME, 4)], out, grid=GRID)
    with pytest.raises(EncodeError, match="has 4 frames, not 5"):
        join_blocking([Piece(one, 0, 5)], out, grid=GRID)
    with pytest.raises(EncodeError, match="another init"):
        join_blocking([Piece(one, 0, 4), Piece(other, 4 * FRAME, 4)], out, grid=GRID)
    with pytest.raises(EncodeError, match="is empty"):
        join_blocking([], out, grid=GRID)


def test_a_short_piece_follows_the_edit_list_of_the_file(init: bytes, tmp_path: Path) -> None:
    """Encoders hold one or two frames back less than many; shown times stay the same."""
    short = tmp_path / "short.mp4"
    make_init(short, "-frames:v", "1")
    own = read_init_blocking(short)
    assert parse_init(own).tracks[0].edit_offset_ticks == 0
    assert parse_init(init).tracks[0].edit_offset_ticks == DELAY
    assert fits_init(own, init)
    write_track(tmp_path / "base.mp4", init, [4])
    pieces = [Piece(short, 0, 1), Piece(tmp_path / "base.mp4", FRAME, 4)]
    joined = join_blocking(pieces, tmp_path / "out.mp4", grid=GRID, init=init)
    with joined.path.open("rb") as stream:
        index = index_file(stream, joined.size_bytes)
    shown = [item.runs[0].first_pts_ticks - DELAY for item in index.fragments]
    assert shown == [0, FRAME]


def test_parameter_sets_of_two_encoders_share_one_init(init: bytes, tmp_path: Path) -> None:
    other = make_init(tmp_path / "i.mp4", "-profile:v", "baseline", "-x264-params", "sps-id=31")
    both = unite_inits(init, [other, other])
    assert holds_parameters(init, both)
    assert holds_parameters(other, both)
    assert not holds_parameters(both, init)
    assert parse_init(both).tracks[0].codec == parse_init(init).tracks[0].codec
    assert unite_inits(init, [init]) == init
    clash = make_init(tmp_path / "c.mp4", "-profile:v", "baseline")
    with pytest.raises(EncodeError, match="collide"):
        unite_inits(init, [clash])


@given(st.binary(max_size=200))
def test_any_bytes_are_samples_or_an_error(init: bytes, data: bytes) -> None:
    track = parse_init(init).tracks[0]
    good = build_fragment(1, [TrackRun(1, 0, [Sample(b"abcd", FRAME)])])
    for foreign in (data, good[: len(data)], good[:-1] + data):
        try:
            read_samples(foreign, track)
        except BoxError:
            continue


@pytest.fixture(scope="module")
def sound_init(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("sound") / "a.mp4"
    run_ffmpeg(
        *["-f", "lavfi", "-i", "anullsrc=r=48000:cl=stereo", "-t", "1", "-c:a", "aac"],
        *["-movflags", "+empty_moov+default_base_moof", "-f", "mp4", path],
    )
    return read_init_blocking(path)


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_cut_sound_is_the_chosen_frames_in_order(sound_init: bytes, data: st.DataObject) -> None:
    counts = data.draw(st.lists(st.integers(1, 9), min_size=1, max_size=6))
    total = sum(counts)
    pieces = [
        SoundPiece(first, data.draw(st.integers(1, total - first)))
        for first in data.draw(st.lists(st.integers(0, total - 1), min_size=1, max_size=4))
    ]
    length = sum(piece.count for piece in pieces) * 1_024 * TICKS_PER_S // 48_000
    inner = data.draw(st.sets(st.integers(1, max(2, length - 1)), max_size=4))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        out, clock = bytearray(sound_init), 0
        for number, count in enumerate(counts):
            samples = [Sample(b"%08d" % (clock + n), 1_024) for n in range(count)]
            out += build_fragment(number + 1, [TrackRun(1, clock * 1_024, samples)])
            clock += count
        (folder / "base.mp4").write_bytes(bytes(out))
        joined = cut_sound_blocking(
            folder / "base.mp4", pieces, (0, *sorted(inner)), folder / "out.mp4"
        )
        assert read_numbers(joined) == [
            n for piece in pieces for n in range(piece.first, piece.first + piece.count)
        ]
        with pytest.raises(EncodeError):
            cut_sound_blocking(
                folder / "base.mp4", [SoundPiece(total, 1)], (0,), folder / "out.mp4"
            )


def test_the_last_sound_frame_may_be_shorter(sound_init: bytes, tmp_path: Path) -> None:
    samples = [Sample(b"%08d" % n, 1_024 if n < 4 else 700) for n in range(5)]
    path = tmp_path / "base.mp4"
    path.write_bytes(sound_init + build_fragment(1, [TrackRun(1, 0, samples)]))
    assert count_frames_blocking(path) == (5, 1_024, 48_000)
    joined = cut_sound_blocking(path, [SoundPiece(3, 2)], (0,), tmp_path / "out.mp4")
    assert joined.duration_ticks == pytest.approx(1_724 * TICKS_PER_S / 48_000, abs=1)
