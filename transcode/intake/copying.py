"""Can the source's own picture track be published as it is? Pure.

Copying costs nothing and loses nothing, but players must be able to play what is copied: H.264 as
every browser knows it, upright square progressive pictures, closed GOPs that make good segments,
no more bits than the rung may have.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from transcode.intake.packets import TrackPackets
from transcode.intake.streams import VideoStream
from transcode.intake.timing import LectureClock, RateFit
from transcode.specs import DecodeSpec, Rung, Shape

BITRATE_SHARE: Final = Fraction(13, 10)  # Of the rung's cap, on the average
PEAK_SHARE: Final = Fraction(3)  # and over any segment's length.
PEAK_S: Final = 4
PROFILES: Final = frozenset({"Constrained Baseline", "Baseline", "Main", "High"})
MAX_LEVEL: Final = 51
_CRC: Final = re.compile(r"^0,\s*-?\d+,\s*(-?\d+),\s*\d+,\s*\d+,\s*(0x[0-9a-f]{8})", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class CopyFacts:
    """What copying asks of a track.

    Attributes:
        obstacle: Why it cannot be copied, for editors; empty when nothing is known against it.
        keyframes: Frame numbers on the lecture's grid.
        peak_bps: Of the busiest ``PEAK_S`` seconds.
    """

    obstacle: str
    keyframes: tuple[int, ...]
    peak_bps: int


def judge_track(
    stream: VideoStream,
    packets: TrackPackets,
    fit: RateFit,
    clock: LectureClock,
    *,
    decode: DecodeSpec,
    shape: Shape,
    rate: Fraction,
    is_damaged: bool,
) -> CopyFacts:
    """Judge what a track is, whatever rung it is to be."""
    frames = list_frames(packets, stream.time_base, fit, rate)
    keys = tuple(frame for frame, is_key in zip(frames, packets.is_key, strict=True) if is_key)
    checks = (
        (stream.codec == "h264" and stream.profile in PROFILES, "编码不是通用的 H.264"),
        (stream.level <= MAX_LEVEL, "编码级别过高"),
        (decode.pixel_format == "yuv420p" and not decode.is_full_range, "颜色格式需要转换"),
        (decode.transfer == "sdr" and decode.primaries != "bt2020", "颜色需要转换"),
        (decode.field_order == "progressive", "画面是隔行扫描的"),
        (not decode.rotation_deg and not decode.is_mirrored, "画面需要转正"),
        (shape.sar_num == shape.sar_den, "像素不是正方形"),
        (fit.rate == rate, "帧率不固定或过高"),
        (not fit.held_count and not packets.hidden_count and not is_damaged, "画面有缺失或损坏"),
        (not clock.head_hold_s and not clock.tail_hold_s, "画面和声音的长度不同"),
        (not packets.guessed_count, "画面的时间信息不完整"),
        (sorted(frames) == list(range(len(frames))), "画面的时间信息不完整"),
        (_is_closed(frames, packets.is_key), "关键帧不规则"),
    )
    obstacle = next((sentence for holds, sentence in checks if not holds), "")
    return CopyFacts(obstacle, tuple(sorted(keys)), measure_peak(packets, frames, rate))


def list_frames(
    packets: TrackPackets, time_base: Fraction, fit: RateFit, rate: Fraction
) -> list[int]:
    """Frame numbers of the packets, in the order of the file."""
    step, first = float(time_base * rate), float(fit.first_s * rate)
    return [round(pts * step - first) for pts in packets.pts]


def _is_closed(frames: list[int], is_key: bytearray) -> bool:
    """No picture is shown before the keyframe that it follows, and the first one is a keyframe."""
    last_key = None
    for frame, key in zip(frames, is_key, strict=True):
        if key:
            last_key = frame
        elif last_key is None or frame < last_key:
            return False
    return last_key is not None


def measure_peak(packets: TrackPackets, frames: list[int], rate: Fraction) -> int:
    """Bits per second of the busiest stretch of ``PEAK_S`` seconds."""
    slots: dict[int, int] = {}
    for frame, size in zip(frames, packets.sizes, strict=True):
        slot = int(frame // (rate * PEAK_S))
        slots[slot] = slots.get(slot, 0) + size
    return max(slots.values(), default=0) * 8 // PEAK_S


def find_obstacle(facts: CopyFacts, rung: Rung, shape: Shape, *, bps: int | None) -> str:
    """Say why a judged track cannot be this rung; empty when it can."""
    if facts.obstacle:
        return facts.obstacle
    if (rung.width_px, rung.height_px) != (shape.width_px, shape.height_px):
        return "画面尺寸需要改变"
    if bps is None or bps > rung.maxrate_bps * BITRATE_SHARE:
        return "码率过高,重新编码可以小得多"
    if facts.peak_bps > rung.maxrate_bps * PEAK_SHARE:
        return "个别片段的码率过高"
    return ""


def check_units(idr_lines: str, set_lines: Iterable[str], keyframes_count: int) -> str:
    """Compare the slices of IDR pictures and the parameter sets with what was announced.

    Args:
        idr_lines: ``framecrc`` of the packets reduced to IDR slices.
        set_lines: The same, reduced to SPS and to PPS, one text each.

    Returns:
        The obstacle, or nothing.
    """
    if len(_CRC.findall(idr_lines)) != keyframes_count:
        return "有的关键帧不能单独解码"
    for lines in set_lines:
        if len({checksum for _, checksum in _CRC.findall(lines)}) > 1:
            return "编码参数中途改变"
    return ""


def pairwise_gap(keyframes: tuple[int, ...], frames_count: int) -> int:
    """Longest distance between keyframes, in frames, the end included."""
    ends = (*keyframes, frames_count)
    return max((far - near for near, far in itertools.pairwise(ends)), default=frames_count)
