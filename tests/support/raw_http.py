"""Requests that no client library would send: bytes to a port, and what comes back."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RawAnswer:
    """``status`` is 0 when nothing came back."""

    status: int
    content_type: str
    text: str


async def send_raw(port: int, data: bytes, *, deadline_s: float = 20) -> RawAnswer:
    """Send bytes and read until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    received = b""
    try:
        writer.write(data)
        async with asyncio.timeout(deadline_s):
            await writer.drain()
            while chunk := await reader.read(65_536):
                received += chunk
    except ConnectionResetError:
        pass  # nginx closes on a body it refuses; what it said before counts.
    finally:
        writer.close()
    head, _, text = received.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (x.partition(":") for x in lines)}
    status = int(first.split(" ")[1]) if " " in first else 0
    return RawAnswer(status, headers.get("content-type", ""), text.decode(errors="replace"))


def build_request(
    method: bytes,
    path: bytes,
    body: bytes = b"",
    *,
    content_type: bytes = b"application/json",
    more: bytes = b"",
    host: bytes = b"localhost",
) -> bytes:
    """One HTTP/1.1 request that ends its connection; ``more`` are whole header lines."""
    head = b"%b %b HTTP/1.1\r\nHost: %b\r\nConnection: close\r\n" % (method, path, host)
    return head + b"Content-Type: %b\r\n%bContent-Length: %d\r\n\r\n%b" % (
        content_type, more, len(body), body,
    )  # fmt: skip
