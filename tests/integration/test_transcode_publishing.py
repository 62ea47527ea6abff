"""What a job publishes: some rungs first, then the whole set; and cuts of it at any rate."""

from __future__ import annotations

import asyncio
import itertools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from kernel.fmp4.reader import index_file
from kernel.hls import parse_media_playlist, parse_multivariant_playlist
from kernel.messages import AssetReport
from kernel.timing import TICKS_PER_S
from tests.integration.test_transcode_edit import Edited
from tests.support.synthetic_recording import run_ffmpeg
from tests.support.upload_run import UploadRun, run_file


def make_upload(path: Path, rate: str) -> None:
    """Pictures that cannot be copied (keyframes far apart), large enough for three rungs.

    Only what is longer than 20 s is published in part first.
    """
    run_ffmpeg(
        *["-f", "lavfi", "-i", f"testsrc2=s=640x480:r={rate}", "-f", "lavfi", "-i", "sine=r=44100"],
        *["-t", "20.2", "-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-g", "1000"],
        *["-pix_fmt", "yuv420p", "-c:a", "aac", path],
    )


@dataclass
class Published:
    run: UploadRun

    def path(self, report: AssetReport | None, name: str) -> Path:
        assert report is not None
        return self.run.folder / "blobs" / report.prefix / name

    def manifest(self, report: AssetReport | None) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.path(report, "manifest.json").read_text())
        return document


@pytest.fixture(scope="module", params=["24000/1001"])
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Published:
    folder = tmp_path_factory.mktemp("publish")
    make_upload(folder / "in.mp4", request.param)
    run = asyncio.run(run_file(folder / "in.mp4", folder / "job"))
    assert run.error is None, run.reason
    return Published(run)


def test_some_rungs_are_there_first_under_a_prefix_of_their_own(made: Published) -> None:
    first, whole = made.run.first, made.run.asset
    assert first is not None
    assert whole is not None
    assert (first.is_partial, whole.is_partial) == (True, False)
    assert first.prefix == whole.prefix[:-1] + "-first/"
    names = [item.name for item in first.renditions]
    assert names[-1] == "audio"
    assert set(names) < {item.name for item in whole.renditions}
    index = parse_multivariant_playlist(made.path(first, "index.m3u8").read_text())
    assert len(index.variants) == len(names)
    # A part is never cut: the whole set comes.
    assert made.manifest(first)["cut"] is None


def test_what_was_published_first_is_neither_encoded_nor_decoded_again(made: Published) -> None:
    first, whole = made.run.first, made.run.asset
    assert first is not None
    for item in first.renditions:
        name = f"{item.name}.mp4"
        assert made.path(first, name).read_bytes() == made.path(whole, name).read_bytes()
    assert made.run.plan is not None
    brought = [
        rung["rung"] for result in made.run.results.values() for rung in result.get("rungs", ())
    ]
    assert len(brought) == len(set(brought)), "one range here: every rung once"
    checked = " ".join(made.manifest(whole)["commands"]["verify"])
    for item in first.renditions:
        assert f"{item.name}.mp4" not in checked
    for item in whole.renditions:
        if item not in first.renditions:
            assert f"{item.name}.mp4" in checked


def test_every_rung_has_the_same_segments(made: Published) -> None:
    whole = made.run.asset
    assert whole is not None
    starts = []
    for item in whole.renditions:
        playlist = parse_media_playlist(made.path(whole, f"{item.name}.m3u8").read_text())
        if item.kind == "video":
            lengths = [segment.duration_ticks for segment in playlist.segments]
            starts.append(list(itertools.accumulate(lengths))[:-1])
    assert len(starts) >= 2
    for own in starts[1:]:
        assert all(abs(a - b) <= 1 for a, b in zip(starts[0], own, strict=True))


def test_the_manifest_says_how_each_rendition_was_made(made: Published) -> None:
    whole = made.run.asset
    assert whole is not None
    manifest = made.manifest(whole)
    assert manifest["ffmpeg"].startswith("ffmpeg version")
    for item in whole.renditions:
        told = manifest["renditions"][item.name]
        assert told["size_bytes"] == made.path(whole, f"{item.name}.mp4").stat().st_size
        for key in told["units"]:
            assert any("ffmpeg" in line for line in manifest["commands"][key])


def test_an_hour_costs_few_objects(made: Published) -> None:
    """Two objects a rendition, however long; a fixed handful of extras and few sheets."""
    whole = made.run.asset
    assert whole is not None
    objects = list(made.path(whole, "").iterdir())
    rungs = len(whole.renditions)
    sheets = len(whole.files["storyboard"]) - 1
    # An hour has at most 9 sheets of 100 tiles.
    assert (len(objects) - sheets + 9) / rungs <= 40


def test_a_published_set_is_cut_at_its_own_rate(made: Published, tmp_path: Path) -> None:
    whole = made.run.asset
    assert whole is not None
    job = Edited(made.run.folder)
    job.units.asset_id = "cut" + tmp_path.name[-4:].replace("_", "0").replace("-", "0").lower()

    async def run() -> None:
        job.start_edit_of(whole, ((0.7, 5.03), (6.01, 6.6), (8.4, 20.2)))
        await job.run_queued()
        await job.store.close()

    asyncio.run(run())
    failed = {u.plan.key: u.failure for u in job.units.units.values() if u.failure}
    assert not failed, failed
    report = job.report
    assert report.duration_s == pytest.approx(4.33 + 0.59 + 11.8, abs=0.09)
    assert {item.name for item in report.renditions} == {item.name for item in whole.renditions}
    for item in report.renditions:
        path = job.path(f"{item.name}.mp4")
        with path.open("rb") as stream:
            index = index_file(stream, path.stat().st_size)
        hz = index.init.tracks[0].timescale_hz
        length = sum(fragment.runs[0].duration_ticks for fragment in index.fragments)
        assert length / hz == pytest.approx(report.duration_s, abs=0.05)
    assert report.kept is not None
    assert report.kept[-1].end_ticks == pytest.approx(whole.duration_s * TICKS_PER_S, abs=4_000)
