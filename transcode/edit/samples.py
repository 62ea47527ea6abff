"""Read the samples of one fragment, to put them into another. Pure and total.

Spec: ISO/IEC 14496-12 §8.8.7 (tfhd), §8.8.8 (trun).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from kernel.errors import BoxError
from kernel.fmp4.fragment import Sample
from kernel.fmp4.init_reader import TrackInfo
from kernel.fmp4.walk import Box, Cursor, iter_boxes, parse_box, require_box

MAX_SAMPLES: Final = 100_000  # A fragment of ours holds a few hundred.
_NON_SYNC: Final = 0x0001_0000  # §8.8.3.1 sample_is_non_sync_sample


@dataclass(frozen=True, slots=True)
class _Row:
    """One line of a ``trun`` with the defaults filled in."""

    size_bytes: int
    duration_ticks: int
    offset_ticks: int
    is_sync: bool


def read_samples(fragment: bytes, track: TrackInfo) -> list[Sample]:
    """Take a whole fragment (``moof`` + ``mdat``) of one track apart.

    Raises:
        BoxError: Not such a fragment, a size that is nowhere given, or data that is cut off.
    """
    moof = parse_box(fragment, 0, len(fragment))
    trafs = [box for box in iter_boxes(fragment, moof.body, moof.end) if box.kind == "traf"]
    if moof.kind != "moof" or len(trafs) != 1:
        raise BoxError("not a fragment of one track")
    rows = _read_rows(fragment, trafs[0], track)
    mdat = parse_box(fragment, moof.end, len(fragment))
    place = mdat.body
    samples: list[Sample] = []
    for row in rows:
        data = fragment[place : place + row.size_bytes]
        if len(data) != row.size_bytes or place + row.size_bytes > mdat.end:
            raise BoxError("a sample lies outside of its 'mdat'")
        samples.append(Sample(data, row.duration_ticks, row.offset_ticks, row.is_sync))
        place += row.size_bytes
    return samples


def _read_rows(data: bytes, traf: Box, track: TrackInfo) -> list[_Row]:
    tfhd = Cursor(data, require_box(data, traf, "tfhd"))
    _, present = tfhd.take_version()
    tfhd.skip(4)
    tfhd.skip(8 if present & 0x01 else 0)
    tfhd.skip(4 if present & 0x02 else 0)
    duration = tfhd.take(4) if present & 0x08 else track.default_duration
    size = tfhd.take(4) if present & 0x10 else None
    flags = tfhd.take(4) if present & 0x20 else track.default_flags
    rows: list[_Row] = []
    for box in iter_boxes(data, traf.body, traf.end):
        if box.kind == "trun":
            rows += _read_trun(Cursor(data, box), duration=duration, size=size, flags=flags)
    return rows


def _read_trun(cursor: Cursor, *, duration: int, size: int | None, flags: int) -> list[_Row]:
    version, present = cursor.take_version()
    count = cursor.take(4)
    if count > MAX_SAMPLES:
        raise BoxError(f"{count} samples in one run, limit {MAX_SAMPLES}")
    cursor.skip(4 if present & 0x1 else 0)
    first_flags = cursor.take(4) if present & 0x4 else None
    rows: list[_Row] = []
    for number in range(count):
        own_duration = cursor.take(4) if present & 0x100 else duration
        own_size = cursor.take(4) if present & 0x200 else size
        own_flags = cursor.take(4) if present & 0x400 else flags
        if number == 0 and first_flags is not None:
            own_flags = first_flags
        offset = 0
        if present & 0x800:
            offset = cursor.take(4) if version == 0 else cursor.take_signed(4)
        if own_size is None:
            raise BoxError("a run says nowhere how large its samples are")
        rows.append(_Row(own_size, own_duration, offset, is_sync=not own_flags & _NON_SYNC))
    return rows
