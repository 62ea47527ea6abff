"""AV1 rungs are added to a published lecture: same frames, same segments, their own variants."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest

from kernel.hls import parse_media_playlist, parse_multivariant_playlist
from tests.support.synthetic_recording import run_ffmpeg
from tests.support.upload_quality import measure_rung
from tests.support.upload_run import UploadRun, run_file
from transcode.av1 import child


@pytest.fixture(scope="module")
def lecture(tmp_path_factory: pytest.TempPathFactory) -> UploadRun:
    folder = tmp_path_factory.mktemp("av1")
    clip = folder / "第一讲.mp4"
    run_ffmpeg(
        *("-f", "lavfi", "-i", "testsrc2=s=320x180:r=24000/1001", "-f", "lavfi", "-i", "sine"),
        *("-t", "9", "-c:v", "mpeg4", "-q:v", "2", "-c:a", "aac", clip),
    )
    run = asyncio.run(run_file(clip, folder / "run", has_av1=True))
    assert run.outcome == "lecture", run.reason
    return run


def test_every_rung_has_a_twin_with_the_same_segments(lecture: UploadRun) -> None:
    assert lecture.asset is not None
    names = [item.name for item in lecture.asset.renditions]
    assert names == ["180p", "station", "180pav1", "stationav1", "audio"]
    for name in ("180p", "station"):
        one, twin = (
            parse_media_playlist(lecture.path(f"{each}.m3u8").read_text())
            for each in (name, f"{name}av1")
        )
        assert [s.duration_ticks for s in one.segments] == [s.duration_ticks for s in twin.segments]
        assert len(twin.segments) > 1
    # Nobody waits for them: they begin when the H.264 set is published.
    assert lecture.plan is not None
    later = {unit.key: unit for unit in lecture.plan.units if "av1" in unit.key}
    assert later["av1-0000"].after == ("publish",)
    assert lecture.results["publish"]["index"] == "index.m3u8"
    assert "av01" not in lecture.path("index.m3u8").read_text()


def test_players_are_told_the_codec(lecture: UploadRun) -> None:
    assert lecture.asset is not None
    index = parse_multivariant_playlist(lecture.path(lecture.asset.index).read_text())
    codecs = [item.codecs[0] for item in index.variants]
    assert [codec[:4] for codec in codecs] == ["avc1", "avc1", "av01", "av01", "mp4a"]
    # 320x180 is level 2.0, the lowest.
    assert codecs[2] == "av01.0.00M.08"
    twin = next(item for item in lecture.asset.renditions if item.name == "180pav1")
    assert twin.codec == codecs[2]
    assert index.variants[2].audio_group == index.variants[0].audio_group


async def test_the_pictures_are_those_of_the_lecture(lecture: UploadRun) -> None:
    """Another program decodes them: a frame that is late or missing would show."""
    measured = await measure_rung(lecture, "180pav1")
    kind, value = measured.split()
    assert kind == "VMAF"
    assert float(value) > 80


def test_a_damaged_rung_is_found(lecture: UploadRun, tmp_path: Path) -> None:
    whole = lecture.path("180pav1.mp4")
    broken, output = tmp_path / "broken.mp4", tmp_path / "counts.json"
    data = whole.read_bytes()
    middle = len(data) // 2
    broken.write_bytes(data[:middle] + bytes(400) + data[middle + 400 :])
    for path, is_whole in ((whole, True), (broken, False)):
        argv = [sys.executable, "-I", child.__file__, str(output), str(path)]
        done = subprocess.run(argv, capture_output=True, check=False, timeout=60)
        counts = json.loads(output.read_text()) if done.returncode == 0 else []
        assert (counts == [lecture.frames_out]) is is_whole, done.stderr
        output.unlink(missing_ok=True)
