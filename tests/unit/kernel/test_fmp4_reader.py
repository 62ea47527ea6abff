"""The reader against the project's own builder: what is written is read back."""

from __future__ import annotations

import io

import pytest

from kernel.errors import BoxError
from kernel.fmp4.boxes import build_box
from kernel.fmp4.fragment import Sample, TrackRun, build_fragment
from kernel.fmp4.init import AudioTrack, VideoTrack, build_init
from kernel.fmp4.init_reader import parse_init
from kernel.fmp4.reader import index_bytes, index_file, parse_moof, rewrite_moof
from kernel.fmp4.walk import parse_box

SPS = bytes.fromhex("6764001facd9405005bb016a02020280000003008000001e478c18cb")
PPS = bytes.fromhex("68ebe3cb22c0")
VIDEO = VideoTrack(1, 90_000, (SPS,), (PPS,), 1280, 720)
AUDIO = AudioTrack(2, 44_100, bytes.fromhex("1210"), 44_100, 2)
INIT = build_init([VIDEO, AUDIO])


def fragment(sequence: int = 7, *, start: int = 9_000, is_sync: bool = True) -> bytes:
    video = [
        Sample(b"I" * 10, 3_000, 6_000, is_sync=is_sync),
        Sample(b"P" * 5, 3_000, 9_000, is_sync=False),
        Sample(b"B" * 3, 3_000, 0, is_sync=False),
    ]
    sound = [Sample(b"a", 1024), Sample(b"a", 1024)]
    return build_fragment(sequence, [TrackRun(1, start, video), TrackRun(2, 4_410, sound)])


def test_an_init_is_read_back() -> None:
    info = parse_init(INIT)
    video, audio = info.find("vide"), info.find("soun")
    assert video is not None
    assert audio is not None
    assert (video.codec, video.width_px, video.height_px) == ("avc1.64001f", 1280, 720)
    assert (video.timescale_hz, video.track_id, video.edit_offset_ticks) == (90_000, 1, 0)
    assert (audio.codec, audio.sample_rate_hz, audio.channels_count) == ("mp4a.40.2", 44_100, 2)


def test_a_fragment_is_read_back() -> None:
    data = fragment()
    (found,) = index_bytes(data, init=parse_init(INIT))
    assert (found.sequence_number, found.offset, found.size_bytes) == (7, 0, len(data))
    run = found.find(1)
    assert run is not None
    assert (run.tfdt_ticks, run.duration_ticks, run.samples_count) == (9_000, 9_000, 3)
    assert run.first_pts_ticks == 9_000 + 6_000
    assert run.end_pts_ticks == 9_000 + 3_000 + 9_000 + 3_000
    assert run.is_sync_first
    sound = found.find(2)
    assert sound is not None
    assert (sound.duration_ticks, sound.samples_count) == (2048, 2)
    assert found.find(3) is None


def test_a_fragment_that_begins_without_a_keyframe_says_so() -> None:
    (found,) = index_bytes(fragment(is_sync=False))
    run = found.find(1)
    assert run is not None
    assert not run.is_sync_first


def test_a_file_is_indexed_without_reading_its_media() -> None:
    styp = build_box(b"styp", b"msdh\x00\x00\x00\x00")
    data = INIT + styp + fragment(1) + fragment(2, start=18_000)
    index = index_file(io.BytesIO(data), len(data))
    assert index.init_bytes == INIT
    assert [item.sequence_number for item in index.fragments] == [1, 2]
    assert index.fragments[0].offset == len(INIT) + len(styp)
    assert index.fragments[1].offset + index.fragments[1].size_bytes == len(data)


def test_rewriting_moves_time_and_number_and_nothing_else() -> None:
    data = fragment()
    moof = data[: parse_box(data, 0, len(data)).end]
    moved = rewrite_moof(moof, sequence_number=99, shifts={1: 90_000 * 3600, 2: -4_410})
    assert len(moved) == len(moof)
    sequence, runs = parse_moof(moved)
    assert sequence == 99
    assert [run.tfdt_ticks for run in runs] == [9_000 + 90_000 * 3600, 0]
    back = rewrite_moof(moved, sequence_number=7, shifts={1: -90_000 * 3600, 2: 4_410})
    assert back == moof


@pytest.mark.parametrize(
    ("shifts", "words"),
    [({1: 0}, "no shift for track 2"), ({1: -9_001, 2: 0}, "decode time -1")],
)
def test_impossible_shifts_are_refused(shifts: dict[int, int], words: str) -> None:
    moof = fragment()[: parse_box(fragment(), 0, len(fragment())).end]
    with pytest.raises(BoxError, match=words):
        rewrite_moof(moof, sequence_number=1, shifts=shifts)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "no 'moov'"),
        (b"\x00\x00\x00\x07free", "claims 7 bytes"),
        (b"\x00\x00\x00\x10free", "claims 16 bytes"),
        (b"\x00\x00\x00\x01free\x00\x00", "cut off"),
        (b"\x00\x00\x00\x01free" + b"\xff" * 8, "claims 18446744073709551615"),
        (fragment(), "no 'moov'"),
    ],
)
def test_lying_files_are_refused(data: bytes, words: str) -> None:
    with pytest.raises(BoxError, match=words):
        index_file(io.BytesIO(data), len(data))


def test_media_without_its_header_is_refused() -> None:
    moof_end = parse_box(fragment(), 0, len(fragment())).end
    with pytest.raises(BoxError, match="no 'mdat'"):
        index_bytes(fragment()[:moof_end])
    with pytest.raises(BoxError, match="no 'moof'"):
        index_bytes(fragment()[moof_end:])


def test_a_fragment_of_an_unknown_track_is_refused() -> None:
    with pytest.raises(BoxError, match="unknown track 1"):
        index_bytes(fragment(), init=parse_init(build_init([AUDIO])))


def test_a_run_that_claims_millions_of_samples_ends_quickly() -> None:
    data = bytearray(fragment())
    place = data.index(b"trun") + 8
    data[place : place + 4] = b"\x00\x0f\x42\x40"  # 1 000 000, far more than its bytes hold
    with pytest.raises(BoxError, match="too short"):
        index_bytes(bytes(data))
