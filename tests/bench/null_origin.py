"""An origin that does nothing: the crowd's own lateness is what is measured against it.

    python -m tests.bench.null_origin PART_BYTES      (prints its port, ends with standard input)

It releases the same pattern as the hall, a part every half second in segments of four, from
memory, without authorisation, rendering or a disk.
"""

from __future__ import annotations

import asyncio
import re
import sys
from contextlib import suppress

PART_S = 0.5
PARTS_PER_SEGMENT = 4
RELOAD = re.compile(rb"GET \S*/av\.m3u8(?:\?_HLS_msn=([0-9]+)&_HLS_part=([0-9]+))?")
PADDING = b"#" + b"x" * 700 + b"\n"  # About what a compressed delta update weighs.


class NullOrigin:
    """The class: a counter that grows, and who waits for it."""

    def __init__(self, part_bytes: int) -> None:
        self.newest = -1
        self.waiters: list[tuple[int, asyncio.Transport]] = []
        self.part = _answer(bytes(part_bytes))
        self.playlist = b""

    def release(self) -> None:
        """Publish one part and wake everybody who waits for it."""
        self.newest += 1
        first = max(0, self.newest - PARTS_PER_SEGMENT)
        lines = [
            b'#EXT-X-PART:DURATION=0.5,URI="0/av/%d.%d.m4s"\n' % divmod(number, PARTS_PER_SEGMENT)
            for number in range(first, self.newest + 1)
        ]
        hint = b'#EXT-X-PRELOAD-HINT:TYPE=PART,URI="0/av/%d.%d.m4s"\n' % divmod(
            self.newest + 1, PARTS_PER_SEGMENT
        )
        self.playlist = _answer(b"#EXTM3U\n" + PADDING + b"".join(lines) + hint)
        due = [transport for number, transport in self.waiters if number <= self.newest]
        self.waiters = [item for item in self.waiters if item[0] > self.newest]
        for transport in due:
            transport.write(self.playlist)


class NullConnection(asyncio.Protocol):
    """One viewer; its requests come whole and one at a time."""

    def __init__(self, origin: NullOrigin) -> None:
        self._origin = origin
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None
        wanted = RELOAD.match(data)
        if wanted is None:
            self._transport.write(self._origin.part)
            return
        number = -1 if wanted[1] is None else int(wanted[1]) * PARTS_PER_SEGMENT + int(wanted[2])
        if number <= self._origin.newest:
            self._transport.write(self._origin.playlist)
        else:
            self._origin.waiters.append((number, self._transport))


def _answer(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body


async def serve(part_bytes: int) -> None:
    """Serve until standard input ends."""
    origin = NullOrigin(part_bytes)
    origin.release()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: NullConnection(origin), "127.0.0.1", 0, backlog=4096)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    ended = loop.run_in_executor(None, sys.stdin.read)
    next_at = loop.time()
    while not ended.done():
        next_at += PART_S
        with suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(ended), max(0.0, next_at - loop.time()))
        origin.release()
    server.close()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
