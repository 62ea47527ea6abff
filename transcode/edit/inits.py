"""Compare and unite the init segments of pieces that shall become one file. Pure.

Two init segments are the same for us when they differ in nothing but the edit list: how far the
first picture lies behind its decode time depends on how many pictures an encoder was given. A
track that was copied from a source has parameter sets of another encoder: then one init segment
holds those of both under different numbers, and each keyframe refers to its own.

Spec: ISO/IEC 14496-12 §8.6.6 (elst); 14496-15 §5.3.3.1 (avcC).
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kernel.bits import BitReader
from kernel.errors import BoxError, EncodeError
from kernel.fmp4.init_reader import parse_init
from kernel.fmp4.walk import Box, Cursor, find_box, iter_boxes, parse_box, require_box

_STSD_PATH: Final = ("mdia", "minf", "stbl", "stsd")
_ENTRY_HEAD_BYTES: Final = 8 + 78  # Of a VisualSampleEntry before its boxes.
MAX_INIT_BYTES: Final = 1024 * 1024  # Ours are < 2 kB.
_MAX_SETS: Final = 31  # What the counter of an avcC holds.


@dataclass(frozen=True, slots=True)
class _Config:
    """An ``avcC``: profile bytes, parameter sets, what follows them."""

    head: bytes
    sps: tuple[bytes, ...]
    pps: tuple[bytes, ...]
    tail: bytes


def read_init_blocking(path: Path) -> bytes:
    """Read ``ftyp`` + ``moov`` of a file of ours and nothing behind them."""
    with path.open("rb") as stream:
        data = stream.read(MAX_INIT_BYTES)
    place, out = 0, b""
    while place < len(data):
        box = parse_box(data, place, len(data))
        out += data[box.offset : box.end] if box.kind in {"ftyp", "moov"} else b""
        if box.kind == "moov":
            return out
        place = box.end
    raise BoxError(f"{path.name} has no 'moov' at its start")


def fits_init(own: bytes, joined: bytes) -> bool:
    """Tell whether fragments made for ``own`` play behind ``joined``, edit lists aside."""
    return own == joined or _without_edits(own) == _without_edits(joined)


def holds_parameters(own: bytes, joined: bytes) -> bool:
    """Tell whether ``joined`` knows all parameter sets of ``own``, in the same clock and size."""
    if fits_init(own, joined):
        return True
    mine, theirs = parse_init(own).tracks[0], parse_init(joined).tracks[0]
    if (mine.timescale_hz, mine.width_px, mine.height_px) != (
        theirs.timescale_hz,
        theirs.width_px,
        theirs.height_px,
    ):
        return False
    config, whole = _read_config(own), _read_config(joined)
    return set(config.sps) <= set(whole.sps) and set(config.pps) <= set(whole.pps)


def unite_inits(base: bytes, others: Sequence[bytes]) -> bytes:
    """Return ``base`` with the parameter sets of ``others`` added to its own.

    Raises:
        EncodeError: Two different sets have one number.
    """
    if all(fits_init(other, base) for other in others):
        return base
    config = _read_config(base)
    sps, pps = list(config.sps), list(config.pps)
    for other in others:
        added = _read_config(other)
        sps += [item for item in added.sps if item not in sps]
        pps += [item for item in added.pps if item not in pps]
    for sets, read in ((sps, _read_sps_id), (pps, _read_pps_id)):
        numbers = [read(item) for item in sets]
        if len(set(numbers)) != len(numbers) or len(sets) > _MAX_SETS:
            raise EncodeError(
                f"parameter sets collide: {numbers}",
                permanent=True,
                title_zh="这门课程是旧版本转码的,请先重新转码再剪辑",
            )
    body = _render_config(_Config(config.head, tuple(sps), tuple(pps), config.tail))
    path, box = _find_config(base)
    grown = struct.pack(">I4s", 8 + len(body), b"avcC") + body
    out = bytearray(base)
    for parent in path:
        struct.pack_into(">I", out, parent.offset, parent.size_bytes + len(grown) - box.size_bytes)
    out[box.offset : box.end] = grown
    return bytes(out)


def _find_config(init: bytes) -> tuple[list[Box], Box]:
    """Find the ``avcC`` of the only track, and the boxes around it from the outside in."""
    moov = find_box(init, 0, len(init), "moov")
    if moov is None:
        raise BoxError("an init segment has a 'moov'")
    path = [moov, require_box(init, moov, "trak")]
    for kind in _STSD_PATH:
        path.append(require_box(init, path[-1], kind))
    stsd = path[-1]
    entry = next(iter_boxes(init, stsd.body + 8, stsd.end), None)
    if entry is None or entry.kind not in {"avc1", "avc3"}:
        raise BoxError("the track is no H.264")
    path.append(entry)
    config = find_box(init, entry.offset + _ENTRY_HEAD_BYTES, entry.end, "avcC")
    if config is None:
        raise BoxError(f"{entry.kind!r} has no 'avcC'")
    if any(box.header_bytes != config.header_bytes for box in path):
        raise BoxError("a header box of more than 4 GiB")
    return path, config


def _read_config(init: bytes) -> _Config:
    _, box = _find_config(init)
    cursor = Cursor(init, box)
    head = cursor.take_bytes(5)
    sps = tuple(cursor.take_bytes(cursor.take(2)) for _ in range(cursor.take(1) & 0x1F))
    pps = tuple(cursor.take_bytes(cursor.take(2)) for _ in range(cursor.take(1)))
    return _Config(head, sps, pps, init[cursor.position : box.end])


def _render_config(config: _Config) -> bytes:
    out = bytearray(config.head)
    out.append(0xE0 | len(config.sps))
    for item in config.sps:
        out += struct.pack(">H", len(item)) + item
    out.append(len(config.pps))
    for item in config.pps:
        out += struct.pack(">H", len(item)) + item
    return bytes(out) + config.tail


def _read_sps_id(nal: bytes) -> int:
    """``seq_parameter_set_id``: the first number behind header, profile, flags and level."""
    return BitReader(nal[4:24]).ue()


def _read_pps_id(nal: bytes) -> int:
    """``pic_parameter_set_id``: the first number behind the header."""
    return BitReader(nal[1:21]).ue()


def _without_edits(init: bytes) -> bytes:
    """Blank the times of every edit list, so that only the rest is compared."""
    out = bytearray(init)
    for elst in _find_edit_lists(init):
        out[elst.body + 8 : elst.end] = bytes(max(0, elst.end - elst.body - 8))
    return bytes(out)


def _find_edit_lists(init: bytes) -> list[Box]:
    moov = find_box(init, 0, len(init), "moov")
    if moov is None:
        raise BoxError("an init segment has a 'moov'")
    found: list[Box] = []
    for trak in iter_boxes(init, moov.body, moov.end):
        if trak.kind != "trak":
            continue
        elst = find_box(init, trak.body, trak.end, "edts", "elst")
        if elst is not None:
            found.append(elst)
    return found
