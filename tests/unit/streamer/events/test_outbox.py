from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from kernel.blobs.executor import BoundedExecutor
from kernel.errors import DependencyError
from kernel.messages import EpochEnded, EpochStarted, SegmentsStored
from streamer.events.file import OutboxFile, StoredEvents, parse_events
from streamer.events.outbox import Outbox
from tests.support.waiting import eventually

AT = datetime(2026, 7, 1, tzinfo=UTC)


class RecordingSender:
    def __init__(self) -> None:
        self.is_down = False
        self.batches: list[list[dict]] = []

    async def call(self, method, path, *, body=None):
        assert (method, path) == ("POST", "/internal/events")
        if self.is_down:
            raise DependencyError("down")
        self.batches.append(json.loads(body))

    @property
    def ids(self) -> list[str]:
        return [event["event_id"] for batch in self.batches for event in batch]


def started(epoch: int):
    return lambda event_id: EpochStarted(
        event_id=event_id, broadcast_id="b", at=AT, epoch=epoch, protocol="rtmp",
        width_px=1, height_px=1,
    )  # fmt: skip


def ended(epoch: int):
    return lambda event_id: EpochEnded(
        event_id=event_id, broadcast_id="b", at=AT, epoch=epoch, reason="x", is_interrupted=True
    )


def stored(msn: int):
    return lambda event_id: SegmentsStored(
        event_id=event_id, broadcast_id="b", at=AT, through_msn=msn, stored_ticks=msn
    )


@asynccontextmanager
async def running(path: Path, sender: RecordingSender):
    disk = BoundedExecutor("outbox-test", workers=1, max_pending=16)
    file = OutboxFile(path)
    found = await disk.run(file.load_blocking, timeout_s=5)
    outbox = Outbox("b", file, found, sender=sender, disk=disk)
    task = asyncio.create_task(outbox.run())
    try:
        yield outbox
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await outbox.close()
        await disk.close()


async def test_events_arrive_in_order_with_the_ids_of_their_lines(tmp_path: Path) -> None:
    sender = RecordingSender()
    async with running(tmp_path / "events.jsonl", sender) as outbox:
        for epoch in range(5):
            outbox.put(started(epoch))
        await eventually(lambda: outbox.is_empty)
    assert sender.ids == [f"b-{number}" for number in range(5)]


async def test_what_was_not_accepted_is_sent_after_a_restart_under_the_same_id(
    tmp_path: Path,
) -> None:
    sender, path = RecordingSender(), tmp_path / "events.jsonl"
    async with running(path, sender) as outbox:
        outbox.put(started(0))
        await eventually(lambda: outbox.is_empty)
        sender.is_down = True
        outbox.put(ended(0))
        outbox.put(started(1))
    assert sender.ids == ["b-0"]
    sender.is_down = False
    async with running(path, sender) as outbox:
        assert outbox.has("epoch_started", 1)
        assert not outbox.has("epoch_started", 2)
        outbox.put(ended(1))
        await eventually(lambda: outbox.is_empty)
    assert sender.ids == ["b-0", "b-1", "b-2", "b-3"]


async def test_progress_is_not_piled_up_while_vod_is_away(tmp_path: Path) -> None:
    sender = RecordingSender()
    sender.is_down = True
    async with running(tmp_path / "events.jsonl", sender) as outbox:
        for msn in range(20):
            outbox.put(stored(msn))
        sender.is_down = False
        await eventually(lambda: outbox.is_empty)
        outbox.put(stored(21))
        await eventually(lambda: outbox.is_empty)
    assert sender.ids == ["b-0", "b-1"]


def test_a_torn_line_is_cut_off_and_its_id_used_again(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    file = OutboxFile(path)
    file.append_blocking(started(0)("b-0"), sequence=0)
    file.append_blocking(started(0)("b-0"), sequence=0)  # Asked again by one who gave up.
    file.close_blocking()
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"type":"epoch_st')
    found = OutboxFile(path).load_blocking()
    assert (found.next_sequence, len(found.unsent)) == (1, 1)
    assert path.read_bytes() == whole


def test_no_file_is_an_empty_outbox(tmp_path: Path) -> None:
    assert OutboxFile(tmp_path / "none.jsonl").load_blocking() == StoredEvents()


@given(st.binary(max_size=300))
def test_any_bytes_are_read_without_a_crash(data: bytes) -> None:
    events, length = parse_events(data)
    assert 0 <= length <= len(data)
    assert events == [] or length
