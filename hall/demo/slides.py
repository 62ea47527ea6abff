"""Draw the generated lecture: slides, a running clock and a machine-readable time strip.

The strip along the bottom holds the wall clock in milliseconds as 44 black or white cells,
most significant bit first, between a white and a black guard cell: whatever samples the picture
(a canvas in a browser, a decoder in a test) can tell how old it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from PIL import Image, ImageDraw, ImageFont

TIME_BITS: Final = 44  # Milliseconds since 1970 fit until the year 2527.
STRIP_CELLS: Final = TIME_BITS + 2
STRIP_HEIGHT_PX: Final = 16
CLOCK_HEIGHT_PX: Final = 64
SHANGHAI: Final = ZoneInfo("Asia/Shanghai")

_CJK_FONTS: Final = (
    "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/truetype/wqy/wqy-zenhei.ttc",
    "/System/Library/Fonts/PingFang.ttc",
)
GROUND, INK, ACCENT, MUTED = "#fffdf8", "#221d1a", "#b4232a", "#8a7f76"


@dataclass(frozen=True, slots=True)
class Slide:
    """A heading and up to four points, in Chinese and (for machines without the glyphs) Latin."""

    heading: str
    points: tuple[str, ...]
    latin_heading: str


SLIDES: Final = (
    Slide(
        "党史学习教育 · 第一讲",
        ("星星之火,可以燎原", "从建党到井冈山", "讨论:初心从何而来"),
        "Lecture 1",
    ),
    Slide(
        "为什么学党史", ("知史以明鉴", "学史明理、学史增信", "学史崇德、学史力行"), "Why history"
    ),
    Slide(
        "重要时间",
        ("1921 年 7 月  建党", "1927 年 8 月  南昌起义", "1935 年 1 月  遵义会议"),
        "Dates",
    ),
    Slide("草原上的支部", ("马背上的宣讲队", "牧区夜校", "远程教育站点"), "On the grassland"),
    Slide("课后任务", ("读一篇文献", "写一段体会", "和支部同志谈一次"), "Homework"),
)


class SlidePainter:
    """Paints RGB frames; a slide is drawn once, the clock and the strip for every frame."""

    def __init__(self, width_px: int, height_px: int, slides: tuple[Slide, ...] = SLIDES) -> None:
        self.width_px, self.height_px = width_px, height_px
        self._scale = height_px / 720
        self._font_path = next((path for path in _CJK_FONTS if _is_readable(path)), None)
        self._slides = [self._draw_slide(slide) for slide in slides]
        self._clock_font = self._font(40)

    def paint(self, now: datetime, *, slide_index: int) -> bytes:
        """One frame as packed RGB24, ``width * height * 3`` bytes."""
        frame = self._slides[slide_index % len(self._slides)].copy()
        draw = ImageDraw.Draw(frame)
        text = now.astimezone(SHANGHAI).strftime("%H:%M:%S.") + f"{now.microsecond // 1000:03}"
        top = self.height_px - STRIP_HEIGHT_PX - round(CLOCK_HEIGHT_PX * self._scale)
        draw.text((self.width_px * 0.72, top), text, fill=INK, font=self._clock_font)
        self._draw_strip(draw, int(now.timestamp() * 1000))
        return frame.tobytes()

    def paint_plain(self, *, slide_index: int) -> bytes:
        """The slide alone, for a lesson that is not taught this moment; packed RGB24."""
        return self._slides[slide_index % len(self._slides)].tobytes()

    def _draw_strip(self, draw: ImageDraw.ImageDraw, milliseconds: int) -> None:
        bits = "1" + format(milliseconds, f"0{TIME_BITS}b") + "0"
        top = self.height_px - STRIP_HEIGHT_PX
        for index, bit in enumerate(bits):
            left = self.width_px * index // STRIP_CELLS
            right = self.width_px * (index + 1) // STRIP_CELLS - 1
            colour = "#ffffff" if bit == "1" else "#000000"
            draw.rectangle((left, top, right, self.height_px), fill=colour)

    def _draw_slide(self, slide: Slide) -> Image.Image:
        image = Image.new("RGB", (self.width_px, self.height_px), GROUND)
        draw = ImageDraw.Draw(image)
        unit = self._scale
        draw.rectangle((0, 0, round(18 * unit), self.height_px), fill=ACCENT)
        heading = slide.heading if self._font_path else slide.latin_heading
        draw.text((80 * unit, 90 * unit), heading, fill=ACCENT, font=self._font(64))
        for row, point in enumerate(slide.points if self._font_path else ()):
            draw.text(
                (110 * unit, (240 + row * 90) * unit), f"· {point}", fill=INK, font=self._font(44)
            )
        draw.text((80 * unit, 640 * unit), "Lecture Hall", fill=MUTED, font=self._font(26))
        return image

    def _font(self, size_px: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
        size = max(8, round(size_px * self._scale))
        if self._font_path:
            return ImageFont.truetype(self._font_path, size)
        return ImageFont.load_default(size)


def read_strip(bits: str) -> int | None:
    """Milliseconds from the ``STRIP_CELLS`` sampled cells, ``None`` when the guards are wrong."""
    if len(bits) != STRIP_CELLS or bits[0] != "1" or bits[-1] != "0":
        return None
    return int(bits[1:-1], 2)


def _is_readable(path: str) -> bool:
    try:
        ImageFont.truetype(path, 12)
    except OSError:
        return False
    return True
