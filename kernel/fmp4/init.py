"""Init segments: ``ftyp`` and a ``moov`` without samples. Pure.

Spec: ISO/IEC 14496-12 (boxes), 14496-15 §5 (avc1), 14496-14 §3 (mp4a, esds), 23000-19 (CMAF).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kernel.errors import BoxError
from kernel.fmp4.boxes import build_box, build_full_box, u16, u32
from kernel.h264 import build_avcc

_MATRIX = b"".join(map(u32, (0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x4000_0000)))
_LANGUAGE_UND = u16(0x55C4)  # "und", packed as three 5-bit letters.
_MOVIE_TIMESCALE = 1000  # Of an empty movie header; media time lives in mdhd.


@dataclass(frozen=True, slots=True)
class VideoTrack:
    """An H.264 track.

    Attributes:
        timescale_hz: Ticks per second of its samples.
        sps: NAL units with header, without start code.
        width_px: Coded size after cropping.
    """

    track_id: int
    timescale_hz: int
    sps: tuple[bytes, ...]
    pps: tuple[bytes, ...]
    width_px: int
    height_px: int


@dataclass(frozen=True, slots=True)
class AudioTrack:
    """An AAC track. ``timescale_hz`` is best the core coder's sample rate."""

    track_id: int
    timescale_hz: int
    asc: bytes
    sample_rate_hz: int
    channels_count: int


Track = VideoTrack | AudioTrack


def build_init(tracks: Sequence[Track]) -> bytes:
    """Build the init segment of one or two tracks with distinct ids.

    Raises:
        BoxError: No track, or ids that repeat.
        BitstreamError: Parameter sets that cannot be described.
    """
    ids = [track.track_id for track in tracks]
    if not ids or len(set(ids)) != len(ids) or min(ids) < 1:
        raise BoxError(f"track ids {ids} must be distinct and positive")
    brands = b"iso6" + b"cmfc" + b"isom" + b"mp41"
    ftyp = build_box(b"ftyp", b"iso6", u32(0), brands)
    mvhd = build_full_box(
        b"mvhd",
        u32(0) * 2,  # Creation and modification: unknown, so that equal inits have equal names.
        u32(_MOVIE_TIMESCALE),
        u32(0),
        u32(0x10000),
        u16(0x100),
        bytes(10),
        _MATRIX,
        bytes(24),
        u32(max(ids) + 1),
    )
    mvex = build_box(b"mvex", *(_build_trex(track_id) for track_id in ids))
    return ftyp + build_box(b"moov", mvhd, *map(_build_trak, tracks), mvex)


def _build_trex(track_id: int) -> bytes:
    return build_full_box(b"trex", u32(track_id), u32(1), u32(0), u32(0), u32(0))


def _build_trak(track: Track) -> bytes:
    is_video = isinstance(track, VideoTrack)
    width, height = (track.width_px, track.height_px) if isinstance(track, VideoTrack) else (0, 0)
    tkhd = build_full_box(
        b"tkhd",
        u32(0) * 2,
        u32(track.track_id),
        u32(0) * 2,
        bytes(8),
        u16(0) * 2,
        u16(0 if is_video else 0x100),
        u16(0),
        _MATRIX,
        u32(width << 16),
        u32(height << 16),
        flags=3,  # Enabled, in movie.
    )
    mdhd = build_full_box(
        b"mdhd", u32(0) * 2, u32(track.timescale_hz), u32(0), _LANGUAGE_UND, u16(0)
    )
    handler = (b"vide", b"Video\0") if is_video else (b"soun", b"Sound\0")
    hdlr = build_full_box(b"hdlr", u32(0), handler[0], bytes(12), handler[1])
    header = (
        build_full_box(b"vmhd", bytes(8), flags=1)
        if is_video
        else build_full_box(b"smhd", bytes(4))
    )
    url = build_full_box(b"url ", flags=1)  # The media is in the same file.
    dinf = build_box(b"dinf", build_full_box(b"dref", u32(1), url))
    minf = build_box(b"minf", header, dinf, _build_stbl(track))
    return build_box(b"trak", tkhd, build_box(b"mdia", mdhd, hdlr, minf))


def _build_stbl(track: Track) -> bytes:
    entry = _build_avc1(track) if isinstance(track, VideoTrack) else _build_mp4a(track)
    return build_box(
        b"stbl",
        build_full_box(b"stsd", u32(1), entry),
        build_full_box(b"stts", u32(0)),
        build_full_box(b"stsc", u32(0)),
        build_full_box(b"stsz", u32(0), u32(0)),
        build_full_box(b"stco", u32(0)),
    )


def _build_avc1(track: VideoTrack) -> bytes:
    return build_box(
        b"avc1",
        bytes(6),
        u16(1),  # data_reference_index
        bytes(16),
        u16(track.width_px),
        u16(track.height_px),
        u32(0x0048_0000) * 2,  # 72 dpi
        u32(0),
        u16(1),  # frame_count
        bytes(32),  # compressorname
        u16(24),
        b"\xff\xff",
        build_box(b"avcC", build_avcc(track.sps, track.pps)),
    )


def _build_mp4a(track: AudioTrack) -> bytes:
    return build_box(
        b"mp4a",
        bytes(6),
        u16(1),
        bytes(8),
        u16(track.channels_count),
        u16(16),
        bytes(4),
        # A 16.16 number: rates above 65 535 Hz do not fit, readers then take them from the ASC.
        u32((track.sample_rate_hz if track.sample_rate_hz <= 0xFFFF else 0) << 16),  # noqa: PLR2004
        _build_esds(track.asc),
    )


def _build_esds(asc: bytes) -> bytes:
    decoder_specific = _build_descriptor(0x05, asc)
    decoder_config = _build_descriptor(
        0x04,
        b"\x40",  # objectTypeIndication: MPEG-4 audio.
        b"\x15",  # streamType audio, upStream 0, reserved 1.
        bytes(3),
        u32(0) * 2,  # Bit rates unknown.
        decoder_specific,
    )
    es = _build_descriptor(0x03, u16(0), b"\0", decoder_config, _build_descriptor(0x06, b"\x02"))
    return build_full_box(b"esds", es)


def _build_descriptor(tag: int, *payload: bytes) -> bytes:
    """Build an MPEG-4 descriptor with the four-byte form of its size (14496-1 §8.3.3)."""
    body = b"".join(payload)
    size = len(body)
    sizes = bytes((size >> shift & 0x7F) | (0x80 if shift else 0) for shift in (21, 14, 7, 0))
    return bytes((tag,)) + sizes + body
