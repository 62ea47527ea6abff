"""Cutting a finished asset: what is kept is the same bytes, cuts lie on the asked frame."""

from __future__ import annotations

import asyncio
import itertools
import json
import subprocess
from fractions import Fraction
from pathlib import Path

import pytest

from kernel.blobs.directory import DirectoryBlobStore
from kernel.fmp4.reader import FragmentIndex, index_file
from kernel.hls import parse_media_playlist, parse_multivariant_playlist
from kernel.messages import AssetReport, UnitKind, UnitPlan
from kernel.timing import TICKS_PER_S, to_seconds
from tests.support.synthetic_recording import FFMPEG, FFPROBE, EpochSketch, run_ffmpeg
from tests.support.transcode_job import Job
from transcode.plan.ladder import build_ladder
from transcode.specs import (
    AudioSpan,
    CopyVideoSpec,
    EncodeAudioSpec,
    FileSource,
    Frozen,
    Grid,
    PublishSpec,
    RangeRef,
    Shape,
)
from transcode.storyboard import parse_vtt

# Odd frames, so that the station rung (half the rate) is out of step after the first cut;
# the first range holds no whole GOP, the second one frame before a GOP, the third the last ones.
KEPT_S = ((1.32, 3.12), (7.96, 13.24), (14.2, 19.0))
SIZE = (64, 36)


class Edited(Job):
    """A job of a recording, and a second one that cuts its asset."""

    def start_edit(self, kept: tuple[tuple[float, float], ...]) -> None:
        self.start_edit_of(self.report, kept)

    def start_edit_of(self, base: AssetReport, kept: tuple[tuple[float, float], ...]) -> None:
        self.base = base
        ranges = [[round(a * TICKS_PER_S), round(b * TICKS_PER_S)] for a, b in kept]
        spec = {"base_asset_id": "x", "prefix": self.base.prefix, "kept": ranges}
        self.units.restart()
        self.units.add(UnitPlan(key="plan", kind="plan_edit", queue="short", spec=spec))

    def base_path(self, name: str) -> Path:
        return self.folder / "blobs" / self.base.prefix / name


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Edited:
    made = Edited(tmp_path_factory.mktemp("edit"))

    async def run() -> None:
        await made.run((EpochSketch(19.0, gop_s=2, rate="25"),))
        made.start_edit(KEPT_S)
        await made.run_queued()
        await made.store.close()

    asyncio.run(run())
    failed = {u.plan.key: u.failure for u in made.units.units.values() if u.failure}
    assert not failed, failed
    return made


def index_of(path: Path) -> FragmentIndex:
    with path.open("rb") as stream:
        return index_file(stream, path.stat().st_size)


def decode(path: Path) -> list[bytes]:
    """Every frame as a small grey picture."""
    argv = [FFMPEG, "-v", "error", "-xerror", "-i", str(path), "-fps_mode", "passthrough"]
    argv += ["-vf", f"scale={SIZE[0]}:{SIZE[1]}", "-pix_fmt", "gray", "-f", "rawvideo", "-"]
    data = subprocess.run(argv, capture_output=True, check=True, timeout=60).stdout
    size = SIZE[0] * SIZE[1]
    return [data[place : place + size] for place in range(0, len(data), size)]


def find_frame(picture: bytes, among: list[bytes], *, near: int) -> int:
    """Number of the frame that looks most like ``picture``, looking around ``near``."""
    numbers = range(max(0, near - 4), min(len(among), near + 5))
    return min(
        numbers, key=lambda n: sum(abs(a - b) for a, b in zip(picture, among[n], strict=True))
    )


def media_of(path: Path) -> list[bytes]:
    data, index = path.read_bytes(), index_of(path)
    return [
        data[item.offset + item.moof_bytes : item.offset + item.size_bytes]
        for item in index.fragments
    ]


@pytest.fixture(scope="module")
def report(job: Edited) -> AssetReport:
    return job.report


def test_the_cut_is_an_asset_of_its_own(job: Edited, report: AssetReport) -> None:
    assert report.prefix != job.base.prefix
    assert report.kept is not None
    kept = [(to_seconds(item.start_ticks), to_seconds(item.end_ticks)) for item in report.kept]
    assert kept == [pytest.approx(item, abs=0.001) for item in KEPT_S]
    assert report.duration_s == pytest.approx(sum(b - a for a, b in KEPT_S), abs=0.001)
    assert [item.name for item in report.renditions] == ["180p", "station", "audio"]
    # The base is as it was.
    assert job.base_path("manifest.json").is_file()


def test_every_frame_of_the_top_rung_is_the_one_that_was_kept(job: Edited) -> None:
    base, cut = decode(job.base_path("180p.mp4")), decode(job.path("180p.mp4"))
    expected = [n for a, b in KEPT_S for n in range(round(a * 25), round(b * 25))]
    assert len(cut) == len(expected)
    found = [find_frame(item, base, near=n) for item, n in zip(cut, expected, strict=True)]
    assert found == expected


def test_slow_rungs_follow_within_half_a_frame_of_theirs(job: Edited) -> None:
    base, cut = decode(job.base_path("station.mp4")), decode(job.path("station.mp4"))
    assert len(cut) == int(sum(b - a for a, b in KEPT_S) * 12.5 + 0.5)
    place = 0.0
    for start, end in KEPT_S:
        for number, picture in enumerate(cut):
            out_s = number / 12.5
            if place + 0.04 <= out_s < place + end - start - 0.04:
                wanted_s = start + out_s - place
                shown_s = find_frame(picture, base, near=round(wanted_s * 12.5)) / 12.5
                assert abs(shown_s - wanted_s) <= 0.041
        place += end - start


def test_whole_gops_are_the_same_bytes_and_only_the_others_were_encoded(job: Edited) -> None:
    for rung in ("180p", "station"):
        base, cut = media_of(job.base_path(f"{rung}.mp4")), media_of(job.path(f"{rung}.mp4"))
        # Whole GOPs of the kept ranges: [8, 12) and [16, 19).
        copied = [item for item in cut if item in base]
        assert copied == [base[2], base[4]]
    init = {
        job.path(name).read_bytes()[: index_of(job.path(name)).fragments[0].offset]
        for name in ("180p.mp4",)
    }
    assert init == {index_of(job.base_path("180p.mp4")).init_bytes}
    encoded = [u for u in job.units.units.values() if u.plan.kind == "encode_video"]
    ends = [(u.plan.spec["start_ticks"], u.plan.spec["end_ticks"]) for u in encoded]
    assert max(end - start for start, end in ends) < 4 * TICKS_PER_S


def test_decode_times_run_on_and_segments_are_aligned(job: Edited) -> None:
    starts: list[list[int]] = []
    for rung in ("180p", "station"):
        clock = 0
        for fragment in index_of(job.path(f"{rung}.mp4")).fragments:
            assert fragment.runs[0].tfdt_ticks == clock
            clock += fragment.runs[0].duration_ticks
        playlist = parse_media_playlist(job.path(f"{rung}.m3u8").read_text())
        starts.append(
            list(itertools.accumulate(segment.duration_ticks for segment in playlist.segments))
        )
        assert playlist.target_duration_s <= 6
    assert len(starts[0]) == len(starts[1])
    assert all(abs(one - two) <= 3_600 for one, two in zip(*starts, strict=True))
    parse_multivariant_playlist(job.path("index.m3u8").read_text())


def test_sound_stays_with_the_pictures(job: Edited) -> None:
    """The tone's envelope is what it was at the kept times; no drift over the cuts."""
    base, cut = job.base_path("audio.mp4"), job.path("audio.mp4")
    per_frame = TICKS_PER_S * 1024 / 48_000
    frames = sum(item.runs[0].samples_count for item in index_of(cut).fragments)
    total = sum(b - a for a, b in KEPT_S) * TICKS_PER_S
    assert abs(frames * per_frame - total) <= per_frame / 2 + 1
    assert index_of(cut).init_bytes == index_of(base).init_bytes
    argv = [FFMPEG, "-v", "error", "-xerror", "-i", str(cut), "-f", "null", "-"]
    subprocess.run(argv, check=True, timeout=30, capture_output=True)


def test_extras_follow_the_cut(job: Edited, report: AssetReport) -> None:
    assert set(report.files) == set(job.base.files)
    tiles = parse_vtt(job.path("storyboard.vtt").read_text())
    assert tiles[0].start_ms == 0
    assert tiles[-1].end_ms == pytest.approx(report.duration_s * 1000, abs=2)
    assert all(one.end_ms == two.start_ms for one, two in itertools.pairwise(tiles))
    for name in (name for names in report.files.values() for name in names):
        assert job.path(name).stat().st_size > 0
    for name in report.files["poster_candidates"]:
        at_s = int(name.removeprefix("poster-").removesuffix(".jpg")) / 1000
        assert any(start <= at_s < end for start, end in KEPT_S)
    waveform = json.loads(job.path("waveform.json").read_text())
    assert len(waveform["peaks"]) * waveform["step_ms"] == pytest.approx(
        report.duration_s * 1000, abs=2 * waveform["step_ms"]
    )


class DistantBlobStore(DirectoryBlobStore):
    """A store whose files lie elsewhere: workers bring copies, as from S3."""

    def local_path(self, key: str) -> Path | None:  # noqa: ARG002 - the port's
        return None


@pytest.mark.parametrize(
    ("profile", "b_frames"), [("baseline", 0), ("main", 1), ("high", 3)], ids=str
)
def test_a_copied_track_is_cut_with_pieces_that_fit_it(
    tmp_path: Path, profile: str, b_frames: int
) -> None:
    """Its parameter sets are another encoder's: one init segment holds those of both."""
    job, upload = Edited(tmp_path), tmp_path / "in.mp4"
    if profile == "main":
        job.store = DistantBlobStore(tmp_path / "blobs")
    make_upload(upload, profile, b_frames)
    size_bytes = upload.stat().st_size

    async def run() -> None:
        await job.store.put_file("uploads/u", upload, content_type="video/mp4")
        for unit in plan_copy(size_bytes):
            job.units.add(unit)
        job.units.plan_hash = "0" * 32
        await job.run_queued()
        job.start_edit(((0.4, 5.2), (7.0, 10.0)))
        await job.run_queued()
        await job.store.close()

    asyncio.run(run())
    failed = {u.plan.key: u.failure for u in job.units.units.values() if u.failure}
    assert not failed, failed
    base, cut = decode(job.base_path("180p.mp4")), decode(job.path("180p.mp4"))
    expected = [*range(10, 130), *range(175, 250)]
    assert len(cut) == len(expected)
    found = [find_frame(item, base, near=n) for item, n in zip(cut, expected, strict=True)]
    assert found == expected
    # Decode times run on, and nothing is shown before it is decoded.
    for packet in ask_packets(job.path("180p.mp4")):
        assert packet["pts"] >= packet["dts"]
    base_media = media_of(job.base_path("180p.mp4"))
    copied = [item for item in media_of(job.path("180p.mp4")) if item in base_media]
    assert copied == [base_media[4]]  # Of [8, 10); no other segment was kept whole.
    assert job.report.renditions[0].codec == job.base.renditions[0].codec
    # There was no poster to keep: one is taken from what is left, named by uncut time.
    ((name,), at_s) = job.report.files["poster_candidates"], 0.4 + 0.3 * 7.8
    assert int(name[7:-4]) / 1000 == pytest.approx(at_s, abs=0.03)
    assert job.path("poster.jpg").read_bytes()[:2] == b"\xff\xd8"


def make_upload(path: Path, profile: str, b_frames: int) -> None:
    """Ten seconds with a keyframe every two, as a camera's encoder would have left them."""
    run_ffmpeg(
        *["-f", "lavfi", "-i", "testsrc2=s=320x180:r=25", "-f", "lavfi", "-i", "sine=r=48000"],
        *["-t", "10", "-c:v", "libx264", "-preset", "ultrafast", "-profile:v", profile],
        *["-pix_fmt", "yuv420p", "-bf", str(b_frames), "-b_strategy", "0", "-g", "50"],
        *["-keyint_min", "50", "-sc_threshold", "0", "-x264-params", "b-pyramid=normal"],
        *["-c:a", "aac", path],
    )


def plan_copy(size_bytes: int) -> list[UnitPlan]:
    """The units that publish the file's own pictures and nothing else."""
    rate, ticks = Fraction(25), 10 * TICKS_PER_S
    source = FileSource(
        key="uploads/u", size_bytes=size_bytes, demuxer="mp4", video_index=0, audio_index=1
    )
    rung = build_ladder(Shape(width_px=320, height_px=180), frame_rate=rate, source_bps=None).rungs[
        0
    ]
    grid = Grid(frame_rate=rate, gop_frames=100, boundaries=(0, 360_000, 720_000))
    copy = CopyVideoSpec(source=source, duration_ticks=ticks, grid=grid, rung=rung)
    sound = EncodeAudioSpec(
        spans=(AudioSpan(start_ticks=0, end_ticks=ticks, source=source),), bitrate_bps=64_000
    )
    publish = PublishSpec(
        duration_ticks=ticks,
        grid=grid,
        rungs=(rung,),
        ranges=(RangeRef(key="copy", start_ticks=0, end_ticks=ticks, is_black=False),),
        audio_key="audio",
        images_key=None,
        preset="ultrafast",
    )

    def unit(key: str, kind: UnitKind, spec: Frozen, *after: str) -> UnitPlan:
        return UnitPlan(
            key=key, kind=kind, queue="short", spec=spec.model_dump(mode="json"), after=after
        )

    return [
        unit("copy", "copy_video", copy),
        unit("audio", "encode_audio", sound),
        unit("publish", "publish_asset", publish, "copy", "audio"),
    ]


def ask_packets(path: Path) -> list[dict[str, int]]:
    argv = [FFPROBE, "-v", "error", "-print_format", "json", "-show_entries", "packet=pts,dts"]
    done = subprocess.run([*argv, str(path)], capture_output=True, check=True, timeout=30)
    packets: list[dict[str, int]] = json.loads(done.stdout)["packets"]
    return packets


def test_nothing_is_left_in_staging(job: Edited) -> None:
    staging = job.folder / "blobs" / "staging"
    assert [path for path in staging.rglob("*") if path.is_file()] == []
