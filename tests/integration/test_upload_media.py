"""Files that other people made go through their whole job: planned, encoded, checked, published.

Small ones of every kind; ``python -m tests.support.upload_run`` takes all of them, with a table.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from tests.support.shared_media import require_media
from tests.support.upload_run import run_file

# Every picture of these comes out again, one for one.
WHOLE = (
    "ass_subtitles_embedded.mkv",
    "chapters_3_mp4.mp4",
    "embedded_png_cover_in_mp4.mp4",
    "flv_bbb_h264_aac.flv",
    "h264_10bit.mp4",
    "lecture_slides_speech_43sar.mov",
    "multitrack_3gp_amr_hinttracks_70s.3gp",
    "phone_rot270_h264.mp4",
    "realmedia_rv10.rm",
    "slides_h264_444_1fps.mp4",
    "talking_head_obama_12fps_audiofirst.mp4",
    "vp9_odd_dimensions_161x121.webm",
    "broken/mdat_too_long_truncated.mp4",
    "broken/no_duration_vp9_opus.webm",
    "broken/ogg_named_mkv.mkv",
    "broken/corrupted_middle.mp4",
    "fuzz/ff_crash_cors.webm",
    "fuzz/ff_crash_1903669.mp4",
)
# These have no constant rate, holes, hidden packets, or sound that goes on.
REPAIRED = (
    "avi_mpeg4_mp3_960x400.avi",
    "lecture_slide_cuts_mjpeg_1fps_noaudio.mov",
    "multitrack_2video_2audio_2subs_nasa.mp4",
    "ts_dvb_interlaced_sd_start19207s.ts",
    "vp9_10bit_profile2.webm",
    "fuzz/ff_crash_1257700.webm",
    "fuzz/ff_crash_1833896.mp4",
    "fuzz/ff_crash_track-with-zero-dimensions.mp4",
    "fuzz/ff_mp4demux_test_case_1351094.mp4",
)
SOUND = (
    "podcast_chapters_pictures.m4a",
    "speech_opus_8s.opus",
    "speech_jfk_11s.flac",
    "fuzz/ff_crash_1850453.flac",
    "fuzz/mp4parsec_opus_audioinit.mp4",
)


@pytest.mark.timeout(180)
@pytest.mark.parametrize("name", [*WHOLE, *REPAIRED, *SOUND])
async def test_a_file_becomes_a_whole_lecture(name: str, tmp_path: Path) -> None:
    run = await run_file(require_media(name), tmp_path)
    assert run.outcome == "lecture", run.reason
    assert run.plan is not None
    assert run.asset is not None
    source = run.plan.source
    assert source is not None
    assert run.asset.duration_s == pytest.approx(source.duration_s, abs=0.001)
    made = [item.name for item in run.asset.renditions]
    assert made == [item.name for item in run.plan.renditions]
    assert made[-1] == "audio"
    if name in SOUND:
        assert made == ["audio"]
        assert source.kind == "audio"
        return
    assert source.frame_rate is not None
    assert run.frames_out == round(Fraction(source.frame_rate) * Fraction(source.duration_s))
    if name in WHOLE:
        assert run.frames_out == run.frames_in


@pytest.mark.timeout(120)
async def test_chapters_and_subtitles_come_along(tmp_path: Path) -> None:
    chapters = await run_file(
        require_media("chapters_3_mp4.mp4"), tmp_path / "chapters", plan_only=True
    )
    assert chapters.plan is not None
    assert [item.title for item in chapters.plan.chapters] == [
        "Chapter 1",
        "Chapter 2",
        "Chapter 3",
    ]
    subtitles = await run_file(
        require_media("ass_subtitles_embedded.mkv"), tmp_path / "texts", plan_only=True
    )
    assert subtitles.plan is not None
    assert len(subtitles.plan.captions) == 1
    assert subtitles.plan.captions[0].cues
    assert "1 条字幕已导入" in subtitles.reason
