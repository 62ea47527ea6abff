"""The segments of an asset that a channel airs. Pure. No I/O, no clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

from kernel.errors import PlaylistSyntaxError
from kernel.hls import ByteRange, parse_media_playlist

MAX_SEGMENT_TICKS: Final = 6 * 90_000 + 45_000  # Rounded it must not exceed TARGETDURATION.


@dataclass(frozen=True, slots=True)
class Track:
    """One file of an asset and its segments.

    Attributes:
        bounds: Where segments begin, in ticks from the first one, and where the last one ends.
        ranges: Of each segment.
    """

    name: str
    height_px: int
    init: ByteRange | None
    bounds: tuple[int, ...]
    ranges: tuple[ByteRange, ...]


@dataclass(frozen=True, slots=True)
class Media:
    """What of an asset can be aired.

    Attributes:
        folder: ``{asset_id}/{plan_hash}`` or with ``-first``; its place under ``assets/``.
        video: The largest first; all have one grid. Empty for sound alone.
        audio: ``None`` where nothing is heard.
    """

    lecture_id: str
    folder: str
    video: tuple[Track, ...]
    audio: Track | None

    @property
    def bounds(self) -> tuple[int, ...]:
        """The grid by which it is aired: of the picture, else of the sound."""
        if self.video:
            return self.video[0].bounds
        assert self.audio is not None  # noqa: S101 - build_media makes none without both
        return self.audio.bounds

    @property
    def count(self) -> int:
        return len(self.bounds) - 1


def read_track(text: str, *, name: str, height_px: int = 0) -> Track:
    """Read the playlist of one file.

    Raises:
        PlaylistSyntaxError: It is none, or cannot be aired: no ranges, segments too long.
    """
    playlist = parse_media_playlist(text)
    segments = playlist.segments
    ranges = tuple(s.byte_range for s in segments if s.byte_range and s.byte_range.size_bytes > 0)
    if not segments or len(ranges) != len(segments) or segments[0].init is None:
        raise PlaylistSyntaxError(f"{name}: not segments of one file with an init segment")
    if any(r.offset_bytes is None for r in ranges) or any(
        not 0 < s.duration_ticks < MAX_SEGMENT_TICKS for s in segments
    ):
        raise PlaylistSyntaxError(f"{name}: a range without offset, or a segment above 6.5 s")
    bounds = (0, *accumulate(s.duration_ticks for s in segments))
    return Track(name, height_px, segments[0].init.byte_range, bounds, ranges)


def build_media(lecture_id: str, folder: str, texts: Mapping[str, tuple[int, str]]) -> Media:
    """Build from the playlists of H.264 rungs and the sound.

    Rungs whose grid is not that of the largest are left out: a player could not change to them.

    Args:
        texts: Height in pixels (0 is sound) and playlist, by the name of the rendition.

    Raises:
        PlaylistSyntaxError: Nothing is left.
    """
    tracks = [read_track(text, name=name, height_px=px) for name, (px, text) in texts.items()]
    video = sorted((t for t in tracks if t.height_px), key=lambda t: -t.height_px)
    audio = next((t for t in tracks if not t.height_px), None)
    if not tracks:
        raise PlaylistSyntaxError(f"{folder}: nothing that could be aired")
    return Media(lecture_id, folder, tuple(t for t in video if t.bounds == video[0].bounds), audio)


def choose_rung(media: Media, height_px: int) -> Track | None:
    """Return the rung nearest to a height, of two the smaller one."""
    return min(media.video, key=lambda t: (abs(t.height_px - height_px), t.height_px), default=None)


def find_end_bytes(media: Media, name: str, stop: int) -> int:
    """Return where segment ``stop`` of a file begins, or the file ends; 0 for a stranger."""
    tracks = (*media.video, *((media.audio,) if media.audio is not None else ()))
    track = next((one for one in tracks if one.name == name), None)
    if track is None or stop < 1:
        return 0
    last = track.ranges[min(stop, len(track.ranges)) - 1]
    end: int = (last.offset_bytes or 0) + last.size_bytes
    return end
