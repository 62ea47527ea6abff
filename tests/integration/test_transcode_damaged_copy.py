"""A track that could be published as it is, but is damaged somewhere, is encoded instead."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.support.synthetic_recording import run_ffmpeg
from tests.support.upload_run import run_file

LENGTH_S = 16  # Long enough for the samples at the start, the middle and the end to miss a place.


def make_fitting(path: Path) -> None:
    run_ffmpeg(
        *["-f", "lavfi", "-i", f"testsrc2=s=1280x720:r=25:d={LENGTH_S}"],
        *["-c:v", "libx264", "-preset", "ultrafast", "-bf", "0", "-g", "50"],
        *["-b:v", "800k", "-maxrate", "800k", "-bufsize", "800k"],
        *["-pix_fmt", "yuv420p", "-movflags", "+faststart", path],
    )


def damage(path: Path) -> None:
    """Turn bytes over at about five seconds of sixteen: behind all headers, between the samples."""
    data = bytearray(path.read_bytes())
    chance = random.Random(5)
    place = len(data) * 5 // LENGTH_S
    for at in range(place, place + 3_000, 7):
        data[at] = chance.randrange(256)
    path.write_bytes(data)


@pytest.mark.parametrize("is_damaged", [False, True])
async def test_only_a_whole_track_is_published_as_it_is(
    tmp_path: Path, *, is_damaged: bool
) -> None:
    source = tmp_path / "in.mp4"
    make_fitting(source)
    if is_damaged:
        damage(source)
    run = await run_file(source, tmp_path / "job", plan_only=True)
    assert run.error is None, run.reason
    assert run.plan is not None
    assert run.plan.source is not None
    kinds = {unit.kind for unit in run.plan.units}
    assert ("copy_video" in kinds) is not is_damaged, run.plan.renditions[0].reason
    assert ("损坏" in run.plan.renditions[0].reason) is is_damaged
