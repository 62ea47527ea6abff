"""Decode times for pictures that come with presentation times only. Pure.

RTP carries presentation times. Browsers send no B-frames; hardware encoders and OBS may. The
depth of reordering is read from the SPS where it says so, and learned otherwise.
"""

from __future__ import annotations

import heapq
from typing import Final

from kernel.errors import BitstreamError

MAX_DEPTH: Final = 16  # H.264 §E.2.1: max_num_reorder_frames is at most max_dec_frame_buffering.
_CHROMA_PROFILES: Final = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135})
_BASELINE: Final = 66
_FALLBACK_STEP_TICKS: Final = 3000


class _Bits:
    """Reader of an RBSP; running past the end raises ``BitstreamError``."""

    def __init__(self, nal: bytes) -> None:
        data = nal.replace(b"\x00\x00\x03", b"\x00\x00")
        self._value = int.from_bytes(data, "big")
        self._left = len(data) * 8

    def take(self, count: int) -> int:
        if count > self._left:
            raise BitstreamError("SPS: it ends too early")
        self._left -= count
        return self._value >> self._left & (1 << count) - 1

    def golomb(self) -> int:
        zeros = 0
        while not self.take(1):
            zeros += 1
            if zeros > 32:  # noqa: PLR2004 - ue(v) has at most 32 leading zeros
                raise BitstreamError("SPS: a number is too long")
        return (1 << zeros) - 1 + self.take(zeros)

    def signed(self) -> int:
        code = self.golomb()
        return (code + 1) // 2 if code % 2 else -(code // 2)


def read_reorder_depth(sps: bytes) -> int | None:
    """How many pictures may come before an earlier-shown one; ``None`` when the SPS is silent.

    Raises:
        BitstreamError: The SPS is truncated or nonsense.

    Spec: H.264 §7.3.2.1.1, §E.1.1.
    """
    bits = _Bits(sps[1:])
    profile = bits.take(8)
    bits.take(16)  # constraint flags, level
    bits.golomb()  # seq_parameter_set_id
    if profile in _CHROMA_PROFILES:
        _skip_chroma(bits)
    bits.golomb()  # log2_max_frame_num_minus4
    order_type = bits.golomb()
    if order_type == 0:
        bits.golomb()
    elif order_type == 1:
        bits.take(1)
        bits.signed()
        bits.signed()
        for _ in range(min(bits.golomb(), 255)):
            bits.signed()
    # H.264 §8.2.1.3: with type 2 the output order is the decoding order.
    if order_type == 2 or profile == _BASELINE:  # noqa: PLR2004 - pic_order_cnt_type
        return 0
    bits.golomb()  # max_num_ref_frames
    bits.take(1)
    bits.golomb()  # width
    bits.golomb()  # height
    if not bits.take(1):  # frame_mbs_only_flag
        bits.take(1)
    bits.take(1)
    if bits.take(1):  # frame_cropping_flag
        for _ in range(4):
            bits.golomb()
    if not bits.take(1):  # vui_parameters_present_flag
        return None
    return _read_vui_depth(bits)


def _skip_chroma(bits: _Bits) -> None:
    chroma = bits.golomb()
    if chroma == 3:  # noqa: PLR2004 - chroma_format_idc 4:4:4
        bits.take(1)
    bits.golomb()
    bits.golomb()
    bits.take(1)
    if bits.take(1):  # seq_scaling_matrix_present_flag
        for index in range(12 if chroma == 3 else 8):  # noqa: PLR2004 - the same
            if bits.take(1):
                _skip_scaling_list(bits, 16 if index < 6 else 64)  # noqa: PLR2004 - six 4x4 lists


def _skip_scaling_list(bits: _Bits, size: int) -> None:
    last = following = 8
    for _ in range(size):
        if following:
            following = (last + bits.signed()) % 256
        last = following or last


def _read_vui_depth(bits: _Bits) -> int | None:
    _skip_vui_picture(bits)
    if bits.take(1):  # timing_info_present_flag
        bits.take(65)
    has_hrd = False
    for _ in range(2):  # NAL and VCL HRD parameters
        if bits.take(1):
            has_hrd = True
            _skip_hrd(bits)
    if has_hrd:
        bits.take(1)
    bits.take(1)  # pic_struct_present_flag
    if not bits.take(1):  # bitstream_restriction_flag
        return None
    bits.take(1)
    for _ in range(4):
        bits.golomb()
    return min(bits.golomb(), MAX_DEPTH)


def _skip_vui_picture(bits: _Bits) -> None:
    """Skip shape, colour and chroma position."""
    if bits.take(1) and bits.take(8) == 255:  # noqa: PLR2004 - Extended_SAR
        bits.take(32)
    if bits.take(1):  # overscan_info_present_flag
        bits.take(1)
    if bits.take(1):  # video_signal_type_present_flag
        bits.take(4)
        if bits.take(1):
            bits.take(24)
    if bits.take(1):  # chroma_loc_info_present_flag
        bits.golomb()
        bits.golomb()


def _skip_hrd(bits: _Bits) -> None:
    count = bits.golomb() + 1
    bits.take(8)
    for _ in range(min(count, 32)):
        bits.golomb()
        bits.golomb()
        bits.take(1)
    bits.take(20)


class DecodeClock:
    """Give each picture a decode time: strictly increasing and never after its presentation.

    The decode time is the ``depth``-delayed sorted presentation time, as muxers do it. A picture
    for which that is impossible (the depth was larger than thought) is refused, and the depth
    grows by one from the next IDR on.
    """

    def __init__(self) -> None:
        self.depth = 0
        self._pending: list[int] = []
        self._last: int | None = None
        self._last_pts: int | None = None
        self._step = _FALLBACK_STEP_TICKS

    def learn(self, sps: bytes) -> None:
        """Take the depth from a new SPS; an unreadable one teaches nothing."""
        try:
            depth = read_reorder_depth(sps)
        except BitstreamError:
            depth = None  # The packager judges parameter sets; here only ordering is asked for.
        self.depth = depth or 0
        self._pending.clear()

    def restart(self) -> None:
        """An IDR after a gap: nothing before it takes part in the ordering."""
        self._pending.clear()

    def assign(self, pts: int) -> int | None:
        """Return the decode time of the next picture in decode order, ``None`` to drop it."""
        if self._last_pts is not None and pts > self._last_pts:
            self._step = min(pts - self._last_pts, _FALLBACK_STEP_TICKS * 4)
        self._last_pts = pts
        if not self.depth:
            dts = pts
        else:
            if not self._pending:
                self._pending = [pts - self._step * n for n in range(self.depth, 0, -1)]
            heapq.heappush(self._pending, pts)
            dts = heapq.heappop(self._pending)
        if self._last is not None and dts <= self._last:
            if pts <= self._last:
                self.depth = min(self.depth + 1, MAX_DEPTH)
                self._pending.clear()
                return None
            dts = self._last + 1
        self._last = dts
        return dts
