"""Application state of posters."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

from aiohttp import web

from vod.posters.service import PictureDecoder

DECODER: Final = web.AppKey("picture_decoder", PictureDecoder)


def prepare_posters(app: web.Application) -> None:
    """Add the decoder of uploaded pictures."""
    app[DECODER] = PictureDecoder()
    app.cleanup_ctx.append(_close_decoder)


async def _close_decoder(app: web.Application) -> AsyncIterator[None]:
    yield
    app[DECODER].close()
