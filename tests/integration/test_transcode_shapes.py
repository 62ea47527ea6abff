"""Sources that are not 720p25 stereo, through real ffmpeg to a published set."""

from __future__ import annotations

from pathlib import Path

import pytest

from kernel.hls import parse_multivariant_playlist
from tests.support.synthetic_recording import EpochSketch
from tests.support.transcode_job import Job


async def run(folder: Path, *sketches: EpochSketch) -> Job:
    job = Job(folder)
    await job.run(sketches)
    await job.store.close()
    failures = [unit.failure for unit in job.units.units.values() if unit.failure is not None]
    assert failures == []
    assert list((folder / "tmp" / "transcode").iterdir()) == []
    return job


async def test_a_class_without_pictures_becomes_a_set_of_sound_alone(tmp_path: Path) -> None:
    sketch = EpochSketch(4, has_video=False, sample_rate_hz=8_000, channels=1)
    job = await run(tmp_path, sketch)
    report = job.report
    assert [made.kind for made in report.renditions] == ["audio"]
    assert (report.poster, report.storyboard) == ("poster.jpg", None)
    assert job.path("poster.jpg").read_bytes()[:2] == b"\xff\xd8"
    assert report.duration_s == pytest.approx(4, abs=0.1)
    index = parse_multivariant_playlist(job.path("index.m3u8").read_text())
    assert [variant.codecs for variant in index.variants] == [("mp4a.40.2",)]


async def test_an_upright_odd_picture_at_50_frames_becomes_even_at_25(tmp_path: Path) -> None:
    job = await run(tmp_path, EpochSketch(4, size="182x322", rate="50", b_frames=0))
    index = parse_multivariant_playlist(job.path("index.m3u8").read_text())
    pictures = [variant for variant in index.variants if variant.height_px]
    assert pictures
    for variant in pictures:
        assert variant.width_px is not None
        assert variant.height_px is not None
        assert variant.width_px < variant.height_px
        assert variant.width_px % 2 == variant.height_px % 2 == 0
    assert pictures[0].frame_rate == 25
    assert job.path("poster.jpg").stat().st_size > 500
