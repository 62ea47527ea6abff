"""With an ffmpeg that has libvmaf, the trials of an upload are measured, not estimated."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.rtc import find_ffmpeg8
from tests.support.synthetic_recording import FFMPEG, run_ffmpeg
from tests.support.upload_run import run_file
from transcode import content


def make_clip(path: Path, *, keyframe_s: int) -> Path:
    """A moving picture at a bit rate that may be copied; longer than a segment may be."""
    run_ffmpeg(
        *("-f", "lavfi", "-i", "mandelbrot=s=640x360:r=25:maxiter=200", "-t", "8"),
        *("-c:v", "libx264", "-preset", "ultrafast", "-b:v", "400k", "-pix_fmt", "yuv420p"),
        *("-force_key_frames", f"expr:gte(t,n_forced*{keyframe_s})", "-bf", "0", path),
    )
    return path


class Notes:
    """What is told of the trials, whatever level this process logs at."""

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []

    def info(self, event: str, **facts: Any) -> None:
        self.lines.append({"event": event, **facts})


@pytest.fixture
def notes(monkeypatch: pytest.MonkeyPatch) -> Notes:
    told = Notes()
    monkeypatch.setattr(content, "log", told)
    return told


@pytest.mark.timeout(120)
async def test_trials_are_measured_where_the_program_can(tmp_path: Path, notes: Notes) -> None:
    clip = make_clip(tmp_path / "clip.mp4", keyframe_s=100)
    found = {}
    for name, program in (("with", find_ffmpeg8()), ("without", Path(FFMPEG))):
        notes.lines.clear()
        run = await run_file(clip, tmp_path / name, plan_only=True, program=program)
        assert run.outcome == "planned", run.reason
        [measured] = [line for line in notes.lines if line["event"] == "content_measured"]
        found[name] = measured["vmaf"]
    better, worse = found["with"]
    assert 60 < worse < better <= 100
    assert found["without"] == [None, None]


@pytest.mark.timeout(120)
async def test_the_rung_below_a_copied_one_is_tried(tmp_path: Path, notes: Notes) -> None:
    clip = make_clip(tmp_path / "clip.mp4", keyframe_s=4)
    run = await run_file(clip, tmp_path / "run", plan_only=True)
    assert run.plan is not None
    assert "copy" in {unit.key for unit in run.plan.units}
    # Below 360p there is only the station rung, whose quality is fixed: nothing to try.
    assert not [line for line in notes.lines if line["event"] == "content_measured"]
