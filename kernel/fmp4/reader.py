"""Read fragmented MP4 that somebody else wrote: fragments and their tracks. Pure but for ``read``.

Every function is total: any bytes give a value or a :class:`~kernel.errors.BoxError`, with bounded
time and memory. Media data is never read into memory; only ``moov`` and ``moof`` boxes are.

Spec: ISO/IEC 14496-12 §8.8.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO, Final

from kernel.errors import BoxError
from kernel.fmp4.init_reader import MAX_TRACKS, InitInfo, parse_init
from kernel.fmp4.walk import (
    LARGE_HEADER_BYTES,
    SMALL_HEADER_BYTES,
    Box,
    Cursor,
    iter_boxes,
    parse_box,
    require_box,
)

MAX_HEADER_BOX_BYTES: Final = 8 * 1024 * 1024  # moov/moof of ours are < 100 kB; caps memory.
MAX_TOP_LEVEL_BOXES: Final = 500_000  # 4 s fragments: more than a hundred hours.
MAX_SAMPLES_PER_RUN: Final = 1_000_000  # Caps the loop over one trun.
_SAMPLE_IS_NON_SYNC: Final = 0x0001_0000  # ISO/IEC 14496-12 §8.8.3.1 sample_is_non_sync_sample


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
    head = stream.read(min(LARGE_HEADER_BYTES, size_bytes - offset))
    if len(head) < SMALL_HEADER_BYTES:
        raise BoxError(f"box header at {offset} is cut off")
    size, raw = struct.unpack_from(">I4s", head)
    header = SMALL_HEADER_BYTES
    if size == 1:
        if len(head) < LARGE_HEADER_BYTES:
            raise BoxError(f"large box header at {offset} is cut off")
        (size,) = struct.unpack_from(">Q", head, SMALL_HEADER_BYTES)
        header = LARGE_HEADER_BYTES
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
    mfhd = Cursor(data, require_box(data, moof, "mfhd"))
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
    cursor = Cursor(data, require_box(data, traf, "tfhd"))
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
    tfdt = require_box(data, traf, "tfdt")
    start = _parse_tfdt(data, tfdt)
    totals = _RunTotals(clock=start)
    for box in iter_boxes(data, traf.body, traf.end):
        if box.kind == "trun":
            _add_trun(Cursor(data, box), totals, duration=duration, flags=sample_flags)
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
    cursor = Cursor(data, tfdt)
    version, _ = cursor.take_version()
    return cursor.take(8 if version == 1 else 4)


def _add_trun(cursor: Cursor, totals: _RunTotals, *, duration: int, flags: int) -> None:
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
    mfhd = require_box(data, moof, "mfhd")
    Cursor(data, mfhd).skip(8)
    struct.pack_into(">I", out, mfhd.body + 4, sequence_number & 0xFFFF_FFFF)
    for traf in iter_boxes(data, moof.body, moof.end):
        if traf.kind == "traf":
            _shift_traf(data, out, traf, shifts)
    return bytes(out)


def _shift_traf(data: bytes, out: bytearray, traf: Box, shifts: Mapping[int, int]) -> None:
    tfhd = Cursor(data, require_box(data, traf, "tfhd"))
    tfhd.skip(4)
    track_id = tfhd.take(4)
    if track_id not in shifts:
        raise BoxError(f"no shift for track {track_id}")
    tfdt = require_box(data, traf, "tfdt")
    version = Cursor(data, tfdt).take_version()[0]
    ticks = _parse_tfdt(data, tfdt) + shifts[track_id]
    width = 64 if version == 1 else 32
    if not 0 <= ticks < 1 << width:
        raise BoxError(f"decode time {ticks} does not fit {width} bits")
    struct.pack_into(">Q" if version == 1 else ">I", out, tfdt.body + 4, ticks)
