"""Draw captions as pictures, for ffmpeg builds that cannot write.

All pictures of a clip have one size, a strip across the picture, so that they are one stream: a
list of files, each with how long it shows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from PIL import Image, ImageDraw, ImageFont

from kernel.captions.breaks import break_text
from kernel.errors import EncodeError
from kernel.messages import EmbeddedCue
from transcode.clips.plan import ClipPlan

MAX_LINES: Final = 2  # What ``break_text`` puts on a screen; longer texts take several screens.
MAX_MISSING_SHARE: Final = 0.2  # Of the letters: a smiley may be left out, a script may not.
USED_WIDTH: Final = 0.9
MIN_MS: Final = 40  # Less than a frame is not seen.
BLANK: Final = "words-blank.webp"
LIST: Final = "words.ffconcat"
FONT_FOLDERS: Final = (
    Path("/usr/share/fonts"), Path("/usr/local/share/fonts"), Path("/System/Library/Fonts"),
    Path("/Library/Fonts"),
)  # fmt: skip
FONT_NAMES: Final = (
    "NotoSansCJK-Medium*.ttc", "NotoSansCJK-Regular*.ttc", "NotoSansCJKsc-*.otf",
    "NotoSansSC*.[ot]tf", "SourceHanSans*.[ot]t[cf]", "wqy-microhei.ttc", "wqy-zenhei.ttc",
    "PingFang.ttc", "*CJK*.ttc",
)  # fmt: skip
# FFmpeg reads it without a library, which not every build has for PNG.
_LOSSLESS: Final[dict[str, Any]] = {"format": "WEBP", "lossless": True, "method": 0}
_UNKNOWN: Final = "\U0010ffff"  # No font has it: it looks as what a font does not have.
_INK: Final = (255, 255, 255, 255)
_EDGE: Final = (0, 0, 0, 220)


@dataclass(frozen=True, slots=True)
class Strip:
    """Where captions stand in the picture, and how large they are. Pixels of the clip."""

    width_px: int
    height_px: int
    top_px: int
    font_px: int

    @property
    def line_px(self) -> int:
        return round(self.font_px * 1.35)

    @property
    def edge_px(self) -> int:
        """Of the dark outline."""
        return max(2, self.font_px // 14)

    @property
    def limit(self) -> int:
        """Columns of a line; a Chinese character takes two."""
        return max(8, int(self.width_px * USED_WIDTH * 2 / self.font_px))


def plan_strip(plan: ClipPlan) -> Strip:
    """Place the strip: low in a landscape, above the buttons of the platforms upright. Pure."""
    is_upright = plan.height_px > plan.width_px
    font = round(plan.width_px * 0.062 if is_upright else plan.height_px * 0.052)
    strip = Strip(plan.width_px, 0, 0, max(14, font))
    height = MAX_LINES * strip.line_px + 2 * strip.edge_px
    below = round(plan.height_px * (0.15 if is_upright else 0.04))
    return replace(strip, height_px=height, top_px=max(0, plan.height_px - below - height))


def split_cues(
    cues: Iterable[EmbeddedCue], *, limit: int, duration_ms: int
) -> Iterator[tuple[int, int, tuple[str, ...]]]:
    """Break cues into lines and, where they are too many, into parts one after the other. Pure.

    Yields:
        ``(start_ms, end_ms, lines)``, ascending, none overlaps the one before.
    """
    clock = 0
    for cue in sorted(cues, key=lambda item: item.start_ms):
        start, end = max(clock, cue.start_ms), min(duration_ms, cue.end_ms)
        screens = break_text(cue.text, limit)
        if not screens or end - start < MIN_MS:
            continue
        total, said, from_ms = sum(map(len, screens)), 0, start
        for screen in screens:
            said += len(screen)
            to_ms = start + (end - start) * said // total
            yield from_ms, to_ms, tuple(screen.split("\n"))
            from_ms = to_ms
        clock = end


def render_list(shown: Sequence[tuple[int, int, str]], *, duration_ms: int) -> str:
    """Render what FFmpeg's ``concat`` demuxer reads. Pure.

    Args:
        shown: ``(start_ms, end_ms, file name)``, ascending; between them nothing shows.
    """
    lines, clock = ["ffconcat version 1.0"], 0

    def add(name: str, length_ms: int) -> None:
        if length_ms > 0:
            lines.extend((f"file {name}", f"duration {length_ms / 1000:.3f}"))

    for start, end, name in shown:
        add(BLANK, start - clock)
        add(name, end - start)
        clock = end
    # The demuxer shows the last file for ever, so that it is an empty one.
    add(BLANK, max(1000, duration_ms - clock))
    lines.append(f"file {BLANK}")
    return "\n".join(lines) + "\n"


def find_font_blocking(folders: Sequence[Path] = FONT_FOLDERS) -> Path | None:
    """Find a font that knows Chinese among those of the system."""
    for name in FONT_NAMES:
        for folder in folders:
            found = sorted(folder.rglob(name)) if folder.is_dir() else []
            if found:
                return found[0]
    return None


def draw_cues_blocking(
    cues: Sequence[EmbeddedCue], plan: ClipPlan, *, folder: Path, font: Path | None
) -> Path:
    """Draw the captions of a clip into ``folder``; return the list that FFmpeg reads.

    Args:
        font: As ``find_font_blocking`` found it.

    Raises:
        EncodeError: Permanent: the font has not the letters.
    """
    strip = plan_strip(plan)
    pen = _load_font(font, strip.font_px)
    cues = _drop_unknown(cues, pen)
    duration_ms = round(plan.duration_s * 1000)
    shown = []
    parts = split_cues(cues, limit=strip.limit, duration_ms=duration_ms)
    for number, (start, end, lines) in enumerate(parts):
        name = f"words-{number:05}.webp"
        _draw_strip(strip, lines, pen).save(folder / name, **_LOSSLESS)
        shown.append((start, end, name))
    blank = Image.new("RGBA", (strip.width_px, strip.height_px))
    blank.save(folder / BLANK, **_LOSSLESS)
    path = folder / LIST
    path.write_text(render_list(shown, duration_ms=duration_ms), "utf-8")
    return path


def _load_font(path: Path | None, size_px: int) -> ImageFont.FreeTypeFont:
    """Open the font; without one Pillow brings its own, which knows Latin letters only."""
    if path is None:
        own = ImageFont.load_default(size_px)
        if not isinstance(own, ImageFont.FreeTypeFont):
            raise EncodeError("Pillow was built without FreeType", permanent=True)
        return own
    # In a collection of Noto the third face is the one for the mainland.
    index = 2 if path.name.startswith("NotoSansCJK") and path.suffix == ".ttc" else 0
    return ImageFont.truetype(path, size_px, index=index)


def _drop_unknown(
    cues: Sequence[EmbeddedCue], pen: ImageFont.FreeTypeFont
) -> tuple[EmbeddedCue, ...]:
    """Leave out the few characters that the font has not."""
    letters = {char for cue in cues for char in cue.text if not char.isspace()}
    blank = bytes(pen.getmask(_UNKNOWN))
    missing = {char for char in letters if bytes(pen.getmask(char)) == blank}
    if len(missing) > MAX_MISSING_SHARE * len(letters):
        raise EncodeError(
            f"the font lacks {''.join(sorted(missing))[:40]!r}",
            permanent=True,
            title_zh="转码节点没有能显示这种字幕的字体;请管理员安装 Noto Sans CJK,或不加字幕",
        )
    table = {ord(char): None for char in missing}
    return tuple(cue.model_copy(update={"text": cue.text.translate(table)}) for cue in cues)


def _draw_strip(strip: Strip, lines: Sequence[str], pen: ImageFont.FreeTypeFont) -> Image.Image:
    """Draw white letters with a dark outline, the last line at the bottom."""
    picture = Image.new("RGBA", (strip.width_px, strip.height_px))
    draw = ImageDraw.Draw(picture)
    for number, line in enumerate(reversed(lines)):
        draw.text(
            (strip.width_px / 2, strip.height_px - strip.edge_px - number * strip.line_px),
            line,
            font=pen,
            fill=_INK,
            anchor="md",  # In the middle, from the lowest part of letters upwards.
            stroke_width=strip.edge_px,
            stroke_fill=_EDGE,
        )
    return picture
