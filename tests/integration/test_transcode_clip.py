"""Clips with the real ffmpeg: what is made is looked at, picture and sound."""

from __future__ import annotations

import asyncio
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from kernel.blobs.directory import DirectoryBlobStore
from kernel.errors import EncodeError
from kernel.messages import ClaimedUnit, ClipReport
from kernel.timing import TICKS_PER_S
from tests.support.synthetic_recording import FFMPEG, FFPROBE, run_ffmpeg
from transcode.clips.lettering import find_font_blocking, plan_strip
from transcode.clips.plan import build_clip_plan
from transcode.clips.spec import MakeClipSpec
from transcode.context import ProgressCell, UnitContext
from transcode.settings import Programs
from transcode.units.make_clip import make_clip

# Drawn by whatever font this machine has.
WORDS = "星星之火 可以燎原" if find_font_blocking() else "A single spark"
PREFIX = "assets/a/0123456789ab/"
# Red for the first two seconds, blue on the left and green on the right afterwards.
SCENE = (
    "color=red:s=320x180:r=25:d=2[a];color=blue:s=160x180:r=25:d=4[l];"
    "color=green:s=160x180:r=25:d=4[r];[l][r]hstack[b];[a][b]concat,format=yuv420p"
)
TONE = "aevalsrc='0.2*sin(2*PI*440*t)':s=48000:d=6"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fragmented, as published sets are; a keyframe every four seconds."""
    folder = tmp_path_factory.mktemp("set")
    muxer = ("-movflags", "+frag_keyframe+empty_moov+default_base_moof", "-f", "mp4")
    run_ffmpeg(
        *("-f", "lavfi", "-i", SCENE, "-c:v", "libx264", "-preset", "ultrafast"),
        *("-g", "100", "-keyint_min", "100", "-sc_threshold", "0", *muxer, folder / "180p.mp4"),
    )
    run_ffmpeg("-f", "lavfi", "-i", TONE, "-c:a", "aac", "-ac", "2", *muxer, folder / "audio.mp4")
    return folder


def make_spec(**values: Any) -> dict[str, Any]:
    given: dict[str, Any] = {
        "prefix": PREFIX, "target": "clips/l/c/", "has_sound": True, "shape": "crop",
        "source": {"name": "180p", "width_px": 320, "height_px": 180}, "crop_x": 1.0,
        "start_ticks": 2 * TICKS_PER_S, "end_ticks": 5 * TICKS_PER_S, "limit_bytes": 2_000_000,
        "cues": [{"start_ms": 1000, "end_ms": 2000, "text": WORDS}], "title": "片段",
        **values,
    }  # fmt: skip
    return given


def make(folder: Path, files: Path, spec: dict[str, Any]) -> tuple[ClipReport, Path, UnitContext]:
    async def run() -> tuple[ClipReport, Path, UnitContext]:
        store = DirectoryBlobStore(folder / "blobs")
        for name in ("180p.mp4", "audio.mp4"):
            await store.put_file(PREFIX + name, files / name, content_type="video/mp4")
        work = folder / "work"
        work.mkdir(exist_ok=True)
        unit = ClaimedUnit(
            unit_id="u", job_id="j", key="make-clip", kind="make_clip", fence=7, attempt=1,
            lease_s=60, lecture_id="l", asset_id="a", plan_hash=None, spec=spec, inputs={},
        )  # fmt: skip
        context = UnitContext(
            unit=unit, store=store, programs=Programs(Path(FFMPEG), Path(FFPROBE)), folder=work,
            progress=ProgressCell(),
        )  # fmt: skip
        try:
            result = (await make_clip(context)).result
        finally:
            await store.close()
        assert isinstance(result, ClipReport)
        return result, folder / "blobs" / result.key, context

    return asyncio.run(run())


def grab(path: Path, at_s: float, *, box: tuple[int, int, int, int]) -> bytes:
    """Pixels (grey) of a part of the picture: x, y, width, height."""
    x, y, width, height = box
    command = [
        str(FFMPEG), "-v", "error", "-ss", str(at_s), "-i", str(path), "-frames:v", "1",
        "-vf", f"crop={width}:{height}:{x}:{y}", "-pix_fmt", "gray", "-f", "rawvideo", "-",
    ]  # fmt: skip
    return subprocess.run(command, check=True, capture_output=True, timeout=60).stdout


def measure_loudness(path: Path) -> float:
    command = [str(FFMPEG), "-i", str(path), "-af", "volumedetect", "-f", "null", "-"]
    said = subprocess.run(command, check=True, capture_output=True, timeout=60).stderr.decode()
    return float(said.split("mean_volume:")[1].split()[0])


def ask(path: Path) -> dict[str, Any]:
    command = [
        str(FFPROBE), "-v", "error", "-show_streams", "-show_format", "-of", "json", str(path),
    ]  # fmt: skip
    found = subprocess.run(command, check=True, capture_output=True, timeout=60)
    document: dict[str, Any] = json.loads(found.stdout)
    return document


def test_an_upright_clip_with_captions(tmp_path: Path, files: Path) -> None:
    report, path, context = make(tmp_path, files, make_spec())
    assert report.key == "clips/l/c/7.mp4"
    assert (report.width_px, report.height_px) == (720, 1280)
    assert report.size_bytes == path.stat().st_size <= 2_000_000
    found = ask(path)
    video, sound = found["streams"]
    assert (video["codec_name"], video["width"], video["height"]) == ("h264", 720, 1280)
    assert float(video["duration"]) == pytest.approx(3.0, abs=0.05)
    assert sound["codec_name"] == "aac"
    assert float(sound["duration"]) == pytest.approx(3.0, abs=0.05)
    assert found["format"]["tags"]["title"] == "片段"
    head = path.read_bytes()
    assert head.index(b"moov") < head.index(b"mdat"), "it plays while it comes"
    assert context.progress.fraction >= 0.95
    strip = plan_strip(build_clip_plan(MakeClipSpec.model_validate(make_spec())))
    box = (0, strip.top_px, 720, strip.height_px)
    before, during, after = (grab(path, at_s, box=box) for at_s in (0.5, 1.5, 2.5))
    # Plain green but for the captions, which are white with a dark outline.
    assert max(before) - min(before) < 12
    assert max(after) - min(after) < 12
    assert max(during) > max(before) + 80
    assert min(during) < min(before) - 40
    above = (0, 0, 720, strip.top_px - 8)
    assert max(grab(path, 1.5, box=above)) - min(grab(path, 1.5, box=above)) < 12
    # The right edge was wanted: green is lighter than the blue of the left.
    assert before[0] > 50
    assert measure_loudness(path) == pytest.approx(measure_loudness(files / "audio.mp4"), abs=0.5)


def test_blurred_edges_and_landscape(tmp_path: Path, files: Path) -> None:
    cues: list[Any] = []
    _, path, _ = make(tmp_path, files, make_spec(shape="blur", cues=cues, end_ticks=270_000))
    middle = grab(path, 0.5, box=(0, 640, 720, 2))
    assert middle[100] < 50 < middle[600], "the whole picture, blue and green, is in the middle"
    assert len(set(grab(path, 0.5, box=(300, 40, 120, 2)))) > 6, "above it blue runs into green"
    spec = make_spec(shape="landscape", cues=cues, start_ticks=0, end_ticks=135_000)
    report, path, _ = make(tmp_path, files, {**spec, "has_sound": False})
    assert (report.width_px, report.height_px) == (320, 180)
    assert [stream["codec_type"] for stream in ask(path)["streams"]] == ["video"]


def test_a_set_that_is_gone_is_said_in_a_sentence(tmp_path: Path, files: Path) -> None:
    spec = make_spec(prefix="assets/b/0123456789ab/")
    with pytest.raises(EncodeError) as caught:
        make(tmp_path, files, spec)
    assert caught.value.permanent
    assert "已被替换" in caught.value.title
