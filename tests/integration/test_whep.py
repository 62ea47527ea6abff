"""WHEP egress over real sockets: a publisher, the real fan-out, aiortc viewers that decode."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from fractions import Fraction

import av
from aiohttp import ClientSession

from kernel.messages import PublishRequest
from streamer.broadcast.fanout import Fanout, Subscription
from streamer.media import AudioConfig, AudioUnit, OpusUnit, VideoConfig, VideoUnit
from streamer.ports import EndReason, IngestConnection
from streamer.whep import WhepSessions, WhepSettings, whep_routes
from streamer.whip.access_unit import PictureBuilder
from tests.support.rtc import (
    audio_track,
    encode_opus,
    encode_pictures,
    publish_whip,
    serve,
    serve_whip,
    video_track,
    view_whep,
)
from tests.support.waiting import eventually

ASC_48K_STEREO = bytes.fromhex("1190")


class FanoutBroadcast:
    """A broadcast without packager and recorder: publication on one side, fan-out on the other."""

    broadcast_id = "b1"

    def __init__(self) -> None:
        self.asked_count = 0
        self.connection: IngestConnection | None = None
        self.fanout = Fanout(self._ask)
        self.has_publisher = True
        self.units_count = 0

    def _ask(self) -> None:
        self.asked_count += 1
        if self.connection is not None:
            self.connection.request_keyframe()

    def subscribe(self) -> Subscription:
        return self.fanout.subscribe()

    def find(self, broadcast_id: str) -> FanoutBroadcast | None:
        return self if broadcast_id == self.broadcast_id else None

    async def admit(
        self, _request: PublishRequest, connection: IngestConnection
    ) -> FanoutBroadcast:
        self.connection = connection
        self.fanout.reset()
        return self

    def set_video_config(self, config: VideoConfig) -> None:
        self.fanout.set_video_config(config)

    def set_audio_config(self, config: AudioConfig) -> None:
        self.fanout.set_audio_config(config)

    def write_video(self, unit: VideoUnit) -> None:
        self.units_count += 1
        self.fanout.write(unit)

    def write_audio(self, unit: AudioUnit) -> None:
        self.fanout.write(unit)

    def write_opus(self, unit: OpusUnit) -> None:
        self.fanout.write(unit)

    def count_dropped(self, count: int) -> None: ...

    def close(self, reason: EndReason) -> None: ...


@asynccontextmanager
async def serve_whep(
    broadcast: FanoutBroadcast, settings: WhepSettings | None = None
) -> AsyncIterator[tuple[str, WhepSessions]]:
    settings = settings or WhepSettings()
    async with (
        WhepSessions(broadcast, settings) as sessions,
        serve(whep_routes(broadcast, settings, sessions=sessions)) as base,
    ):
        yield f"{base}/whep/b1", sessions


def to_units(pictures: list[tuple[int, bytes, bool]]) -> tuple[VideoConfig, list[VideoUnit]]:
    """Annex B pictures as what ingest hands over."""
    builder = PictureBuilder()
    config, units = None, []
    for index, (pts, data, _) in enumerate(pictures):
        nals = [nal for nal in data.replace(b"\0\0\0\1", b"\0\0\1").split(b"\0\0\1") if nal]
        for picture in builder.push(nals, pts * 3600, is_marked=True):
            config = picture.config or config
            dts = min(pts, index) * 3600
            units.append(VideoUnit(pts * 3600, dts, picture.data, picture.is_idr))
    assert config is not None
    return config, units


def encode_aac(count: int) -> list[AudioUnit]:
    encoder = av.CodecContext.create("aac", "w")
    encoder.format, encoder.layout, encoder.sample_rate = "fltp", "stereo", 48_000
    encoder.time_base = Fraction(1, 48_000)
    units: list[AudioUnit] = []
    tone = b"".join(
        (12_000 if n // 50 % 2 else -12_000).to_bytes(2, "little", signed=True) * 2
        for n in range(1024)
    )
    resampler = av.AudioResampler(format="fltp", layout="stereo", rate=48_000)
    for index in range(count):
        frame = av.AudioFrame(format="s16", layout="stereo", samples=1024)
        frame.sample_rate = 48_000
        frame.planes[0].update(tone)
        for pcm in resampler.resample(frame):
            pcm.pts, pcm.time_base = index * 1024, Fraction(1, 48_000)
            units += [AudioUnit(len(units) * 1920, bytes(item)) for item in encoder.encode(pcm)]
    return units


def get_track(peer: object, kind: str) -> object:
    for transceiver in peer.pc.getTransceivers():  # type: ignore[attr-defined]
        if transceiver.kind == kind:
            return transceiver.receiver.track
    raise AssertionError(kind)


async def test_a_late_viewer_sees_and_hears_a_whip_publisher_at_once() -> None:
    broadcast = FanoutBroadcast()
    pictures = encode_pictures(250, gop=250)
    tracks = [video_track(pictures), audio_track(encode_opus(500))]
    async with (
        serve_whip(broadcast) as whip,
        serve_whep(broadcast) as (url, sessions),
        publish_whip(whip.url(), tracks),
    ):
        # The only IDR is over a second old; the viewer can only begin from the cached GOP.
        await eventually(lambda: broadcast.units_count > 30)
        async with view_whep(url) as viewer:
            assert viewer.status == 201
            async with asyncio.timeout(10):
                frame = await get_track(viewer, "video").recv()
                sound = await get_track(viewer, "audio").recv()
            assert (frame.width, frame.height) == (320, 180)
            assert sound.sample_rate == 48_000
            peak = 0
            for _ in range(25):
                async with asyncio.timeout(5):
                    sound = await get_track(viewer, "audio").recv()
                peak = max(peak, *memoryview(bytes(sound.planes[0])).cast("h"))
            assert peak > 4_000
            assert sessions.count == 1
            async with ClientSession() as client, client.delete(viewer.session_url) as answer:
                assert answer.status == 200
            await eventually(lambda: viewer.pc.connectionState == "closed")
            async with ClientSession() as client, client.delete(viewer.session_url) as answer:
                assert answer.status == 200, "leaving twice is no mistake"
        assert sessions.count == 0
        assert broadcast.fanout.subscriptions_count == 0


async def test_an_rtmp_source_is_encoded_to_opus_once_for_all_viewers() -> None:
    broadcast = FanoutBroadcast()
    config, units = to_units(encode_pictures(100, gop=25))
    broadcast.set_video_config(config)
    broadcast.set_audio_config(AudioConfig(ASC_48K_STEREO, 48_000, 2))
    sounds = encode_aac(200)

    async def teach() -> None:
        sent = 0
        for unit in units:
            broadcast.write_video(unit)
            while sent < len(sounds) and sounds[sent].pts <= unit.pts:
                broadcast.write_audio(sounds[sent])
                sent += 1
            await asyncio.sleep(0.04)

    async with serve_whep(broadcast) as (url, sessions):
        lesson = asyncio.create_task(teach())
        async with view_whep(url) as first, view_whep(url) as second:
            peaks = [0, 0]
            for index, viewer in enumerate((first, second)):
                while peaks[index] < 4_000:
                    async with asyncio.timeout(10):
                        sound = await get_track(viewer, "audio").recv()
                    peaks[index] = max(*memoryview(bytes(sound.planes[0])).cast("h"))
            assert len(sessions._feeds) == 1
            assert sessions.count == 2
        lesson.cancel()
        await asyncio.gather(lesson, return_exceptions=True)
        await eventually(lambda: not sessions._feeds)


async def test_streams_with_b_frames_are_refused_with_a_sentence() -> None:
    broadcast = FanoutBroadcast()
    config, units = to_units(encode_pictures(10, gop=10, b_frames=2, options={"profile": "main"}))
    broadcast.set_video_config(config)
    for unit in units:
        broadcast.write_video(unit)
    async with serve_whep(broadcast) as (url, _), view_whep(url) as viewer:
        assert viewer.status == 409
        assert "B-frames" in viewer.body
        assert broadcast.fanout.subscriptions_count == 0


async def test_seats_are_limited() -> None:
    broadcast = FanoutBroadcast()
    async with (
        serve_whep(broadcast, WhepSettings(seats_count=1)) as (url, _),
        view_whep(url) as first,
        view_whep(url) as second,
    ):
        assert first.status == 201
        assert second.status == 503
        assert int(second.headers["Retry-After"]) > 0
        assert second.headers["Access-Control-Allow-Origin"] == "*"


async def test_unknown_and_silent_broadcasts_are_refused() -> None:
    broadcast = FanoutBroadcast()
    async with serve_whep(broadcast) as (url, _), view_whep(url + "x") as lost:
        assert lost.status == 404
        broadcast.has_publisher = False
        async with view_whep(url) as early:
            assert early.status == 409


async def test_plis_of_all_viewers_reach_the_publisher_once_a_second() -> None:
    broadcast = FanoutBroadcast()
    config, units = to_units(encode_pictures(100, gop=100))
    broadcast.set_video_config(config)
    for unit in units[:5]:
        broadcast.write_video(unit)
    async with (
        serve_whep(broadcast) as (url, _),
        view_whep(url, ("video",)) as first,
        view_whep(url, ("video",)) as second,
    ):
        for viewer in (first, second):
            async with asyncio.timeout(10):
                await get_track(viewer, "video").recv()
        assert broadcast.asked_count == 0
        for viewer in (first, second):
            receiver = viewer.pc.getTransceivers()[0].receiver
            source = receiver.getSynchronizationSources()[0].source
            for _ in range(5):
                await receiver._send_rtcp_pli(source)
        await eventually(lambda: broadcast.asked_count == 1)
        for unit in units[5:10]:
            broadcast.write_video(unit)
        async with asyncio.timeout(10):
            await get_track(second, "video").recv()
        assert broadcast.asked_count == 1


async def test_viewers_leave_with_the_broadcast_and_on_shutdown() -> None:
    broadcast = FanoutBroadcast()
    async with serve_whep(broadcast) as (url, sessions), view_whep(url) as viewer:
        await eventually(lambda: broadcast.fanout.subscriptions_count == 1)
        broadcast.fanout.finish()
        await eventually(lambda: viewer.pc.connectionState == "closed")
        await eventually(lambda: sessions.count == 0)
    async with serve_whep(broadcast) as (url, sessions), view_whep(url) as viewer:
        await eventually(lambda: viewer.pc.connectionState == "connected")
        await sessions.close()
        await eventually(lambda: viewer.pc.connectionState == "closed")
