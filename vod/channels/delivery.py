"""Handlers of ``/channel/{id}/...``: playlists of the moment, and the media that they name.

The gate has checked the right to the channel. Media of a lecture is given for as long as the
channel shows it or has just shown it, and no further than was announced: whoever may watch the
channel may see what it airs, not the rest of a lecture that is not theirs.
"""

from __future__ import annotations

import re
from typing import Final

from aiohttp import hdrs, web

from kernel.blobs.keys import guess_content_type
from kernel.errors import InputError, NotFoundError
from kernel.hls import render_media_playlist, render_multivariant_playlist
from kernel.timing import TICKS_PER_S
from vod.channels.air import AUDIO, BY_NAME, build_index, build_playlist, to_ticks
from vod.channels.log import ChannelLog
from vod.channels.still import (
    MAX_START_TICKS,
    MAX_TICKS,
    build_black,
    build_black_init,
    build_quiet,
    build_quiet_init,
)
from vod.http.keys import BLOBS, CLOCK, DATABASE
from vod.playback.answers import (
    IMMUTABLE_S,
    PLAYLIST_TYPE,
    build_cache_control,
    read_id,
    serve_file,
)

LOG: Final = web.AppKey("channel_log", ChannelLog)
PLAYLIST_S: Final = 1
INDEX_S: Final = 3_600
AFTER: Final = 900 * TICKS_PER_S  # Longer than the longest playlist and a slow player together.
_FOLDER: Final = re.compile(r"[0-9a-f]{12,64}(?:-first)?")
_FILE: Final = re.compile(r"[A-Za-z0-9_-]{1,64}\.mp4")
_RANGE: Final = re.compile(r"bytes=[0-9]{1,15}-(?P<last>[0-9]{1,15})")
_STILL: Final = re.compile(r"(?P<start>[0-9]{1,12})-(?P<ticks>[0-9]{1,7})\.m4s")


def prepare_channels(app: web.Application) -> None:
    """Add what the handlers need; database, blobs and clock must be there."""
    app[LOG] = ChannelLog(app[DATABASE], app[BLOBS], app[CLOCK])


async def get_index(request: web.Request) -> web.Response:
    """``/channel/{id}/index.m3u8``: the variants, the same for every channel."""
    on_air = await request.app[LOG].find(read_id(request, "channel_id"))
    text = render_multivariant_playlist(build_index())
    return _respond(text.encode(), is_public=on_air.is_public, max_age_s=INDEX_S)


async def get_playlist(request: web.Request) -> web.Response:
    """``/channel/{id}/{rung|audio}.m3u8``: what is due about now."""
    name = request.match_info["name"]
    if name != AUDIO and name not in BY_NAME:
        raise NotFoundError("no such playlist")
    on_air = await request.app[LOG].find(read_id(request, "channel_id"))
    playlist = build_playlist(
        on_air.runs, on_air.media, name=name, now=on_air.now, window=on_air.window
    )
    text = render_media_playlist(playlist)
    return _respond(text.encode(), is_public=on_air.is_public, max_age_s=PLAYLIST_S)


def _respond(
    body: bytes, *, is_public: bool, max_age_s: int, content_type: str = PLAYLIST_TYPE
) -> web.Response:
    cache_control = build_cache_control(is_public=is_public, max_age_s=max_age_s)
    response = web.Response(
        body=body, content_type=content_type, headers={hdrs.CACHE_CONTROL: cache_control}
    )
    if content_type == PLAYLIST_TYPE:
        response.enable_compression()
    return response


async def get_still(request: web.Request) -> web.Response:
    """``/channel/{id}/{black|quiet}/{init.mp4|start-duration.m4s}``: what an asset lacks."""
    read_id(request, "channel_id")
    is_black, name = request.match_info["still"] == "black", request.match_info["file"]
    if name == "init.mp4":
        body = build_black_init() if is_black else build_quiet_init()
    else:
        match = _STILL.fullmatch(name)
        start, ticks = (int(match["start"]), int(match["ticks"])) if match else (0, 0)
        if not 0 < ticks <= MAX_TICKS or start > MAX_START_TICKS:
            raise NotFoundError("no such segment")
        body = build_black(start, ticks) if is_black else build_quiet(start, ticks)
    content_type = "video/mp4" if is_black else "audio/mp4"
    return _respond(body, is_public=True, max_age_s=IMMUTABLE_S, content_type=content_type)


async def get_asset_file(request: web.Request) -> web.StreamResponse:
    """``/channel/{id}/assets/{asset}/{folder}/{file}``: a range of what is on air."""
    channel_id, asset_id = read_id(request, "channel_id"), read_id(request, "asset_id")
    folder, name = request.match_info["folder"], request.match_info["file"]
    if not _FOLDER.fullmatch(folder) or not _FILE.fullmatch(name):
        raise NotFoundError("no such file")
    place = f"{asset_id}/{folder}"
    log, since = request.app[LOG], to_ticks(request.app[CLOCK].now()) - AFTER
    is_public = await log.is_public(channel_id)
    end = await log.find_end(channel_id, place, name.removesuffix(".mp4"), since=since)
    if not end:
        raise NotFoundError("not on air")
    _check_range(request.headers.get(hdrs.RANGE, ""), end)
    key = f"assets/{place}/{name}"
    content_type = "audio/mp4" if name == "audio.mp4" else guess_content_type(key)
    cache_control = build_cache_control(is_public=is_public, max_age_s=IMMUTABLE_S)
    return await serve_file(request, key, content_type=content_type, cache_control=cache_control)


def _check_range(header: str, end: int) -> None:
    """Only what was announced: players ask for the ranges of the playlist."""
    match = _RANGE.fullmatch(header.strip())
    if match is None or int(match["last"]) >= end:
        raise InputError("ask for a range of the playlist", status=412)


ROUTES: Final = (
    web.get("/channel/{channel_id}/index.m3u8", get_index),
    web.get("/channel/{channel_id}/{name}.m3u8", get_playlist),
    web.get("/channel/{channel_id}/{still:black|quiet}/{file}", get_still),
    web.get("/channel/{channel_id}/assets/{asset_id}/{folder}/{file}", get_asset_file),
)
