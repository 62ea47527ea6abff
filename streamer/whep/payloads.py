"""H.264 access units as RTP payloads (RFC 6184), cut once for all viewers. Pure."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from streamer.media import VideoConfig, VideoUnit

MAX_PAYLOAD_BYTES: Final = 1200  # Leaves room for SRTP and header extensions in any MTU.
CACHED_UNITS: Final = 64  # Viewers are at most a few pictures apart, except when they join.
_FU_A: Final = 28
_STAP_A: Final = 24


def split_nals(avcc: bytes) -> list[bytes]:
    """Split 4-byte length-prefixed NAL units; a lying length ends the list."""
    nals, position = [], 0
    while position + 4 < len(avcc):
        size = int.from_bytes(avcc[position : position + 4], "big")
        nal = avcc[position + 4 : position + 4 + size]
        if not nal:
            break
        nals.append(nal)
        position += 4 + size
    return nals


def build_payloads(unit: VideoUnit, config: VideoConfig | None) -> list[bytes]:
    """Cut a unit; an IDR carries its parameter sets, as late joiners and losses need them."""
    payloads = []
    if unit.is_idr and config is not None:
        payloads += _aggregate([*config.sps, *config.pps])
    for nal in split_nals(unit.data):
        payloads += [nal] if len(nal) <= MAX_PAYLOAD_BYTES else _fragment(nal)
    return payloads


def _aggregate(nals: list[bytes]) -> list[bytes]:
    size = 1 + sum(2 + len(nal) for nal in nals)
    if len(nals) == 1 or size > MAX_PAYLOAD_BYTES:
        return [piece for nal in nals for piece in _cut(nal)]
    # RFC 6184 §5.7.1: NRI is the highest of the aggregated NAL units.
    nri = max(nal[0] & 0x60 for nal in nals)
    body = b"".join(len(nal).to_bytes(2, "big") + nal for nal in nals)
    return [bytes((nri | _STAP_A,)) + body]


def _cut(nal: bytes) -> list[bytes]:
    return [nal] if len(nal) <= MAX_PAYLOAD_BYTES else _fragment(nal)


def _fragment(nal: bytes) -> list[bytes]:
    indicator, kind = nal[0] & 0xE0 | _FU_A, nal[0] & 0x1F
    size = MAX_PAYLOAD_BYTES - 2
    pieces = [nal[start : start + size] for start in range(1, len(nal), size)]
    payloads = []
    for index, piece in enumerate(pieces):
        flags = 0x80 if not index else 0x40 if index == len(pieces) - 1 else 0
        payloads.append(bytes((indicator, flags | kind)) + piece)
    return payloads


class PayloadCache:
    """Payloads of the latest units; cutting a key picture for 50 viewers happens once."""

    def __init__(self) -> None:
        self._known: OrderedDict[int, tuple[VideoUnit, list[bytes]]] = OrderedDict()

    def get(self, unit: VideoUnit, config: VideoConfig | None) -> list[bytes]:
        known = self._known.get(id(unit))
        if known is not None:
            return known[1]
        payloads = build_payloads(unit, config)
        # The unit is kept with its payloads, so its id cannot be given to another one.
        self._known[id(unit)] = (unit, payloads)
        if len(self._known) > CACHED_UNITS:
            self._known.popitem(last=False)
        return payloads
