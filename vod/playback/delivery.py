"""Handlers of ``/media/...`` and of recorded ``/live/...`` files while streamer is away.

The gate has checked the right to the object that the URL begins with; what the rest of the URL
names is checked here to belong to that object.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from aiohttp import web

from kernel.blobs.keys import guess_content_type
from kernel.errors import DependencyError, NotFoundError, PlaylistSyntaxError
from kernel.hls import MultivariantPlaylist, render_multivariant_playlist
from kernel.layout import RENDITIONS, Rendition
from kernel.recording import RecordingIndex
from vod.http.keys import BLOBS
from vod.playback.answers import (
    IMMUTABLE_S,
    POINTER_S,
    build_cache_control,
    read_id,
    respond_text,
    serve_file,
)
from vod.playback.keys import LIBRARY
from vod.playback.library import LectureMedia, MediaLibrary, RenderedText
from vod.playback.rewrite import move_media_playlist, move_multivariant
from vod.playback.subtitles import add_subtitles
from vod.recordings.playlists import (
    FROM_LECTURE,
    FROM_RECORDING,
    build_recording_index,
    render_recording,
)

RECORDING_S: Final = 3_600  # Never changes, but its segments go once the ladder is verified.
MAX_PLAYLIST_BYTES: Final = 8 * 1024 * 1024  # 10 h of 4 s segments with byte ranges is ~700 kB.
# manifest.json and slides.json hold commands and guesses: for us, not for the world.
_ASSET_FILE: Final = re.compile(
    r"(?:[A-Za-z0-9_-][A-Za-z0-9._-]{0,100}\.(?:mp4|m3u8|jpg|vtt|m4a)|waveform\.json)"
)
_ASSET_FOLDER: Final = re.compile(r"[0-9a-f]{12,64}(?:-first)?")
_LIVE_FILE: Final = re.compile(r"(?:[0-9]{1,12}\.m4s|init-[0-9a-f]{1,64}\.mp4)")
_NUMBER: Final = re.compile(r"[0-9]{1,9}")


async def get_index(request: web.Request) -> web.StreamResponse:
    """``/media/{lecture}/index.m3u8``: of the published asset, else of the recording."""
    library, lecture_id = request.app[LIBRARY], read_id(request, "lecture_id")
    media = await library.find_media(lecture_id)
    key = ("index", lecture_id, media.asset_prefix, media.index, media.timeline.place, media.tracks)
    rendered = library.get_playlist(key)
    if rendered is None:
        build = await _prepare_index(request, lecture_id, media)
        try:
            rendered = await library.render(
                key,
                lambda: render_multivariant_playlist(
                    add_subtitles(build(), media.tracks, place=media.timeline.place)
                ),
            )
        except PlaylistSyntaxError as error:
            raise _find_broken(media, error) from error
    return respond_text(request, rendered, is_public=media.is_public, max_age_s=POINTER_S)


async def _prepare_index(
    request: web.Request, lecture_id: str, media: LectureMedia
) -> Callable[[], MultivariantPlaylist]:
    """Fetch what the playlist is made from; the work itself is for the renderer's thread."""
    if media.asset_prefix is not None:
        prefix = media.asset_prefix
        data = await request.app[BLOBS].get_bytes(
            prefix + media.index, limit_bytes=MAX_PLAYLIST_BYTES
        )
        return lambda: move_multivariant(data.decode(errors="replace"), prefix)
    version = media.recording_version or 0
    index_json = await request.app[LIBRARY].find_index_json(lecture_id, version)
    return lambda: build_recording_index(
        RecordingIndex.model_validate_json(index_json), version=version
    )


def _find_broken(media: LectureMedia, error: PlaylistSyntaxError) -> DependencyError:
    return DependencyError(
        f"a playlist of {media.asset_prefix} is broken: {error}", retryable=False
    )


async def get_audio(request: web.Request) -> web.StreamResponse:
    """``/media/{lecture}/audio.m3u8``: the sound only, of the best source, without a redirect."""
    library, lecture_id = request.app[LIBRARY], read_id(request, "lecture_id")
    media = await library.find_media(lecture_id)
    if media.asset_prefix is not None:
        rendered = await _move_audio_playlist(request, media, media.asset_prefix)
    else:
        rendered = await _audio_of_recording(library, lecture_id, media)
    return respond_text(request, rendered, is_public=media.is_public, max_age_s=POINTER_S)


async def _audio_of_recording(
    library: MediaLibrary, lecture_id: str, media: LectureMedia
) -> RenderedText:
    version = media.recording_version or 0
    key = ("audio", lecture_id, version)
    return library.get_playlist(key) or await _render_recording(
        library, key, lecture_id, version, "audio", root=FROM_LECTURE
    )


async def get_recording(request: web.Request) -> web.StreamResponse:
    """``/media/{lecture}/recording/{version}/{av|audio}.m3u8`` over the live segments."""
    library, lecture_id = request.app[LIBRARY], read_id(request, "lecture_id")
    version_text, name = request.match_info["version"], request.match_info["rendition"]
    rendition = next((known for known in RENDITIONS if known == name), None)
    if rendition is None or not _NUMBER.fullmatch(version_text):
        raise NotFoundError("no such playlist")
    version, media = int(version_text), await library.find_media(lecture_id)
    key = ("recording", lecture_id, version, rendition)
    rendered = library.get_playlist(key) or await _render_recording(
        library, key, lecture_id, version, rendition
    )
    return respond_text(request, rendered, is_public=media.is_public, max_age_s=RECORDING_S)


async def _render_recording(
    library: MediaLibrary,
    key: tuple[object, ...],
    lecture_id: str,
    version: int,
    rendition: Rendition,
    *,
    root: str = FROM_RECORDING,
) -> RenderedText:
    index_json = await library.find_index_json(lecture_id, version)

    def build() -> str:
        return render_recording(
            RecordingIndex.model_validate_json(index_json), rendition, root=root
        )

    return await library.render(key, build)


async def _move_audio_playlist(
    request: web.Request, media: LectureMedia, prefix: str
) -> RenderedText:
    library = request.app[LIBRARY]
    key = ("asset", prefix, "audio.m3u8")
    if (known := library.get_playlist(key)) is not None:
        return known
    data = await request.app[BLOBS].get_bytes(prefix + "audio.m3u8", limit_bytes=MAX_PLAYLIST_BYTES)
    try:
        return await library.render(
            key, lambda: move_media_playlist(data.decode(errors="replace"), prefix)
        )
    except PlaylistSyntaxError as error:
        raise _find_broken(media, error) from error


async def get_asset_file(request: web.Request) -> web.StreamResponse:
    """``/media/{lecture}/assets/{asset}/{plan_hash}/{file}``: ranges, immutable."""
    lecture_id, asset_id = read_id(request, "lecture_id"), read_id(request, "asset_id")
    folder, name = request.match_info["folder"], request.match_info["file"]
    if not _ASSET_FOLDER.fullmatch(folder) or not _ASSET_FILE.fullmatch(name):
        raise NotFoundError("no such file")
    is_public = await request.app[LIBRARY].is_public_asset(lecture_id, asset_id, folder)
    key = f"assets/{asset_id}/{folder}/{name}"
    cache_control = build_cache_control(is_public=is_public, max_age_s=IMMUTABLE_S)
    content_type = "audio/mp4" if name == "audio.mp4" else guess_content_type(key)
    return await serve_file(request, key, content_type=content_type, cache_control=cache_control)


async def get_live_file(request: web.Request) -> web.StreamResponse:
    """``/live/{b}/{epoch}/{rendition}/{file}``: a recorded segment, from the blob store."""
    info = request.match_info
    broadcast_id, name = read_id(request, "broadcast_id"), info["file"]
    is_known = info["rendition"] in RENDITIONS and _NUMBER.fullmatch(info["epoch"])
    if not is_known or not _LIVE_FILE.fullmatch(name):
        raise NotFoundError("no such segment")
    is_public = await request.app[LIBRARY].is_public_broadcast(broadcast_id)
    key = f"live/{broadcast_id}/{info['epoch']}/{info['rendition']}/{name}"
    cache_control = build_cache_control(is_public=is_public, max_age_s=IMMUTABLE_S)
    return await serve_file(
        request, key, content_type=guess_content_type(key), cache_control=cache_control
    )


MEDIA_ROUTES: Final = (
    web.get("/media/{lecture_id}/index.m3u8", get_index),
    web.get("/media/{lecture_id}/audio.m3u8", get_audio),
    web.get("/media/{lecture_id}/recording/{version}/{rendition}.m3u8", get_recording),
    web.get("/media/{lecture_id}/assets/{asset_id}/{folder}/{file}", get_asset_file),
    web.get("/live/{broadcast_id}/{epoch}/{rendition}/{file}", get_live_file),
)
