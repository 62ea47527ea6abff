"""vod reads the journal that streamer's recorder writes, and both see the same recording."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.errors import InputError
from streamer.ports import EpochInfo, SegmentInfo
from streamer.recorder.history import replay_journal
from streamer.recorder.lines import (
    BroadcastLine,
    ClosedLine,
    EndedLine,
    GapLine,
    ReopenedLine,
    StoredLine,
    build_epoch_line,
    build_segment_line,
    encode_line,
)
from vod.recordings.journal import read_journal

AT = datetime(2026, 7, 1, 8, tzinfo=UTC)
HEADER = encode_line(BroadcastLine(broadcast_id="b1", live_class_id="c1", title="第一课"))


def make_epoch(epoch: int, first_msn: int, start_ticks: int) -> bytes:
    info = EpochInfo(
        epoch=epoch, discontinuity=epoch, first_msn=first_msn, start_ticks=start_ticks,
        program_date_time=AT, inits={"av": ("init-a.mp4", b"a"), "audio": ("init-b.mp4", b"b")},
        video_codec="avc1.64001f", width_px=640, height_px=360, audio_codec="mp4a.40.2",
        sample_rate_hz=48_000, channels_count=2, protocol="rtmp",
    )  # fmt: skip
    return encode_line(build_epoch_line(info))


def make_segment(epoch: int, msn: int, start_ticks: int, ticks: int = 180_000) -> bytes:
    segment = SegmentInfo(
        epoch=epoch, msn=msn, start_ticks=start_ticks, duration_ticks=ticks,
        sizes={"av": 1000 + msn, "audio": 100 + msn}, parts_count=4,
    )  # fmt: skip
    return encode_line(build_segment_line(segment))


def end(version: int) -> bytes:
    return encode_line(EndedLine(version=version, at=AT))


LINES = [
    HEADER,
    make_epoch(0, 0, 0),
    make_segment(0, 0, 0),
    make_segment(0, 1, 180_000),
    encode_line(StoredLine(m=0)),
    encode_line(ClosedLine(e=0, reason="connection lost")),
    make_epoch(2, 2, 360_000),
    make_segment(2, 2, 360_000, 90_000),
    encode_line(GapLine(m=1)),
    end(1),
    encode_line(ReopenedLine()),
    make_epoch(3, 3, 450_000),
    make_segment(3, 3, 450_000),
    end(2),
]


def test_both_readers_build_the_same_index() -> None:
    data = b"".join(LINES)
    found = read_journal(data)
    history, _ = replay_journal(data)
    assert found.index == history.build_index()
    assert (found.version, found.live_class_id, found.ended_at) == (2, "c1", AT)
    assert [s.is_gap for e in found.index.epochs for s in e.segments] == [False, True, False, False]


def test_what_comes_after_the_last_end_is_not_in_its_recording() -> None:
    found = read_journal(b"".join(LINES[:13]))
    assert found.version == 1
    assert found.index.segments_count == 3


@given(st.sets(st.integers(1, len(LINES) - 2)), st.binary(max_size=40))
def test_lost_and_torn_lines_leave_both_with_the_same(lost: set[int], torn: bytes) -> None:
    kept = [line for number, line in enumerate(LINES) if number not in lost]
    data = b"".join(kept) + torn.replace(b"\n", b"")
    try:
        found = read_journal(data)
    except InputError:
        return
    history, _ = replay_journal(data)
    if found.version == history.recording_version:
        assert found.index == history.build_index()
    assert found.index.duration_ticks == sum(e.duration_ticks for e in found.index.epochs)


@given(st.lists(st.one_of(st.binary(max_size=60), st.sampled_from(LINES)), max_size=20))
def test_reading_is_total(lines: list[bytes]) -> None:
    with contextlib.suppress(InputError):
        found = read_journal(b"\n".join(lines) + b"\n")
        assert found.index.broadcast_id == "b1"


def test_a_journal_without_an_end_is_no_recording() -> None:
    with pytest.raises(InputError):
        read_journal(b"".join(LINES[:9]))
