"""H.264 parameter sets and NAL units: what packaging and publishing need to know. Pure.

Any bytes give a value or ``BitstreamError``. Sections are of ISO/IEC 14496-10 unless said.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from kernel.bits import BitReader
from kernel.errors import BitstreamError

MAX_SPS_BYTES: Final = 4096  # Real ones are < 100 bytes; caps the work on hostile input.
MAX_DIMENSION_PX: Final = 16_384  # Level 6.2 ends at 8192x4320 or 16 384 wide.
_EXTENDED_SAR: Final = 255
_PROFILES_WITH_CHROMA: Final = frozenset(
    {100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135}
)
_PROFILES_WITH_AVCC_TAIL: Final = frozenset({100, 110, 122, 144, 244, 44})
_BASELINE: Final = 66
_START_CODE: Final = re.compile(rb"\x00\x00\x01")
_SAMPLE_ASPECTS: Final = (
    (1, 1), (12, 11), (10, 11), (16, 11), (40, 33), (24, 11), (20, 11), (32, 11),
    (80, 33), (18, 11), (15, 11), (64, 33), (160, 99), (4, 3), (3, 2), (2, 1),
)  # fmt: skip  # Table E-1, from aspect_ratio_idc 1.


class NalType(enum.IntEnum):
    """The kinds of NAL unit we tell apart (Table 7-1)."""

    SLICE = 1
    PARTITION_A = 2
    IDR = 5
    SEI = 6
    SPS = 7
    PPS = 8
    AUD = 9
    END_OF_SEQUENCE = 10
    END_OF_STREAM = 11
    FILLER = 12


@dataclass(frozen=True, slots=True)
class Sps:
    """A sequence parameter set, as far as we use it.

    Attributes:
        constraint_flags: The byte between profile and level.
        width_px: Cropped, in luma samples, before the sample aspect ratio.
        sample_aspect: Width of a sample over its height; ``None`` when not said.
        max_num_reorder: Pictures that may precede another in decoding and follow it in output;
            ``None`` when the stream does not say (§E.2.1 then assumes the worst).
        frame_rate: From the VUI timing, frames per second; ``None`` when not said or absurd.
    """

    profile_idc: int
    constraint_flags: int
    level_idc: int
    sps_id: int
    chroma_format_idc: int
    bit_depth_luma: int
    bit_depth_chroma: int
    width_px: int
    height_px: int
    is_progressive: bool
    sample_aspect: Fraction | None
    max_num_reorder: int | None
    frame_rate: Fraction | None

    @property
    def codec(self) -> str:
        """RFC 6381 string ``avc1.PPCCLL``."""
        return f"avc1.{self.profile_idc:02x}{self.constraint_flags:02x}{self.level_idc:02x}"

    @property
    def may_have_b_frames(self) -> bool:
        """False only when the parameter set rules reordering out."""
        return self.max_num_reorder != 0


def nal_type(nal: bytes) -> int:
    """Type of a NAL unit; 0 (unspecified) for an empty one."""
    return nal[0] & 0x1F if nal else 0


def strip_emulation(payload: bytes) -> bytes:
    """Remove the ``03`` of every ``00 00 03`` (§7.4.1)."""
    return payload.replace(b"\x00\x00\x03", b"\x00\x00") if b"\x00\x00\x03" in payload else payload


def parse_sps(nal: bytes) -> Sps:
    """Parse a sequence parameter set with its NAL header.

    Raises:
        BitstreamError: Not an SPS, cut short, or with impossible values.

    Spec: §7.3.2.1.1, Annex E.
    """
    if nal_type(nal) != NalType.SPS:
        raise BitstreamError(f"NAL type {nal_type(nal)} is no SPS")
    if len(nal) > MAX_SPS_BYTES:
        raise BitstreamError(f"an SPS of {len(nal)} bytes, limit {MAX_SPS_BYTES}")
    bits = BitReader(strip_emulation(nal[1:]))
    profile_idc, constraint_flags, level_idc = bits.read(8), bits.read(8), bits.read(8)
    sps_id = _bounded(bits.ue(), 31, "seq_parameter_set_id")
    chroma, depth_luma, depth_chroma, is_separate = _read_chroma(bits, profile_idc)
    bits.ue()  # log2_max_frame_num_minus4
    poc_type = _read_picture_order(bits)
    bits.ue()  # max_num_ref_frames
    bits.flag()  # gaps_in_frame_num_value_allowed_flag
    width_mbs, height_units = bits.ue() + 1, bits.ue() + 1
    is_progressive = bits.flag()
    if not is_progressive:
        bits.flag()  # mb_adaptive_frame_field_flag
    bits.flag()  # direct_8x8_inference_flag
    crop = [bits.ue() for _ in range(4)] if bits.flag() else [0, 0, 0, 0]
    fields = 1 if is_progressive else 2
    unit_x, unit_y = _crop_units(0 if is_separate else chroma, fields)
    width = width_mbs * 16 - (crop[0] + crop[1]) * unit_x
    height = height_units * 16 * fields - (crop[2] + crop[3]) * unit_y
    if not (0 < width <= MAX_DIMENSION_PX and 0 < height <= MAX_DIMENSION_PX):
        raise BitstreamError(f"a picture of {width}x{height}, limit {MAX_DIMENSION_PX}")
    aspect, frame_rate, reorder = _read_vui(bits) if bits.flag() else (None, None, None)
    if profile_idc == _BASELINE or poc_type == 2:  # noqa: PLR2004 - §8.2.1.3: output order is decode order.
        reorder = 0
    return Sps(
        profile_idc=profile_idc,
        constraint_flags=constraint_flags,
        level_idc=level_idc,
        sps_id=sps_id,
        chroma_format_idc=chroma,
        bit_depth_luma=depth_luma,
        bit_depth_chroma=depth_chroma,
        width_px=width,
        height_px=height,
        is_progressive=is_progressive,
        sample_aspect=aspect,
        max_num_reorder=reorder,
        frame_rate=frame_rate,
    )


def _bounded(value: int, limit: int, name: str) -> int:
    if value > limit:
        raise BitstreamError(f"{name} is {value}, limit {limit}")
    return value


def _read_chroma(bits: BitReader, profile_idc: int) -> tuple[int, int, int, bool]:
    if profile_idc not in _PROFILES_WITH_CHROMA:
        return 1, 8, 8, False
    chroma = _bounded(bits.ue(), 3, "chroma_format_idc")
    is_separate = chroma == 3 and bits.flag()  # noqa: PLR2004 - separate_colour_plane_flag of 4:4:4.
    luma = 8 + _bounded(bits.ue(), 6, "bit_depth_luma_minus8")
    depth = 8 + _bounded(bits.ue(), 6, "bit_depth_chroma_minus8")
    bits.flag()  # qpprime_y_zero_transform_bypass_flag
    if bits.flag():  # seq_scaling_matrix_present_flag
        for index in range(8 if chroma != 3 else 12):  # noqa: PLR2004 - 4:4:4 has four lists more.
            if bits.flag():
                _skip_scaling_list(bits, 16 if index < 6 else 64)  # noqa: PLR2004 - six 4x4 lists.
    return chroma, luma, depth, is_separate


def _skip_scaling_list(bits: BitReader, size: int) -> None:
    last, following = 8, 8
    for _ in range(size):
        if following:
            following = (last + bits.se()) % 256
        last = following or last


def _read_picture_order(bits: BitReader) -> int:
    poc_type = _bounded(bits.ue(), 2, "pic_order_cnt_type")
    if poc_type == 0:
        bits.ue()  # log2_max_pic_order_cnt_lsb_minus4
    elif poc_type == 1:
        bits.flag()  # delta_pic_order_always_zero_flag
        bits.se()  # offset_for_non_ref_pic
        bits.se()  # offset_for_top_to_bottom_field
        for _ in range(_bounded(bits.ue(), 255, "num_ref_frames_in_pic_order_cnt_cycle")):
            bits.se()
    return poc_type


def _crop_units(chroma_array_type: int, fields: int) -> tuple[int, int]:
    if chroma_array_type == 1:
        return 2, 2 * fields
    if chroma_array_type == 2:  # noqa: PLR2004 - 4:2:2.
        return 2, fields
    return 1, fields


def _read_vui(bits: BitReader) -> tuple[Fraction | None, Fraction | None, int | None]:
    """Read sample aspect, frame rate and reordering; what a cut VUI does not reach is unknown."""
    aspect: Fraction | None = None
    frame_rate: Fraction | None = None
    reorder: int | None = None
    try:
        aspect = _read_aspect(bits) if bits.flag() else None
        _skip_signal_type(bits)
        frame_rate = _read_frame_rate(bits) if bits.flag() else None
        reorder = _read_restrictions(bits)
    except BitstreamError:
        # Some encoders cut the VUI; the picture's size before it is sound, so the set is usable.
        return aspect, frame_rate, None
    return aspect, frame_rate, reorder


def _skip_signal_type(bits: BitReader) -> None:
    if bits.flag():  # overscan_info_present_flag
        bits.flag()
    if bits.flag():  # video_signal_type_present_flag
        bits.read(4)
        if bits.flag():
            bits.read(24)
    if bits.flag():  # chroma_loc_info_present_flag
        bits.ue()
        bits.ue()


def _read_restrictions(bits: BitReader) -> int | None:
    has_hrd = [_skip_hrd(bits) for _ in range(2) if bits.flag()]
    if has_hrd:
        bits.flag()  # low_delay_hrd_flag
    bits.flag()  # pic_struct_present_flag
    if not bits.flag():  # bitstream_restriction_flag
        return None
    bits.flag()  # motion_vectors_over_pic_boundaries_flag
    for _ in range(4):
        bits.ue()
    return _bounded(bits.ue(), 16, "max_num_reorder_frames")


def _read_aspect(bits: BitReader) -> Fraction | None:
    index = bits.read(8)
    if index == _EXTENDED_SAR:
        width, height = bits.read(16), bits.read(16)
        return Fraction(width, height) if width and height else None
    return Fraction(*_SAMPLE_ASPECTS[index - 1]) if 0 < index <= len(_SAMPLE_ASPECTS) else None


def _read_frame_rate(bits: BitReader) -> Fraction | None:
    units, scale = bits.read(32), bits.read(32)
    bits.flag()  # fixed_frame_rate_flag
    if not units or not scale:
        return None
    rate = Fraction(scale, 2 * units)  # §E.2.1: two field ticks make a frame.
    return rate if 1 <= rate <= 240 else None  # noqa: PLR2004 - 1000 Hz "timing" is a time base.


def _skip_hrd(bits: BitReader) -> bool:
    count = _bounded(bits.ue(), 31, "cpb_cnt_minus1") + 1
    bits.read(8)
    for _ in range(count):
        bits.ue()
        bits.ue()
        bits.flag()
    bits.read(20)
    return True


# ---- avcC and access units (ISO/IEC 14496-15) --------------------------------------------------


@dataclass(frozen=True, slots=True)
class AvcConfig:
    """Content of ``avcC``: the parameter sets and how long a NAL length field is."""

    sps: tuple[bytes, ...]
    pps: tuple[bytes, ...]
    length_size_bytes: int = 4


def build_avcc(sps: Sequence[bytes], pps: Sequence[bytes]) -> bytes:
    """Build an AVCDecoderConfigurationRecord with 4-byte NAL lengths.

    Raises:
        BitstreamError: No SPS, too many sets, or the first SPS does not parse.

    Spec: ISO/IEC 14496-15 §5.3.3.1.
    """
    if not 1 <= len(sps) <= 31 or len(pps) > 255:  # noqa: PLR2004 - 5 and 8 bit counters.
        raise BitstreamError(f"{len(sps)} SPS and {len(pps)} PPS do not fit an avcC")
    head = parse_sps(sps[0])
    out = bytearray((1, head.profile_idc, head.constraint_flags, head.level_idc, 0xFF))
    out.append(0xE0 | len(sps))
    for nal in sps:
        out += _sized(nal)
    out.append(len(pps))
    for nal in pps:
        out += _sized(nal)
    if head.profile_idc in _PROFILES_WITH_AVCC_TAIL:
        out.append(0xFC | head.chroma_format_idc)
        out.append(0xF8 | head.bit_depth_luma - 8)
        out.append(0xF8 | head.bit_depth_chroma - 8)
        out.append(0)
    return bytes(out)


def _sized(nal: bytes) -> bytes:
    if not 0 < len(nal) <= 0xFFFF:  # noqa: PLR2004 - a 16-bit length.
        raise BitstreamError(f"a parameter set of {len(nal)} bytes does not fit an avcC")
    return len(nal).to_bytes(2, "big") + nal


def parse_avcc(data: bytes) -> AvcConfig:
    """Parse an AVCDecoderConfigurationRecord (FLV sequence header, ``avcC`` box).

    Raises:
        BitstreamError: Cut short, wrong version, no SPS, or sets that are none.
    """
    if len(data) < 7 or data[0] != 1:  # noqa: PLR2004 - fixed head of the record.
        raise BitstreamError("this is no AVCDecoderConfigurationRecord of version 1")
    length_size = (data[4] & 3) + 1
    if length_size == 3:  # noqa: PLR2004 - §5.3.3.1.2: 1, 2 or 4.
        raise BitstreamError("NAL lengths of 3 bytes are not allowed")
    sps, position = _read_sets(data, 6, data[5] & 0x1F, NalType.SPS)
    if position >= len(data):
        raise BitstreamError("the configuration record ends before its PPS")
    pps, _ = _read_sets(data, position + 1, data[position], NalType.PPS)
    if not sps:
        raise BitstreamError("the configuration record holds no SPS")
    return AvcConfig(sps=sps, pps=pps, length_size_bytes=length_size)


def _read_sets(
    data: bytes, position: int, count: int, kind: NalType
) -> tuple[tuple[bytes, ...], int]:
    nals: list[bytes] = []
    for _ in range(count):
        size = int.from_bytes(data[position : position + 2], "big")
        nal = data[position + 2 : position + 2 + size]
        if not size or len(nal) < size:
            raise BitstreamError(f"a parameter set of {size} bytes does not fit the record")
        if nal_type(nal) != kind:
            raise BitstreamError(f"NAL type {nal_type(nal)} where {kind.name} belongs")
        nals.append(nal)
        position += 2 + size
    return tuple(nals), position


def iter_nals(data: bytes, *, length_size_bytes: int = 4) -> Iterator[bytes]:
    """Walk the NAL units of a length-prefixed access unit; empty ones are skipped.

    Raises:
        BitstreamError: A length reaches past the end.
    """
    position = 0
    while position < len(data):
        start = position + length_size_bytes
        size = int.from_bytes(data[position:start], "big")
        position = start + size
        if position > len(data):
            raise BitstreamError(f"a NAL unit of {size} bytes, {max(0, len(data) - start)} left")
        if size:
            yield data[start:position]


def join_nals(nals: Iterable[bytes]) -> bytes:
    """Build an access unit with 4-byte lengths."""
    out = bytearray()
    for nal in nals:
        out += len(nal).to_bytes(4, "big")
        out += nal
    return bytes(out)


def split_annex_b(data: bytes) -> list[bytes]:
    """Split a byte stream at its start codes; padding zeros and empty units are dropped.

    Spec: Annex B. Bytes before the first start code are no NAL unit and are ignored.
    """
    starts = [match.end() for match in _START_CODE.finditer(data)]
    ends = [start - 3 for start in starts[1:]] + [len(data)]
    nals = (data[start:end].rstrip(b"\x00") for start, end in zip(starts, ends, strict=False))
    return [nal for nal in nals if nal]
