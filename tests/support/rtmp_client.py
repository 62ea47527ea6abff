"""The client's half of RTMP for tests: bytes by hand, and a small asyncio client over them."""

from __future__ import annotations

import asyncio
import struct
from typing import Any, Self

from streamer.rtmp.amf import AmfLimits, decode_amf0, encode_amf0
from streamer.rtmp.chunks import ChunkParser, encode_message
from streamer.rtmp.limits import RtmpLimits
from streamer.rtmp.messages import Message, MessageType

HANDSHAKE_BYTES = 1536
C0_C1 = b"\x03" + bytes(4) + b"\x80\x00\x07\x02" + b"\x5a" * 1528  # A digest client's version.
C2 = bytes(HANDSHAKE_BYTES)

# One 320x180 baseline picture's worth of parameter sets, from x264.
SPS = bytes.fromhex("6742c00cd9014197e7011000000300100000030320f142a480")
PPS = bytes.fromhex("68cb83cb20")
AVCC = b"\x01\x42\xc0\x0c\xff\xe1" + struct.pack(">H", len(SPS)) + SPS
AVCC += b"\x01" + struct.pack(">H", len(PPS)) + PPS
ASC = b"\x12\x10"  # AAC-LC, 44.1 kHz, stereo.


def lengths(*nals: bytes, size: int = 4) -> bytes:
    return b"".join(len(nal).to_bytes(size, "big") + nal for nal in nals)


def avc_tag(kind: int, data: bytes, *, offset_ms: int = 0, is_key: bool = True) -> bytes:
    head = 0x17 if is_key else 0x27
    return bytes([head, kind]) + (offset_ms & 0xFFFFFF).to_bytes(3, "big") + data


def aac_tag(kind: int, data: bytes) -> bytes:
    return bytes([0xAF, kind]) + data


def media(kind: int, body: bytes, time_ms: int, *, csid: int = 6) -> bytes:
    return encode_message(Message(kind, 1, time_ms, body), csid=csid, chunk_bytes=128)


def video(body: bytes, time_ms: int = 0) -> bytes:
    return media(MessageType.VIDEO, body, time_ms)


def audio(body: bytes, time_ms: int = 0) -> bytes:
    return media(MessageType.AUDIO, body, time_ms, csid=4)


def command(name: str, transaction: float, *values: Any, kind: int = 20) -> bytes:
    payload = encode_amf0(name, transaction, *values)
    if kind == MessageType.COMMAND_AMF3:
        payload = b"\x00" + payload
    return encode_message(Message(kind, 0, 0, payload), csid=3, chunk_bytes=128)


def connect(app: str = "live", **properties: Any) -> bytes:
    return command("connect", 1.0, {"app": app, "flashVer": "test/1", **properties})


def publish(key: str = "good-key") -> bytes:
    return command("publish", 5.0, None, key, "live")


def opening(key: str = "good-key", app: str = "live") -> bytes:
    """All that an impatient encoder sends after the handshake, up to ``publish``."""
    return (
        connect(app)
        + command("releaseStream", 2.0, None, key)
        + command("FCPublish", 3.0, None, key)
        + command("createStream", 4.0, None)
        + publish(key)
    )


def configurations() -> bytes:
    return video(avc_tag(0, AVCC)) + audio(aac_tag(0, ASC))


class Answers:
    """Reads what the server sends after the handshake."""

    def __init__(self) -> None:
        self._parser = ChunkParser(RtmpLimits())
        self.messages: list[Message] = []

    def feed(self, data: bytes) -> None:
        self.messages += self._parser.feed(data)

    @property
    def commands(self) -> list[list[Any]]:
        return [
            decode_amf0(message.payload, AmfLimits())
            for message in self.messages
            if message.type_id == MessageType.COMMAND_AMF0
        ]

    @property
    def codes(self) -> list[str]:
        """The ``code`` of every answer that has one, in order."""
        found = []
        for values in self.commands:
            found += [
                value["code"] for value in values if isinstance(value, dict) and "code" in value
            ]
        return found

    def describe(self, code: str) -> str:
        for values in self.commands:
            for value in values:
                if isinstance(value, dict) and value.get("code") == code:
                    return str(value["description"])
        raise AssertionError(f"no {code} among {self.codes}")


class RtmpClient:
    """A connected peer that has not said anything; ``async with`` closes it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.answers = Answers()

    async def __aenter__(self) -> Self:
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self._port)
        return self

    async def __aexit__(self, *_exc: object) -> None:
        self.writer.close()

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def shake_hands(self) -> None:
        await self.send(C0_C1)
        await self.reader.readexactly(1 + 2 * HANDSHAKE_BYTES)
        await self.send(C2)

    async def read_until(self, code: str, *, timeout_s: float = 5.0) -> None:
        """Read answers until one carries ``code``."""
        async with asyncio.timeout(timeout_s):
            while code not in self.answers.codes:
                data = await self.reader.read(65_536)
                if not data:
                    raise AssertionError(f"closed after {self.answers.codes}")
                self.answers.feed(data)

    async def read_to_end(self, *, timeout_s: float = 5.0) -> None:
        """Read until the server closes; a reset counts as closing."""
        async with asyncio.timeout(timeout_s):
            try:
                while data := await self.reader.read(65_536):
                    self.answers.feed(data)
            except ConnectionResetError:
                return
