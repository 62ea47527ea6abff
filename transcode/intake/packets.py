"""Read ffprobe's list of packets: the only thing about time in a file that is believed. Pure.

One line per packet, ``stream,pts,dts,duration,size,flags``, in the order of the file. Lines that
are not that are counted and left out; the reader holds what it needs of two tracks in arrays.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

MAX_PACKETS: Final = 6_000_000  # A day of 60 pictures/s; about 150 MB in arrays.
_FIELDS_COUNT: Final = 6
_MAX_TICKS: Final = 1 << 62
_NO_TIME: Final = -(1 << 63)


@dataclass(slots=True)
class TrackPackets:
    """Packets of one track that are shown, in file order; times in ticks of its time base.

    Attributes:
        pts: Presentation time; the decoding time where the container has no other.
        dts: Decoding time, ``-2^63`` where there is none.
        is_key: 1 for keyframes.
        hidden_count: Only there to be decoded: before an edit list's start.
        corrupt_count: Marked as damaged by the demuxer.
        guessed_count: Had no presentation time.
        jumps_count: Times that the decoding time went back by more than a second.
    """

    time_base_hz: float
    pts: array[int] = field(default_factory=lambda: array("q"))
    dts: array[int] = field(default_factory=lambda: array("q"))
    durations: array[int] = field(default_factory=lambda: array("q"))
    sizes: array[int] = field(default_factory=lambda: array("q"))
    is_key: bytearray = field(default_factory=bytearray)
    hidden_count: int = 0
    corrupt_count: int = 0
    guessed_count: int = 0
    timeless_count: int = 0
    jumps_count: int = 0
    _last_dts: int = _NO_TIME

    def take(self, pts: int, dts: int, duration: int, size: int, flags: str) -> None:
        """Note one packet."""
        if "C" in flags:
            self.corrupt_count += 1
        if dts != _NO_TIME:
            if self._last_dts != _NO_TIME and dts < self._last_dts - self.time_base_hz:
                self.jumps_count += 1
            self._last_dts = dts
        if "D" in flags:
            self.hidden_count += 1
            return
        if pts == _NO_TIME:
            if dts == _NO_TIME:
                self.timeless_count += 1
                return
            self.guessed_count += 1
            pts = dts
        self.pts.append(pts)
        self.dts.append(dts)
        self.durations.append(duration)
        self.sizes.append(size)
        self.is_key.append("K" in flags)

    def __len__(self) -> int:
        return len(self.pts)


def read_packets(lines: Iterable[str], tracks: dict[int, TrackPackets]) -> int:
    """Fill ``tracks`` (stream number -> packets) from ffprobe's CSV.

    Returns:
        How many packets were read; ``MAX_PACKETS`` ends the reading.
    """
    count = 0
    for line in lines:
        parts = line.rstrip("\r\n,").split(",")
        if len(parts) < _FIELDS_COUNT or not parts[0].isdecimal():
            continue
        track = tracks.get(int(parts[0][:4]))
        if track is None:
            continue
        count += 1
        if count > MAX_PACKETS:
            break
        track.take(
            _read_time(parts[1]),
            _read_time(parts[2]),
            max(0, _read_time(parts[3])),
            max(0, _read_time(parts[4])),
            parts[5],
        )
    return count


def _read_time(text: str) -> int:
    digits = text.removeprefix("-")
    if not digits.isdecimal() or len(digits) > 19:  # noqa: PLR2004 - 2^63 has 19 digits
        return _NO_TIME
    value = int(text)
    return value if -_MAX_TICKS < value < _MAX_TICKS else _NO_TIME
