"""Read init segments that somebody else wrote. Pure and total: a value or ``BoxError``.

Spec: ISO/IEC 14496-12 (moov), 14496-15 §5.3 (avcC), 14496-14 §5.6 (esds), RFC 6381 (codecs),
AV1 Codec ISO Media File Format Binding §2.3 (av1C), §5 (codecs).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from kernel.errors import BoxError
from kernel.fmp4.walk import Box, Cursor, find_box, iter_boxes, require_box

MAX_TRACKS: Final = 32
_MPEG4_AUDIO: Final = 0x40  # objectTypeIndication, ISO/IEC 14496-1 table 5


@dataclass(frozen=True, slots=True)
class TrackInfo:
    """One track of an init segment.

    Attributes:
        handler: ``vide``, ``soun`` or what else stands in ``hdlr``.
        timescale_hz: Ticks per second of the track.
        codec: RFC 6381 string; the bare sample entry name when we know no better.
        width_px: Of the sample entry; ``None`` for sound.
        default_duration, default_flags: From ``trex``.
        edit_offset_ticks: ``media_time`` of the edit list: what presentation times are ahead of
            the lecture's clock by; 0 without one.
    """

    track_id: int
    handler: str
    timescale_hz: int
    codec: str
    width_px: int | None
    height_px: int | None
    sample_rate_hz: int | None
    channels_count: int | None
    default_duration: int
    default_flags: int
    edit_offset_ticks: int = 0


@dataclass(frozen=True, slots=True)
class InitInfo:
    """What ``moov`` says."""

    tracks: tuple[TrackInfo, ...]

    def find(self, handler: str) -> TrackInfo | None:
        """Return the first track of that kind."""
        return next((track for track in self.tracks if track.handler == handler), None)

    def find_id(self, track_id: int) -> TrackInfo | None:
        return next((track for track in self.tracks if track.track_id == track_id), None)


def parse_init(data: bytes | memoryview) -> InitInfo:
    """Parse ``ftyp`` + ``moov``.

    Raises:
        BoxError: No ``moov``, no or too many tracks, a zero timescale, duplicate ids, cut boxes.
    """
    whole = Box("file", 0, 0, len(data))
    moov = require_box(data, whole, "moov")
    defaults = _parse_defaults(data, moov)
    tracks = [
        _parse_track(data, box, defaults)
        for box in iter_boxes(data, moov.body, moov.end)
        if box.kind == "trak"
    ]
    if not tracks or len(tracks) > MAX_TRACKS:
        raise BoxError(f"{len(tracks)} tracks, expected 1 to {MAX_TRACKS}")
    if len({track.track_id for track in tracks}) != len(tracks):
        raise BoxError("two tracks share one id")
    return InitInfo(tuple(tracks))


def _parse_defaults(data: bytes | memoryview, moov: Box) -> dict[int, tuple[int, int]]:
    mvex = find_box(data, moov.body, moov.end, "mvex")
    defaults: dict[int, tuple[int, int]] = {}
    if mvex is not None:
        for box in iter_boxes(data, mvex.body, mvex.end):
            if box.kind == "trex":
                cursor = Cursor(data, box)
                cursor.skip(4)
                track_id, _description, duration, _size, flags = (cursor.take(4) for _ in range(5))
                defaults[track_id] = (duration, flags)
    return defaults


def _parse_track(
    data: bytes | memoryview, trak: Box, defaults: dict[int, tuple[int, int]]
) -> TrackInfo:
    tkhd = Cursor(data, require_box(data, trak, "tkhd"))
    version, _ = tkhd.take_version()
    tkhd.skip(16 if version == 1 else 8)
    track_id = tkhd.take(4)
    mdhd = Cursor(data, require_box(data, trak, "mdia", "mdhd"))
    version, _ = mdhd.take_version()
    mdhd.skip(16 if version == 1 else 8)
    timescale_hz = mdhd.take(4)
    if track_id == 0 or timescale_hz == 0:
        raise BoxError(f"track {track_id} has timescale {timescale_hz}")
    hdlr = Cursor(data, require_box(data, trak, "mdia", "hdlr"))
    hdlr.skip(8)
    handler = hdlr.take_bytes(4).decode("latin-1")
    stsd = require_box(data, trak, "mdia", "minf", "stbl", "stsd")
    entry = next(iter_boxes(data, stsd.body + 8, stsd.end), None)
    if entry is None:
        raise BoxError(f"track {track_id} has no sample entry")
    duration, flags = defaults.get(track_id, (0, 0))
    width, height, rate, channels, codec = _parse_sample_entry(data, entry, handler)
    return TrackInfo(
        track_id=track_id,
        handler=handler,
        timescale_hz=timescale_hz,
        codec=codec,
        width_px=width,
        height_px=height,
        sample_rate_hz=rate,
        channels_count=channels,
        default_duration=duration,
        default_flags=flags,
        edit_offset_ticks=_parse_edit_offset(data, trak),
    )


def _parse_edit_offset(data: bytes | memoryview, trak: Box) -> int:
    """Return ``media_time`` of the only edit. Spec: ISO/IEC 14496-12 §8.6.6."""
    elst = find_box(data, trak.body, trak.end, "edts", "elst")
    if elst is None:
        return 0
    cursor = Cursor(data, elst)
    version, _ = cursor.take_version()
    count, width = cursor.take(4), 8 if version == 1 else 4
    if count == 0:
        return 0
    if count > 1:
        raise BoxError(f"{count} edits in one track, we understand one")
    cursor.skip(width)
    media_time = cursor.take_signed(width)
    if media_time < 0:
        raise BoxError("an empty edit delays the track")
    return media_time


def _parse_sample_entry(
    data: bytes | memoryview, entry: Box, handler: str
) -> tuple[int | None, int | None, int | None, int | None, str]:
    cursor = Cursor(data, entry)
    cursor.skip(8)  # reserved, data_reference_index
    if handler == "vide":
        cursor.skip(16)
        width, height = cursor.take(2), cursor.take(2)
        cursor.skip(50)
        return width, height, None, None, _name_video(data, entry, cursor.position)
    if handler == "soun":
        cursor.skip(8)
        channels = cursor.take(2)
        cursor.skip(6)
        rate = cursor.take(4) >> 16
        return None, None, rate, channels, _name_audio(data, entry, cursor.position)
    return None, None, None, None, entry.kind


def _name_video(data: bytes | memoryview, entry: Box, children: int) -> str:
    if entry.kind == "av01":
        return _name_av1(data, entry, children)
    if entry.kind not in {"avc1", "avc3"}:
        return entry.kind
    avcc = find_box(data, children, entry.end, "avcC")
    if avcc is None:
        raise BoxError(f"{entry.kind!r} has no 'avcC'")
    cursor = Cursor(data, avcc)
    cursor.skip(1)  # configurationVersion
    # RFC 6381 §3.3: profile_idc, the byte with the constraint flags and level_idc, in hex.
    return f"{entry.kind}.{cursor.take_bytes(3).hex()}"


def _name_av1(data: bytes | memoryview, entry: Box, children: int) -> str:
    """``av01.P.LLT.DD``: what follows is left out, players take the usual 4:2:0 then."""
    av1c = find_box(data, children, entry.end, "av1C")
    if av1c is None:
        raise BoxError("'av01' has no 'av1C'")
    cursor = Cursor(data, av1c)
    cursor.skip(1)  # marker, version
    level, flags = cursor.take(1), cursor.take(1)
    profile, level_idx = level >> 5, level & 0x1F
    tier, is_high, is_twelve = flags >> 7, flags >> 6 & 1, flags >> 5 & 1
    depth_bits = (12 if is_twelve else 10) if is_high else 8
    return f"av01.{profile}.{level_idx:02}{'H' if tier else 'M'}.{depth_bits:02}"


def _name_audio(data: bytes | memoryview, entry: Box, children: int) -> str:
    if entry.kind != "mp4a":
        return entry.kind
    esds = find_box(data, children, entry.end, "esds")
    if esds is None:
        raise BoxError("'mp4a' has no 'esds'")
    object_type, asc = _parse_esds(data, esds)
    if object_type != _MPEG4_AUDIO or not asc:
        return f"mp4a.{object_type:02x}"
    kind = asc[0] >> 3
    if kind == 31 and len(asc) > 1:  # noqa: PLR2004 - 14496-3 §1.6.2.1: 31 escapes to 6 more bits
        kind = 32 + ((asc[0] & 7) << 3 | asc[1] >> 5)
    return f"mp4a.40.{kind}"


def _parse_esds(data: bytes | memoryview, esds: Box) -> tuple[int, bytes]:
    """Object type and AudioSpecificConfig. Spec: ISO/IEC 14496-1 §7.2.6."""
    cursor = Cursor(data, esds)
    cursor.skip(4)
    _take_descriptor(cursor, 0x03)
    cursor.skip(2)
    flags = cursor.take(1)
    cursor.skip(2 if flags & 0x80 else 0)
    cursor.skip(cursor.take(1) if flags & 0x40 else 0)
    cursor.skip(2 if flags & 0x20 else 0)
    _take_descriptor(cursor, 0x04)
    object_type = cursor.take(1)
    cursor.skip(12)
    if cursor.position >= esds.end:
        return object_type, b""
    return object_type, cursor.take_bytes(_take_descriptor(cursor, 0x05))


def _take_descriptor(cursor: Cursor, tag: int) -> int:
    found = cursor.take(1)
    if found != tag:
        raise BoxError(f"descriptor {found:#x} where {tag:#x} belongs")
    size = 0
    for _ in range(4):
        byte = cursor.take(1)
        size = size << 7 | byte & 0x7F
        if not byte & 0x80:
            return size
    raise BoxError("descriptor length does not end")
