"""Strangers on the RTMP port: each ends in a closed connection and one log line."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import tracemalloc
from collections.abc import AsyncIterator

import pytest
import structlog

from streamer.media import VideoUnit
from streamer.ports import EndReason
from streamer.rtmp import RtmpLimits, RtmpServer
from tests.support import rtmp_client as wire
from tests.support.recording_publishing import RecordingPublishing
from tests.support.rtmp_client import RtmpClient
from tests.support.waiting import eventually

IMPATIENT = RtmpLimits(
    handshake_s=0.3, publish_s=0.6, admit_s=0.5, first_media_s=0.5, idle_s=0.8, stall_s=0.4,
    close_s=0.3, connections_count=6, connections_per_address_count=4,
)  # fmt: skip
IDR = wire.lengths(b"\x65idr")


@pytest.fixture
def publishing() -> RecordingPublishing:
    return RecordingPublishing()


@pytest.fixture
async def server(publishing: RecordingPublishing) -> AsyncIterator[RtmpServer]:
    async with RtmpServer(publishing, host="127.0.0.1", port=0, limits=IMPATIENT) as server:
        yield server


@pytest.fixture
def lines() -> AsyncIterator[list[dict[str, object]]]:
    with structlog.testing.capture_logs() as captured:
        yield captured


def _closings(lines: list[dict[str, object]]) -> list[str]:
    return [str(line["detail"]) for line in lines if line["event"] == "rtmp_closed"]


async def _publish(client: RtmpClient, key: str = "good-key") -> None:
    await client.shake_hands()
    await client.send(wire.opening(key))
    await client.read_until("NetStream.Publish.Start")


async def _dribble(client: RtmpClient, data: bytes, *, pause_s: float) -> None:
    """Send byte by byte until the server has enough."""
    for byte in data:
        await client.send(bytes([byte]))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(pause_s):
                await client.reader.readexactly(1)


async def _send_for_ever(peer: socket.socket, data: bytes) -> None:
    while True:
        await asyncio.get_running_loop().sock_sendall(peer, data)


@pytest.mark.parametrize(
    ("data", "detail"),
    [
        (b"", "too slow in handshake"),
        (wire.C0_C1[:700], "too slow in handshake"),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "does not speak RTMP"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "RTMP version 22"),
        (wire.C0_C1 + wire.C2, "too slow in commands"),
        (wire.C0_C1 + wire.C2 + b"\xff" * 200, "begins with a header"),
        (wire.C0_C1 + wire.C2 + b"\x03\x00\x00\x00\xff\xff\xff\x14" + bytes(4), "claims 16777215"),
        (wire.C0_C1 + wire.C2 + wire.video(b"\x17\x01"), "media came before"),
        (wire.C0_C1 + wire.C2 + wire.media(20, b"\x0a\x7f" * 20, 0), "AMF0"),
    ],
)
async def test_a_stranger_is_closed_with_one_line(server, lines, data, detail):
    async with RtmpClient(server.port) as client:
        await client.send(data)
        await client.reader.read()
    await eventually(lambda: not server.connections_count)
    assert len(_closings(lines)) == 1
    assert detail in _closings(lines)[0]
    assert not [line for line in lines if line["log_level"] in {"error", "critical"}]


async def test_a_byte_at_a_time_meets_the_deadline(server, lines):
    loop = asyncio.get_running_loop()
    opened_s = loop.time()
    async with RtmpClient(server.port) as client:
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await _dribble(client, wire.C0_C1, pause_s=0.02)
    assert loop.time() - opened_s < IMPATIENT.handshake_s + 1.0
    assert "too slow" in _closings(lines)[0]


async def test_the_longest_idle_peer_of_an_address_makes_way(server, lines):
    async with contextlib.AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(RtmpClient(server.port)) for _ in range(4)]
        for client in clients:
            await client.send(wire.C0_C1)
            await client.reader.readexactly(3073)
        extra = await stack.enter_async_context(RtmpClient(server.port))
        await clients[0].read_to_end()
        assert "from one address" in _closings(lines)[0]
        for client in (clients[1], extra):
            await _publish(client) if client is extra else await client.send(
                wire.C2 + wire.opening()
            )
            await client.read_until("NetStream.Publish.Start")


async def test_publishers_do_not_make_way(server, publishing, lines):
    publishing.broadcasts = {f"key-{number}": f"b{number}" for number in range(4)}
    async with contextlib.AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(RtmpClient(server.port)) for _ in range(4)]
        for number, client in enumerate(clients):
            await _publish(client, f"key-{number}")
        await eventually(lambda: len(publishing.publications) == 4)
        extra = await stack.enter_async_context(RtmpClient(server.port))
        await extra.read_to_end()
        assert "from one address" in _closings(lines)[0]
        assert not any(publication.end_reasons for publication in publishing.publications)


async def test_idle_peers_keep_no_publisher_out(server, publishing):
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(40):
            await stack.enter_async_context(RtmpClient(server.port))
        client = await stack.enter_async_context(RtmpClient(server.port))
        await _publish(client)
        assert (await publishing.wait_admitted()).broadcast_id
        assert server.connections_count <= 5


async def test_a_silent_publisher_is_ended_after_the_first_media_deadline(server, publishing):
    async with RtmpClient(server.port) as client:
        await _publish(client)
        await client.read_to_end()
        assert "No media came" in client.answers.describe("NetStream.Publish.Rejected")
    publication = await publishing.wait_admitted()
    assert await publication.wait_closed() is EndReason.STALLED


async def test_a_slow_vod_refuses_in_words_and_reads_no_media(server, publishing):
    publishing.gate = asyncio.Event()
    async with RtmpClient(server.port) as client:
        await client.shake_hands()
        await client.send(wire.opening() + wire.configurations())
        await client.read_to_end()
        assert "could not be checked" in client.answers.describe("NetStream.Publish.Rejected")
    assert publishing.publications == []


async def test_a_peer_that_leaves_while_we_ask_leaves_nothing_behind(server, publishing, lines):
    publishing.gate = asyncio.Event()
    async with RtmpClient(server.port) as client:
        await client.shake_hands()
        await client.send(wire.opening())
        await publishing.wait_requested()
    publishing.gate.set()
    publication = await publishing.wait_admitted()
    assert await publication.wait_closed() is EndReason.CONNECTION_LOST
    assert publication.items == []


async def test_a_defect_behind_the_port_is_logged_and_told(server, publishing, lines):
    publishing.error = ZeroDivisionError("defect")  # type: ignore[assignment]
    async with RtmpClient(server.port) as client:
        await client.shake_hands()
        await client.send(wire.opening())
        await client.read_to_end()
        assert "server made a mistake" in client.answers.describe("NetStream.Publish.Rejected")
    assert [line["event"] for line in lines if line["log_level"] == "error"] == [
        "rtmp_admission_failed"
    ]


async def test_a_pipelining_encoder_loses_nothing(server, publishing):
    async with RtmpClient(server.port) as client:
        media = b"".join(
            wire.video(wire.avc_tag(1, wire.lengths(b"\x65" + bytes(5000))), 40 * index)
            for index in range(50)
        )
        await client.send(wire.C0_C1 + wire.C2 + wire.opening() + wire.configurations() + media)
        publication = await publishing.wait_admitted()
        await publication.wait_until(lambda: len(publication.video) == 50)
    assert [unit.dts for unit in publication.video] == [3600 * index for index in range(50)]


async def test_flv_with_lying_sizes_is_dropped_and_counted(server, publishing):
    async with RtmpClient(server.port) as client:
        await _publish(client)
        lying = wire.video(wire.avc_tag(1, b"\x7f\xff\xff\xff\x65"), 40)
        await client.send(wire.configurations() + lying + wire.video(wire.avc_tag(1, IDR), 80))
        publication = await publishing.wait_admitted()
        await publication.wait_until(lambda: len(publication.video) == 1)
        assert publication.dropped_count == 1
        assert publication.video == [VideoUnit(pts=7200, dts=7200, data=IDR, is_idr=True)]


async def test_hevc_is_refused_with_a_sentence(server, publishing, lines):
    async with RtmpClient(server.port) as client:
        await _publish(client)
        await client.send(wire.video(b"\x90hvc1" + bytes(40)))
        await client.read_to_end()
        sentence = client.answers.describe("NetStream.Publish.Rejected")
    assert sentence.startswith("HEVC is not supported here")
    assert sentence in _closings(lines)[0]
    assert "good-key" not in repr(lines)


async def test_a_peer_that_never_reads_is_cut_off(publishing, lines):
    limits = RtmpLimits(write_buffer_bytes=16_384, idle_messages_count=1 << 30)
    ping = wire.media(4, b"\x00\x06\x00\x00\x00\x00", 0, csid=2) * 2000
    async with RtmpServer(publishing, host="127.0.0.1", port=0, limits=limits) as server:
        stranger = socket.socket()
        stranger.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        stranger.setblocking(False)
        loop = asyncio.get_running_loop()
        try:
            await loop.sock_connect(stranger, ("127.0.0.1", server.port))
            await loop.sock_sendall(stranger, wire.C0_C1 + wire.C2 + wire.connect())
            with pytest.raises(ConnectionError):
                async with asyncio.timeout(20):
                    await _send_for_ever(stranger, ping)
        finally:
            stranger.close()
    assert _closings(lines) == ["does not read our answers"]


async def test_unfinished_giants_stay_within_the_buffer_limit(publishing, lines):
    limits = RtmpLimits(buffered_bytes=1024 * 1024)
    server = RtmpServer(publishing, host="127.0.0.1", port=0, limits=limits)
    async with server, RtmpClient(server.port) as client:
        await _publish(client)
        tracemalloc.start()
        try:
            with contextlib.suppress(ConnectionError):
                for csid in range(4, 60):
                    head = bytes([csid]) + bytes(3) + (8_000_000).to_bytes(3, "big") + b"\x09"
                    body = bytes([0xC0 | csid]) + bytes(128)
                    await client.send(head + b"\x01\x00\x00\x00" + bytes(128) + body * 800)
            await client.read_to_end()
            peak_bytes = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert "hold more than" in _closings(lines)[0]
    assert peak_bytes < 4 * 1024 * 1024


async def test_random_bytes_never_hurt_the_server(publishing, lines):
    dice = random.Random(7)
    quick = RtmpLimits(handshake_s=0.2, publish_s=0.2, close_s=0.1)
    async with RtmpServer(publishing, host="127.0.0.1", port=0, limits=quick) as server:
        for _ in range(20):
            async with RtmpClient(server.port) as client:
                await client.shake_hands()
                await client.send(dice.randbytes(dice.randint(1, 4000)))
                await client.read_to_end()
        async with RtmpClient(server.port) as client:
            await _publish(client)
    assert len(_closings(lines)) == 21
    assert not [line for line in lines if line["log_level"] == "error"]
