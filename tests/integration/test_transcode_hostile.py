"""Recordings that are damaged, gone or made to hurt: a clear ending, nothing left behind."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from kernel.layout import init_key, segment_key
from kernel.messages import UnitFailed
from kernel.recording import RecordingIndex
from tests.support.synthetic_recording import EpochSketch, store_recording
from tests.support.transcode_job import Job

Damage = Callable[[Path, RecordingIndex], None]


def _segment(blobs: Path, msn: int) -> Path:
    return blobs / segment_key("b0", epoch=0, rendition="av", msn=msn)


def _init(blobs: Path, index: RecordingIndex) -> Path:
    name = index.epochs[0].av_init
    return blobs / init_key("b0", epoch=0, rendition="av", name=name)


def lose_a_segment(blobs: Path, _index: RecordingIndex) -> None:
    _segment(blobs, 1).unlink()


def lose_the_init(blobs: Path, index: RecordingIndex) -> None:
    _init(blobs, index).unlink()


def cut_a_segment(blobs: Path, _index: RecordingIndex) -> None:
    path = _segment(blobs, 0)
    path.write_bytes(path.read_bytes()[:-100])


def replace_boxes_by_noise(blobs: Path, _index: RecordingIndex) -> None:
    path = _segment(blobs, 0)
    path.write_bytes(random.Random(1).randbytes(path.stat().st_size))


def replace_the_init_by_a_playlist(blobs: Path, index: RecordingIndex) -> None:
    _init(blobs, index).write_text("#EXTM3U\n#EXTINF:4,\nhttp://127.0.0.1:9/x\n#EXT-X-ENDLIST\n")


def spoil_the_pictures(blobs: Path, _index: RecordingIndex) -> None:
    """Bits of the slices flip, as after a bad link; boxes stay whole."""
    noise = random.Random(2)
    for msn in (0, 1):
        data = bytearray(_segment(blobs, msn).read_bytes())
        start = data.index(b"mdat") + 400
        for _ in range(60):
            data[noise.randrange(start, len(data))] ^= 1 << noise.randrange(8)
        _segment(blobs, msn).write_bytes(bytes(data))


async def run_damaged(folder: Path, damage: Damage) -> Job:
    job = Job(folder)
    sketch = EpochSketch(4, size="160x90", b_frames=0)
    index = await store_recording(job.store, (sketch,), folder / "epochs")
    await asyncio.to_thread(damage, folder / "blobs", index)
    await job.run_index(index)
    await job.store.close()
    return job


@pytest.mark.parametrize(
    ("damage", "words", "is_permanent"),
    [
        (lose_a_segment, "segment 1 is no longer stored", True),
        (lose_the_init, "init of epoch 0 is no longer stored", True),
        (cut_a_segment, "segment 0 has", False),
        (replace_boxes_by_noise, "no epoch can be decoded", True),
        (replace_the_init_by_a_playlist, "no epoch can be decoded", True),
    ],
)
async def test_a_broken_recording_ends_with_a_sentence(
    tmp_path: Path, damage: Damage, words: str, *, is_permanent: bool
) -> None:
    job = await run_damaged(tmp_path, damage)
    failures = [unit.failure for unit in job.units.units.values() if unit.failure is not None]
    assert failures
    failure: UnitFailed = failures[0]
    assert words in failure.log_tail
    assert failure.reason
    assert not failure.reason.isascii(), "editors read Chinese"
    assert failure.is_permanent is is_permanent
    assert list((tmp_path / "tmp" / "transcode").iterdir()) == []


async def test_damaged_pictures_still_become_a_replay(tmp_path: Path) -> None:
    job = await run_damaged(tmp_path, spoil_the_pictures)
    assert {unit.state for unit in job.units.units.values()} == {"done"}
    assert job.report.duration_s == pytest.approx(4, abs=0.1)
