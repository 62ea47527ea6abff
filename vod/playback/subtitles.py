"""Caption tracks in multivariant playlists. Pure. No I/O, no clock."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from kernel.hls import MultivariantPlaylist, RenditionMedia
from vod.captions.languages import UNKNOWN

GROUP: Final = "captions"
# Whoever cannot hear chooses by this; iOS shows such a track under "SDH/CC".
SPOKEN: Final = "public.accessibility.transcribes-spoken-dialog"


@dataclass(frozen=True, slots=True)
class SubtitleTrack:
    """What a playlist says about a caption track; ``version`` is part of its address."""

    id: str
    version: int
    language: str
    label: str


def build_caption_path(track_id: str, version: int, place: str, suffix: str) -> str:
    """Path below ``/media/{lecture}/`` of a track's file as it is for ever.

    Args:
        place: Whose time it is in, see ``Timeline.place``.
        suffix: ``vtt`` or ``m3u8``.
    """
    return f"captions/{track_id}/{version}-{place}.{suffix}"


def add_subtitles(
    playlist: MultivariantPlaylist, tracks: Sequence[SubtitleTrack], *, place: str
) -> MultivariantPlaylist:
    """Add one EXT-X-MEDIA per track, and the group to every variant."""
    if not tracks:
        return playlist
    variants = tuple(replace(v, subtitles_group=GROUP) for v in playlist.variants)
    media = (*playlist.media, *_build_media(tracks, place))
    return replace(playlist, variants=variants, media=media)


def _build_media(tracks: Sequence[SubtitleTrack], place: str) -> Iterator[RenditionMedia]:
    languages: set[str] = set()
    for track in tracks:
        yield RenditionMedia(
            kind="SUBTITLES",
            group_id=GROUP,
            # Some readers take an apostrophe for a quotation mark.
            name=track.label.replace("'", "’"),
            uri=build_caption_path(track.id, track.version, place, "m3u8"),
            language=None if track.language == UNKNOWN else track.language,
            # rfc8216bis §4.4.6.1: DEFAULT=YES plays without being asked for. Captions do not.
            is_default=False,
            # §4.4.6.1.1: AUTOSELECT=YES members SHOULD differ in LANGUAGE and CHARACTERISTICS.
            is_autoselect=track.language not in languages,
            characteristics=SPOKEN,
        )
        languages.add(track.language)
