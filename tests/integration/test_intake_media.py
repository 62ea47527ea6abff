"""What becomes of every file of the shared media: the facts of a lecture, or a sentence.

``media_outcomes.tsv`` holds one line per file; ``HALL_WRITE_OUTCOMES=1`` writes it anew, and then
every changed line is to be judged by eye.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from kernel.blobs.directory import DirectoryBlobStore
from kernel.errors import EncodeError
from kernel.messages import ClaimedUnit
from tests.support.shared_media import MEDIA, require_media
from tests.support.synthetic_recording import FFMPEG, FFPROBE
from transcode.context import ProgressCell, UnitContext
from transcode.intake.facts import UploadFacts
from transcode.intake.look import Upload, inspect_upload
from transcode.settings import Programs

TABLE = Path(__file__).with_name("media_outcomes.tsv")
NO_MEDIA = {".tsv", ".md", ".txt"}
# What the repaired or converted files must say, whatever else they say.
TOLD = {
    "phone_hevc_main10_rot-90_editlist_data.mp4": ("转正(90°)", "HDR,HLG", "10 位"),
    "phone_rot270_h264.mp4": ("转正(270°)",),
    "avchd_1080i_tff_ac3.mts": ("隔行",),
    "ts_dvb_interlaced_sd_start19207s.ts": ("隔行", "64:45"),
    "slides_h264_444_1fps.mp4": ("4:4:4", "全范围"),
    "vfr_cursed_57600tb_3026x1386.mp4": ("帧率不固定",),
    "multitrack_2video_2audio_2subs_nasa.mp4": ("2 条画面轨道", "2 条声音轨道"),
    "embedded_png_cover_in_mp4.mp4": ("封面图片",),
    "chapters_3_mp4.mp4": ("拍摄地点",),
    "broken/corrupted_middle.mp4": ("损坏",),
    "vod_vp8_opus_1080p_no_duration.webm": ("没有写明时长",),
    "long_363s_1080p_lowbitrate_h264.mp4": ("没有声音",),
}


def list_names() -> list[str]:
    lines = TABLE.read_text("utf-8").splitlines()
    return [line.split("\t")[0] for line in lines]


def find_names() -> list[str]:
    folders = (MEDIA, MEDIA / "broken", MEDIA / "fuzz", MEDIA / "zh", MEDIA / "subs")
    files = (file for folder in folders for file in folder.iterdir() if file.is_file())
    return sorted(str(file.relative_to(MEDIA)) for file in files if file.suffix not in NO_MEDIA)


async def look_at(name: str, folder: Path) -> tuple[str, UploadFacts | None]:
    """Store and inspect one file; the line of the table, and the facts when there are any."""
    path = require_media(name)
    store = DirectoryBlobStore(folder / "blobs")
    unit = ClaimedUnit(
        unit_id="u", job_id="j", key="plan", kind="plan_upload", fence=1, attempt=1, lease_s=60,
        lecture_id="l", asset_id="a", plan_hash=None, spec={}, inputs={},
    )  # fmt: skip
    (folder / "work").mkdir()
    context = UnitContext(
        unit=unit,
        store=store,
        programs=Programs(Path(FFMPEG), Path(FFPROBE)),
        folder=folder / "work",
        progress=ProgressCell(),
    )
    try:
        await store.put_file("uploads/u", path, content_type="application/octet-stream")
        upload = Upload(key="uploads/u", size_bytes=path.stat().st_size, filename=path.name)
        facts, _, _ = await inspect_upload(context, upload)
    except EncodeError as error:
        outcome = "refused" if error.permanent else "TO BE TRIED AGAIN"
        return f"{name}\t{outcome}\t{error.title}", None
    finally:
        await store.close()
    return f"{name}\t{describe(facts)}", facts


def describe(facts: UploadFacts) -> str:
    report, video = facts.report, facts.video
    cells = [report.kind, f"{report.duration_s:.3f}", "sound" if facts.has_audio else "silent"]
    if video is not None:
        shape, decode = video.shape, video.decode
        cells += [
            f"{shape.width_px}x{shape.height_px}",
            f"{shape.sar_num}:{shape.sar_den}",
            f"{video.frame_rate}",
            f"{video.frames_count}",
            f"{decode.pixel_format} {decode.matrix} {decode.transfer} {decode.field_order}",
        ]
    return "\t".join(cells)


def test_every_file_of_the_folder_is_in_the_table() -> None:
    require_media("MANIFEST.tsv")
    assert set(find_names()) == set(list_names())


@pytest.mark.parametrize(
    "name", find_names() if os.environ.get("HALL_WRITE_OUTCOMES") else list_names()
)
async def test_a_file_becomes_what_the_table_says(name: str, tmp_path: Path) -> None:
    line, facts = await look_at(name, tmp_path)
    if os.environ.get("HALL_WRITE_OUTCOMES"):
        with TABLE.open("a", encoding="utf-8") as table:
            table.write(line + "\n")
        return
    expected = {item.split("\t")[0]: item for item in TABLE.read_text("utf-8").splitlines()}
    assert line == expected[name]
    if facts is None:
        # A person reads it: Chinese, no words of a program.
        assert re.search(r"[\u4e00-\u9fff]{4}", line)
        assert not re.search(r"0x|exit code|Traceback|ffmpeg|ffprobe", line)
    else:
        told = ";".join(facts.report.notes)
        assert all(word in told for word in TOLD.get(name, ())), told
