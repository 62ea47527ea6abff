"""Handlers of ``/media/...`` and of recorded ``/live/...`` files while streamer is away.

The gate has checked the right to the object that the URL begins with; what the rest of the URL
names is checked here to belong to that object.
"""

from __future__ import annotations

import hashlib
import re
from http import HTTPStatus
from typing import Final

from aiohttp import hdrs, web

from kernel.blobs.keys import guess_content_type
from kernel.blobs.port import BlobStore
from kernel.blobs.web import is_match, serve_blob
from kernel.errors import DependencyError, NotFoundError, PlaylistSyntaxError
from kernel.ids import is_id
from kernel.layout import RENDITIONS, Rendition
from kernel.recording import RecordingIndex
from vod.http.keys import BLOBS, SETTINGS
from vod.playback.keys import LIBRARY
from vod.playback.library import LectureMedia, MediaLibrary, RenderedPlaylist
from vod.playback.objects import is_safe_name
from vod.playback.rewrite import move_media_playlist, move_multivariant
from vod.recordings.playlists import (
    FROM_LECTURE,
    FROM_RECORDING,
    render_recording,
    render_recording_index,
)

IMMUTABLE_S: Final = 31_536_000
POINTER_S: Final = 5  # A finished ladder replaces the recording; players that load get it soon.
RECORDING_S: Final = 3_600  # Never changes, but its segments go once the ladder is verified.
MAX_PLAYLIST_BYTES: Final = 8 * 1024 * 1024  # 10 h of 4 s segments with byte ranges is ~700 kB.
PLAYLIST_TYPE: Final = "application/vnd.apple.mpegurl"
_ASSET_FILE: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,100}\.(mp4|m3u8|jpg|vtt)")
_PLAN_HASH: Final = re.compile(r"[0-9a-f]{12,64}")
_LIVE_FILE: Final = re.compile(r"(?:[0-9]{1,12}\.m4s|init-[0-9a-f]{1,64}\.mp4)")
_NUMBER: Final = re.compile(r"[0-9]{1,9}")


def build_cache_control(*, is_public: bool, max_age_s: int) -> str:
    """Build the header; members' media are for the one who asked and our own edge only."""
    scope = "public" if is_public else "private"
    suffix = ", immutable" if max_age_s == IMMUTABLE_S else ""
    return f"{scope}, max-age={max_age_s}{suffix}"


async def get_index(request: web.Request) -> web.StreamResponse:
    """``/media/{lecture}/index.m3u8``: of the published asset, else of the recording."""
    library, lecture_id = request.app[LIBRARY], _read_id(request, "lecture_id")
    media = await library.find_media(lecture_id)
    if media.asset_prefix is not None:
        rendered = await _move_asset_playlist(request, media.asset_prefix, "index.m3u8")
    else:
        version = media.recording_version or 0
        key = ("recording-index", lecture_id, version)
        rendered = library.get_playlist(key) or await _render_recording(
            library, key, lecture_id, version, None
        )
    return _respond_playlist(request, rendered, is_public=media.is_public, max_age_s=POINTER_S)


async def get_audio(request: web.Request) -> web.StreamResponse:
    """``/media/{lecture}/audio.m3u8``: the sound only, of the best source, without a redirect."""
    library, lecture_id = request.app[LIBRARY], _read_id(request, "lecture_id")
    media = await library.find_media(lecture_id)
    if media.asset_prefix is not None:
        rendered = await _move_asset_playlist(request, media.asset_prefix, "audio.m3u8")
    else:
        rendered = await _audio_of_recording(library, lecture_id, media)
    return _respond_playlist(request, rendered, is_public=media.is_public, max_age_s=POINTER_S)


async def _audio_of_recording(
    library: MediaLibrary, lecture_id: str, media: LectureMedia
) -> RenderedPlaylist:
    version = media.recording_version or 0
    key = ("audio", lecture_id, version)
    return library.get_playlist(key) or await _render_recording(
        library, key, lecture_id, version, "audio", root=FROM_LECTURE
    )


async def get_recording(request: web.Request) -> web.StreamResponse:
    """``/media/{lecture}/recording/{version}/{av|audio}.m3u8`` over the live segments."""
    library, lecture_id = request.app[LIBRARY], _read_id(request, "lecture_id")
    version_text, name = request.match_info["version"], request.match_info["rendition"]
    rendition = next((known for known in RENDITIONS if known == name), None)
    if rendition is None or not _NUMBER.fullmatch(version_text):
        raise NotFoundError("no such playlist")
    version, media = int(version_text), await library.find_media(lecture_id)
    key = ("recording", lecture_id, version, rendition)
    rendered = library.get_playlist(key) or await _render_recording(
        library, key, lecture_id, version, rendition
    )
    return _respond_playlist(request, rendered, is_public=media.is_public, max_age_s=RECORDING_S)


async def _render_recording(
    library: MediaLibrary,
    key: tuple[object, ...],
    lecture_id: str,
    version: int,
    rendition: Rendition | None,
    *,
    root: str = FROM_RECORDING,
) -> RenderedPlaylist:
    index_json = await library.find_index_json(lecture_id, version)

    def build() -> str:
        index = RecordingIndex.model_validate_json(index_json)
        if rendition is None:
            return render_recording_index(index, version=version)
        return render_recording(index, rendition, root=root)

    return await library.render(key, build)


async def _move_asset_playlist(request: web.Request, prefix: str, name: str) -> RenderedPlaylist:
    library = request.app[LIBRARY]
    key = ("asset", prefix, name)
    if (known := library.get_playlist(key)) is not None:
        return known
    data = await request.app[BLOBS].get_bytes(prefix + name, limit_bytes=MAX_PLAYLIST_BYTES)
    move = move_multivariant if name == "index.m3u8" else move_media_playlist
    try:
        return await library.render(key, lambda: move(data.decode(errors="replace"), prefix))
    except PlaylistSyntaxError as error:
        raise DependencyError(f"{prefix}{name} is broken: {error}", retryable=False) from error


async def get_asset_file(request: web.Request) -> web.StreamResponse:
    """``/media/{lecture}/assets/{asset}/{plan_hash}/{file}``: ranges, immutable."""
    lecture_id, asset_id = _read_id(request, "lecture_id"), _read_id(request, "asset_id")
    plan_hash, name = request.match_info["plan_hash"], request.match_info["file"]
    # manifest.json holds commands and versions: for operators, not for the world.
    if not _PLAN_HASH.fullmatch(plan_hash) or not _ASSET_FILE.fullmatch(name):
        raise NotFoundError("no such file")
    is_public = await request.app[LIBRARY].is_public_asset(lecture_id, asset_id, plan_hash)
    key = f"assets/{asset_id}/{plan_hash}/{name}"
    cache_control = build_cache_control(is_public=is_public, max_age_s=IMMUTABLE_S)
    content_type = "audio/mp4" if name == "audio.mp4" else guess_content_type(key)
    return await _serve(request, key, content_type=content_type, cache_control=cache_control)


async def get_live_file(request: web.Request) -> web.StreamResponse:
    """``/live/{b}/{epoch}/{rendition}/{file}``: a recorded segment, from the blob store."""
    info = request.match_info
    broadcast_id, name = _read_id(request, "broadcast_id"), info["file"]
    is_known = info["rendition"] in RENDITIONS and _NUMBER.fullmatch(info["epoch"])
    if not is_known or not _LIVE_FILE.fullmatch(name):
        raise NotFoundError("no such segment")
    is_public = await request.app[LIBRARY].is_public_broadcast(broadcast_id)
    key = f"live/{broadcast_id}/{info['epoch']}/{info['rendition']}/{name}"
    cache_control = build_cache_control(is_public=is_public, max_age_s=IMMUTABLE_S)
    return await _serve(
        request, key, content_type=guess_content_type(key), cache_control=cache_control
    )


async def _serve(
    request: web.Request, key: str, *, content_type: str, cache_control: str
) -> web.StreamResponse:
    """Let the gate send a file that lies beside it; stream everything else."""
    blobs: BlobStore = request.app[BLOBS]
    may_gate_send = request.app[SETTINGS].blobs_url is None and _is_through_gate(request)
    if may_gate_send and blobs.local_path(key) is not None:
        await blobs.head(key)  # A missing one is our 404, not the gate's error page.
        return web.Response(
            headers={
                "X-Accel-Redirect": f"/_blobs/{key}",
                hdrs.CONTENT_TYPE: content_type,
                hdrs.CACHE_CONTROL: cache_control,
            }
        )
    return await serve_blob(
        request, blobs, key, content_type=content_type, cache_control=cache_control
    )


def _is_through_gate(request: web.Request) -> bool:
    # The gate always says for whom it asks; a direct caller would get an empty body.
    return request.method == hdrs.METH_GET and "X-Real-IP" in request.headers


def _read_id(request: web.Request, name: str) -> str:
    value = request.match_info[name]
    if not is_id(value) or not is_safe_name(value):
        raise NotFoundError(f"no such {name.removesuffix('_id')}")
    return value


def _respond_playlist(
    request: web.Request, rendered: RenderedPlaylist, *, is_public: bool, max_age_s: int
) -> web.Response:
    etag = f'"{hashlib.sha256(rendered.plain).hexdigest()[:24]}"'
    headers = {
        hdrs.CACHE_CONTROL: build_cache_control(is_public=is_public, max_age_s=max_age_s),
        hdrs.ETAG: etag,
        hdrs.VARY: hdrs.ACCEPT_ENCODING,
    }
    if is_match(request.headers.get(hdrs.IF_NONE_MATCH), etag=etag):
        return web.Response(status=HTTPStatus.NOT_MODIFIED, headers=headers)
    body = rendered.plain
    if _accepts_gzip(request.headers.get(hdrs.ACCEPT_ENCODING, "")):
        headers[hdrs.CONTENT_ENCODING], body = "gzip", rendered.zipped
        headers[hdrs.ETAG] = f"W/{etag}"  # Two encodings, one content (RFC 9110 §8.8.3.3).
    headers[hdrs.CONTENT_TYPE] = PLAYLIST_TYPE
    return web.Response(body=body, headers=headers)


def _accepts_gzip(header: str) -> bool:
    for part in header.split(","):
        coding, _, weight = part.partition(";")
        if coding.strip().lower() == "gzip":
            return not re.fullmatch(r"\s*q\s*=\s*0(\.0*)?\s*", weight)
    return False


MEDIA_ROUTES: Final = (
    web.get("/media/{lecture_id}/index.m3u8", get_index),
    web.get("/media/{lecture_id}/audio.m3u8", get_audio),
    web.get("/media/{lecture_id}/recording/{version}/{rendition}.m3u8", get_recording),
    web.get("/media/{lecture_id}/assets/{asset_id}/{plan_hash}/{file}", get_asset_file),
    web.get("/live/{broadcast_id}/{epoch}/{rendition}/{file}", get_live_file),
)
