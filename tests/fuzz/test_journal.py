"""Replay is total: any bytes give a history whose invariants hold."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from kernel.blobs.directory import DirectoryBlobStore
from kernel.blobs.executor import BoundedExecutor
from streamer.live import LiveWindow
from streamer.ports import Part, SegmentInfo
from streamer.recorder.history import close_after_crash, replay_journal
from streamer.recorder.lines import (
    BroadcastLine,
    ClosedLine,
    CredentialLine,
    EndedLine,
    GapLine,
    InitsStoredLine,
    KeptLine,
    ReopenedLine,
    RestoredLine,
    StoredLine,
    build_epoch_line,
    build_segment_line,
    encode_line,
    encode_part,
)
from streamer.recorder.reader import RecordedMedia
from streamer.recorder.spool import SpoolFolder
from tests.support.media_parts import build_epoch

FOLDER = SpoolFolder(Path("unused"), "b")
BLOBS = DirectoryBlobStore(Path("unused"))
DISK = BoundedExecutor("unused", workers=1, max_pending=1)
HEADER = encode_line(BroadcastLine(broadcast_id="b", live_class_id="c"))
small = st.integers(0, 4)
ticks = st.sampled_from([0, 90_000, 180_000, 270_000, 360_000])


@st.composite
def lines(draw: st.DrawFn) -> bytes:
    kind = draw(st.integers(0, 11))
    number, other = draw(small), draw(small)
    if kind == 0:
        return encode_line(build_epoch_line(build_epoch(number, start_ticks=draw(ticks))))
    if kind in {1, 2, 3}:
        segment = SegmentInfo(
            number,
            other,
            draw(ticks),
            max(1, draw(ticks)),
            {"av": 9, "audio": 3},
            1,
            draw(st.booleans()),
        )
        return encode_line(build_segment_line(segment))
    if kind in {4, 5}:
        part = Part(
            number, other, draw(small), draw(ticks), max(1, draw(ticks)), True,
            {"av": b"v" * draw(small), "audio": b"a"},
        )  # fmt: skip
        return encode_part(part, offsets={"av": draw(small), "audio": draw(small)})
    simple = [
        StoredLine(m=number),
        InitsStoredLine(e=number),
        ClosedLine(e=number, reason="x"),
        EndedLine(version=number + 1, at=datetime(2026, 7, 1, tzinfo=UTC)),
        KeptLine(version=number + 1),
        ReopenedLine(),
        GapLine(m=number),
        CredentialLine(digest=str(number)),
        RestoredLine(token="r1"),
    ]
    return encode_line(draw(st.sampled_from(simple)))


def check(data: bytes) -> None:
    history, length = replay_journal(data)
    assert 0 <= length <= len(data)
    if not history.broadcast_id:
        return
    index = history.build_index()  # Validates order and continuity itself.
    assert index.duration_ticks == history.next_ticks
    point = history.resume_point()
    assert point.next_msn == history.next_msn
    assert all(point.next_epoch > epoch.info.epoch for epoch in history.epochs)
    assert history.stored <= {segment.msn for segment in history.segments}
    window = LiveWindow("b", RecordedMedia(FOLDER, blobs=BLOBS, disk=DISK))
    window.restore(
        [epoch.info for epoch in history.epochs],
        list(history.segments),
        is_ended=history.is_ended,
    )
    assert window.duration_ticks == history.next_ticks
    half = close_after_crash(history, {})
    assert half is None or half.duration_ticks > 0
    assert replay_journal(data[:length])[0] == history


@given(st.binary(max_size=400))
def test_any_bytes(data: bytes) -> None:
    check(data)
    check(HEADER + data)


@given(st.lists(lines(), max_size=25))
def test_any_order_of_lines(found: list[bytes]) -> None:
    check(HEADER + b"".join(found))


@given(st.lists(lines(), max_size=12), st.data())
def test_damaged_lines(found: list[bytes], data: st.DataObject) -> None:
    journal = bytearray(HEADER + b"".join(found))
    for _ in range(data.draw(st.integers(1, 6))):
        position = data.draw(st.integers(0, len(journal) - 1))
        journal[position] = data.draw(st.integers(0, 255))
    check(bytes(journal))


@given(st.lists(lines(), max_size=10), st.integers(0, 2000))
def test_every_prefix_of_a_journal_is_a_journal(found: list[bytes], cut: int) -> None:
    journal = HEADER + b"".join(found)
    check(journal[: cut % (len(journal) + 1)])
