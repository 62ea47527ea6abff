from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from streamer.ports import EndReason, Part, ResumePoint, SegmentInfo
from streamer.recorder.history import History, close_after_crash, replay_journal
from streamer.recorder.lines import (
    BroadcastLine,
    ClosedLine,
    CredentialLine,
    EndedLine,
    GapLine,
    KeptLine,
    ReopenedLine,
    RestoredLine,
    RevokedLine,
    StoredLine,
    build_epoch_line,
    build_segment_line,
    encode_line,
    encode_part,
)
from tests.support.media_parts import build_epoch

S = 90_000
HEADER = encode_line(
    BroadcastLine(broadcast_id="b1", live_class_id="c1", title="课", credentials=("x",))
)
EPOCH = encode_line(build_epoch_line(build_epoch(0)))


def segment(msn: int, start: int, duration: int = 2 * S, epoch: int = 0) -> bytes:
    info = SegmentInfo(epoch, msn, start, duration, {"av": 100, "audio": 10}, 4)
    return encode_line(build_segment_line(info))


def part(msn: int, index: int, start: int, *, epoch: int = 0, size: int = 50) -> bytes:
    made = Part(epoch, msn, index, start, S, index == 0, {"av": b"v" * size, "audio": b"a" * 5})
    return encode_part(made, offsets={"av": index * size, "audio": index * 5})


def test_a_journal_read_back_says_what_was_written() -> None:
    journal = (
        HEADER
        + encode_line(CredentialLine(digest="y"))
        + EPOCH
        + segment(0, 0)
        + segment(1, 2 * S)
        + encode_line(StoredLine(m=0))
        + encode_line(ClosedLine(e=0, reason="connection lost"))
        + encode_line(build_epoch_line(build_epoch(1, first_msn=2, start_ticks=4 * S)))
        + segment(2, 4 * S, epoch=1)
        + encode_line(EndedLine(version=1, at=datetime(2026, 7, 1, tzinfo=UTC)))
    )
    history, length = replay_journal(journal)
    assert length == len(journal)
    assert (history.broadcast_id, history.live_class_id, history.title) == ("b1", "c1", "课")
    assert history.credentials == ["x", "y"]
    assert history.epochs[0].info == build_epoch(0)
    assert history.epochs[0].end_reason == "connection lost"
    assert [item.msn for item in history.segments] == [0, 1, 2]
    assert history.stored == {0}
    assert (history.is_ended, history.recording_version, history.is_kept) == (True, 1, False)
    index = history.build_index()
    assert index.duration_ticks == 6 * S
    assert [epoch.av_init for epoch in index.epochs] == ["init-aa00.mp4", "init-aa01.mp4"]
    began = build_epoch(1).program_date_time
    assert history.resume_point() == ResumePoint(3, 3, 2, 6 * S, began + timedelta(seconds=2))


def test_a_revocation_forgets_the_credentials_so_far() -> None:
    lines = [CredentialLine(digest="y"), RevokedLine(), CredentialLine(digest="z")]
    history, _ = replay_journal(HEADER + b"".join(map(encode_line, lines)))
    assert history.credentials == ["z"]


def test_a_journal_beyond_the_calendar_only_has_no_date() -> None:
    history, _ = replay_journal(HEADER + EPOCH + segment(0, 0, duration=1 << 61))
    assert history.resume_point().next_date_time is None


@pytest.mark.parametrize("torn", [b"", b"{", b'{"t":"segment"', b"\x00\xff", b"\n\n", b"[]\n"])
def test_a_torn_end_is_ignored_and_measured(torn: bytes) -> None:
    whole = HEADER + EPOCH + segment(0, 0)
    history, length = replay_journal(whole + torn)
    assert [item.msn for item in history.segments] == [0]
    assert length == len(whole) + torn.rfind(b"\n") + 1


def test_lines_that_do_not_fit_are_left_out() -> None:
    journal = (
        HEADER
        + segment(0, 0)  # Before any epoch.
        + EPOCH
        + segment(0, 0)
        + segment(0, 0)  # Twice.
        + segment(1, 3 * S)  # A hole in time without a hole in numbers.
        + segment(1, 2 * S)
        + encode_line(StoredLine(m=7))
        + encode_line(ReopenedLine())
        + HEADER
    )
    history, _ = replay_journal(journal)
    assert [(item.msn, item.start_ticks) for item in history.segments] == [(0, 0), (1, 2 * S)]
    assert history.stored == set()
    assert not history.is_ended


def test_lost_lines_become_gaps_of_exactly_the_missing_time() -> None:
    history, _ = replay_journal(HEADER + EPOCH + segment(0, 0) + segment(3, 7 * S))
    found = [(i.msn, i.start_ticks, i.duration_ticks, i.is_gap) for i in history.segments]
    assert found == [
        (0, 0, 2 * S, False),
        (1, 2 * S, 5 * S // 2, True),
        (2, 2 * S + 5 * S // 2, 5 * S // 2, True),
        (3, 7 * S, 2 * S, False),
    ]
    assert history.build_index().duration_ticks == 9 * S


def test_a_crash_keeps_every_part_whose_bytes_are_there() -> None:
    journal = HEADER + EPOCH + segment(0, 0)
    journal += part(1, 0, 2 * S) + part(1, 1, 3 * S) + part(1, 2, 4 * S)
    history, _ = replay_journal(journal)
    full = {(0, "av", 1): 150, (0, "audio", 1): 15}
    closed = close_after_crash(history, full)
    assert closed == SegmentInfo(0, 1, 2 * S, 3 * S, {"av": 150, "audio": 15}, 3)
    short = {(0, "av", 1): 149, (0, "audio", 1): 15}
    closed = close_after_crash(history, short)
    assert closed == SegmentInfo(0, 1, 2 * S, 2 * S, {"av": 100, "audio": 10}, 2)
    assert close_after_crash(history, {(0, "av", 1): 150}) is None


def test_parts_that_do_not_follow_each_other_are_not_joined() -> None:
    journal = HEADER + EPOCH + part(0, 0, 0) + part(0, 2, 2 * S) + part(0, 1, 5 * S)
    history, _ = replay_journal(journal)
    assert len(history.open_parts) == 1


def test_a_segment_may_become_a_gap_later() -> None:
    history, _ = replay_journal(
        HEADER + EPOCH + segment(0, 0) + segment(1, 2 * S) + encode_line(GapLine(m=0))
    )
    assert [item.is_gap for item in history.segments] == [True, False]
    assert history.recorded_ticks == 2 * S
    assert history.build_index().epochs[0].segments[0].av_bytes == 0


def test_each_end_raises_the_version_and_needs_its_own_upload() -> None:
    at = datetime(2026, 7, 1, tzinfo=UTC)
    history = History()
    for line in (
        BroadcastLine(broadcast_id="b", live_class_id="c"),
        EndedLine(version=1, at=at),
        KeptLine(version=1),
    ):
        assert history.apply(line)
    assert history.is_kept
    assert history.apply(ReopenedLine())
    assert not history.is_ended
    assert not history.apply(EndedLine(version=1, at=at))
    assert history.apply(EndedLine(version=2, at=at))
    assert not history.is_kept


def test_a_journal_from_the_blob_store_does_not_tell_old_news_again() -> None:
    history, _ = replay_journal(
        HEADER
        + EPOCH
        + segment(0, 0)
        + encode_line(ClosedLine(e=0, reason=EndReason.CLASS_ENDED.value))
        + encode_line(EndedLine(version=1, at=datetime(2026, 7, 1, tzinfo=UTC)))
        + encode_line(RestoredLine(token="r5"))
    )
    assert (history.told_epoch, history.told_version, history.event_token) == (0, 1, "r5")
    assert history.is_kept
