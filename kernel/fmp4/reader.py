"""Read fragmented MP4 that somebody else wrote: boxes, tracks, fragments. Pure but for ``read``.

Every function is total: any bytes give a value or a :class:`~kernel.errors.BoxError`, with bounded
time and memory. Media data is never read into memory; only ``moov`` and ``moof`` boxes are.

Spec: ISO/IEC 14496-12 (boxes), 14496-15 §5.3 (avcC), 14496-14 §5.6 (esds), RFC 6381 (codecs).
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO, Final

from kernel.errors import BoxError

MAX_HEADER_BOX_BYTES: Final = 8 * 1024 * 1024  # moov/moof of ours are < 100 kB; caps memory.
MAX_TOP_LEVEL_BOXES: Final = 500_000  # 4 s fragments: more than a hundred hours.
MAX_CHILDREN: Final = 4096  # Boxes inside one container.
MAX_TRACKS: Final = 32
MAX_SAMPLES_PER_RUN: Final = 1_000_000  # Caps the loop over one trun.
_MPEG4_AUDIO: Final = 0x40  # objectTypeIndication, ISO/IEC 14496-1 table 5
_SMALL_HEADER: Final = 8
_LARGE_HEADER: Final = 16
_SAMPLE_IS_NON_SYNC: Final = 0x0001_0000  # ISO/IEC 14496-12 §8.8.3.1 sample_is_non_sync_sample


@dataclass(frozen=True, slots=True)
class Box:
    """Where a box lies.

    Attributes:
        kind: Four characters.
        offset: Of its first byte, in the stream or the buffer it was found in.
        header_bytes: 8 or 16.
        size_bytes: Header included.
    """

    kind: str
    offset: int
    header_bytes: int
    size_bytes: int

    @property
    def body(self) -> int:
        return self.offset + self.header_bytes

    @property
    def end(self) -> int:
        return self.offset + self.size_bytes


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


@dataclass(frozen=True, slots=True)
class TrackRun:
    """One track's samples in one fragment, in ticks of the track.

    Attributes:
        tfdt_ticks: Decode time of the first sample.
        tfdt_offset: Of the ``tfdt`` box inside its ``moof``.
        first_pts_ticks: The smallest presentation time of the fragment.
        end_pts_ticks: The largest presentation time plus that sample's duration.
        is_sync_first: Decoding can start at the fragment.
    """

    track_id: int
    tfdt_ticks: int
    tfdt_offset: int
    duration_ticks: int
    samples_count: int
    first_pts_ticks: int
    end_pts_ticks: int
    is_sync_first: bool


@dataclass(frozen=True, slots=True)
class Fragment:
    """A ``moof`` with the ``mdat`` behind it: ``[offset, offset + size_bytes)`` of the stream."""

    offset: int
    moof_bytes: int
    size_bytes: int
    sequence_number: int
    runs: tuple[TrackRun, ...]

    def find(self, track_id: int) -> TrackRun | None:
        return next((run for run in self.runs if run.track_id == track_id), None)


@dataclass(frozen=True, slots=True)
class FragmentIndex:
    """A whole file: ``init_bytes`` is ``ftyp`` + ``moov`` exactly as stored."""

    init_bytes: bytes
    init: InitInfo
    fragments: tuple[Fragment, ...]


# ---- boxes -------------------------------------------------------------------------------------


def parse_box(data: bytes | memoryview, offset: int, end: int) -> Box:
    """Read the box header at ``offset``; the whole box must lie before ``end``.

    Spec: ISO/IEC 14496-12 §4.2: size 1 means a 64-bit size follows, size 0 "to the end".
    """
    if offset < 0 or end > len(data) or end - offset < _SMALL_HEADER:
        raise BoxError(f"box header at {offset} is cut off")
    size, raw = struct.unpack_from(">I4s", data, offset)
    header = _SMALL_HEADER
    if size == 1:
        if end - offset < _LARGE_HEADER:
            raise BoxError(f"large box header at {offset} is cut off")
        (size,) = struct.unpack_from(">Q", data, offset + _SMALL_HEADER)
        header = _LARGE_HEADER
    elif size == 0:
        size = end - offset
    kind = raw.decode("latin-1")
    if size < header or size > end - offset:
        raise BoxError(f"box {kind!r} at {offset} claims {size} bytes of {end - offset}")
    return Box(kind, offset, header, size)


def iter_boxes(data: bytes | memoryview, start: int, end: int) -> Iterator[Box]:
    """Walk the boxes of ``[start, end)``.

    Raises:
        BoxError: A size does not fit, or more than ``MAX_CHILDREN`` boxes.
    """
    offset, count = start, 0
    while offset < end:
        count += 1
        if count > MAX_CHILDREN:
            raise BoxError(f"more than {MAX_CHILDREN} boxes in one container")
        box = parse_box(data, offset, end)
        yield box
        offset = box.end


def find_box(data: bytes | memoryview, start: int, end: int, *path: str) -> Box | None:
    """Follow ``path`` down from ``[start, end)``; the first box of each name counts."""
    box: Box | None = None
    for kind in path:
        box = next((item for item in iter_boxes(data, start, end) if item.kind == kind), None)
        if box is None:
            return None
        start, end = box.body, box.end
    return box


def _require(data: bytes | memoryview, parent: Box, *path: str) -> Box:
    box = find_box(data, parent.body, parent.end, *path)
    if box is None:
        raise BoxError(f"{parent.kind!r} at {parent.offset} has no {'/'.join(path)!r}")
    return box


class _Cursor:
    """Bounds-checked big-endian reads inside one box."""

    def __init__(self, data: bytes | memoryview, box: Box) -> None:
        self._data = data
        self._box = box
        self.position = box.body

    def take(self, count: int) -> int:
        """Read an unsigned integer of ``count`` bytes."""
        return int.from_bytes(self.take_bytes(count), "big")

    def take_signed(self, count: int) -> int:
        return int.from_bytes(self.take_bytes(count), "big", signed=True)

    def take_bytes(self, count: int) -> bytes:
        if count < 0 or self.position + count > self._box.end:
            raise BoxError(f"box {self._box.kind!r} at {self._box.offset} is too short")
        start = self.position
        self.position += count
        return bytes(self._data[start : self.position])

    def skip(self, count: int) -> None:
        self.take_bytes(count)

    def take_version(self) -> tuple[int, int]:
        """FullBox version and flags."""
        word = self.take(4)
        return word >> 24, word & 0xFF_FFFF


# ---- init segments -----------------------------------------------------------------------------


def parse_init(data: bytes | memoryview) -> InitInfo:
    """Parse ``ftyp`` + ``moov``.

    Raises:
        BoxError: No ``moov``, no or too many tracks, a zero timescale, duplicate ids, cut boxes.
    """
    whole = Box("file", 0, 0, len(data))
    moov = _require(data, whole, "moov")
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
                cursor = _Cursor(data, box)
                cursor.skip(4)
                track_id, _description, duration, _size, flags = (cursor.take(4) for _ in range(5))
                defaults[track_id] = (duration, flags)
    return defaults


def _parse_track(
    data: bytes | memoryview, trak: Box, defaults: dict[int, tuple[int, int]]
) -> TrackInfo:
    tkhd = _Cursor(data, _require(data, trak, "tkhd"))
    version, _ = tkhd.take_version()
    tkhd.skip(16 if version == 1 else 8)
    track_id = tkhd.take(4)
    mdhd = _Cursor(data, _require(data, trak, "mdia", "mdhd"))
    version, _ = mdhd.take_version()
    mdhd.skip(16 if version == 1 else 8)
    timescale_hz = mdhd.take(4)
    if track_id == 0 or timescale_hz == 0:
        raise BoxError(f"track {track_id} has timescale {timescale_hz}")
    hdlr = _Cursor(data, _require(data, trak, "mdia", "hdlr"))
    hdlr.skip(8)
    handler = hdlr.take_bytes(4).decode("latin-1")
    stsd = _require(data, trak, "mdia", "minf", "stbl", "stsd")
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
    cursor = _Cursor(data, elst)
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
    cursor = _Cursor(data, entry)
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
    if entry.kind not in {"avc1", "avc3"}:
        return entry.kind
    avcc = find_box(data, children, entry.end, "avcC")
    if avcc is None:
        raise BoxError(f"{entry.kind!r} has no 'avcC'")
    cursor = _Cursor(data, avcc)
    cursor.skip(1)  # configurationVersion
    # RFC 6381 §3.3: profile_idc, the byte with the constraint flags and level_idc, in hex.
    return f"{entry.kind}.{cursor.take_bytes(3).hex()}"


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
    cursor = _Cursor(data, esds)
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


def _take_descriptor(cursor: _Cursor, tag: int) -> int:
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


# ---- fragments ---------------------------------------------------------------------------------


def index_bytes(data: bytes, *, init: InitInfo | None = None) -> tuple[Fragment, ...]:
    """Index the fragments of a media segment held in memory; ``init`` gives the defaults."""
    return tuple(_iter_fragments(io.BytesIO(data), len(data), init))


def index_file(stream: BinaryIO, size_bytes: int) -> FragmentIndex:
    """Index a whole fragmented file; reads ``ftyp``, ``moov`` and every ``moof``, nothing else.

    Raises:
        BoxError: Not a fragmented MP4 of ours, or a limit is passed.
    """
    ftyp = moov = b""
    offset = 0
    while offset < size_bytes:
        box = _read_header(stream, offset, size_bytes)
        if box.kind in {"moof", "mdat"}:
            break
        if box.kind == "ftyp":
            ftyp = _read_box(stream, box)
        elif box.kind == "moov":
            moov = _read_box(stream, box)
            offset = box.end
            break
        offset = box.end
    if not moov:
        raise BoxError("no 'moov' before the media")
    init = parse_init(moov)
    fragments = tuple(_iter_fragments(stream, size_bytes, init, start=offset))
    return FragmentIndex(ftyp + moov, init, fragments)


def _iter_fragments(
    stream: BinaryIO, size_bytes: int, init: InitInfo | None, *, start: int = 0
) -> Iterator[Fragment]:
    offset, count = start, 0
    pending: tuple[Box, bytes] | None = None
    while offset < size_bytes:
        count += 1
        if count > MAX_TOP_LEVEL_BOXES:
            raise BoxError(f"more than {MAX_TOP_LEVEL_BOXES} boxes")
        box = _read_header(stream, offset, size_bytes)
        if box.kind == "moof":
            if pending is not None:
                raise BoxError(f"'moof' at {pending[0].offset} has no 'mdat'")
            pending = (box, _read_box(stream, box))
        elif box.kind == "mdat":
            if pending is None:
                raise BoxError(f"'mdat' at {offset} has no 'moof'")
            yield _build_fragment(pending[0], pending[1], box, init)
            pending = None
        offset = box.end
    if pending is not None:
        raise BoxError(f"'moof' at {pending[0].offset} has no 'mdat'")


def _read_header(stream: BinaryIO, offset: int, size_bytes: int) -> Box:
    stream.seek(offset)
    head = stream.read(min(_LARGE_HEADER, size_bytes - offset))
    if len(head) < _SMALL_HEADER:
        raise BoxError(f"box header at {offset} is cut off")
    size, raw = struct.unpack_from(">I4s", head)
    header = _SMALL_HEADER
    if size == 1:
        if len(head) < _LARGE_HEADER:
            raise BoxError(f"large box header at {offset} is cut off")
        (size,) = struct.unpack_from(">Q", head, _SMALL_HEADER)
        header = _LARGE_HEADER
    elif size == 0:
        size = size_bytes - offset
    kind = raw.decode("latin-1")
    if size < header or size > size_bytes - offset:
        raise BoxError(f"box {kind!r} at {offset} claims {size} bytes of {size_bytes - offset}")
    return Box(kind, offset, header, size)


def _read_box(stream: BinaryIO, box: Box) -> bytes:
    if box.size_bytes > MAX_HEADER_BOX_BYTES:
        raise BoxError(f"{box.kind!r} of {box.size_bytes} bytes, limit {MAX_HEADER_BOX_BYTES}")
    stream.seek(box.offset)
    data = stream.read(box.size_bytes)
    if len(data) != box.size_bytes:
        raise BoxError(f"{box.kind!r} at {box.offset} is cut off")
    return data


def _build_fragment(moof: Box, data: bytes, mdat: Box, init: InitInfo | None) -> Fragment:
    if mdat.offset != moof.end:
        raise BoxError(f"'mdat' at {mdat.offset} does not follow its 'moof' at {moof.offset}")
    sequence, runs = parse_moof(data, init=init)
    size = moof.size_bytes + mdat.size_bytes
    return Fragment(moof.offset, moof.size_bytes, size, sequence, runs)


def parse_moof(data: bytes, *, init: InitInfo | None = None) -> tuple[int, tuple[TrackRun, ...]]:
    """Parse one whole ``moof``: its sequence number and one run per track."""
    moof = parse_box(data, 0, len(data))
    if moof.kind != "moof":
        raise BoxError(f"{moof.kind!r} where 'moof' belongs")
    mfhd = _Cursor(data, _require(data, moof, "mfhd"))
    mfhd.skip(4)
    sequence = mfhd.take(4)
    trafs = [box for box in iter_boxes(data, moof.body, moof.end) if box.kind == "traf"]
    if not trafs or len(trafs) > MAX_TRACKS:
        raise BoxError(f"{len(trafs)} track fragments, expected 1 to {MAX_TRACKS}")
    return sequence, tuple(_parse_traf(data, traf, init) for traf in trafs)


@dataclass(slots=True)
class _RunTotals:
    clock: int
    samples_count: int = 0
    first_pts: int | None = None
    end_pts: int = 0
    is_sync_first: bool = False


def _parse_traf(data: bytes, traf: Box, init: InitInfo | None) -> TrackRun:
    cursor = _Cursor(data, _require(data, traf, "tfhd"))
    _, flags = cursor.take_version()
    track_id = cursor.take(4)
    track = init.find_id(track_id) if init else None
    if init is not None and track is None:
        raise BoxError(f"fragment of unknown track {track_id}")
    cursor.skip(8 if flags & 0x01 else 0)  # base_data_offset
    cursor.skip(4 if flags & 0x02 else 0)  # sample_description_index
    duration = cursor.take(4) if flags & 0x08 else (track.default_duration if track else 0)
    cursor.skip(4 if flags & 0x10 else 0)  # default_sample_size
    sample_flags = cursor.take(4) if flags & 0x20 else (track.default_flags if track else 0)
    tfdt = _require(data, traf, "tfdt")
    start = _parse_tfdt(data, tfdt)
    totals = _RunTotals(clock=start)
    for box in iter_boxes(data, traf.body, traf.end):
        if box.kind == "trun":
            _add_trun(_Cursor(data, box), totals, duration=duration, flags=sample_flags)
    if totals.first_pts is None:
        raise BoxError(f"fragment of track {track_id} has no samples")
    return TrackRun(
        track_id=track_id,
        tfdt_ticks=start,
        tfdt_offset=tfdt.offset,
        duration_ticks=totals.clock - start,
        samples_count=totals.samples_count,
        first_pts_ticks=totals.first_pts,
        end_pts_ticks=totals.end_pts,
        is_sync_first=totals.is_sync_first,
    )


def _parse_tfdt(data: bytes, tfdt: Box) -> int:
    cursor = _Cursor(data, tfdt)
    version, _ = cursor.take_version()
    return cursor.take(8 if version == 1 else 4)


def _add_trun(cursor: _Cursor, totals: _RunTotals, *, duration: int, flags: int) -> None:
    """Add one ``trun``. Spec: ISO/IEC 14496-12 §8.8.8; flag bits as in its §8.8.8.1."""
    version, present = cursor.take_version()
    count = cursor.take(4)
    if count > MAX_SAMPLES_PER_RUN:
        raise BoxError(f"{count} samples in one run, limit {MAX_SAMPLES_PER_RUN}")
    per_sample = 4 * (present >> 8 & 0xF).bit_count()
    cursor.skip(4 if present & 0x1 else 0)  # data_offset
    first_flags = cursor.take(4) if present & 0x4 else None
    if not per_sample and count > 4096:  # noqa: PLR2004 - the bytes do not bound such a loop
        raise BoxError(f"{count} samples without fields in one run")
    for number in range(count):
        length = cursor.take(4) if present & 0x100 else duration
        cursor.skip(4 if present & 0x200 else 0)  # sample_size
        own = cursor.take(4) if present & 0x400 else flags
        offset = 0
        if present & 0x800:
            offset = cursor.take(4) if version == 0 else cursor.take_signed(4)
        if totals.samples_count == 0:
            used = first_flags if number == 0 and first_flags is not None else own
            totals.is_sync_first = not used & _SAMPLE_IS_NON_SYNC
        pts = totals.clock + offset
        totals.first_pts = pts if totals.first_pts is None else min(totals.first_pts, pts)
        totals.end_pts = max(totals.end_pts, pts + length)
        totals.clock += length
        totals.samples_count += 1


# ---- rewriting ---------------------------------------------------------------------------------


def rewrite_moof(data: bytes, *, sequence_number: int, shifts: Mapping[int, int]) -> bytes:
    """Give a ``moof`` another sequence number and move its decode times.

    The size never changes, so data offsets stay right.

    Args:
        shifts: Track id -> ticks of that track to add to its ``tfdt``.

    Raises:
        BoxError: A track has no shift, or the new time is negative or does not fit its field (32
            bits in version 0).
    """
    moof = parse_box(data, 0, len(data))
    out = bytearray(data)
    mfhd = _require(data, moof, "mfhd")
    _Cursor(data, mfhd).skip(8)
    struct.pack_into(">I", out, mfhd.body + 4, sequence_number & 0xFFFF_FFFF)
    for traf in iter_boxes(data, moof.body, moof.end):
        if traf.kind == "traf":
            _shift_traf(data, out, traf, shifts)
    return bytes(out)


def _shift_traf(data: bytes, out: bytearray, traf: Box, shifts: Mapping[int, int]) -> None:
    tfhd = _Cursor(data, _require(data, traf, "tfhd"))
    tfhd.skip(4)
    track_id = tfhd.take(4)
    if track_id not in shifts:
        raise BoxError(f"no shift for track {track_id}")
    tfdt = _require(data, traf, "tfdt")
    version = _Cursor(data, tfdt).take_version()[0]
    ticks = _parse_tfdt(data, tfdt) + shifts[track_id]
    width = 64 if version == 1 else 32
    if not 0 <= ticks < 1 << width:
        raise BoxError(f"decode time {ticks} does not fit {width} bits")
    struct.pack_into(">Q" if version == 1 else ">I", out, tfdt.body + 4, ticks)
