"""Fragments: one ``moof`` with a ``traf`` per track and its ``mdat``. Pure.

Spec: ISO/IEC 14496-12 §8.8 (movie fragments), 23000-19 §7.5 (CMAF chunk).
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from kernel.errors import BoxError
from kernel.fmp4.boxes import build_box, build_full_box, u32, u64

# §8.8.3.1: sample_depends_on, and bit 16 sample_is_non_sync_sample.
T = TypeVar("T")

FLAGS_SYNC = 0x0200_0000
FLAGS_NON_SYNC = 0x0101_0000

_TFHD_BASE_IS_MOOF = 0x02_0000
_TFHD_DURATION = 0x08
_TFHD_FLAGS = 0x20
_TRUN_DATA_OFFSET = 0x001
_TRUN_FIRST_FLAGS = 0x004
_TRUN_DURATION = 0x100
_TRUN_SIZE = 0x200
_TRUN_FLAGS = 0x400
_TRUN_OFFSET = 0x800


@dataclass(frozen=True, slots=True)
class Sample:
    """One sample of a track.

    Attributes:
        duration_ticks: > 0, to the next sample in decode order; track timescale.
        offset_ticks: Composition offset, pts - dts; may be negative.
        is_sync: Decoding can start here; always true for AAC.
    """

    data: bytes
    duration_ticks: int
    offset_ticks: int = 0
    is_sync: bool = True


@dataclass(frozen=True, slots=True)
class TrackRun:
    """Successive samples of one track; ``decode_ticks`` is the dts of the first (``tfdt``)."""

    track_id: int
    decode_ticks: int
    samples: Sequence[Sample]


def build_fragment(sequence: int, runs: Sequence[TrackRun]) -> bytes:
    """Build ``moof`` + ``mdat`` of one or more runs; runs without samples are left out.

    Raises:
        BoxError: Nothing to write, or a duration or time out of range.

    Cost: one copy of the media.
    """
    runs = [run for run in runs if run.samples]
    if not runs:
        raise BoxError("a fragment needs at least one sample")
    mfhd = build_full_box(b"mfhd", u32(sequence & 0xFFFF_FFFF))
    trafs = [_build_traf(run) for run in runs]
    moof_bytes = 8 + len(mfhd) + sum(len(traf) for traf, _ in trafs)
    offset = moof_bytes + 8  # Past the head of mdat.
    out: list[bytes] = []
    for run, (traf, patch_at) in zip(runs, trafs, strict=True):
        out.append(traf[:patch_at] + u32(offset) + traf[patch_at + 4 :])
        offset += sum(len(sample.data) for sample in run.samples)
    media = (sample.data for run in runs for sample in run.samples)
    return build_box(b"moof", mfhd, *out) + build_box(b"mdat", *media)


def _build_traf(run: TrackRun) -> tuple[bytes, int]:
    """Return the box and where in it trun's data_offset is."""
    samples = run.samples
    if run.decode_ticks < 0 or any(sample.duration_ticks <= 0 for sample in samples):
        raise BoxError(f"track {run.track_id}: a negative time or a duration that is not positive")
    duration = _common([sample.duration_ticks for sample in samples])
    later = _common([sample.is_sync for sample in samples[1:]] or [samples[0].is_sync])
    tfhd = _build_tfhd(run.track_id, duration=duration, is_sync=later)
    tfdt = build_full_box(b"tfdt", u64(run.decode_ticks), version=1)
    trun, patch_at = _build_trun(samples, has_duration=duration is None, later_sync=later)
    head = build_box(b"traf", tfhd, tfdt, trun)
    return head, 8 + len(tfhd) + len(tfdt) + patch_at


def _common(values: Sequence[T]) -> T | None:
    return values[0] if all(value == values[0] for value in values) else None


def _build_tfhd(track_id: int, *, duration: int | None, is_sync: bool | None) -> bytes:
    flags, fields = _TFHD_BASE_IS_MOOF, u32(track_id)
    if duration is not None:
        flags |= _TFHD_DURATION
        fields += u32(duration)
    if is_sync is not None:
        flags |= _TFHD_FLAGS
        fields += u32(_sample_flags(is_sync=is_sync))
    return build_full_box(b"tfhd", fields, flags=flags)


def _sample_flags(*, is_sync: bool) -> int:
    return FLAGS_SYNC if is_sync else FLAGS_NON_SYNC


def _build_trun(
    samples: Sequence[Sample], *, has_duration: bool, later_sync: bool | None
) -> tuple[bytes, int]:
    flags = _TRUN_DATA_OFFSET | _TRUN_SIZE
    flags |= _TRUN_DURATION if has_duration else 0
    has_offset = any(sample.offset_ticks for sample in samples)
    flags |= _TRUN_OFFSET if has_offset else 0
    first = b""
    if later_sync is None:
        flags |= _TRUN_FLAGS
    elif later_sync != samples[0].is_sync:
        flags |= _TRUN_FIRST_FLAGS
        first = u32(_sample_flags(is_sync=samples[0].is_sync))
    rows = bytearray()
    for sample in samples:
        if has_duration:
            rows += u32(sample.duration_ticks)
        rows += u32(len(sample.data))
        if flags & _TRUN_FLAGS:
            rows += u32(_sample_flags(is_sync=sample.is_sync))
        if has_offset:
            rows += struct.pack(">i", sample.offset_ticks)
    box = build_full_box(
        b"trun", u32(len(samples)), bytes(4), first, bytes(rows), version=1, flags=flags
    )
    return box, 16
