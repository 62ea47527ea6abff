"""The recorder on a real disk with a real store: writing, crashing, uploading, running full."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from kernel.blobs.directory import DirectoryBlobStore
from kernel.blobs.executor import BoundedExecutor
from kernel.clock import SystemClock
from kernel.errors import BlobMissingError, DependencyError
from kernel.layout import journal_key, segment_key
from streamer.ports import EndReason, SegmentInfo
from streamer.recorder.history import History, replay_journal
from streamer.recorder.lines import BroadcastLine
from streamer.recorder.reader import RecordedMedia
from streamer.recorder.recorder import Recorder
from streamer.recorder.spool import SpoolFolder, recover_blocking
from streamer.recorder.uploader import Uploader
from streamer.recorder.writer import MIN_FREE_BYTES, SpoolWriter
from tests.support.media_parts import PartSource
from tests.support.waiting import eventually

BROADCAST = "b1"
HEADER = BroadcastLine(broadcast_id=BROADCAST, live_class_id="c1", credentials=("digest",))


@dataclass
class AdjustableSpace:
    """A disk whose free space the test sets."""

    free_bytes: int = 10 * MIN_FREE_BYTES

    def measure_blocking(self, folder: Path) -> tuple[int, int]:  # noqa: ARG002
        return self.free_bytes, 20 * MIN_FREE_BYTES


class BreakableStore(DirectoryBlobStore):
    """A directory store that can be down."""

    is_down = False

    async def put_file(self, key, path, *, content_type):
        if self.is_down:
            raise DependencyError("down")
        return await super().put_file(key, path, content_type=content_type)

    async def put_bytes(self, key, data, *, content_type):
        if self.is_down:
            raise DependencyError("down")
        return await super().put_bytes(key, data, content_type=content_type)


@dataclass
class Bench:
    folder: SpoolFolder
    writer: SpoolWriter
    blobs: BreakableStore
    disk: BoundedExecutor
    recorder: Recorder
    uploader: Uploader | None = None
    stored: list[tuple[int, int]] = field(default_factory=list)
    kept: list[int] = field(default_factory=list)
    lost: list[int] = field(default_factory=list)

    def on_segment_written(self, segment: SegmentInfo) -> None:
        if self.uploader is not None:
            self.uploader.add(segment)

    def on_segment_lost(self, segment: SegmentInfo) -> None:
        self.lost.append(segment.msn)
        if self.uploader is not None:
            self.uploader.drop(segment.msn)

    def on_segments_stored(self, through_msn: int, stored_ticks: int) -> None:
        self.stored.append((through_msn, stored_ticks))

    def on_recording_stored(self, version: int) -> None:
        self.kept.append(version)

    @property
    def media(self) -> RecordedMedia:
        return RecordedMedia(self.folder, blobs=self.blobs, disk=self.disk)

    @asynccontextmanager
    async def uploading(self) -> AsyncIterator[Uploader]:
        self.uploader = Uploader(
            self.recorder,
            blobs=self.blobs,
            disk=self.disk,
            clock=SystemClock(),
            slots=asyncio.Semaphore(4),
            listener=self,
        )
        task = asyncio.create_task(self.uploader.run())
        try:
            yield self.uploader
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def open_bench(
    tmp_path: Path, *, space: AdjustableSpace | None = None, history: History | None = None
) -> AsyncIterator[Bench]:
    folder = SpoolFolder(tmp_path / "spool", BROADCAST)
    blobs, disk = (
        BreakableStore(tmp_path / "blobs"),
        BoundedExecutor("t", workers=2, max_pending=64),
    )
    async with SpoolWriter(tmp_path / "spool", space=space) as writer:
        recorder = (
            Recorder.create(folder, HEADER, writer=writer, clock=SystemClock())
            if history is None
            else Recorder(folder, history, writer=writer, clock=SystemClock())
        )
        bench = Bench(folder, writer, blobs, disk, recorder)
        recorder.listener = bench
        yield bench
        await recorder.close()
    await blobs.close()
    await disk.close()


async def recover(tmp_path: Path) -> History:
    folder = SpoolFolder(tmp_path / "spool", BROADCAST)
    history = await asyncio.to_thread(recover_blocking, folder)
    assert history is not None
    return history


async def test_a_journal_read_back_equals_what_the_recorder_knows(tmp_path: Path) -> None:
    async with open_bench(tmp_path) as bench:
        source = PartSource(bench.recorder)
        source.open_epoch()
        source.write_segment()
        source.close_epoch()
        source.open_epoch()
        source.write_segment(3)
        bench.recorder.add_credential("other")
        source.write_part(0)
        assert bench.recorder.recorded_ticks == source.ticks
        await bench.recorder.flush()
        live = bench.recorder.history
    replayed = await asyncio.to_thread(lambda: replay_journal(bench.folder.journal.read_bytes())[0])
    assert replayed.build_index() == live.build_index()
    assert replayed.credentials == ["digest", "other"]
    assert replayed.recorded_ticks == source.ticks


async def test_a_crash_in_the_middle_of_a_segment_keeps_its_parts(tmp_path: Path) -> None:
    async with open_bench(tmp_path) as bench:
        source = PartSource(bench.recorder)
        source.open_epoch()
        source.write_segment()
        source.write_part(0)
        source.write_part(1)
        await bench.recorder.flush()
    path = bench.folder.segment(epoch=0, rendition="av", msn=1)
    with path.open("ab") as media:
        media.write(b"half a part that no journal line names")
    with bench.folder.journal.open("ab") as journal:
        journal.write(b'{"t":"part","e":0,"m":1,"i":2,"s"')
    history = await recover(tmp_path)
    assert [(item.msn, item.parts_count) for item in history.segments] == [(0, 4), (1, 2)]
    assert history.epochs[0].end_reason == EndReason.CRASH.value
    assert history.next_ticks == source.ticks
    assert path.read_bytes() == source.media["av", 1]
    again = await recover(tmp_path)
    assert again.build_index() == history.build_index()


async def test_a_recovered_broadcast_goes_on_and_is_stored_whole(tmp_path: Path) -> None:
    async with open_bench(tmp_path) as bench:
        source = PartSource(bench.recorder)
        source.open_epoch()
        source.write_segment()
        source.write_part(0)
        await bench.recorder.flush()
    history = await recover(tmp_path)
    media = source.media
    async with open_bench(tmp_path, history=history) as bench, bench.uploading():
        point = history.resume_point()
        source = PartSource(bench.recorder, msn=point.next_msn, ticks=point.next_ticks)
        source.media = media
        source.open_epoch(point.next_epoch)
        source.write_segment()
        source.close_epoch()
        bench.recorder.on_end()
        bench.uploader.poke()
        await eventually(lambda: bench.kept == [1])
        index = bench.recorder.build_index()
        assert [segment.msn for epoch in index.epochs for segment in epoch.segments] == [0, 1, 2]
        assert bench.stored[-1] == (2, index.duration_ticks)
        for epoch in index.epochs:
            for segment in epoch.segments:
                for rendition in ("av", "audio"):
                    key = segment_key(
                        BROADCAST, epoch=epoch.epoch, rendition=rendition, msn=segment.msn
                    )
                    assert await bench.blobs.get_bytes(key) == media[rendition, segment.msn]
        stored, _ = replay_journal(await bench.blobs.get_bytes(journal_key(BROADCAST)))
        assert stored.build_index() == index
        # The local copies go after everybody was told.
        await eventually(lambda: _is_pruned(bench))
        assert await bench.media.read_segment(0, "av", 0) == media["av", 0]


async def test_a_store_that_is_down_costs_nothing_and_is_caught_up_with(tmp_path: Path) -> None:
    async with open_bench(tmp_path) as bench, bench.uploading() as uploader:
        bench.blobs.is_down = True
        source = PartSource(bench.recorder)
        source.open_epoch()
        for _ in range(6):
            source.write_segment()
        await bench.recorder.flush()
        assert uploader.through_msn == -1
        assert await bench.media.read_segment(0, "av", 3) == source.media["av", 3]
        bench.blobs.is_down = False
        await eventually(lambda: uploader.through_msn == 5)
        assert uploader.stored_ticks == source.ticks
        assert bench.kept == []
        assert len(bench.stored) <= 2


async def test_a_full_disk_makes_gaps_and_recording_comes_back(tmp_path: Path) -> None:
    space = AdjustableSpace()
    async with open_bench(tmp_path, space=space) as bench, bench.uploading():
        source = PartSource(bench.recorder)
        source.open_epoch()
        source.write_segment()
        source.write_part(0)
        space.free_bytes = MIN_FREE_BYTES - 1
        await eventually(lambda: bench.recorder.is_paused, timeout_s=5)
        assert bench.recorder.is_disk_low
        source.write_part(1)
        source.close_segment(2)
        assert bench.recorder.is_lost(1)
        space.free_bytes = 10 * MIN_FREE_BYTES
        await eventually(lambda: not bench.recorder.is_paused, timeout_s=5)
        source.write_segment()
        source.close_epoch()
        bench.recorder.on_end()
        bench.uploader.poke()
        await eventually(lambda: bench.kept == [1])
        segments = bench.recorder.build_index().epochs[0].segments
        assert [(item.msn, item.is_gap) for item in segments] == [(0, False), (1, True), (2, False)]
        assert segments[2].start_ticks == segments[1].start_ticks + segments[1].duration_ticks
        assert bench.recorder.recorded_ticks == source.ticks - segments[1].duration_ticks
        with pytest.raises(BlobMissingError):
            await bench.media.read_segment(0, "av", 1)


async def test_a_write_that_fails_after_the_segment_was_announced_is_reported(
    tmp_path: Path,
) -> None:
    async with open_bench(tmp_path) as bench:
        source = PartSource(bench.recorder)
        source.open_epoch()
        source.write_segment()
        # The folder of the epoch becomes a file: every later segment of it fails to open.
        await bench.recorder.flush()
        (bench.folder.path / "1").write_bytes(b"in the way")
        source.close_epoch()
        source.open_epoch()
        source.write_segment()
        await eventually(lambda: bench.lost == [1])
        assert [item.is_gap for item in bench.recorder.history.segments] == [False, True]


async def test_a_segment_that_does_not_get_to_the_disk_is_a_gap_and_holds_nothing_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_bench(tmp_path) as bench, bench.uploading():
        source = PartSource(bench.recorder)
        source.open_epoch()
        source.write_segment()
        await eventually(lambda: bench.recorder.history.stored == {0})
        with monkeypatch.context() as broken:
            broken.setattr("streamer.recorder.writer.os.fsync", _refuse_to_sync)
            source.write_segment()
            await eventually(lambda: bench.lost == [1])
        source.write_segment()
        source.close_epoch()
        bench.recorder.on_end()
        bench.uploader.poke()
        await eventually(lambda: bench.kept == [1])
        index = bench.recorder.build_index()
        assert [item.is_gap for item in index.epochs[0].segments] == [False, True, False]
    assert (await recover(tmp_path)).build_index() == index


async def _is_pruned(bench: Bench) -> bool:
    return await asyncio.to_thread(bench.folder.list_sizes_blocking) == {}


def _refuse_to_sync(_file: int) -> None:
    raise OSError(5, "Input/output error")


async def test_a_defect_in_one_task_does_not_end_the_recording_of_all(tmp_path: Path) -> None:
    async with open_bench(tmp_path) as bench:
        bench.writer.submit(lambda: 1 // 0)
        source = PartSource(bench.recorder)
        source.open_epoch()
        source.write_segment()
        await bench.recorder.flush()
        assert await bench.media.read_segment(0, "av", 0) == source.media["av", 0]


async def test_nothing_is_recovered_from_a_folder_without_a_header(tmp_path: Path) -> None:
    folder = SpoolFolder(tmp_path / "spool", BROADCAST)
    folder.path.mkdir(parents=True)
    assert await asyncio.to_thread(recover_blocking, folder) is None
    folder.journal.write_bytes(b"\x00garbage\n")
    assert await asyncio.to_thread(recover_blocking, folder) is None


async def test_a_segment_whose_bytes_are_gone_is_a_gap_unless_it_is_stored(tmp_path: Path) -> None:
    async with open_bench(tmp_path) as bench:
        source = PartSource(bench.recorder)
        source.open_epoch()
        source.write_segment()
        source.write_segment()
        bench.recorder.mark_stored(0)
        await bench.recorder.flush()
    for msn in (0, 1):
        await asyncio.to_thread(bench.folder.delete_segment_blocking, epoch=0, msn=msn)
    history = await recover(tmp_path)
    assert [item.is_gap for item in history.segments] == [False, True]


async def test_a_disk_that_hangs_costs_segments_not_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamer.recorder.writer.MAX_QUEUED_BYTES", 50_000)
    async with open_bench(tmp_path) as bench:
        source = PartSource(bench.recorder)
        source.open_epoch()
        source.write_segment()
        await bench.recorder.flush()
        disk = threading.Event()
        bench.writer.submit(lambda: disk.wait(20) and None)
        for _ in range(20):
            source.write_segment(size_bytes=4000)
        assert bench.writer.queued_bytes <= 50_000
        assert bench.writer.refused_count > 0
        disk.set()
        await bench.recorder.flush()
        source.write_segment()
        await bench.recorder.flush()
        segments = bench.recorder.build_index().epochs[0].segments
        assert [item.msn for item in segments] == list(range(22))
        assert [segments[0].is_gap, segments[-1].is_gap] == [False, False]
        assert any(item.is_gap for item in segments)
        for item in segments:
            if not item.is_gap:
                media = await bench.media.read_segment(0, "av", item.msn)
                assert media == source.media["av", item.msn]


async def test_journal_lines_that_the_disk_refuses_are_written_when_it_can_again(
    tmp_path: Path,
) -> None:
    folder = SpoolFolder(tmp_path / "spool", BROADCAST)
    folder.journal.mkdir(parents=True)  # Opening it for writing fails.
    async with open_bench(tmp_path) as bench:
        source = PartSource(bench.recorder)
        source.open_epoch()
        source.write_segment()
        await bench.recorder.flush()
        await asyncio.to_thread(folder.journal.rmdir)
        await bench.recorder.flush()
        live = bench.recorder.history
    history = await recover(tmp_path)
    assert history.build_index() == live.build_index()
