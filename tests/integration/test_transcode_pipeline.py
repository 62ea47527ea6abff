"""A whole job on real input: recording -> plan -> ranges, sound, pictures -> published set."""

from __future__ import annotations

import asyncio
import json
import subprocess
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from kernel.fmp4.reader import FragmentIndex, index_file
from kernel.hls import parse_media_playlist, parse_multivariant_playlist
from kernel.messages import AssetReport, PlanReport
from kernel.timing import TICKS_PER_S, to_seconds
from tests.support.synthetic_recording import (
    FFMPEG,
    FFPROBE,
    EpochSketch,
    run_ffmpeg,
)
from tests.support.transcode_job import Job

SKETCHES = (
    EpochSketch(6.8, gop_s=2, b_frames=2, tone_hz=440),
    # Another shape and sample rate, one keyframe only, its second segment lost.
    EpochSketch(6.4, size="240x180", sample_rate_hz=44_100, channels=1, gap=(1,), volume=0.1),
    EpochSketch(4.2, size="640x360", rate="30", gop_s=10, b_frames=0, tone_hz=880),
)


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Job:
    made = Job(tmp_path_factory.mktemp("job"))

    async def run() -> None:
        await made.run(SKETCHES)
        await made.store.close()

    asyncio.run(run())
    failed = {u.plan.key: u.failure for u in made.units.units.values() if u.failure}
    assert not failed, failed
    return made


def index_of(path: Path) -> FragmentIndex:
    with path.open("rb") as stream:
        return index_file(stream, path.stat().st_size)


def ask(path: Path, *more: str) -> dict[str, Any]:
    argv = [FFPROBE, "-v", "error", "-print_format", "json", *more, str(path)]
    done = subprocess.run(argv, capture_output=True, check=True, timeout=30)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def test_every_unit_is_done_exactly_once(job: Job) -> None:
    assert {u.state for u in job.units.units.values()} == {"done"}
    assert {u.completions_count for u in job.units.units.values()} == {1}
    assert not list((job.folder / "tmp" / "transcode").iterdir())


def test_the_plan_says_why(job: Job) -> None:
    plan = PlanReport.model_validate(job.units.find("plan").result)
    assert [item.name for item in plan.renditions] == ["180p", "station", "audio"]
    assert all(item.reason for item in plan.renditions)
    # Three epochs, one of them with a hole: five ranges.
    assert sum(unit.kind == "encode_video" for unit in plan.units) == 5


def test_every_rendition_has_the_lectures_length(job: Job) -> None:
    assert job.index is not None
    duration_s = to_seconds(job.index.duration_ticks)
    assert duration_s == pytest.approx(17.4, abs=0.1)
    for rendition in job.report.renditions:
        path = job.path(f"{rendition.name}.mp4")
        kind = "v:0" if rendition.kind == "video" else "a:0"
        packets = ask(
            path, "-select_streams", kind, "-show_entries", "packet=pts_time,duration_time"
        )
        ends = [float(p["pts_time"]) + float(p["duration_time"]) for p in packets["packets"]]
        starts = [float(p["pts_time"]) for p in packets["packets"]]
        assert min(starts) == pytest.approx(0, abs=0.001)
        assert max(ends) == pytest.approx(duration_s, abs=0.04)


def test_keyframes_lie_on_the_grid_and_at_epoch_starts(job: Job) -> None:
    assert job.index is not None
    path = job.path("180p.mp4")
    packets = ask(path, "-select_streams", "v:0", "-show_entries", "packet=pts_time,flags")
    keys = {round(float(p["pts_time"]), 3) for p in packets["packets"] if "K" in p["flags"]}
    assert {0.0, 4.0, 8.0, 12.0, 16.0} <= keys
    playlist = parse_media_playlist(job.path("180p.m3u8").read_text())
    clock = 0
    for segment in playlist.segments:
        assert clock % (4 * TICKS_PER_S) == 0
        clock += segment.duration_ticks
    assert playlist.is_ended
    assert playlist.target_duration_s == 4


def test_byte_ranges_cover_the_file(job: Job) -> None:
    for rendition in job.report.renditions:
        playlist = parse_media_playlist(job.path(f"{rendition.name}.m3u8").read_text())
        first = playlist.segments[0]
        assert first.init is not None
        assert first.init.byte_range is not None
        position = first.init.byte_range.size_bytes
        for segment in playlist.segments:
            assert segment.uri == f"{rendition.name}.mp4"
            assert segment.byte_range is not None
            assert segment.byte_range.offset_bytes == position
            position += segment.byte_range.size_bytes
        assert position == job.path(f"{rendition.name}.mp4").stat().st_size


def test_the_multivariant_playlist_offers_rungs_and_sound_alone(job: Job) -> None:
    playlist = parse_multivariant_playlist(job.path("index.m3u8").read_text())
    assert [variant.uri for variant in playlist.variants] == [
        "180p.m3u8",
        "station.m3u8",
        "audio.m3u8",
    ]
    top = playlist.variants[0]
    assert (top.width_px, top.height_px, top.audio_group) == (320, 180, "audio")
    assert top.codecs[0].startswith("avc1.")
    assert top.codecs[1] == "mp4a.40.2"
    assert top.bandwidth_bps >= (top.average_bandwidth_bps or 0) * 0.9 > 0
    assert [media.uri for media in playlist.media] == ["audio.m3u8"]


def test_the_gap_is_black_and_silent(job: Job) -> None:
    assert job.index is not None
    gap = next(s for e in job.index.epochs for s in e.segments if s.is_gap)
    middle_s = to_seconds(gap.start_ticks + gap.duration_ticks // 2)
    level = _mean_luma(job.path("180p.mp4"), middle_s)
    assert level == pytest.approx(16, abs=1)
    assert _mean_luma(job.path("180p.mp4"), 1.0) > 60
    assert _mean_volume(job.path("audio.mp4"), middle_s - 0.3, 0.6) < -80
    assert _mean_volume(job.path("audio.mp4"), 1.0, 0.6) > -40


def _mean_luma(path: Path, at_s: float) -> float:
    done = subprocess.run(
        [
            FFMPEG,
            "-v",
            "info",
            "-i",
            path,
            "-vf",
            f"trim=start={at_s}:duration=0.2,signalstats,metadata=print",
            "-f",
            "null",
            "-",
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    values = [float(line.rsplit("=", 1)[1]) for line in done.stderr.splitlines() if "YAVG" in line]
    return sum(values) / len(values)


def _mean_volume(path: Path, start_s: float, length_s: float) -> float:
    done = subprocess.run(
        [
            FFMPEG,
            "-v",
            "info",
            "-i",
            path,
            "-af",
            f"atrim=start={start_s}:duration={length_s},volumedetect",
            "-f",
            "null",
            "-",
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    line = next(line for line in done.stderr.splitlines() if "mean_volume" in line)
    return float(line.split("mean_volume:")[1].split()[0])


def test_sound_is_near_the_target_loudness(job: Job) -> None:
    done = subprocess.run(
        [
            FFMPEG,
            "-v",
            "info",
            "-i",
            job.path("audio.mp4"),
            "-af",
            "ebur128=framelog=quiet",
            "-f",
            "null",
            "-",
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    line = [line for line in done.stderr.splitlines() if line.strip().startswith("I:")][-1]
    assert float(line.split()[1]) == pytest.approx(-16, abs=2)


def test_other_shapes_are_padded_not_stretched(job: Job, tmp_path: Path) -> None:
    # The second epoch is 4:3 in a 16:9 rung: black bars left and right, pictures between.
    shot = tmp_path / "shot.gray"
    run_ffmpeg(
        *["-ss", "7.5", "-i", job.path("180p.mp4"), "-frames:v", 1],
        *["-pix_fmt", "gray", "-f", "rawvideo", shot],
    )
    row = shot.read_bytes()[320 * 90 : 320 * 91]
    assert max(row[:30]) < 30
    assert max(row[290:]) < 30
    assert max(row[60:260]) > 60


def test_pictures_and_manifest_are_there(job: Job) -> None:
    assert job.path("poster.jpg").read_bytes()[:2] == b"\xff\xd8"
    sheet = ask(job.path("storyboard-00.jpg"), "-show_streams")["streams"][0]
    assert (sheet["width"], sheet["height"]) == (1600, 90)
    cues = job.path("storyboard.vtt").read_text()
    assert cues.count("-->") == 5
    assert "storyboard-00.jpg#xywh=640,0,160,90" in cues
    files = job.report.files
    assert files["storyboard"] == ("storyboard.vtt", "storyboard-00.jpg")
    assert files["poster"] == ("poster.jpg",)
    assert 1 <= len(files["poster_candidates"]) <= 8
    for name in (name for names in files.values() for name in names):
        assert job.path(name).stat().st_size > 0
    assert (
        job.path(files["poster_candidates"][0]).read_bytes() == job.path("poster.jpg").read_bytes()
    )
    slides = json.loads(job.path("slides.json").read_text())["slides"]
    assert all(0 < slide["start_s"] < 18 for slide in slides)
    manifest = json.loads(job.path("manifest.json").read_text())
    assert AssetReport.model_validate(manifest["report"]) == job.report
    assert "libx264" in manifest["commands"]["video-0000"][0]
    assert str(job.folder) not in json.dumps(manifest)


def test_nothing_is_left_in_staging(job: Job) -> None:
    staging = job.folder / "blobs" / "staging"
    assert [path for path in staging.rglob("*") if path.is_file()] == []


def test_rates_come_from_the_sources(job: Job) -> None:
    plan = PlanReport.model_validate(job.units.find("plan").result)
    spec = next(unit.spec for unit in plan.units if unit.key == "video-0000")
    assert [Fraction(rung["frame_rate"]) for rung in spec["rungs"]] == [30, 15]
    track = index_of(job.path("station.mp4")).init.find("vide")
    assert track is not None
    assert track.timescale_hz == TICKS_PER_S
