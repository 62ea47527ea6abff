"""Gather NAL units into pictures: parameter sets apart, slices together. Pure.

A picture ends at the marker bit or at the next time stamp, whichever comes first. Senders that
set the marker on every packet are found out and then only judged by time stamps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from streamer.media import VideoConfig

SLICE_TYPES: Final = frozenset({1, 2, 3, 4, 5})
_HEADED_SLICES: Final = frozenset({1, 2, 5})
IDR: Final = 5
SEI: Final = 6
SPS: Final = 7
PPS: Final = 8
MAX_PICTURE_BYTES: Final = 16 * 1024 * 1024
MAX_SETS_COUNT: Final = 31  # avcC counts SPS in five bits.
MAX_SET_BYTES: Final = 4096  # Real ones are < 200 bytes; avcC has 16 bits for the length.


@dataclass(frozen=True, slots=True)
class Picture:
    """One coded picture.

    Attributes:
        timestamp: RTP, 32 bits, as it came.
        data: NAL units with 4-byte lengths, slices and SEI only.
        is_idr: Decoding can start here.
        config: The parameter sets, when they differ from those of the previous picture.
    """

    timestamp: int
    data: bytes
    is_idr: bool
    config: VideoConfig | None


class PictureBuilder:
    """Build pictures from NAL units in order; after a loss wait for the next IDR.

    Attributes:
        dropped_count: Pictures thrown away, damaged or undecodable.
        wants_keyframe: An IDR is needed; the caller asks for it and the next IDR clears it.
    """

    def __init__(self) -> None:
        self._nals: list[bytes] = []
        self._size_bytes = 0
        self._timestamp: int | None = None
        self._has_slice = False
        self._is_idr = False
        self._is_damaged = False
        self._trusts_marker = True
        self._last_finished: int | None = None
        self._new_sps: list[bytes] = []
        self._new_pps: list[bytes] = []
        self._sps: tuple[bytes, ...] = ()
        self._pps: tuple[bytes, ...] = ()
        self._config: VideoConfig | None = None
        self.dropped_count = 0
        self.wants_keyframe = True

    def lose(self) -> None:
        """Packets are missing or broken here: whatever follows needs an IDR.

        Only a picture that has begun is damaged by it; whether the next one lost its beginning
        is told by its first slice.
        """
        self._is_damaged = bool(self._nals)
        self.wants_keyframe = True

    def push(self, nals: list[bytes], timestamp: int, *, is_marked: bool) -> list[Picture]:
        """Add the NAL units of one packet; return the pictures that end before or with it."""
        pictures = []
        if self._timestamp is not None and timestamp != self._timestamp:
            pictures += self._finish()
        self._timestamp = timestamp
        for nal in nals:
            self._add(nal)
        if is_marked and self._trusts_marker:
            pictures += self._finish()
        return pictures

    def _add(self, nal: bytes) -> None:
        kind = nal[0] & 0x1F
        if kind == SPS:
            _keep_set(self._new_sps, nal)
        elif kind == PPS:
            _keep_set(self._new_pps, nal)
        elif kind in SLICE_TYPES or kind == SEI:
            if kind in SLICE_TYPES:
                self._begin_slice(kind, nal)
            self._size_bytes += 4 + len(nal)
            if self._size_bytes <= MAX_PICTURE_BYTES:
                self._nals += (len(nal).to_bytes(4, "big"), nal)
            else:
                self.lose()

    def _begin_slice(self, kind: int, nal: bytes) -> None:
        if not self._has_slice:
            if self._timestamp == self._last_finished:
                # The marker lied: this slice belongs to a picture already given away.
                self._trusts_marker = False
                self._is_damaged = self.wants_keyframe = True
            # H.264 §7.4.3: first_mb_in_slice is 0 (one set bit in ue(v)) in a picture's first
            # slice; anything else means that the beginning was lost.
            if kind in _HEADED_SLICES and not (len(nal) > 1 and nal[1] & 0x80):
                self._is_damaged = self.wants_keyframe = True
        self._has_slice = True
        self._is_idr = self._is_idr or kind == IDR

    def _finish(self) -> list[Picture]:
        if not self._has_slice:
            if not self._is_damaged:
                return []  # Parameter sets or SEI alone: they belong to what follows.
            self._clear()
            return []
        picture = self._build()
        self._last_finished = self._timestamp
        self._clear()
        return [picture] if picture else []

    def _build(self) -> Picture | None:
        if self._is_damaged or (self.wants_keyframe and not self._is_idr):
            self.dropped_count += 1
            return None
        config = None
        if self._is_idr:
            config = self._adopt_sets()
            if self._config is None:
                self.dropped_count += 1  # An IDR without parameter sets shows nothing.
                return None
            self.wants_keyframe = False
        assert self._timestamp is not None  # noqa: S101 - a slice came with a time stamp
        return Picture(self._timestamp, b"".join(self._nals), self._is_idr, config)

    def _adopt_sets(self) -> VideoConfig | None:
        """Take over the sets seen since the last IDR; return the configuration if it changed."""
        if self._new_sps:
            self._sps = tuple(self._new_sps)
        if self._new_pps:
            self._pps = tuple(self._new_pps)
        self._new_sps, self._new_pps = [], []
        if not self._sps or not self._pps:
            return None
        config = VideoConfig(sps=self._sps, pps=self._pps)
        if config == self._config:
            return None
        self._config = config
        return config

    def _clear(self) -> None:
        self._nals = []
        self._size_bytes = 0
        self._has_slice = self._is_idr = self._is_damaged = False


def _keep_set(sets: list[bytes], nal: bytes) -> None:
    if nal in sets or not 4 <= len(nal) <= MAX_SET_BYTES:  # noqa: PLR2004 - profile and level
        return
    if len(sets) >= MAX_SETS_COUNT:
        sets.pop(0)
    sets.append(nal)
