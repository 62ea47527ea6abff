"""The body of one request, from the socket to the receiver, however it ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Final

import structlog
from aiohttp import ClientError, web
from aiohttp.http_exceptions import HttpProcessingError

from kernel.errors import ChecksumError, HallError, InputError
from vod.uploads import tus
from vod.uploads.receiving import Receiver

READ_BYTES: Final = 256 * 1024
IDLE_S: Final = 30.0  # A connection that sends nothing for so long is dead; what came is kept.
SETTLE_S: Final = 4.0  # Of a vod that stops: less than what it is given.
# What reading a body raises when its sender is gone.
_BROKEN: Final = (ConnectionError, ClientError, HttpProcessingError, TimeoutError, EOFError)

log = structlog.get_logger(__name__)


async def receive_body(
    request: web.Request, receiver: Receiver, checksum: tus.Checksum | None
) -> int:
    """Take the whole body, or what comes of it; return the new offset.

    Raises:
        ChecksumError: 460, nothing of the body is kept.
        InputError: 413, there is more than the file has; 400, the sender left (nobody hears it).
    """
    hashed = checksum.new_hash() if checksum else None
    try:
        async for data in _iter_body(request):
            if len(data) > receiver.left_bytes:
                raise build_too_long(receiver)
            if hashed is not None:
                hashed.update(data)
            await receiver.add(data)
    except _BROKEN as error:
        log.info("upload_broke_off", offset=receiver.offset, error=repr(error))
        await receiver.settle_broken()
        raise InputError("the body broke off") from error
    except asyncio.CancelledError:  # vod stops, or the server noticed the broken line first.
        await asyncio.shield(_settle_cancelled(receiver))
        raise
    if hashed is not None and checksum is not None and hashed.digest() != checksum.digest:
        # Spec: on a mismatch the server MUST respond with 460 and discard the chunk.
        raise ChecksumError(f"the body's {checksum.algorithm} is another")
    return await receiver.settle()


async def _settle_cancelled(receiver: Receiver) -> None:
    try:
        async with asyncio.timeout(SETTLE_S):
            await receiver.settle_broken()
    except (HallError, TimeoutError) as error:
        log.info("upload_not_settled", offset=receiver.offset, error=repr(error))


async def _iter_body(request: web.Request) -> AsyncIterator[bytes]:
    while True:
        async with asyncio.timeout(IDLE_S):
            data = await request.content.read(READ_BYTES)
        if not data:
            return
        yield data


def build_too_long(receiver: Receiver) -> InputError:
    return InputError(
        f"only {receiver.left_bytes} bytes are missing",
        field="Content-Length",
        status=413,
        title_zh="发送的数据比文件还长",
    )
