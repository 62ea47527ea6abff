"""Any bytes give a value or a BoxError, and what is accepted is consistent."""

from __future__ import annotations

import contextlib
import io

from hypothesis import given
from hypothesis import strategies as st

from kernel.errors import BoxError
from kernel.fmp4.fragment import Sample, TrackRun, build_fragment
from kernel.fmp4.init import AudioTrack, build_init
from kernel.fmp4.init_reader import parse_init
from kernel.fmp4.reader import index_bytes, index_file, parse_moof, rewrite_moof

INIT = build_init([AudioTrack(1, 48_000, bytes.fromhex("1190"), 48_000, 2)])
MEDIA = build_fragment(1, [TrackRun(1, 0, [Sample(b"abc", 1024), Sample(b"d", 1024)])])
FILE = INIT + MEDIA


def read_everything(data: bytes) -> None:
    with contextlib.suppress(BoxError):
        index = index_file(io.BytesIO(data), len(data))
        for fragment in index.fragments:
            assert 0 < fragment.moof_bytes < fragment.size_bytes
            assert fragment.offset + fragment.size_bytes <= len(data)
            assert all(run.samples_count > 0 for run in fragment.runs)
    with contextlib.suppress(BoxError):
        parse_init(data)
    with contextlib.suppress(BoxError):
        index_bytes(data)
    with contextlib.suppress(BoxError):
        parse_moof(data)
    with contextlib.suppress(BoxError):
        assert len(rewrite_moof(data, sequence_number=1, shifts={1: 5})) == len(data)


@given(st.binary(max_size=400))
def test_noise(data: bytes) -> None:
    read_everything(data)


@given(st.lists(st.tuples(st.integers(0, len(FILE) - 1), st.integers(0, 255)), max_size=8))
def test_a_real_file_with_wrong_bytes(changes: list[tuple[int, int]]) -> None:
    data = bytearray(FILE)
    for place, value in changes:
        data[place] = value
    read_everything(bytes(data))


@given(st.integers(0, len(FILE)), st.integers(0, len(FILE)), st.binary(max_size=16))
def test_a_real_file_with_a_piece_missing(start: int, end: int, filler: bytes) -> None:
    low, high = sorted((start, end))
    read_everything(FILE[:low] + filler + FILE[high:])


@given(
    st.lists(
        st.tuples(st.integers(1, 2**31), st.integers(-(2**31), 2**31 - 1), st.booleans()),
        min_size=1,
        max_size=20,
    ),
    st.integers(0, 2**60),
)
def test_what_the_builder_writes_is_read_back(
    rows: list[tuple[int, int, bool]], start: int
) -> None:
    samples = [Sample(b"x", duration, offset, is_sync=sync) for duration, offset, sync in rows]
    (fragment,) = index_bytes(build_fragment(3, [TrackRun(5, start, samples)]))
    (run,) = fragment.runs
    assert (run.track_id, run.tfdt_ticks, run.samples_count) == (5, start, len(rows))
    assert run.duration_ticks == sum(duration for duration, _, _ in rows)
    assert run.is_sync_first == rows[0][2]
    clock, shown = start, []
    for duration, offset, _ in rows:
        shown.append(clock + offset)
        clock += duration
    assert run.first_pts_ticks == min(shown)
