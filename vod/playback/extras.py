"""Handlers of what lies beside the renditions: captions, chapters, posters, the download.

As everywhere below ``/media/{lecture}/`` the gate has checked the right to the lecture.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote

from aiohttp import hdrs, web

from kernel.captions import render_chapters, render_subtitle_playlist, render_webvtt
from kernel.errors import NotFoundError
from kernel.layout import poster_key
from vod.captions.service import unpack_cues
from vod.chapters.policy import read_chapters
from vod.material.timeline import Timeline, map_chapters
from vod.playback.answers import (
    IMMUTABLE_S,
    PLAYLIST_TYPE,
    POINTER_S,
    build_cache_control,
    read_id,
    respond_text,
    serve_file,
)
from vod.playback.keys import LIBRARY
from vod.playback.library import MediaLibrary, RenderedText

VTT_TYPE: Final = "text/vtt; charset=utf-8"
MAX_NAME_CHARS: Final = 80  # Of a downloaded file; three bytes each still fit every file system.
_CAPTION_FILE: Final = re.compile(
    r"(?P<version>[0-9]{1,9})(?:-(?P<place>r[0-9]{1,9}|[0-9a-z]{20}))?\.(?P<suffix>vtt|m3u8)"
)
_POSTER: Final = re.compile(r"[0-9a-f]{16,64}\.jpg")
_UNSAFE: Final = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*]+')  # What some file system refuses.


async def get_captions(request: web.Request) -> web.StreamResponse:
    """``/media/{lecture}/captions/{id}/{version}[-{place}].{vtt|m3u8}``.

    With a place (an asset or a recording) the newest version never changes and says so. Without
    one it is in the time of what plays now. An older version, of which somebody still has the
    playlist, is answered with the newest text.
    """
    library, lecture_id = request.app[LIBRARY], read_id(request, "lecture_id")
    caption_id = read_id(request, "caption_id")
    match = _CAPTION_FILE.fullmatch(request.match_info["file"])
    if match is None:
        raise NotFoundError("no such file")
    is_public, newest = await library.find_track_version(lecture_id, caption_id)
    version, place = int(match["version"]), match["place"]
    if version > newest:
        raise NotFoundError("no such version")
    timeline = await _find_timeline(library, lecture_id, place)
    if match["suffix"] == "m3u8":
        stem = match[0].removesuffix(".m3u8")
        rendered = await _render_playlist(library, stem, timeline)
        is_final = place is not None
        content_type = PLAYLIST_TYPE
    else:
        rendered, shown = await _render_cues(library, caption_id, newest, timeline)
        is_final = place is not None and shown == version
        content_type = VTT_TYPE
    return respond_text(
        request,
        rendered,
        is_public=is_public,
        max_age_s=IMMUTABLE_S if is_final else POINTER_S,
        content_type=content_type,
    )


async def _find_timeline(library: MediaLibrary, lecture_id: str, place: str | None) -> Timeline:
    if place is None:
        return (await library.find_media(lecture_id)).timeline
    return await library.find_old_timeline(lecture_id, place)


async def _render_playlist(library: MediaLibrary, stem: str, timeline: Timeline) -> RenderedText:
    key = ("caption-playlist", stem, timeline.duration_ms)
    return library.get_playlist(key) or await library.render(
        key, lambda: render_subtitle_playlist(f"{stem}.vtt", duration_ms=timeline.duration_ms)
    )


async def _render_cues(
    library: MediaLibrary, caption_id: str, newest: int, timeline: Timeline
) -> tuple[RenderedText, int]:
    """Render the newest cues; also tell of which version they turned out to be."""
    known = library.get_playlist(("cues", caption_id, newest, timeline))
    if known is not None:
        return known, newest
    shown, rows = await library.find_cues(caption_id)
    key = ("cues", caption_id, shown, timeline)
    return await library.render(
        key, lambda: render_webvtt(timeline.map_cues(unpack_cues(rows)))
    ), shown


async def get_chapters(request: web.Request) -> web.StreamResponse:
    """``/media/{lecture}/chapters.vtt``: the chapters in the time of what plays now."""
    library, lecture_id = request.app[LIBRARY], read_id(request, "lecture_id")
    media = await library.find_media(lecture_id)
    chapters = read_chapters(await library.find_chapters(lecture_id))
    key = ("chapters", lecture_id, media.timeline, chapters)
    rendered = library.get_playlist(key) or await library.render(
        key, lambda: render_chapters(map_chapters(chapters, media.timeline))
    )
    return respond_text(
        request,
        rendered,
        is_public=media.is_public,
        max_age_s=POINTER_S,
        content_type=VTT_TYPE,
    )


async def get_poster(request: web.Request) -> web.StreamResponse:
    """``/media/{lecture}/posters/{hash}.jpg``: a picture that an editor uploaded."""
    lecture_id, name = read_id(request, "lecture_id"), request.match_info["file"]
    if not _POSTER.fullmatch(name):
        raise NotFoundError("no such picture")
    is_public = await request.app[LIBRARY].is_public_poster(lecture_id, name)
    return await serve_file(
        request,
        poster_key(lecture_id, name),
        content_type="image/jpeg",
        cache_control=build_cache_control(is_public=is_public, max_age_s=IMMUTABLE_S),
    )


async def get_download(request: web.Request) -> web.StreamResponse:
    """``/media/{lecture}/audio.m4a``: the sound as one file, named after the lecture."""
    library, lecture_id = request.app[LIBRARY], read_id(request, "lecture_id")
    media = await library.find_media(lecture_id)
    names = media.extras.get("audio_download", ())
    if media.asset_prefix is None or not names:
        raise NotFoundError("there is no download yet", title_zh="音频还没有准备好")
    return await serve_file(
        request,
        media.asset_prefix + names[0],
        content_type="audio/mp4",
        cache_control=build_cache_control(is_public=media.is_public, max_age_s=POINTER_S),
        headers={hdrs.CONTENT_DISPOSITION: build_disposition(media.title, ".m4a")},
    )


def build_disposition(title: str, suffix: str) -> str:
    """Build the header that names a downloaded file after a lecture. Pure.

    Spec: RFC 6266 §4.3 and RFC 8187 §3.2: ``filename*`` in UTF-8, ``filename`` for old clients.
    """
    name = _UNSAFE.sub(" ", title).strip(" .")[:MAX_NAME_CHARS].strip(" .") or "lecture"
    plain = "".join(char for char in name if char.isascii()).strip(" .%;") or "lecture"
    encoded = quote(name + suffix, safe="!#$&+-.^_`|~")
    return f"attachment; filename=\"{plain}{suffix}\"; filename*=UTF-8''{encoded}"


EXTRA_ROUTES: Final = (
    web.get("/media/{lecture_id}/captions/{caption_id}/{file}", get_captions),
    web.get("/media/{lecture_id}/chapters.vtt", get_chapters),
    web.get("/media/{lecture_id}/posters/{file}", get_poster),
    web.get("/media/{lecture_id}/audio.m4a", get_download),
)
