"""How a file's pictures must be treated to become what players show. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, Literal

from transcode.intake.containers import refusal
from transcode.intake.streams import VideoStream
from transcode.settings import MAX_PIXELS
from transcode.specs import (
    DecodeSpec,
    FieldOrder,
    FrameRate,
    MatrixName,
    PrimariesName,
    Shape,
    TransferName,
)

MAX_SIDE_PX: Final = 8192
MIN_SIDE_PX: Final = 2
HD_PX: Final = 720  # Untagged pictures from here on are BT.709, smaller ones BT.601.
_MATRICES: Final[dict[str, MatrixName]] = {
    "bt709": "bt709",
    "smpte170m": "smpte170m",
    "bt470bg": "smpte170m",
    "bt2020nc": "bt2020nc",
    "bt2020c": "bt2020nc",
    "smpte240m": "smpte240m",
    "fcc": "fcc",
    "gbr": "gbr",
}
_PRIMARIES: Final[dict[str, PrimariesName]] = {
    "bt709": "bt709",
    "smpte170m": "smpte170m",
    "smpte240m": "smpte170m",
    "bt470bg": "bt470bg",
    "bt2020": "bt2020",
    "smpte432": "smpte432",
    "smpte431": "smpte432",
}
_TRANSFERS: Final[dict[str, TransferName]] = {"smpte2084": "pq", "arib-std-b67": "hlg"}


@dataclass(frozen=True, slots=True)
class FrameSample:
    """What decoders say of the first pictures; it beats what headers say."""

    width_px: int
    height_px: int
    sar: Fraction | None
    pixel_format: str
    colour_range: str
    colour_space: str
    colour_transfer: str
    colour_primaries: str


@dataclass(frozen=True, slots=True)
class PictureFacts:
    """Shape (upright) and treatment of the pictures, and what editors are told of it."""

    shape: Shape
    decode: DecodeSpec
    notes: tuple[str, ...]


def describe_pictures(
    stream: VideoStream,
    sample: FrameSample | None,
    *,
    field_order: FieldOrder,
    frame_rate: FrameRate | None,
) -> PictureFacts:
    """Combine headers and the first decoded pictures.

    Raises:
        EncodeError: Permanent: sides that no decoder should be given.
    """
    width, height = check_size(
        sample.width_px if sample else stream.width_px,
        sample.height_px if sample else stream.height_px,
    )
    sar = (sample.sar if sample else None) or stream.sar
    rotation, mirrored = read_turn(stream.matrix_terms)
    upright = _turn(width, height, sar, rotation)
    decode = _read_decode(
        stream,
        sample,
        short_px=min(width, height),
        rotation=rotation,
        mirrored=mirrored,
        field_order=field_order,
        frame_rate=frame_rate,
    )
    return PictureFacts(upright, decode, _tell(stream, decode, upright))


def check_size(width: int, height: int) -> tuple[int, int]:
    """Refuse sides that are no picture.

    Raises:
        EncodeError: Permanent.
    """
    if width < MIN_SIDE_PX or height < MIN_SIDE_PX:
        raise refusal(f"pictures of {width}x{height}", "画面没有有效的尺寸,无法转码")
    if max(width, height) > MAX_SIDE_PX or width * height > MAX_PIXELS:
        raise refusal(
            f"pictures of {width}x{height}, limit {MAX_SIDE_PX} a side",
            f"画面为 {width}×{height},超过了 {MAX_SIDE_PX} 像素的上限,无法转码",
        )
    return width, height


def read_turn(
    terms: tuple[int, int, int, int] | None,
) -> tuple[Literal[0, 90, 180, 270], bool]:
    """Read a display matrix as a clockwise turn, after mirroring when it mirrors.

    Turns between quarters go to the nearest: nobody films on purpose at 17 degrees.
    """
    if terms is None or not any(terms):
        return 0, False
    a, b, c, d = terms
    mirrored = a * d - b * c < 0
    angle = math.atan2(-c, d) if mirrored else math.atan2(b, a)
    quarter = round(math.degrees(angle) / 90) % 4
    turns: tuple[Literal[0, 90, 180, 270], ...] = (0, 90, 180, 270)
    return turns[quarter], mirrored


def _turn(width: int, height: int, sar: Fraction, rotation: int) -> Shape:
    sar = sar.limit_denominator(10_000)
    if rotation in {90, 270}:
        width, height, sar = height, width, 1 / sar
    return Shape(width_px=width, height_px=height, sar_num=sar.numerator, sar_den=sar.denominator)


def _read_decode(
    stream: VideoStream,
    sample: FrameSample | None,
    *,
    short_px: int,
    rotation: Literal[0, 90, 180, 270],
    mirrored: bool,
    field_order: FieldOrder,
    frame_rate: FrameRate | None,
) -> DecodeSpec:
    said = sample or stream
    pixel_format = said.pixel_format or stream.pixel_format or "yuv420p"
    transfer: TransferName = _TRANSFERS.get(said.colour_transfer, "sdr")
    matrix = _MATRICES.get(said.colour_space)
    is_rgb = pixel_format.startswith(("gbr", "rgb", "bgr", "argb", "abgr", "0rgb", "pal8"))
    if is_rgb:
        matrix = "gbr"
    elif matrix is None or matrix == "gbr":
        # Every decoder guesses by size; wide colours come with wide matrices.
        matrix = "bt709" if short_px >= HD_PX else "smpte170m"
        if transfer != "sdr" or said.colour_primaries == "bt2020":
            matrix = "bt2020nc"
    guessed: PrimariesName = "bt709"
    if matrix == "bt2020nc":
        guessed = "bt2020"
    elif matrix != "bt709" and not is_rgb:
        guessed = "smpte170m"
    return DecodeSpec(
        pixel_format=pixel_format,
        rotation_deg=rotation,
        is_mirrored=mirrored,
        field_order=field_order,
        matrix=matrix,
        primaries=_PRIMARIES.get(said.colour_primaries, guessed),
        transfer=transfer,
        is_full_range=is_rgb or pixel_format.startswith("yuvj") or said.colour_range == "pc",
        frame_rate=frame_rate,
    )


def _tell(stream: VideoStream, decode: DecodeSpec, upright: Shape) -> tuple[str, ...]:
    """Say what is done to the pictures, for editors."""
    name = "HLG" if decode.transfer == "hlg" else "PQ"
    is_hdr = decode.transfer != "sdr"
    is_wide = decode.primaries in {"bt2020", "smpte432"}
    depth = _describe_format(decode.pixel_format)
    sentences = (
        (decode.rotation_deg != 0, f"画面按拍摄方向转正({decode.rotation_deg}°)"),
        (decode.is_mirrored, "画面左右镜像已还原"),
        (
            upright.sar_num != upright.sar_den,
            f"像素不是正方形({upright.sar_num}:{upright.sar_den}),已按正确的宽高比换算",
        ),
        (decode.field_order != "progressive", "隔行扫描的画面已转换为逐行"),
        (is_hdr, f"高动态范围(HDR,{name})的画面已转换为普通屏幕的亮度和颜色"),
        (is_wide and not is_hdr, "广色域的颜色已转换为普通屏幕的颜色"),
        (stream.is_dolby_vision, "杜比视界的附加信息不保留"),
        (bool(depth), f"{depth}的画面已转换为 8 位 4:2:0,所有浏览器都能播放"),
        (
            decode.is_full_range and decode.matrix != "gbr",
            "全范围(0-255)的亮度已转换为标准范围",
        ),
        (_has_alpha(decode.pixel_format), "透明部分显示为不透明"),
    )
    return tuple(sentence for applies, sentence in sentences if applies)


def _has_alpha(pixel_format: str) -> bool:
    return pixel_format.startswith(("yuva", "rgba", "bgra", "argb", "abgr", "gbrap", "ya"))


def _describe_format(pixel_format: str) -> str:
    if pixel_format.endswith(("10le", "10be", "12le", "12be", "14le", "14be", "16le", "16be")):
        bits = pixel_format.rstrip("lbe")[-2:]
        return f"{bits} 位"
    if pixel_format.startswith(("p010", "p210", "p410", "x2rgb10", "x2bgr10")):
        return "10 位"
    for name in ("444", "422", "440", "411", "410"):
        if name in pixel_format:
            return ":".join(name)
    if pixel_format.startswith(("gbr", "rgb", "bgr", "argb", "abgr", "0rgb")):
        return "RGB"
    return ""
