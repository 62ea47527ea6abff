"""Compare the init segments of pieces that shall become one file. Pure.

Two init segments are the same for us when they differ in nothing but the edit list: how far the
first picture lies behind its decode time depends on how many pictures an encoder was given.

Spec: ISO/IEC 14496-12 §8.6.6 (elst); 14496-15 §5.3.3 (avcC).
"""

from __future__ import annotations

from kernel.errors import BoxError
from kernel.fmp4.walk import Box, find_box, iter_boxes


def fits_init(own: bytes, joined: bytes) -> bool:
    """Tell whether fragments made for ``own`` play behind ``joined``, edit lists aside."""
    return own == joined or _without_edits(own) == _without_edits(joined)


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
