"""The playlist model: frozen values, durations in ticks of 1/90000 s. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Literal


@dataclass(frozen=True, slots=True)
class ByteRange:
    """``size@offset``; without an offset it follows the previous range of the same resource."""

    size_bytes: int
    offset_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class InitMap:
    """EXT-X-MAP: the init segment of what follows."""

    uri: str
    byte_range: ByteRange | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """EXT-X-PART."""

    uri: str
    duration_ticks: int
    is_independent: bool = False
    is_gap: bool = False
    byte_range: ByteRange | None = None


@dataclass(frozen=True, slots=True)
class Segment:
    """A media segment with the tags before its URI.

    Attributes:
        init: EXT-X-MAP written before it; ``None`` keeps the one in force.
        program_date_time: Aware, UTC, whole milliseconds survive a round trip.
        title: Text after EXTINF's comma.
    """

    uri: str
    duration_ticks: int
    parts: tuple[Part, ...] = ()
    init: InitMap | None = None
    is_discontinuity: bool = False
    program_date_time: datetime | None = None
    byte_range: ByteRange | None = None
    is_gap: bool = False
    title: str = ""


@dataclass(frozen=True, slots=True)
class ServerControl:
    """EXT-X-SERVER-CONTROL; times in ticks."""

    may_block_reload: bool = False
    skip_until_ticks: int | None = None
    part_hold_back_ticks: int | None = None
    hold_back_ticks: int | None = None


@dataclass(frozen=True, slots=True)
class PreloadHint:
    """EXT-X-PRELOAD-HINT."""

    uri: str
    kind: Literal["PART", "MAP"] = "PART"
    start_bytes: int | None = None
    size_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class RenditionReport:
    """EXT-X-RENDITION-REPORT."""

    uri: str
    last_msn: int
    last_part: int | None = None


@dataclass(frozen=True, slots=True)
class Skip:
    """EXT-X-SKIP of a delta update."""

    skipped_count: int


@dataclass(frozen=True, slots=True)
class MediaPlaylist:
    """A media playlist.

    Attributes:
        trailing: The parts of the segment that is still being made: a segment with an empty
            URI and no duration, whose other tags come before the parts.
        kind: EXT-X-PLAYLIST-TYPE.
    """

    target_duration_s: int
    segments: tuple[Segment, ...]
    version: int = 9
    media_sequence: int = 0
    discontinuity_sequence: int | None = None
    server_control: ServerControl | None = None
    part_target_ticks: int | None = None
    skip: Skip | None = None
    trailing: Segment | None = None
    preload_hint: PreloadHint | None = None
    rendition_reports: tuple[RenditionReport, ...] = ()
    kind: Literal["VOD", "EVENT"] | None = None
    is_ended: bool = False
    has_independent_segments: bool = False


@dataclass(frozen=True, slots=True)
class RenditionMedia:
    """EXT-X-MEDIA."""

    kind: Literal["AUDIO", "VIDEO", "SUBTITLES"]
    group_id: str
    name: str
    uri: str | None = None
    language: str | None = None
    is_default: bool = False
    is_autoselect: bool = False
    is_forced: bool = False
    channels: str | None = None
    characteristics: str | None = None


@dataclass(frozen=True, slots=True)
class Variant:
    """EXT-X-STREAM-INF. ``frame_rate`` is rounded to three decimals in the text."""

    uri: str
    bandwidth_bps: int
    average_bandwidth_bps: int | None = None
    codecs: tuple[str, ...] = ()
    width_px: int | None = None
    height_px: int | None = None
    frame_rate: Fraction | None = None
    audio_group: str | None = None
    subtitles_group: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class MultivariantPlaylist:
    """A multivariant playlist."""

    variants: tuple[Variant, ...]
    media: tuple[RenditionMedia, ...] = ()
    version: int = 9
    has_independent_segments: bool = False
