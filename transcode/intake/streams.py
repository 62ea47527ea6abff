"""Read ffprobe's JSON about a stranger's file into streams. Pure and total.

Any bytes give facts or an ``EncodeError``; numbers that lie are replaced or refused here, so that
nothing behind has to doubt them.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

from kernel.errors import EncodeError
from transcode.intake.containers import find_demuxer, refusal

MAX_STREAMS: Final = 64  # Broadcast multiplexes have 40; a spec's stream number ends at 63.
MAX_SAR: Final = Fraction(10)  # Anamorphic film is 2:1; what is beyond is a lie.
MIN_SAR: Final = 1 / MAX_SAR
MAX_CHAPTERS: Final = 500
MAX_TITLE_CHARS: Final = 200
_SHORT: Final = re.compile(r"-?\d{1,18}")
_DECIMAL: Final = re.compile(r"-?\d{1,18}(\.\d{1,9})?")
_PRIVATE: Final = re.compile(
    r"location|gps|latitude|longitude|\bmake\b|\bmodel\b|serial|artist|author|copyright"
    r"|com\.(apple|android|samsung|xiaomi)\.",
    re.IGNORECASE,
)
_LANGUAGE: Final = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,2}")


@dataclass(frozen=True, slots=True)
class VideoStream:
    """A picture track as its headers describe it.

    Attributes:
        matrix_terms: The display matrix' upper left ``(a, b, c, d)``, ``None`` when there is none.
        nominal_rate: ``r_frame_rate``: what the track's clock suggests; not believed, compared.
        is_still: A cover or thumbnail, not a moving picture.
    """

    index: int
    codec: str
    profile: str
    level: int
    width_px: int
    height_px: int
    sar: Fraction
    pixel_format: str
    field_order: str
    colour_range: str
    colour_space: str
    colour_transfer: str
    colour_primaries: str
    matrix_terms: tuple[int, int, int, int] | None
    time_base: Fraction
    nominal_rate: Fraction | None
    claimed_s: Fraction | None
    is_default: bool
    is_still: bool
    is_encrypted: bool
    is_dolby_vision: bool


@dataclass(frozen=True, slots=True)
class AudioStream:
    index: int
    codec: str
    sample_rate_hz: int
    channels_count: int
    language: str
    time_base: Fraction
    claimed_s: Fraction | None
    is_default: bool
    is_commentary: bool
    is_encrypted: bool


@dataclass(frozen=True, slots=True)
class TextStream:
    """A subtitle track, of text or of pictures (``codec`` tells)."""

    index: int
    codec: str
    language: str
    title: str
    is_default: bool
    is_forced: bool


@dataclass(frozen=True, slots=True)
class Chapter:
    """``start_s`` and ``end_s`` are time stamps of the file."""

    start_s: Fraction
    end_s: Fraction
    title: str


@dataclass(frozen=True, slots=True)
class Container:
    """Everything ffprobe told about one file.

    Attributes:
        others: Tags of tracks that are neither picture, sound nor text (time code, places ...).
        has_private_tags: It says where or with what it was made; outputs never do.
    """

    demuxer: str
    claimed_s: Fraction | None
    videos: tuple[VideoStream, ...]
    audios: tuple[AudioStream, ...]
    texts: tuple[TextStream, ...]
    others: tuple[str, ...]
    chapters: tuple[Chapter, ...]
    has_private_tags: bool = False


def parse_container(output: bytes) -> Container:
    """Parse ``ffprobe -show_format -show_streams -show_chapters -of json``.

    Raises:
        EncodeError: Permanent: no JSON, a demuxer that we do not take, too many streams.
    """
    try:
        document = json.loads(output)
    except (ValueError, RecursionError) as error:
        raise EncodeError("ffprobe did not print JSON", permanent=True) from error
    document = document if isinstance(document, dict) else {}
    form = document.get("format")
    name = _text(form, "format_name") if isinstance(form, dict) else ""
    demuxer = find_demuxer(name)
    if demuxer is None:
        raise refusal(f"demuxer {name!r}", "这种格式的文件暂不支持,请转换为 MP4 后再上传")
    streams = _dicts(document.get("streams"))
    if len(streams) > MAX_STREAMS:
        raise refusal(
            f"{len(streams)} streams, limit {MAX_STREAMS}",
            f"文件里有 {len(streams)} 条轨道,上限是 {MAX_STREAMS} 条,请只保留需要的轨道后再上传",
        )
    return Container(
        demuxer=demuxer,
        claimed_s=_seconds(form, "duration") if isinstance(form, dict) else None,
        videos=tuple(_read_video(item) for item in streams if _kind(item) == "video"),
        audios=tuple(_read_audio(item) for item in streams if _kind(item) == "audio"),
        texts=tuple(_read_text(item) for item in streams if _kind(item) == "subtitle"),
        others=tuple(_text(item, "codec_tag_string") for item in streams if _kind(item) == "data"),
        chapters=_read_chapters(_dicts(document.get("chapters"))),
        has_private_tags=any(
            _PRIVATE.search(str(name))
            for item in (form, *streams)
            if isinstance(item, dict)
            for name in _tags(item)
        ),
    )


def _read_video(stream: dict[str, Any]) -> VideoStream:
    flags = _flags(stream)
    frames = _number(stream.get("nb_frames"))
    sar = read_ratio(stream.get("sample_aspect_ratio")) or Fraction(1)
    return VideoStream(
        index=_count(stream, "index"),
        codec=_text(stream, "codec_name"),
        profile=_text(stream, "profile"),
        level=_count(stream, "level"),
        width_px=_count(stream, "width"),
        height_px=_count(stream, "height"),
        sar=sar if MIN_SAR <= sar <= MAX_SAR else Fraction(1),
        pixel_format=_text(stream, "pix_fmt"),
        field_order=_text(stream, "field_order"),
        colour_range=_text(stream, "color_range"),
        colour_space=_text(stream, "color_space"),
        colour_transfer=_text(stream, "color_transfer"),
        colour_primaries=_text(stream, "color_primaries"),
        matrix_terms=_read_matrix(stream),
        time_base=read_ratio(stream.get("time_base")) or Fraction(1, 90_000),
        nominal_rate=read_ratio(stream.get("r_frame_rate")),
        claimed_s=_seconds(stream, "duration"),
        is_default="default" in flags,
        is_still=bool(flags & {"attached_pic", "timed_thumbnails", "still_image"})
        or (_text(stream, "codec_name") in {"png", "mjpeg", "bmp", "gif"} and frames == 1),
        is_encrypted=_is_encrypted(stream),
        is_dolby_vision=bool(_find_side_data(stream, "DOVI configuration record")),
    )


def _read_audio(stream: dict[str, Any]) -> AudioStream:
    flags = _flags(stream)
    return AudioStream(
        index=_count(stream, "index"),
        codec=_text(stream, "codec_name"),
        sample_rate_hz=_number(stream.get("sample_rate")),
        channels_count=_count(stream, "channels"),
        language=_language(stream),
        time_base=read_ratio(stream.get("time_base")) or Fraction(1, 90_000),
        claimed_s=_seconds(stream, "duration"),
        is_default="default" in flags,
        is_commentary=bool(
            flags & {"comment", "visual_impaired", "hearing_impaired", "descriptions"}
        ),
        is_encrypted=_is_encrypted(stream),
    )


def _read_text(stream: dict[str, Any]) -> TextStream:
    flags = _flags(stream)
    return TextStream(
        index=_count(stream, "index"),
        codec=_text(stream, "codec_name"),
        language=_language(stream),
        title=_title(stream),
        is_default="default" in flags,
        is_forced="forced" in flags,
    )


def _read_chapters(items: list[dict[str, Any]]) -> tuple[Chapter, ...]:
    chapters: list[Chapter] = []
    for item in items[:MAX_CHAPTERS]:
        start, end = _seconds(item, "start_time"), _seconds(item, "end_time")
        if start is not None:
            chapters.append(Chapter(start, end if end is not None else start, _title(item)))
    return tuple(sorted(chapters, key=lambda chapter: chapter.start_s))


def _read_matrix(stream: dict[str, Any]) -> tuple[int, int, int, int] | None:
    """Read the rotation part of the display matrix that ffprobe prints as three rows of text."""
    for item in _find_side_data(stream, "Display Matrix"):
        rows = [
            [int(word) for word in line.split(":", 1)[1].split() if _SHORT.fullmatch(word)]
            for line in _long_text(item, "displaymatrix").splitlines()
            if ":" in line
        ]
        if len(rows) == 3 and all(len(row) == 3 for row in rows):  # noqa: PLR2004 - a 3x3 matrix
            return rows[0][0], rows[0][1], rows[1][0], rows[1][1]
    return None


def _is_encrypted(stream: dict[str, Any]) -> bool:
    tag = _text(stream, "codec_tag_string")
    return tag in {"encv", "enca", "drmi", "drms", "drmt"} or bool(
        _find_side_data(stream, "Encryption")
    )


def _find_side_data(stream: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [
        item
        for item in _dicts(stream.get("side_data_list"))
        if _text(item, "side_data_type").startswith(kind)
    ]


def _dicts(value: object) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _kind(stream: dict[str, Any]) -> str:
    return _text(stream, "codec_type")


def _flags(stream: dict[str, Any]) -> set[str]:
    value = stream.get("disposition")
    return {str(name) for name, on in value.items() if on} if isinstance(value, dict) else set()


def _count(stream: dict[str, Any], name: str) -> int:
    value = stream.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else 0


def _number(value: object) -> int:
    return int(value) if isinstance(value, str) and _SHORT.fullmatch(value) else 0


def _text(stream: dict[str, Any], name: str) -> str:
    return _long_text(stream, name)[:64]


def _long_text(stream: dict[str, Any], name: str) -> str:
    value = stream.get(name)
    return value if isinstance(value, str) else ""


def _seconds(stream: dict[str, Any], name: str) -> Fraction | None:
    value = stream.get(name)
    return Fraction(value) if isinstance(value, str) and _DECIMAL.fullmatch(value) else None


def _tags(stream: dict[str, Any]) -> dict[str, Any]:
    value = stream.get("tags")
    return value if isinstance(value, dict) else {}


def _title(stream: dict[str, Any]) -> str:
    text = _long_text(_tags(stream), "title")[: 4 * MAX_TITLE_CHARS]
    plain = "".join(char if char.isprintable() else " " for char in text)
    return " ".join(plain.split())[:MAX_TITLE_CHARS]


def _language(stream: dict[str, Any]) -> str:
    value = _text(_tags(stream), "language").strip()
    return value if _LANGUAGE.fullmatch(value) else "und"


def read_ratio(value: object) -> Fraction | None:
    """Read ``30000/1001`` or ``4:3``; ``None`` for what is no positive ratio."""
    if not isinstance(value, str):
        return None
    num, _, den = value.replace(":", "/").partition("/")
    if not (_SHORT.fullmatch(num) and _SHORT.fullmatch(den)):
        return None
    above, below = int(num), int(den)
    return Fraction(above, below) if above > 0 and below > 0 else None
