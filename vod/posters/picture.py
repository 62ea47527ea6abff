"""A stranger's picture -> a clean JPEG. Pure but for the decoder; blocks, up to a second."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Final

from PIL import Image, ImageOps, UnidentifiedImageError

from kernel.errors import InputError

MAX_PICTURE_BYTES: Final = 10 * 1024 * 1024  # What a good camera makes of 24 megapixels.
MAX_PIXELS: Final = 40_000_000  # 250 MB for a moment; judged before anything is decoded.
MAX_SIDE_PX: Final = 16_384
MIN_SIDE_PX: Final = 64  # Smaller is a mistake: nobody recognises anything.
POSTER_WIDTH_PX: Final = 1_920  # As wide as the widest page shows it,
POSTER_HEIGHT_PX: Final = 1_920  # or as high; the page crops.
QUALITY: Final = 86
SHRINKABLE: Final = frozenset({"L", "RGB", "RGBA"})  # Not palettes, one bit, or 16 bits.
FORMATS: Final = ("JPEG", "PNG")  # No other decoder sees what a stranger sends.


@dataclass(frozen=True, slots=True)
class Picture:
    """A JPEG without metadata."""

    data: bytes
    width_px: int
    height_px: int


def clean_picture_blocking(data: bytes) -> Picture:
    """Decode a JPEG or PNG, turn it upright, shrink it and encode it again without metadata.

    Raises:
        InputError: 413 too many bytes or pixels, 415 neither JPEG nor PNG, 422 broken or too small.
    """
    if len(data) > MAX_PICTURE_BYTES:
        raise _refuse("too many bytes", "图片太大,最大 10 MB", 413)
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            return _encode(_read(image))
    except UnidentifiedImageError as error:
        raise _refuse("neither JPEG nor PNG", "请上传 JPEG 或 PNG 图片", 415) from error
    # Pillow complains from 89 megapixels on, as a warning at first; our own limit is lower.
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _refuse(str(error), "图片的像素太多", 413) from error
    # Pillow's decoders answer broken files with any of these.
    except (OSError, SyntaxError, ValueError, EOFError, OverflowError) as error:
        raise _refuse(f"the picture is broken: {error}", "图片已损坏,请换一张", 422) from error


def _read(image: Image.Image) -> Image.Image:
    width, height = image.size
    if width * height > MAX_PIXELS or max(width, height) > MAX_SIDE_PX:
        raise _refuse(f"{width}x{height} pixels", "图片的像素太多,最多 4000 万", 413)
    if min(width, height) < MIN_SIDE_PX:
        raise _refuse(f"{width}x{height} pixels", f"图片太小,边长至少 {MIN_SIDE_PX} 像素", 422)
    image.draft("RGB", (POSTER_WIDTH_PX, POSTER_HEIGHT_PX))  # A JPEG is decoded smaller at once.
    # Shrink first where that looks right: each step that follows copies the picture.
    plain: Image.Image = image if image.mode in SHRINKABLE else _flatten(image)
    plain.thumbnail((POSTER_WIDTH_PX, POSTER_HEIGHT_PX), Image.Resampling.LANCZOS)
    return _flatten(ImageOps.exif_transpose(plain))


def _flatten(image: Image.Image) -> Image.Image:
    """Put what is transparent on white; anything else becomes plain RGB."""
    if image.mode == "I;16":  # 16-bit grey: its upper eight bits.
        image = image.point(lambda value: value / 256).convert("L")
    if "A" not in image.getbands() and "transparency" not in image.info:
        return image.convert("RGB")
    layers = image.convert("RGBA")
    white = Image.new("RGBA", layers.size, "white")
    return Image.alpha_composite(white, layers).convert("RGB")


def _encode(image: Image.Image) -> Picture:
    # A new image has no metadata to be written by accident: no place, no device, no profile.
    clean = Image.new("RGB", image.size)
    clean.paste(image)
    output = io.BytesIO()
    clean.save(output, "JPEG", quality=QUALITY, optimize=True, progressive=True)
    data = output.getvalue()
    return Picture(data, clean.width, clean.height)


def _refuse(detail: str, title_zh: str, status: int) -> InputError:
    return InputError(detail, status=status, title_zh=title_zh)
