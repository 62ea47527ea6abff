"""What we tell a sender, and when: PLI, REMB, receiver reports. Pure: time is an argument."""

from __future__ import annotations

from typing import Final

from kernel.timing import WRAP_32, signed_delta_32

KEYFRAME_INTERVAL_S: Final = 2.0  # Segments end at the first IDR after 2 s.
SELF_KEPT_GOP_S: Final = 2.5  # An encoder that does this by itself is left alone.
PROBE_INTERVAL_S: Final = 2.6  # The first wait: long enough to see a 2.5 s GOP.
LOSS_PLI_INTERVAL_S: Final = 0.5  # Also the patience for an answer to a PLI after a loss.
SOLICITED_S: Final = 1.0  # An IDR this soon after a PLI counts as its answer.


class KeyframePolicy:
    """Decide when to send a PLI.

    A missing or damaged picture asks at once (at most twice a second). Otherwise an encoder that
    was seen to keep a GOP of at most 2.5 s is left alone, any other one is asked every 2 s.
    """

    def __init__(self) -> None:
        self._sent_s: float | None = None
        self._keyframe_s: float | None = None
        self._keeps_gop = False
        self._has_probed = False
        self._is_requested = False

    @property
    def keeps_gop(self) -> bool:
        return self._keeps_gop

    def request(self) -> None:
        """Somebody (packager, WHEP viewer) wants an IDR soon."""
        self._is_requested = True

    def on_keyframe(self, now_s: float) -> None:
        previous, self._keyframe_s = self._keyframe_s, now_s
        self._is_requested = False
        is_solicited = self._sent_s is not None and now_s - self._sent_s <= SOLICITED_S
        if previous is None or is_solicited:
            return
        self._keeps_gop = now_s - previous <= SELF_KEPT_GOP_S

    def should_send(self, now_s: float, *, wants_keyframe: bool) -> bool:
        """Tell whether a PLI is due; a ``True`` counts as sent."""
        since_s = None if self._sent_s is None else now_s - self._sent_s
        if wants_keyframe or self._is_requested:
            is_due = since_s is None or since_s >= LOSS_PLI_INTERVAL_S
        elif self._keyframe_s is None:
            is_due = False
        else:
            is_due = self._is_periodic_due(now_s, since_s)
        if is_due:
            self._sent_s = now_s
        return is_due

    def _is_periodic_due(self, now_s: float, since_s: float | None) -> bool:
        assert self._keyframe_s is not None  # noqa: S101 - the caller looked
        age_s = now_s - self._keyframe_s
        if self._keeps_gop or not self._has_probed:
            wait_s = PROBE_INTERVAL_S
        else:
            wait_s = KEYFRAME_INTERVAL_S
        is_due = age_s >= wait_s and (since_s is None or since_s >= KEYFRAME_INTERVAL_S / 2)
        if is_due:
            self._has_probed = True
            self._keeps_gop = False
        return is_due


MAX_QUEUE_S: Final = 0.5  # Standing delay on the path that we do not accept.
MIN_BITRATE_BPS: Final = 300_000
SEND_TIME_WRAP: Final = 1 << 24  # abs-send-time: 6.18 fixed point seconds.


class BitrateAdvice:
    """The REMB we send: the ceiling, unless packets queue up on their way.

    aiortc's own estimator halves the rate of a publisher on the same machine because a busy
    event loop looks to it like a congested path. This one only acts on a standing queue of half a
    second that lasts a second, and recovers by 8 % a second. Losses are judged by the sender,
    from our receiver reports.
    """

    def __init__(self, ceiling_bps: int) -> None:
        self._ceiling_bps = ceiling_bps
        self.bitrate_bps = ceiling_bps
        self._last_send: int | None = None
        self._send_s = 0.0
        self._base_s: float | None = None
        self._lowest_s: float | None = None
        self._bytes = 0
        self._since_s: float | None = None
        self._bad_rounds = 0

    def on_packet(self, abs_send_time: int | None, size_bytes: int, now_s: float) -> None:
        """Note a packet; ``abs_send_time`` is the 24-bit header extension, if it has one."""
        self._bytes += size_bytes
        if abs_send_time is None:
            return
        if self._last_send is not None:
            delta = (abs_send_time - self._last_send + SEND_TIME_WRAP // 2) % SEND_TIME_WRAP
            self._send_s += (delta - SEND_TIME_WRAP // 2) / (1 << 18)
        self._last_send = abs_send_time
        transit_s = now_s - self._send_s
        if self._base_s is None or transit_s < self._base_s:
            self._base_s = transit_s
        if self._lowest_s is None or transit_s < self._lowest_s:
            self._lowest_s = transit_s

    def update(self, now_s: float) -> int:
        """Judge the last round (call about once a second); return the rate to announce, bit/s."""
        if self._since_s is not None and now_s > self._since_s:
            received_bps = int(self._bytes * 8 / (now_s - self._since_s))
            self._judge(received_bps)
        self._since_s = now_s
        self._bytes = 0
        self._lowest_s = None
        if self._base_s is not None:
            self._base_s += 0.0002  # Clocks drift apart; the base forgets 0.2 ms a round.
        return self.bitrate_bps

    def _judge(self, received_bps: int) -> None:
        is_queueing = (
            self._lowest_s is not None
            and self._base_s is not None
            and self._lowest_s - self._base_s > MAX_QUEUE_S
        )
        self._bad_rounds = self._bad_rounds + 1 if is_queueing else 0
        if self._bad_rounds >= 2:  # noqa: PLR2004 - one round may be an accident
            target = min(self.bitrate_bps, received_bps) * 85 // 100
            self.bitrate_bps = max(MIN_BITRATE_BPS, target)
        elif not is_queueing:
            self.bitrate_bps = min(self._ceiling_bps, self.bitrate_bps * 108 // 100 + 1000)


class Reception:
    """RFC 3550 §6.4.1 numbers of one source for receiver reports."""

    def __init__(self, rate_hz: int) -> None:
        self._rate_hz = rate_hz
        self._base: int | None = None
        self._highest = 0
        self._received_count = 0
        self._expected_prior = 0
        self._received_prior = 0
        self._transit: float | None = None
        self._jitter = 0.0
        self._sr_ntp_middle = 0
        self._sr_at_s: float | None = None

    def on_packet(self, seq: int, timestamp: int, now_s: float) -> None:
        if self._base is None:
            self._base = self._highest = seq
        extended = self._highest + (seq - self._highest + 0x8000) % 0x10000 - 0x8000
        self._highest = max(self._highest, extended)
        self._received_count += 1
        transit = now_s * self._rate_hz - timestamp
        if self._transit is not None:
            difference = abs(signed_delta_32(int(transit) % WRAP_32, int(self._transit) % WRAP_32))
            if difference < self._rate_hz * 2:
                self._jitter += (difference - self._jitter) / 16
        self._transit = transit

    def on_report(self, ntp: int, now_s: float) -> None:
        self._sr_ntp_middle = ntp >> 16 & 0xFFFFFFFF
        self._sr_at_s = now_s

    def take_report(self, now_s: float) -> dict[str, int]:
        """Fields of one report block; starts the next interval. Needs at least one packet."""
        expected = self._highest - (self._base or 0) + 1
        expected_interval = expected - self._expected_prior
        lost_interval = expected_interval - (self._received_count - self._received_prior)
        self._expected_prior, self._received_prior = expected, self._received_count
        fraction = 0
        if expected_interval > 0 and lost_interval > 0:
            fraction = min(255, (lost_interval << 8) // expected_interval)
        delay = 0 if self._sr_at_s is None else int((now_s - self._sr_at_s) * 65536) % WRAP_32
        lost = max(-(1 << 23), min((1 << 23) - 1, expected - self._received_count))
        return {
            "fraction_lost": fraction,
            "packets_lost": lost,
            "highest_sequence": self._highest % WRAP_32,
            "jitter": int(self._jitter) % WRAP_32,
            "lsr": self._sr_ntp_middle,
            "dlsr": delay,
        }
