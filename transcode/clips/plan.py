"""How large a clip is and how many bits it gets. Pure. No I/O, no clock.

The limit of its bytes decides first: bits are shared out over the length, and where they are too
few for the large picture the next smaller one is taken.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from kernel.errors import EncodeError
from kernel.timing import to_seconds
from transcode.clips.spec import ClipSource, MakeClipSpec

VERTICAL_PX: Final = ((1080, 1920), (720, 1280))  # What short-film platforms take.
LARGE_SOURCE_PX: Final = 720  # Below it a 1080 wide picture would only be a larger file.
LANDSCAPE_SHORT_PX: Final = (1080, 720, 480, 360)
BITS_PER_PIXEL: Final = 3.0  # A second of moving pictures beyond this is not seen to be better:
LEAST_BITS_PER_PIXEL: Final = 0.6  # below this it is seen to be worse than a smaller picture.
USED_SHARE: Final = 0.94  # Of the limit; the rest is for the index of the file.
SOUND_BPS: Final = (128_000, 64_000)
RICH_BPS: Final = 800_000  # From here on sound gets the better of the two.
MIN_VIDEO_BPS: Final = 150_000  # Slides at 360 lines are legible with it, nothing moves well.


@dataclass(frozen=True, slots=True)
class Box:
    """A part of a picture; all numbers are even, as the sampling of colours wants it."""

    width_px: int
    height_px: int
    x_px: int
    y_px: int


@dataclass(frozen=True, slots=True)
class ClipPlan:
    """What the encoder does.

    Attributes:
        crop: What is taken out of the source; ``None``: all of it.
        inner: For ``blur``, how large the whole picture stands before the blurred one.
    """

    width_px: int
    height_px: int
    video_bps: int
    sound_bps: int
    duration_s: float
    crop: Box | None = None
    inner: tuple[int, int] | None = None


def build_clip_plan(spec: MakeClipSpec, *, scale: float = 1.0) -> ClipPlan:
    """Choose size and bit rate.

    Args:
        scale: Share of the limit to aim at; less than 1 when a first try came out too large.

    Raises:
        EncodeError: Permanent: so long a clip cannot be so small.
    """
    duration_s = to_seconds(spec.end_ticks - spec.start_ticks)
    total_bps = spec.limit_bytes * 8 * USED_SHARE * scale / duration_s
    sound_bps = SOUND_BPS[0 if total_bps >= RICH_BPS else 1] if spec.has_sound else 0
    # The encoder may run one second of bits ahead of its rate.
    budget = (total_bps - sound_bps) * duration_s / (duration_s + 1)
    if budget < MIN_VIDEO_BPS:
        raise EncodeError(
            f"{spec.limit_bytes} bytes for {duration_s:.1f} s leave {budget:.0f} bit/s",
            permanent=True,
            title_zh="片段太长,压不到要求的大小;请缩短片段或放宽大小",
        )
    sizes = list(list_sizes(spec))
    width, height = next(
        (size for size in sizes if size[0] * size[1] * LEAST_BITS_PER_PIXEL <= budget), sizes[-1]
    )
    source = spec.source
    return ClipPlan(
        width_px=width,
        height_px=height,
        video_bps=round(min(budget, max(MIN_VIDEO_BPS, width * height * BITS_PER_PIXEL))),
        sound_bps=sound_bps,
        duration_s=duration_s,
        crop=find_crop(source, crop_x=spec.crop_x) if spec.shape == "crop" else None,
        inner=_fit(source, width, height) if spec.shape == "blur" else None,
    )


def list_sizes(spec: MakeClipSpec) -> Iterator[tuple[int, int]]:
    """Yield the sizes in question, largest first; a landscape is never enlarged."""
    width, height = spec.source.width_px, spec.source.height_px
    if spec.shape != "landscape":
        yield from VERTICAL_PX if min(width, height) >= LARGE_SOURCE_PX else VERTICAL_PX[1:]
        return
    short = min(width, height)
    for wanted in (min(short, LANDSCAPE_SHORT_PX[0]), *LANDSCAPE_SHORT_PX[1:]):
        if wanted <= short:
            yield _even(width * wanted / short), _even(height * wanted / short)


def find_crop(source: ClipSource, *, crop_x: float) -> Box:
    """Take the largest 9:16 out of the picture, at ``crop_x`` of the way from left to right."""
    width = min(source.width_px, source.height_px * 9 / 16)
    height = min(source.height_px, source.width_px * 16 / 9)
    box_width, box_height = _even(width), _even(height)
    x = (source.width_px - box_width) * crop_x
    y = (source.height_px - box_height) / 2
    return Box(box_width, box_height, int(x) // 2 * 2, int(y) // 2 * 2)


def _fit(source: ClipSource, width: int, height: int) -> tuple[int, int]:
    ratio = min(width / source.width_px, height / source.height_px)
    return _even(source.width_px * ratio), _even(source.height_px * ratio)


def _even(value: float) -> int:
    return max(2, int(value + 1e-6) // 2 * 2)
