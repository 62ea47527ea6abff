"""Text tracks of uploaded files become captions in lecture time."""

from __future__ import annotations

import asyncio
from fractions import Fraction
from pathlib import Path

import pytest

from kernel.blobs.directory import DirectoryBlobStore
from kernel.messages import ClaimedUnit, EmbeddedCaptions
from kernel.timing import TICKS_PER_S
from tests.support.shared_media import require_media
from tests.support.synthetic_recording import FFMPEG, FFPROBE, run_ffmpeg
from transcode.commands.base import MediaInput
from transcode.context import ProgressCell, UnitContext
from transcode.intake.streams import TextStream
from transcode.settings import Programs
from transcode.subtitles.embedded import choose_tracks, extract_embedded

ZH = "1\n00:00:01,000 --> 00:00:02,000\n第一条\n\n2\n00:00:02,500 --> 00:00:03,500\n<i>第二条</i>\n"
EN = "1\n00:00:00,500 --> 00:00:01,500\nfirst\n\n2\n00:01:00,000 --> 00:01:01,000\nafter the end\n"


def text(index: int, codec: str, *, language: str = "", is_default: bool = False) -> TextStream:
    return TextStream(
        index=index,
        codec=codec,
        language=language,
        title="",
        is_default=is_default,
        is_forced=False,
    )


def extract(
    folder: Path, path: Path, demuxer: str, *streams: TextStream, offset_s: Fraction = Fraction(0)
) -> tuple[EmbeddedCaptions, ...]:
    async def run() -> tuple[EmbeddedCaptions, ...]:
        unit = ClaimedUnit(
            unit_id="u", job_id="j", key="plan", kind="plan_upload", fence=1, attempt=1, lease_s=60,
            lecture_id="l", asset_id="a", plan_hash=None, spec={}, inputs={},
        )  # fmt: skip
        store = DirectoryBlobStore(folder / "blobs")
        context = UnitContext(
            unit=unit,
            store=store,
            programs=Programs(Path(FFMPEG), Path(FFPROBE)),
            folder=folder,
            progress=ProgressCell(),
        )
        try:
            return await extract_embedded(
                context,
                MediaInput(str(path), demuxer),
                streams,
                offset_ticks=int(offset_s * TICKS_PER_S),
                duration_ticks=10 * TICKS_PER_S,
            )
        finally:
            await store.close()

    return asyncio.run(run())


def make(folder: Path, name: str, codec: str, *options: str) -> Path:
    (folder / "zh.srt").write_text(ZH, "utf-8")
    (folder / "en.srt").write_text(EN, "utf-8")
    path = folder / name
    run_ffmpeg(
        *["-f", "lavfi", "-i", "testsrc2=s=64x64:r=5:d=4"],
        *["-i", folder / "zh.srt", "-i", folder / "en.srt"],
        *["-map", "0", "-map", "1", "-map", "2", "-c:s", codec, *options, path],
    )
    return path


@pytest.mark.parametrize(
    ("name", "demuxer", "codec", "known_as"),
    [
        ("a.mkv", "matroska", "srt", "subrip"),
        ("b.mkv", "matroska", "ass", "ass"),
        ("c.webm", "matroska", "webvtt", "webvtt"),
        ("d.mp4", "mov", "mov_text", "mov_text"),
    ],
)
def test_every_kind_of_text_track_is_read(
    tmp_path: Path, name: str, demuxer: str, codec: str, known_as: str
) -> None:
    path = make(tmp_path, name, codec)
    zh, en = extract(tmp_path, path, demuxer, text(1, known_as, language="chi"), text(2, known_as))
    assert [(cue.start_ms, cue.end_ms, cue.text) for cue in zh.cues] == [
        (1000, 2000, "第一条"),
        (2500, 3500, "第二条"),
    ]
    assert zh.language == "chi"
    # What lies behind the lecture's end is not shown.
    assert [(cue.start_ms, cue.end_ms, cue.text) for cue in en.cues] == [(500, 1500, "first")]
    assert en.language == "und"


def test_texts_follow_a_file_whose_clock_does_not_begin_at_zero(tmp_path: Path) -> None:
    path = make(tmp_path, "late.mkv", "srt", "-output_ts_offset", "100")
    zh, _ = extract(
        tmp_path, path, "matroska", text(1, "subrip"), text(2, "subrip"), offset_s=Fraction(100)
    )
    assert [cue.start_ms for cue in zh.cues] == [1000, 2500]


def test_pictures_of_text_are_left_out_and_the_default_track_comes_first() -> None:
    streams = [text(2, "dvd_subtitle"), text(3, "subrip"), text(4, "ass", is_default=True)]
    assert [stream.index for stream in choose_tracks(streams)] == [4, 3]


def test_a_broken_track_never_decides_about_the_lecture(tmp_path: Path) -> None:
    path = tmp_path / "broken.mkv"
    path.write_bytes(make(tmp_path, "whole.mkv", "srt").read_bytes()[:3000])
    assert len(extract(tmp_path, path, "matroska", text(1, "subrip"))) <= 1
    path.write_bytes(b"no media at all")
    assert extract(tmp_path, path, "matroska", text(1, "subrip")) == ()


def test_files_of_others(tmp_path: Path) -> None:
    ass = require_media("ass_subtitles_embedded.mkv")
    (track,) = extract(tmp_path, ass, "matroska", text(2, "ass"))
    assert track.cues
    assert "{" not in "".join(cue.text for cue in track.cues)
    nasa = require_media("multitrack_2video_2audio_2subs_nasa.mp4")
    tracks = extract(tmp_path, nasa, "mov", text(2, "mov_text"), text(5, "mov_text"))
    assert tracks
