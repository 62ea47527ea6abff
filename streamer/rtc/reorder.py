"""Put RTP packets back into order, within a deadline, and say which to ask for again.

Pure: time comes in as an argument. Any order, loss or duplication gives an ordered output.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

T = TypeVar("T")

SEQ_MOD: Final = 1 << 16
MAX_MISORDER: Final = 3_000  # RFC 3550 A.1 allows 100; video at 20 Mbit/s needs ~1 s of packets.
MAX_DROPOUT: Final = 6_000  # A forward jump above this is a new sequence, once confirmed.


@dataclass(frozen=True, slots=True)
class Lost:
    """``count`` packets in a row will never be delivered."""

    count: int


class NackSchedule:
    """Which missing packets to ask for, and when.

    A packet is asked for at once, then about once per repair time, ``max_tries`` times in all.
    Holds at most ``max_tracked``; beyond that the newest are not asked for.

    Attributes:
        is_urgent: Some were never asked for yet.
    """

    def __init__(
        self, *, max_tries: int = 5, retry_s: float = 0.1, max_tracked: int = 1024
    ) -> None:
        self._max_tries = max_tries
        self._max_tracked = max_tracked
        self._repair_s = retry_s
        self._missing: dict[int, tuple[float, float, int]] = {}  # first asked, next, tries
        self.is_urgent = False

    def __len__(self) -> int:
        return len(self._missing)

    @property
    def retry_s(self) -> float:
        """Wait between two requests for one packet: a little over the measured repair time."""
        return min(0.25, max(0.03, 1.25 * self._repair_s))

    def add(self, seqs: Iterable[int], now_s: float) -> None:
        """Note extended sequence numbers as missing since ``now_s``."""
        for seq in seqs:
            if len(self._missing) >= self._max_tracked:
                return
            self._missing[seq] = (now_s, now_s, 0)
            self.is_urgent = True

    def arrived(self, seq: int, now_s: float) -> None:
        """The packet came after all; learn how long a repair takes."""
        entry = self._missing.pop(seq, None)
        if entry is not None and entry[2] == 1:
            self._repair_s += 0.25 * (now_s - entry[0] - self._repair_s)

    def discard_below(self, seq: int) -> None:
        """Stop asking for everything before ``seq``."""
        for missing in [known for known in self._missing if known < seq]:
            del self._missing[missing]

    def take_due(self, now_s: float) -> list[int]:
        """16-bit numbers to ask for now, ascending; counts as one try of each."""
        due = []
        self.is_urgent = False
        for seq, (first_s, next_s, tries) in list(self._missing.items()):
            if next_s > now_s:
                continue
            if tries >= self._max_tries:
                del self._missing[seq]
                continue
            self._missing[seq] = (first_s, now_s + self.retry_s, tries + 1)
            due.append(seq % SEQ_MOD)
        return sorted(due)


class ReorderBuffer(Generic[T]):
    """Deliver items in sequence order; give up a gap after ``deadline_s``.

    Full policy: with ``capacity`` items held the oldest gap is given up at once, so a key picture
    of any size passes as long as nothing is missing (nothing is held then).

    Invariants: delivered items come in strictly increasing order, each at most once; ``Lost``
    stands exactly where items are missing.
    """

    def __init__(
        self, *, deadline_s: float, capacity: int = 4096, nacks: NackSchedule | None = None
    ) -> None:
        self._deadline_s = deadline_s
        self._capacity = capacity
        self._nacks = nacks
        self._next: int | None = None
        self._highest = 0
        self._held: dict[int, tuple[float, T]] = {}
        self._gap_since_s = 0.0
        self._probation: int | None = None
        self.late_count = 0
        self.lost_count = 0

    @property
    def has_gap(self) -> bool:
        return bool(self._held)

    def push(self, seq: int, item: T, now_s: float) -> list[T | Lost]:
        """Add the item with 16-bit number ``seq``; return what can be delivered now."""
        if self._next is None:
            self._next = self._highest = seq
        extended = self._highest + (seq - self._highest + SEQ_MOD // 2) % SEQ_MOD - SEQ_MOD // 2
        if not -MAX_MISORDER <= extended - self._highest <= MAX_DROPOUT:
            return self._restart(seq, item)
        self._probation = None
        if self._nacks is not None and self._nacks:
            self._nacks.arrived(extended, now_s)
        if extended == self._next and not self._held:
            self._next += 1
            self._highest = max(self._highest, extended)
            return [item]
        if extended < self._next or extended in self._held:
            self.late_count += 1
            return []
        if extended > self._highest:
            if self._nacks is not None:
                first = max(self._highest + 1, self._next)
                self._nacks.add(range(first, extended), now_s)
            self._highest = extended
        if not self._held:
            self._gap_since_s = now_s
        self._held[extended] = (now_s, item)
        return self._drain(now_s)

    def expire(self, now_s: float) -> list[T | Lost]:
        """Give up gaps whose deadline has passed; return what becomes deliverable."""
        return self._drain(now_s) if self._held else []

    def _drain(self, now_s: float) -> list[T | Lost]:
        ready: list[T | Lost] = []
        position = self._next or 0
        while self._held:
            held = self._held.pop(position, None)
            if held is not None:
                ready.append(held[1])
                position += 1
                continue
            if ready:
                self._gap_since_s = min(arrival_s for arrival_s, _ in self._held.values())
            is_full = len(self._held) >= self._capacity
            if not is_full and now_s - self._gap_since_s < self._deadline_s:
                break
            first = min(self._held)
            ready.append(self._give_up(first - position))
            position = first
        self._next = position
        if self._nacks is not None and self._nacks:
            self._nacks.discard_below(position)
        return ready

    def _give_up(self, count: int) -> Lost:
        self.lost_count += count
        return Lost(count)

    def _restart(self, seq: int, item: T) -> list[T | Lost]:
        """Accept a new sequence when two packets in a row agree on it (RFC 3550 A.1)."""
        if seq != self._probation:
            self._probation = (seq + 1) % SEQ_MOD
            self.late_count += 1
            return []
        self._probation = None
        ahead = (seq - self._highest) % SEQ_MOD or SEQ_MOD
        self._highest += ahead
        self._next = self._highest + 1
        dropped = len(self._held) + 1
        self._held.clear()
        if self._nacks is not None:
            self._nacks.discard_below(self._next)
        return [self._give_up(dropped), item]
