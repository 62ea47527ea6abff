from __future__ import annotations

from pathlib import Path

import pytest

from hall.doctor import examine
from kernel.config import load_settings
from tests.support.tiny_speech_model import write_model
from transcode.transcriber.sherpa import is_installed


async def look(**settings: object) -> tuple[bool, str]:
    findings = await examine(load_settings(**settings))
    (found,) = [item for item in findings if item.what == "automatic captions"]
    return found.is_bad, found.detail


async def test_captions_are_off_unless_a_model_is_named(tmp_path: Path) -> None:
    assert await look(data=tmp_path) == (
        False,
        "off: HALL_CAPTIONS_MODEL names no speech model (optional)",
    )


@pytest.mark.skipif(not is_installed(), reason="sherpa-onnx is not installed")
async def test_a_model_is_looked_at(tmp_path: Path) -> None:
    model = write_model(tmp_path / "tiny")
    assert await look(data=tmp_path, captions_model=model) == (False, "tiny (sense_voice), zh")
    is_bad, detail = await look(data=tmp_path, captions_model=model, captions_language="mn")
    assert is_bad
    assert "not 'mn'" in detail
    is_bad, detail = await look(data=tmp_path, captions_model=tmp_path)
    assert is_bad
    assert "tokens.txt" in detail
