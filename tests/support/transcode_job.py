"""A whole transcode job in this process: folder blobs, a small vod, units one after the other."""

from __future__ import annotations

import asyncio
from pathlib import Path

from kernel.blobs.directory import DirectoryBlobStore
from kernel.http import InternalClient, listen
from kernel.messages import AssetReport, RunUnit, UnitPlan
from kernel.recording import RecordingIndex
from tests.support.fake_units import FakeUnits
from tests.support.synthetic_recording import FFMPEG, FFPROBE, EpochSketch, store_recording
from transcode.settings import Programs
from transcode.work import Workbench, work_on


class Job:
    """One job in a folder, its units run one after the other in this process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = DirectoryBlobStore(folder / "blobs")
        self.messages: asyncio.Queue[RunUnit] = asyncio.Queue(maxsize=1000)
        self.units = FakeUnits(self._queue)
        self.index: RecordingIndex | None = None

    async def _queue(self, message: RunUnit, _queue: str) -> None:
        self.messages.put_nowait(message)

    async def run(self, sketches: tuple[EpochSketch, ...]) -> None:
        """Make the recording, then run its job."""
        await self.run_index(await store_recording(self.store, sketches, self.folder / "epochs"))

    async def run_index(self, index: RecordingIndex) -> None:
        """Run every unit of a stored recording's job, as they become ready."""
        self.index = index
        self.units.add(
            UnitPlan(
                key="plan",
                kind="plan_recording",
                queue="live",
                spec={"index": self.index.model_dump(mode="json")},
            )
        )
        await self.run_queued()

    async def run_queued(self) -> None:
        """Run the units that were added, and those that they bring, as they become ready."""
        address = f"unix:{self.folder / 's'}"
        async with (
            listen(self.units.build_app(), address),
            InternalClient(address, secret=None) as vod,
        ):
            bench = Workbench(
                store=self.store,
                vod=vod,
                programs=Programs(Path(FFMPEG), Path(FFPROBE)),
                data=self.folder,
                worker="test",
                heartbeat_s=0.2,
            )
            await self.units.queue_ready()
            while not self.messages.empty():
                await work_on(bench, self.messages.get_nowait())

    @property
    def report(self) -> AssetReport:
        return AssetReport.model_validate(self.units.find("publish").result)

    def path(self, name: str) -> Path:
        return self.folder / "blobs" / self.report.prefix / name
