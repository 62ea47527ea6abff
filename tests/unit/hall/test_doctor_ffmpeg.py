from __future__ import annotations

from pathlib import Path

from hall.doctor import Finding, examine
from kernel.config import load_settings
from tests.support.rtc import find_ffmpeg8


async def look(what: str, **settings: object) -> Finding:
    findings = await examine(load_settings(**settings))
    (found,) = [item for item in findings if item.what == what]
    return found


async def test_av1_is_off_unless_it_is_asked_for(tmp_path: Path) -> None:
    found = await look("AV1", data=tmp_path)
    assert not found.is_bad
    assert found.detail.startswith("off: HALL_AV1=1")
    assert (await look("AV1", data=tmp_path, av1=True)).detail == "on, for uploads"


async def test_a_build_without_the_encoder_is_named(tmp_path: Path) -> None:
    program = tmp_path / "ffmpeg"
    program.write_text("#!/bin/sh\necho ' V....D libx264  H.264'\necho ' A....D aac  AAC'\n")
    program.chmod(0o755)
    found = await look("AV1", data=tmp_path, av1=True, ffmpeg=program, ffprobe=program)
    assert found.is_bad
    assert "lacks libsvtav1" in found.detail
    assert not (await look("ffmpeg", data=tmp_path, ffmpeg=program, ffprobe=program)).is_bad


async def test_what_measures_quality_is_told(tmp_path: Path) -> None:
    assert "estimates VMAF" in (await look("ffmpeg", data=tmp_path)).detail
    assert "measures VMAF" in (await look("ffmpeg", data=tmp_path, ffmpeg=find_ffmpeg8())).detail
