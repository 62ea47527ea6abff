"""Serve a playlist from another folder than its own: put a prefix before its URIs. Pure."""

from __future__ import annotations

from dataclasses import replace

from kernel.errors import PlaylistSyntaxError
from kernel.hls import (
    InitMap,
    MediaPlaylist,
    MultivariantPlaylist,
    Segment,
    parse_media_playlist,
    parse_multivariant_playlist,
    render_media_playlist,
)
from vod.playback.objects import is_safe_name


def move_multivariant(text: str, prefix: str) -> MultivariantPlaylist:
    """Read the multivariant playlist ``text`` for a folder from which ``prefix`` leads back.

    Raises:
        PlaylistSyntaxError: It is none, or names something outside of its own folder.
    """
    playlist: MultivariantPlaylist = parse_multivariant_playlist(text)
    return replace(
        playlist,
        variants=tuple(replace(v, uri=_move(v.uri, prefix)) for v in playlist.variants),
        media=tuple(
            m if m.uri is None else replace(m, uri=_move(m.uri, prefix)) for m in playlist.media
        ),
    )


def move_media_playlist(text: str, prefix: str) -> str:
    """Do the same with a VOD media playlist."""
    playlist: MediaPlaylist = parse_media_playlist(text)
    return render_media_playlist(
        replace(playlist, segments=tuple(_move_segment(s, prefix) for s in playlist.segments))
    )


def _move_segment(segment: Segment, prefix: str) -> Segment:
    init = segment.init
    moved: InitMap | None = None if init is None else replace(init, uri=_move(init.uri, prefix))
    return replace(segment, uri=_move(segment.uri, prefix), init=moved)


def _move(uri: str, prefix: str) -> str:
    # An asset is one flat folder: anything else is not ours and must not leave it.
    if not is_safe_name(uri):
        raise PlaylistSyntaxError(f"{uri[:80]!r} is not a file of the same folder")
    return prefix + uri
