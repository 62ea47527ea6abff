"""Three generated lectures of 720p30: slides, a screencast, a talking head.

Losslessly coded, so that no ladder can take the source's own track for its top rung.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from PIL import Image, ImageChops, ImageDraw, ImageFilter

from hall.demo.lecture import SPEECH
from hall.demo.slides import SlidePainter
from tests.bench.media import FFMPEG

SIZE: Final = (1280, 720)
FPS: Final = 30
_WORDS: Final = [
    "def",
    "load(path):",
    "return",
    "parse(read(path))",
    "if",
    "path",
    "else",
    "None",
    "#",
    "lecture",
]

Frames = Iterator[bytes]


def paint_slides(duration_s: int) -> Frames:
    """A new slide every eight seconds, a clock that runs."""
    painter = SlidePainter(*SIZE)
    start = datetime(2026, 1, 5, 12, tzinfo=UTC)
    for number in range(duration_s * FPS):
        now = start + timedelta(seconds=number / FPS)
        yield painter.paint(now, slide_index=number // (8 * FPS))


def paint_screencast(duration_s: int) -> Frames:
    """An editor: somebody types, scrolls now and then, moves the pointer."""
    chance = random.Random(7)
    lines = [
        " " * chance.randrange(0, 20, 4)
        + " ".join(chance.choice(_WORDS) for _ in range(chance.randrange(3, 11)))
        for _ in range(400)
    ]
    sheet = Image.new("RGB", (SIZE[0], 24 * len(lines)), "#1e1e24")
    pen = ImageDraw.Draw(sheet)
    for row, line in enumerate(lines):
        pen.text((70, 24 * row + 4), line, fill="#d6d3cc")
        pen.text((16, 24 * row + 4), str(row + 1), fill="#6d6a66")
    top = 0.0
    for number in range(duration_s * FPS):
        if number % (5 * FPS) > 4 * FPS:
            top += 5
        frame = sheet.crop((0, round(top), SIZE[0], round(top) + SIZE[1]))
        draw = ImageDraw.Draw(frame)
        typed = lines[(number // (2 * FPS)) % len(lines)][: number % (2 * FPS)]
        draw.rectangle((60, 600, 1240, 640), fill="#2b2b33")
        draw.text((70, 612), typed, fill="#f0c674")
        x, y = 640 + 300 * math.sin(number / 47), 300 + 200 * math.sin(number / 31)
        draw.polygon([(x, y), (x + 14, y + 30), (x + 24, y + 20)], fill="#ffffff")
        yield frame.tobytes()


def paint_talking_head(duration_s: int) -> Frames:
    """A head that nods and speaks before a soft background, with a camera's grain."""
    room = Image.radial_gradient("L").resize(SIZE).convert("RGB")
    room = ImageChops.multiply(room, Image.new("RGB", SIZE, "#b8a48c"))
    grains = [
        Image.effect_noise(SIZE, 14).convert("RGB").filter(ImageFilter.GaussianBlur(0.6))
        for _ in range(12)
    ]
    middle = Image.new("RGB", SIZE, "#808080")
    chance = random.Random(3)
    for number in range(duration_s * FPS):
        second = number / FPS
        frame = room.copy()
        draw = ImageDraw.Draw(frame)
        x, y = 640 + 18 * math.sin(second * 1.3), 330 + 10 * math.sin(second * 2.1)
        draw.ellipse((x - 330, y + 190, x + 330, y + 760), fill="#2d3a52")
        draw.ellipse((x - 120, y - 160, x + 120, y + 170), fill="#d9a883")
        draw.chord((x - 128, y - 190, x + 128, y + 60), 180, 360, fill="#2a211c")
        for side in (-48, 48):
            draw.ellipse((x + side - 14, y - 30, x + side + 14, y - 14), fill="#f4efe9")
            draw.ellipse((x + side - 6, y - 28, x + side + 6, y - 16), fill="#22160f")
        mouth = 4 + 14 * abs(math.sin(second * 9)) * (second % 4 < 3.3)
        draw.ellipse((x - 34, y + 80 - mouth, x + 34, y + 80 + mouth), fill="#8c4a44")
        soft = frame.filter(ImageFilter.GaussianBlur(1.2))
        grain = ImageChops.offset(
            chance.choice(grains), chance.randrange(SIZE[0]), chance.randrange(SIZE[1])
        )
        yield ImageChops.add(soft, ImageChops.subtract(grain, middle), 1.0).tobytes()


PAINTERS: Final[dict[str, Callable[[int], Frames]]] = {
    "slides": paint_slides,
    "screencast": paint_screencast,
    "talking_head": paint_talking_head,
}


async def make_lossless(path: Path, kind: str, *, duration_s: int) -> Path:
    """Write a lecture as FFV1 with speech-like sound.

    Raises:
        RuntimeError: ffmpeg did not take it.
    """
    process = await asyncio.create_subprocess_exec(
        FFMPEG, "-hide_banner", "-loglevel", "error", "-y",
        "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{SIZE[0]}x{SIZE[1]}", "-r", str(FPS),
        "-i", "pipe:0", "-f", "lavfi", "-t", str(duration_s), "-i", SPEECH,
        "-vf", "scale=out_color_matrix=bt709:out_range=tv,format=yuv420p",
        "-colorspace", "bt709", "-color_range", "tv",
        "-c:v", "ffv1", "-g", "30", "-c:a", "aac", "-b:a", "128k", "-shortest", str(path),
        stdin=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    if process.stdin is None:
        raise RuntimeError("ffmpeg was started without a pipe")
    frames = PAINTERS[kind](duration_s)
    while (frame := await asyncio.to_thread(next, frames, None)) is not None:
        process.stdin.write(frame)
        await process.stdin.drain()
    process.stdin.close()
    errors = await process.stderr.read() if process.stderr else b""
    if await process.wait() != 0:
        raise RuntimeError(errors.decode()[-2000:])
    return path
