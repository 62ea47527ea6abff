"""Choose the rungs: what is worth making from this source, and why. Pure.

Caps are made for lectures (slides, a talking head): Opencast's 0.8 Mbit/s for 480p and 1.2 for
720p are enough, generic sites spend twice that. CRF keeps still slides far below the cap.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from transcode.plan.content import (
    KIND_WORDS,
    ContentFacts,
    choose_lower_crf,
    choose_top_crf,
    estimate_bps,
    predict_vmaf,
)
from transcode.plan.rates import halve_rate
from transcode.specs import Rung, Shape

MAX_RUNG_PX: Final = 1080  # Short side of the largest rung.
MAX_LONG_SIDE_PX: Final = 4096  # Level limits and decoders of old phones; wider sources shrink.
STATION_PX: Final = 240
MIN_GAIN: Final = Fraction(5, 4)  # A rung less than 1.25 x the one below it wins nothing.
MIN_SAVING: Final = 0.3  # A rung must be predicted so much smaller than the next larger one.
STANDARD_PX: Final = (360, 720)
STATION_NAME: Final = "station"
STATION_PRESET: Final = "veryfast"  # Most of its work is decoding; it is what is published first.
STATION_MAXRATE_BPS: Final = 150_000
_STRETCHED_PX: Final = 2  # Nobody sees it; black lines and a shifted picture are seen.
# Short side -> (CRF, cap). Between the lines the cap grows with the pixels.
_CAPS: Final = ((180, 24, 250_000), (360, 24, 600_000), (480, 23, 900_000))
_HIGH_CAPS: Final = ((720, 23, 1_600_000), (1080, 23, 3_200_000))
# H.264 table A-1: level -> (macroblocks per frame, per second).
_LEVELS: Final = (
    ("2.1", 792, 19_800),
    ("3.0", 1_620, 40_500),
    ("3.1", 3_600, 108_000),
    ("4.0", 8_192, 245_760),
    ("5.0", 22_080, 589_824),
    ("5.1", 36_864, 983_040),
)


@dataclass(frozen=True, slots=True)
class Ladder:
    """Rungs from the largest to the station rung; empty when there are no pictures."""

    rungs: tuple[Rung, ...]
    skipped: tuple[str, ...]


def build_ladder(
    shape: Shape,
    *,
    frame_rate: Fraction,
    source_bps: int | None,
    content: ContentFacts | None = None,
) -> Ladder:
    """Plan the video rungs.

    Args:
        shape: Of the epoch that lasts longest; other epochs are fitted into it.
        frame_rate: Of the lecture.
        source_bps: Measured average of the source; no rung is given more than it can use.
        content: What trial encodes showed; ``None`` plans for any content.
    """
    width, height = _square_pixels(shape)
    source_px = min(width, height)
    top_px = _even(min(source_px, MAX_RUNG_PX))
    rungs: list[Rung] = []
    skipped: list[str] = []
    larger_bps: int | None = None
    for px in sorted({*(px for px in STANDARD_PX if px < top_px), top_px}, reverse=True):
        if rungs and Fraction(top_px, px) < MIN_GAIN:
            skipped.append(f"不另做 {px}p:与 {top_px}p 相差不大")
            continue
        size = _fit_size(width, height, px)
        crf, maxrate_bps = _cap_for(px, source_bps=source_bps, source_px=source_px)
        reason = _explain(px, top_px=top_px, source_px=source_px)
        if content is not None:
            crf = choose_lower_crf(content) if rungs else choose_top_crf(content)
            bps = min(maxrate_bps, estimate_bps(content, crf=crf, pixels_count=size[0] * size[1]))
            if larger_bps is not None and bps > larger_bps * (1 - MIN_SAVING):
                skipped.append(f"不另做 {px}p:预计只比上一档小 {_percent_saved(bps, larger_bps)}%")
                continue
            larger_bps = bps
            reason += _explain_quality(content, crf=crf, bps=bps)
        rungs.append(
            _build_rung(
                f"{px}p",
                size=size,
                frame_rate=frame_rate,
                cap=(crf, maxrate_bps),
                reason=reason,
            )
        )
    rungs.append(_build_station(width, height, source_px=source_px, frame_rate=frame_rate))
    return Ladder(tuple(rungs), tuple(skipped))


def _percent_saved(bps: int, larger_bps: int) -> int:
    return max(0, round(100 * (1 - bps / larger_bps)))


def _explain_quality(content: ContentFacts, *, crf: int, bps: int) -> str:
    """Say what the trials decided."""
    return (
        f";按内容({KIND_WORDS[content.kind]})选用 CRF {crf},"
        f"预计 {max(1, bps // 1000)} kbit/s、VMAF 约 {predict_vmaf(content, crf):.0f}"
    )


def _build_station(width: int, height: int, *, source_px: int, frame_rate: Fraction) -> Rung:
    px = _even(min(STATION_PX, source_px if source_px < 300 else STATION_PX))  # noqa: PLR2004 - below 300 a 240p copy is upscaled or the same
    rate = halve_rate(frame_rate)
    return _build_rung(
        STATION_NAME,
        size=_fit_size(width, height, px),
        frame_rate=rate,
        cap=(27, STATION_MAXRATE_BPS),
        reason=f"{px}p、每秒 {float(rate):g} 帧、不超过 {STATION_MAXRATE_BPS // 1000} kbit/s,"
        "供远程教育站点和弱网使用",
    ).model_copy(update={"preset": STATION_PRESET})


def _build_rung(
    name: str, *, size: tuple[int, int], frame_rate: Fraction, cap: tuple[int, int], reason: str
) -> Rung:
    crf, maxrate_bps = cap
    return Rung(
        name=name,
        width_px=size[0],
        height_px=size[1],
        frame_rate=frame_rate,
        crf=crf,
        maxrate_bps=maxrate_bps,
        level=choose_level(size[0], size[1], frame_rate),
        reason=reason,
    )


def _explain(px: int, *, top_px: int, source_px: int) -> str:
    """Say why the rung is made, for editors."""
    if px == top_px and source_px > MAX_RUNG_PX:
        return f"最高 {MAX_RUNG_PX}p:原画面 {source_px}p,讲课用不到更高"
    if px == top_px:
        return f"与原画面相同的 {px}p,不放大"
    return f"{px}p,供带宽不够 {top_px}p 的观众使用"


def _cap_for(px: int, *, source_bps: int | None, source_px: int) -> tuple[int, int]:
    table = (*_CAPS, *_HIGH_CAPS)
    crf, cap = table[-1][1], table[-1][2]
    below = table[0]
    for row in table:
        if px <= row[0]:
            crf, cap = row[1], _interpolate(px, below, row)
            break
        below = row
    if source_bps is not None:
        # A copy cannot hold more than its source: half again for another encoder's taste.
        share = Fraction(px, source_px) ** 2
        cap = min(
            cap,
            max(STATION_MAXRATE_BPS, int(source_bps * Fraction(3, 2) * max(share, Fraction(1, 4)))),
        )
    return crf, max(STATION_MAXRATE_BPS, cap)


def _interpolate(px: int, low: tuple[int, int, int], high: tuple[int, int, int]) -> int:
    if px <= low[0] or low[0] == high[0]:
        return low[2]
    share = Fraction(px * px - low[0] ** 2, high[0] ** 2 - low[0] ** 2)
    return int(low[2] + (high[2] - low[2]) * share)


def _square_pixels(shape: Shape) -> tuple[int, int]:
    """Width and height with square pixels; the smaller change is made by widening."""
    if shape.sar_num >= shape.sar_den:
        return round(shape.width_px * Fraction(shape.sar_num, shape.sar_den)), shape.height_px
    return shape.width_px, round(shape.height_px * Fraction(shape.sar_den, shape.sar_num))


def _fit_size(width: int, height: int, px: int) -> tuple[int, int]:
    """Scale so that the short side is ``px``; both sides even, never larger than the limit."""
    scale = min(Fraction(px, min(width, height)), Fraction(MAX_LONG_SIDE_PX, max(width, height)))
    return _even(round(width * scale)), _even(round(height * scale))


def fit_inside(aspect: Fraction, *, width_px: int, height_px: int) -> tuple[int, int]:
    """Largest even size of ``aspect`` (display) inside a frame; the rest is padded black.

    What is missing for less than two lines is stretched: the frame's own size was rounded, too.
    """
    if aspect >= Fraction(width_px, height_px):
        return width_px, _fill(width_px / aspect, height_px)
    return _fill(height_px * aspect, width_px), height_px


def _fill(wanted: Fraction, limit_px: int) -> int:
    return limit_px if limit_px - wanted < _STRETCHED_PX else min(limit_px, _even(round(wanted)))


def choose_level(width: int, height: int, frame_rate: Fraction) -> str:
    """Lowest H.264 level that holds the frame size and the macroblock rate (table A-1)."""
    blocks = -(-width // 16) * -(-height // 16)
    for level, frame_blocks, per_second in _LEVELS:
        if blocks <= frame_blocks and blocks * frame_rate <= per_second:
            return level
    return _LEVELS[-1][0]


def _even(value: int) -> int:
    return max(2, value - value % 2)
