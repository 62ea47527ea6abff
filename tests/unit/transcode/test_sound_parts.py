from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.errors import EncodeError
from kernel.timing import TICKS_PER_S
from transcode.flac import count_samples, count_samples_blocking
from transcode.silence import parse_silences
from transcode.units.encode_audio import sample_at
from transcode.waveform import choose_step_ms, parse_peaks, render_waveform


@given(st.lists(st.integers(1, 10 * TICKS_PER_S), max_size=40))
def test_spans_together_have_the_samples_of_the_whole(lengths: list[int]) -> None:
    """No rounding adds up: however a lecture is cut, its sample clock is the same."""
    edges = [sum(lengths[:n]) for n in range(len(lengths) + 1)]
    counts = [sample_at(end) - sample_at(start) for start, end in pairwise(edges)]
    assert sum(counts) == sample_at(sum(lengths))


@given(st.integers(0, 10 * 3600 * TICKS_PER_S))
def test_a_sample_is_never_further_than_half_of_one_from_its_time(ticks: int) -> None:
    assert abs(sample_at(ticks) * TICKS_PER_S - ticks * 48_000) * 2 <= TICKS_PER_S


@given(st.integers(1, 100 * 3600 * 1000))
def test_the_outline_of_any_lecture_is_small(duration_ms: int) -> None:
    step = choose_step_ms(duration_ms)
    count = -(-duration_ms // step)
    assert step % 50 == 0
    assert count <= 11_000


def test_the_largest_outline_is_under_64_kilobytes() -> None:
    silences = [(n * 7_000_000 + 3_000_000, n * 7_000_000 + 6_999_999) for n in range(500)]
    text = render_waveform([255] * 11_000, step_ms=700, silences=silences)
    assert len(text) < 64 * 1024
    assert json.loads(text)["peaks"][0] == 255


def test_peaks_are_linear() -> None:
    lines = [0.0, -6.0, -20.0, 3.0]
    text = "".join(f"frame:1 pts:1\nlavfi.astats.Overall.Peak_level={db}\n" for db in lines)
    text += "lavfi.astats.Overall.Peak_level=-inf\nlavfi.astats.Overall.Peak_level=nan\n"
    assert parse_peaks(text) == (255, 128, 26, 255, 0, 0)


def test_silences_are_clipped_and_an_open_one_ends_with_the_lecture() -> None:
    text = (
        "lavfi.silence_start=-0.01\nlavfi.silence_end=2.5\nlavfi.silence_duration=2.51\n"
        "frame:7\nlavfi.silence_end=3\nlavfi.silence_start=8.0004\n"
    )
    assert parse_silences(text, duration_ms=9000) == ((0, 2500), (8000, 9000))
    assert parse_silences(text, duration_ms=8000) == ((0, 2500),)
    assert parse_silences(text, duration_ms=9000, max_count=1) == ((0, 2500),)
    assert parse_silences("", duration_ms=9000) == ()


def test_a_flac_file_tells_its_samples(tmp_path: Path) -> None:
    # STREAMINFO: sizes, then 20 bits of rate, 3 of channels, 5 of depth, 36 of samples.
    packed = (48_000 << 44 | 1 << 41 | 15 << 36 | 345_600_000).to_bytes(8, "big")
    head = b"fLaC\x00\x00\x00\x22" + bytes(10) + packed + bytes(16)
    assert count_samples(head) == 345_600_000
    with pytest.raises(EncodeError):
        count_samples(b"RIFF" + head[4:])
    with pytest.raises(EncodeError):
        count_samples(head[:20])
    with pytest.raises(EncodeError):
        count_samples_blocking(tmp_path / "missing.flac")
