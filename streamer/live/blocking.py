"""What a playlist request asks for, and whether it is answered, held or refused. Pure.

Spec: rfc8216bis §6.2.5.2 (blocking playlist reload), §6.2.5.1 (delta updates).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from kernel.errors import InputError
from kernel.timing import TICKS_PER_S
from streamer.timeline import PART_TICKS

ADVANCE_PARTS: Final = -(-3 * TICKS_PER_S // PART_TICKS)  # §6.2.5.2: ceil(3 / PART-TARGET).
ADVANCE_SEGMENTS: Final = 2
_MAX_DIGITS: Final = 12


@dataclass(frozen=True, slots=True)
class ReloadRequest:
    """The delivery directives of a request; ``msn`` ``None``: answer at once."""

    msn: int | None = None
    part: int | None = None
    may_skip: bool = False


PLAIN: Final = ReloadRequest()


@dataclass(frozen=True, slots=True)
class Edge:
    """How far a playlist has come.

    Attributes:
        last_msn: Of the last complete segment; -1 before the first.
        last_parts_count: Parts it has.
        open_parts_count: Parts of the segment after it that are listed.
    """

    last_msn: int
    last_parts_count: int
    open_parts_count: int


def parse_reload(query: Mapping[str, str]) -> ReloadRequest:
    """Read ``_HLS_msn``, ``_HLS_part`` and ``_HLS_skip``; others are reserved and ignored.

    Raises:
        InputError: 400; a part without a segment, or no plain numbers.
    """
    if not query:
        return PLAIN
    msn, part = _number(query, "_HLS_msn"), _number(query, "_HLS_part")
    # §6.2.5.2: "If the client specifies _HLS_part without _HLS_msn the server MUST ... 400".
    if part is not None and msn is None:
        raise InputError("_HLS_part needs _HLS_msn", field="_HLS_part")
    return ReloadRequest(msn, part, may_skip=query.get("_HLS_skip") in {"YES", "v2"})


def _number(query: Mapping[str, str], name: str) -> int | None:
    text = query.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS):
        raise InputError(f"{name} is not a number of at most {_MAX_DIGITS} digits", field=name)
    return int(text)


def check_reach(request: ReloadRequest, edge: Edge) -> None:
    """Refuse what is too far ahead to wait for.

    Raises:
        InputError: 400, at once.
    """
    if request.msn is None:
        return
    # §6.2.5.2: a segment more than two after the last one SHOULD be answered with 400.
    if request.msn > edge.last_msn + ADVANCE_SEGMENTS:
        raise InputError(
            f"_HLS_msn is {request.msn}, the last segment is {edge.last_msn}", field="_HLS_msn"
        )
    # §6.2.5.2: a part beyond the last by the Advance Part Limit SHOULD be answered with 400.
    if request.part is not None and request.msn > edge.last_msn:
        listed = edge.open_parts_count if request.msn == edge.last_msn + 1 else 0
        if request.part >= listed + ADVANCE_PARTS:
            raise InputError(
                f"_HLS_part is {request.part}, {listed} parts are listed", field="_HLS_part"
            )


def is_satisfied(request: ReloadRequest, edge: Edge) -> bool:
    """Tell whether the playlist now holds what was asked for.

    A part beyond the last one of a complete segment means the first part of the next one
    (§6.2.5.2, MUST).
    """
    if request.msn is None or request.msn < edge.last_msn:
        return True
    if request.msn == edge.last_msn:
        is_beyond = request.part is not None and request.part >= edge.last_parts_count
        return edge.open_parts_count > 0 if is_beyond else True
    if request.part is None or request.msn > edge.last_msn + 1:
        return False
    return edge.open_parts_count > request.part
