"""Automatic captions with the real library, on a speech model of a few kilobytes made here."""

from __future__ import annotations

import asyncio
import importlib.util
from dataclasses import replace
from pathlib import Path

import pytest

from kernel.blobs.directory import DirectoryBlobStore
from kernel.errors import EncodeError
from kernel.messages import ClaimedUnit, TranscriptReport
from tests.support.shared_media import require_media
from tests.support.synthetic_recording import FFMPEG, FFPROBE, run_ffmpeg
from tests.support.tiny_speech_model import write_model
from transcode.context import ProgressCell, UnitContext
from transcode.settings import Programs
from transcode.units.transcribe import transcribe

needs_library = pytest.mark.skipif(
    importlib.util.find_spec("sherpa_onnx") is None,
    reason="sherpa-onnx is not installed: requirements-captions.lock",
)
# Seconds 1 to 2.5 low, high, low; from 4.5 on high; silence between.
TALK = (
    "aevalsrc='0.3*sin(2*PI*t*if(between(t,1.5,2)+gte(t,4.5),4000,400))"
    "*(between(t,1,2.5)+between(t,4.5,5.1))':s=48000:d=6"
)


class Bench:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.programs = Programs(Path(FFMPEG), Path(FFPROBE), captions_model=folder / "model")
        self.cell = ProgressCell()
        self.log = ""

    def transcribe(self, sound: Path, *, seconds: float, language: str = "zh") -> TranscriptReport:
        async def run() -> TranscriptReport:
            store = DirectoryBlobStore(self.folder / "blobs")
            await store.put_file("assets/a/p/audio.mp4", sound, content_type="audio/mp4")
            work = self.folder / "work"
            work.mkdir(exist_ok=True)
            spec = {"key": "assets/a/p/audio.mp4", "duration_s": seconds, "language": language}
            unit = ClaimedUnit(
                unit_id="u", job_id="j", key="transcribe", kind="transcribe", fence=1, attempt=1,
                lease_s=60, lecture_id="l", asset_id="a", plan_hash=None, spec=spec, inputs={},
            )  # fmt: skip
            context = UnitContext(
                unit=unit, store=store, programs=self.programs, folder=work, progress=self.cell
            )
            try:
                outcome = await transcribe(context)
            finally:
                self.log = context.log_tail
                await store.close()
            assert isinstance(outcome.result, TranscriptReport)
            return outcome.result

        return asyncio.run(run())


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    write_model(tmp_path / "model")
    return Bench(tmp_path)


@pytest.fixture(scope="module")
def talk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("talk") / "talk.mp4"
    run_ffmpeg("-f", "lavfi", "-i", TALK, "-c:a", "aac", "-ac", "2", path)
    return path


def show(report: TranscriptReport) -> list[tuple[float, str]]:
    return [(round(cue.start_ms / 1000, 1), cue.text) for cue in report.cues]


@needs_library
def test_what_is_said_is_written_at_its_time(bench: Bench, talk: Path) -> None:
    report = bench.transcribe(talk, seconds=6)
    assert [text for _, text in show(report)] == ["党员党", "员"]
    assert [start for start, _ in show(report)] == pytest.approx([1.0, 4.5], abs=0.15)
    assert report.language == "zh"
    assert report.model == "model"
    assert report.cues[0].end_ms <= report.cues[1].start_ms
    assert report.cues[1].end_ms <= 6000
    assert bench.cell.fraction > 0.9


@needs_library
def test_the_language_is_told_to_the_model(bench: Bench, talk: Path) -> None:
    report = bench.transcribe(talk, seconds=6, language="en-US")
    assert [text for _, text in show(report)] == ["low high low", "high"]


@needs_library
def test_silence_has_no_captions(bench: Bench, tmp_path: Path) -> None:
    path = tmp_path / "silence.mp4"
    run_ffmpeg("-f", "lavfi", "-i", "anullsrc=r=48000:cl=stereo:d=3", "-c:a", "aac", path)
    assert bench.transcribe(path, seconds=3).cues == ()


@needs_library
def test_real_speech_goes_through(bench: Bench, tmp_path: Path) -> None:
    """The tiny model understands nothing of it; the pieces, times and limits must hold."""
    source = require_media("zh/az_train_audio1.wav")
    path = tmp_path / "speech.mp4"
    run_ffmpeg("-i", source, "-c:a", "aac", "-ar", "48000", path)
    report = bench.transcribe(path, seconds=38.86)
    assert report.cues
    clock = 0
    for cue in report.cues:
        assert clock <= cue.start_ms < cue.end_ms <= 38_860
        clock = cue.end_ms


@needs_library
def test_a_file_that_is_no_model_ends_with_a_sentence(bench: Bench, talk: Path) -> None:
    model = bench.folder / "model" / "model.onnx"
    data = model.read_bytes()
    # Its metadata says SenseVoice, its graph is destroyed.
    model.write_bytes(b"\xff" * 200 + data[-2000:] + b"lang_zh with_itn")
    with pytest.raises(EncodeError) as caught:
        bench.transcribe(talk, seconds=6)
    assert caught.value.permanent
    assert caught.value.title == "语音识别模型打不开,请管理员检查模型文件"


@pytest.mark.parametrize(
    ("spoil", "title"),
    [
        ("unset", "没有设置语音识别模型,自动字幕没有启用(HALL_CAPTIONS_MODEL)"),
        ("empty", "语音识别模型打不开,请管理员检查 HALL_CAPTIONS_MODEL 所指的文件夹"),
        ("other", "语音识别模型打不开,请管理员检查 HALL_CAPTIONS_MODEL 所指的文件夹"),
        ("language", "现在的语音识别模型不支持这种语言(mn-Mong)"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_decoded(
    bench: Bench, talk: Path, spoil: str, title: str
) -> None:
    if spoil == "unset":
        bench.programs = replace(bench.programs, captions_model=None)
    elif spoil == "empty":
        (bench.folder / "model" / "tokens.txt").unlink()
    elif spoil == "other":
        (bench.folder / "model" / "model.onnx").write_bytes(b"some other network")
    language = "mn-Mong" if spoil == "language" else "zh"
    with pytest.raises(EncodeError) as caught:
        bench.transcribe(talk, seconds=6, language=language)
    assert caught.value.permanent
    assert caught.value.title == title
    assert bench.log == ""
