"""Read ffprobe's JSON into facts. Pure and total: any bytes give facts or an ``EncodeError``."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from kernel.errors import EncodeError
from transcode.settings import MAX_PIXELS
from transcode.specs import ColourName, Shape

MAX_STREAMS: Final = 16
MAX_SIDE_PX: Final = 8192
MAX_SAR: Final = 10_000  # Real ones are 1:1 or 40:33; others are lies in the bit stream.
# Matrices that decoders treat alike.
_COLOURS: Final[dict[str, ColourName]] = {
    "bt709": "bt709",
    "smpte170m": "smpte170m",
    "bt470bg": "smpte170m",
}


@dataclass(frozen=True, slots=True)
class VideoFacts:
    """The first picture stream."""

    codec: str
    shape: Shape
    pixel_format: str
    colour: ColourName | None


@dataclass(frozen=True, slots=True)
class AudioFacts:
    codec: str
    sample_rate_hz: int
    channels_count: int


@dataclass(frozen=True, slots=True)
class ProbeFacts:
    video: VideoFacts | None
    audio: AudioFacts | None


def parse_probe(output: bytes) -> ProbeFacts:
    """Parse what ``ffprobe -show_streams -print_format json`` printed.

    Raises:
        EncodeError: Permanent: not JSON, too many streams, pictures larger than we decode.
    """
    try:
        document = json.loads(output)
    except (ValueError, RecursionError) as error:
        raise EncodeError("ffprobe did not print JSON", permanent=True) from error
    streams = document.get("streams") if isinstance(document, dict) else None
    if not isinstance(streams, list) or not all(isinstance(item, dict) for item in streams):
        raise EncodeError("ffprobe found no list of streams", permanent=True)
    if len(streams) > MAX_STREAMS:
        raise EncodeError(f"{len(streams)} streams, limit {MAX_STREAMS}", permanent=True)
    return ProbeFacts(
        video=next((_read_video(item) for item in streams if _is(item, "video")), None),
        audio=next((_read_audio(item) for item in streams if _is(item, "audio")), None),
    )


def _is(stream: dict[str, Any], kind: str) -> bool:
    return stream.get("codec_type") == kind


def _read_video(stream: dict[str, Any]) -> VideoFacts:
    width, height = _count(stream, "width"), _count(stream, "height")
    if not (0 < width <= MAX_SIDE_PX and 0 < height <= MAX_SIDE_PX):
        raise EncodeError(
            f"pictures of {width}x{height}, limit {MAX_SIDE_PX} a side",
            permanent=True,
            title_zh="画面尺寸无法处理",
        )
    if width * height > MAX_PIXELS:
        raise EncodeError(f"{width * height} pixels, limit {MAX_PIXELS}", permanent=True)
    num, den = _ratio(stream.get("sample_aspect_ratio"))
    return VideoFacts(
        codec=_text(stream, "codec_name"),
        shape=Shape(width_px=width, height_px=height, sar_num=num, sar_den=den),
        pixel_format=_text(stream, "pix_fmt"),
        colour=_COLOURS.get(_text(stream, "color_space")),
    )


def _read_audio(stream: dict[str, Any]) -> AudioFacts:
    rate = stream.get("sample_rate")
    return AudioFacts(
        codec=_text(stream, "codec_name"),
        sample_rate_hz=int(rate) if isinstance(rate, str) and _is_short_number(rate) else 0,
        channels_count=_count(stream, "channels"),
    )


def _count(stream: dict[str, Any], name: str) -> int:
    value = stream.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else 0


def _text(stream: dict[str, Any], name: str) -> str:
    value = stream.get(name)
    return value[:64] if isinstance(value, str) else ""


def _is_short_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 9  # noqa: PLR2004 - a rate fits in 9 digits


def _ratio(value: Any) -> tuple[int, int]:
    if isinstance(value, str):
        num, _, den = value.partition(":")
        if _is_short_number(num) and _is_short_number(den):
            pair = (int(num), int(den))
            if all(0 < part <= MAX_SAR for part in pair):
                return pair
    return 1, 1
