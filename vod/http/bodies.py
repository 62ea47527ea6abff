"""Read request bodies that may be larger than the API's usual ones, up to a limit of their own."""

from __future__ import annotations

from aiohttp import web

from kernel.errors import InputError


async def read_body(request: web.Request, *, limit_bytes: int, title_zh: str) -> bytes:
    """Read a whole body of at most ``limit_bytes``.

    Raises:
        InputError: 413 with ``title_zh``; what is over the limit is not kept.
    """
    declared = request.content_length
    if declared is not None and declared > limit_bytes:
        raise _refuse(limit_bytes, title_zh)
    data = bytearray()
    async for chunk in request.content.iter_any():
        data += chunk
        if len(data) > limit_bytes:
            raise _refuse(limit_bytes, title_zh)
    return bytes(data)


def _refuse(limit_bytes: int, title_zh: str) -> InputError:
    return InputError(f"the body is larger than {limit_bytes} bytes", status=413, title_zh=title_zh)
