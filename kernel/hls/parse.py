"""The model from playlist text. Pure; any text gives a value or ``PlaylistSyntaxError``.

Unknown tags and attributes are skipped, as rfc8216bis §6.3.1 demands of clients.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any, Final, Literal, cast

from kernel.errors import PlaylistSyntaxError
from kernel.hls.model import (
    ByteRange,
    InitMap,
    MediaPlaylist,
    MultivariantPlaylist,
    Part,
    PreloadHint,
    RenditionMedia,
    RenditionReport,
    Segment,
    ServerControl,
    Skip,
    Variant,
)
from kernel.timing import TICKS_PER_S

MAX_PLAYLIST_CHARS: Final = 32 * 1024 * 1024  # A 24 h class with 2 s segments is ~7 MB.
_ATTRIBUTE: Final = re.compile(r'\s*([A-Z0-9-]+)\s*=\s*("[^"\r\n]*"|[^",\s][^,]*)\s*(?:,|$)')
_NUMBER: Final = re.compile(r"[0-9]{1,15}")
_DECIMAL: Final = re.compile(r"[0-9]{1,12}(\.[0-9]{0,12})?")
_RESOLUTION: Final = re.compile(r"([0-9]{1,6})x([0-9]{1,6})")

Attributes = dict[str, str]


def parse_media_playlist(text: str) -> MediaPlaylist:
    """Parse a media playlist.

    Raises:
        PlaylistSyntaxError: Not a media playlist; the sentence names the line.
    """
    reader = _MediaReader()
    for number, line in _iter_lines(text):
        try:
            reader.feed(line)
        except (PlaylistSyntaxError, OverflowError) as error:
            raise PlaylistSyntaxError(f"line {number}: {error}") from error
    return reader.finish()


def parse_multivariant_playlist(text: str) -> MultivariantPlaylist:
    """Parse a multivariant playlist.

    Raises:
        PlaylistSyntaxError: Not a multivariant playlist; the sentence names the line.
    """
    reader = _MultivariantReader()
    for number, line in _iter_lines(text):
        try:
            reader.feed(line)
        except PlaylistSyntaxError as error:
            raise PlaylistSyntaxError(f"line {number}: {error}") from error
    return reader.finish()


def _iter_lines(text: str) -> list[tuple[int, str]]:
    if len(text) > MAX_PLAYLIST_CHARS:
        raise PlaylistSyntaxError(f"{len(text)} characters, limit {MAX_PLAYLIST_CHARS}")
    lines = text.replace("\r\n", "\n").split("\n")
    if lines[0].rstrip() != "#EXTM3U":
        raise PlaylistSyntaxError("line 1: a playlist begins with #EXTM3U")
    numbered = ((number, line.strip()) for number, line in enumerate(lines[1:], 2))
    return [
        (number, line)
        for number, line in numbered
        if line and (not line.startswith("#") or line.startswith("#EXT"))
    ]


def _split_tag(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name, value


# ---- values ------------------------------------------------------------------------------------


def _parse_attributes(value: str) -> Attributes:
    found: Attributes = {}
    position = 0
    while position < len(value):
        match = _ATTRIBUTE.match(value, position)
        if match is None:
            raise PlaylistSyntaxError(
                f"attribute list broken at {value[position : position + 40]!r}"
            )
        name, content = match[1], match[2].strip()
        if name in found:
            raise PlaylistSyntaxError(f"attribute {name} twice")
        found[name] = content[1:-1] if content.startswith('"') else content
        position = match.end()
    return found


def _number(text: str, name: str) -> int:
    if _NUMBER.fullmatch(text) is None:
        raise PlaylistSyntaxError(f"{name} is {text[:40]!r}, not a number")
    return int(text)


def _ticks(text: str, name: str) -> int:
    if _DECIMAL.fullmatch(text) is None:
        raise PlaylistSyntaxError(f"{name} is {text[:40]!r}, not decimal seconds")
    return int(Fraction(text) * TICKS_PER_S + Fraction(1, 2))


def _need(attributes: Attributes, name: str) -> str:
    if name not in attributes:
        raise PlaylistSyntaxError(f"attribute {name} is missing")
    return attributes[name]


def _optional_ticks(attributes: Attributes, name: str) -> int | None:
    return _ticks(attributes[name], name) if name in attributes else None


def _optional_number(attributes: Attributes, name: str) -> int | None:
    return _number(attributes[name], name) if name in attributes else None


def _is_yes(attributes: Attributes, name: str) -> bool:
    return attributes.get(name) == "YES"


def _byte_range(text: str) -> ByteRange:
    size, separator, offset = text.partition("@")
    return ByteRange(
        _number(size, "byte range"), _number(offset, "byte range") if separator else None
    )


def _optional_range(attributes: Attributes) -> ByteRange | None:
    return _byte_range(attributes["BYTERANGE"]) if "BYTERANGE" in attributes else None


def _date(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise PlaylistSyntaxError(f"{text[:40]!r} is no ISO 8601 time") from error
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return moment.astimezone(UTC)


# ---- media playlist ----------------------------------------------------------------------------


@dataclass
class _Pending:
    """Tags seen since the last segment's URI."""

    parts: list[Part] = field(default_factory=list)
    duration_ticks: int | None = None
    title: str = ""
    init: InitMap | None = None
    is_discontinuity: bool = False
    program_date_time: datetime | None = None
    byte_range: ByteRange | None = None
    is_gap: bool = False

    def build(self, uri: str, duration_ticks: int) -> Segment:
        return Segment(
            uri=uri,
            duration_ticks=duration_ticks,
            parts=tuple(self.parts),
            init=self.init,
            is_discontinuity=self.is_discontinuity,
            program_date_time=self.program_date_time,
            byte_range=self.byte_range,
            is_gap=self.is_gap,
            title=self.title,
        )


class _MediaReader:
    def __init__(self) -> None:
        self._segments: list[Segment] = []
        self._pending = _Pending()
        self._has_target = False
        self._reports: list[RenditionReport] = []
        self._playlist = MediaPlaylist(target_duration_s=0, segments=(), version=1)

    def feed(self, line: str) -> None:
        if not line.startswith("#"):
            self._take_uri(line)
            return
        name, value = _split_tag(line)
        if name in _MULTIVARIANT_TAGS:
            raise PlaylistSyntaxError(f"{name} belongs to a multivariant playlist")
        handler = _MEDIA_TAGS.get(name)
        if handler is not None:
            handler(self, value)

    def finish(self) -> MediaPlaylist:
        if not self._has_target:
            raise PlaylistSyntaxError("EXT-X-TARGETDURATION is missing")
        pending = self._pending
        if pending.duration_ticks is not None:
            raise PlaylistSyntaxError("an EXTINF is followed by no URI")
        trailing = pending.build("", 0)
        return replace(
            self._playlist,
            segments=tuple(self._segments),
            rendition_reports=tuple(self._reports),
            trailing=None if trailing == Segment("", 0) else trailing,
        )

    def _take_uri(self, uri: str) -> None:
        if self._pending.duration_ticks is None:
            raise PlaylistSyntaxError(f"URI {uri[:80]!r} without EXTINF")
        self._segments.append(self._pending.build(uri, self._pending.duration_ticks))
        self._pending = _Pending()

    def set(self, **changes: Any) -> None:
        self._playlist = replace(self._playlist, **changes)

    def target(self, value: str) -> None:
        self._has_target = True
        self.set(target_duration_s=_number(value, "EXT-X-TARGETDURATION"))

    def extinf(self, value: str) -> None:
        duration, _, title = value.partition(",")
        self._pending.duration_ticks = _ticks(duration.strip(), "EXTINF")
        self._pending.title = title

    def part(self, value: str) -> None:
        attributes = _parse_attributes(value)
        self._pending.parts.append(
            Part(
                uri=_need(attributes, "URI"),
                duration_ticks=_ticks(_need(attributes, "DURATION"), "DURATION"),
                is_independent=_is_yes(attributes, "INDEPENDENT"),
                is_gap=_is_yes(attributes, "GAP"),
                byte_range=_optional_range(attributes),
            )
        )

    def init_map(self, value: str) -> None:
        attributes = _parse_attributes(value)
        self._pending.init = InitMap(_need(attributes, "URI"), _optional_range(attributes))

    def discontinuity(self, _value: str) -> None:
        self._pending.is_discontinuity = True

    def gap(self, _value: str) -> None:
        self._pending.is_gap = True

    def date(self, value: str) -> None:
        self._pending.program_date_time = _date(value)

    def byte_range(self, value: str) -> None:
        self._pending.byte_range = _byte_range(value)

    def server_control(self, value: str) -> None:
        attributes = _parse_attributes(value)
        self.set(
            server_control=ServerControl(
                may_block_reload=_is_yes(attributes, "CAN-BLOCK-RELOAD"),
                skip_until_ticks=_optional_ticks(attributes, "CAN-SKIP-UNTIL"),
                part_hold_back_ticks=_optional_ticks(attributes, "PART-HOLD-BACK"),
                hold_back_ticks=_optional_ticks(attributes, "HOLD-BACK"),
            )
        )

    def part_inf(self, value: str) -> None:
        target = _need(_parse_attributes(value), "PART-TARGET")
        self.set(part_target_ticks=_ticks(target, "PART-TARGET"))

    def skip(self, value: str) -> None:
        count = _need(_parse_attributes(value), "SKIPPED-SEGMENTS")
        self.set(skip=Skip(_number(count, "SKIPPED-SEGMENTS")))

    def preload_hint(self, value: str) -> None:
        attributes = _parse_attributes(value)
        kind = _need(attributes, "TYPE")
        if kind not in {"PART", "MAP"}:
            return  # A kind of the future: §6.3.1, skip.
        self.set(
            preload_hint=PreloadHint(
                uri=_need(attributes, "URI"),
                kind=cast("Literal['PART', 'MAP']", kind),
                start_bytes=_optional_number(attributes, "BYTERANGE-START"),
                size_bytes=_optional_number(attributes, "BYTERANGE-LENGTH"),
            )
        )

    def report(self, value: str) -> None:
        attributes = _parse_attributes(value)
        self._reports.append(
            RenditionReport(
                uri=_need(attributes, "URI"),
                last_msn=_number(_need(attributes, "LAST-MSN"), "LAST-MSN"),
                last_part=_optional_number(attributes, "LAST-PART"),
            )
        )

    def playlist_type(self, value: str) -> None:
        if value not in {"VOD", "EVENT"}:
            raise PlaylistSyntaxError(f"EXT-X-PLAYLIST-TYPE is {value[:40]!r}")
        self.set(kind=value)


_MEDIA_TAGS: Final[dict[str, Callable[[_MediaReader, str], None]]] = {
    "#EXTINF": _MediaReader.extinf,
    "#EXT-X-PART": _MediaReader.part,
    "#EXT-X-MAP": _MediaReader.init_map,
    "#EXT-X-DISCONTINUITY": _MediaReader.discontinuity,
    "#EXT-X-GAP": _MediaReader.gap,
    "#EXT-X-PROGRAM-DATE-TIME": _MediaReader.date,
    "#EXT-X-BYTERANGE": _MediaReader.byte_range,
    "#EXT-X-TARGETDURATION": _MediaReader.target,
    "#EXT-X-SERVER-CONTROL": _MediaReader.server_control,
    "#EXT-X-PART-INF": _MediaReader.part_inf,
    "#EXT-X-SKIP": _MediaReader.skip,
    "#EXT-X-PRELOAD-HINT": _MediaReader.preload_hint,
    "#EXT-X-RENDITION-REPORT": _MediaReader.report,
    "#EXT-X-PLAYLIST-TYPE": _MediaReader.playlist_type,
    "#EXT-X-VERSION": lambda r, v: r.set(version=_number(v, "EXT-X-VERSION")),
    "#EXT-X-MEDIA-SEQUENCE": lambda r, v: r.set(media_sequence=_number(v, "EXT-X-MEDIA-SEQUENCE")),
    "#EXT-X-DISCONTINUITY-SEQUENCE": lambda r, v: r.set(
        discontinuity_sequence=_number(v, "EXT-X-DISCONTINUITY-SEQUENCE")
    ),
    "#EXT-X-ENDLIST": lambda r, _: r.set(is_ended=True),
    "#EXT-X-INDEPENDENT-SEGMENTS": lambda r, _: r.set(has_independent_segments=True),
}
_MULTIVARIANT_TAGS: Final = frozenset({"#EXT-X-STREAM-INF", "#EXT-X-MEDIA"})


# ---- multivariant playlist ---------------------------------------------------------------------


class _MultivariantReader:
    def __init__(self) -> None:
        self._variants: list[Variant] = []
        self._media: list[RenditionMedia] = []
        self._pending: Attributes | None = None
        self._version = 1
        self._is_independent = False

    def feed(self, line: str) -> None:
        if not line.startswith("#"):
            if self._pending is None:
                raise PlaylistSyntaxError(f"URI {line[:80]!r} without EXT-X-STREAM-INF")
            self._variants.append(_build_variant(self._pending, line))
            self._pending = None
            return
        name, value = _split_tag(line)
        if name == "#EXTINF":
            raise PlaylistSyntaxError("EXTINF belongs to a media playlist")
        if name == "#EXT-X-STREAM-INF":
            self._pending = _parse_attributes(value)
        elif name == "#EXT-X-MEDIA":
            self._add_media(_parse_attributes(value))
        elif name == "#EXT-X-VERSION":
            self._version = _number(value, "EXT-X-VERSION")
        elif name == "#EXT-X-INDEPENDENT-SEGMENTS":
            self._is_independent = True

    def finish(self) -> MultivariantPlaylist:
        if self._pending is not None:
            raise PlaylistSyntaxError("an EXT-X-STREAM-INF is followed by no URI")
        if not self._variants:
            raise PlaylistSyntaxError("there is no variant")
        return MultivariantPlaylist(
            variants=tuple(self._variants),
            media=tuple(self._media),
            version=self._version,
            has_independent_segments=self._is_independent,
        )

    def _add_media(self, attributes: Attributes) -> None:
        kind = _need(attributes, "TYPE")
        if kind not in {"AUDIO", "VIDEO", "SUBTITLES"}:
            return  # CLOSED-CAPTIONS have no playlist; kinds of the future are skipped.
        self._media.append(
            RenditionMedia(
                kind=cast("Literal['AUDIO', 'VIDEO', 'SUBTITLES']", kind),
                group_id=_need(attributes, "GROUP-ID"),
                name=_need(attributes, "NAME"),
                uri=attributes.get("URI"),
                language=attributes.get("LANGUAGE"),
                is_default=_is_yes(attributes, "DEFAULT"),
                is_autoselect=_is_yes(attributes, "AUTOSELECT"),
                is_forced=_is_yes(attributes, "FORCED"),
                channels=attributes.get("CHANNELS"),
                characteristics=attributes.get("CHARACTERISTICS"),
            )
        )


def _build_variant(attributes: Attributes, uri: str) -> Variant:
    width = height = None
    if "RESOLUTION" in attributes:
        match = _RESOLUTION.fullmatch(attributes["RESOLUTION"])
        if match is None:
            raise PlaylistSyntaxError(f"RESOLUTION is {attributes['RESOLUTION'][:40]!r}")
        width, height = int(match[1]), int(match[2])
    rate = None
    if "FRAME-RATE" in attributes:
        if _DECIMAL.fullmatch(attributes["FRAME-RATE"]) is None:
            raise PlaylistSyntaxError(f"FRAME-RATE is {attributes['FRAME-RATE'][:40]!r}")
        rate = Fraction(attributes["FRAME-RATE"])
    codecs = attributes.get("CODECS", "")
    return Variant(
        uri=uri,
        bandwidth_bps=_number(_need(attributes, "BANDWIDTH"), "BANDWIDTH"),
        average_bandwidth_bps=_optional_number(attributes, "AVERAGE-BANDWIDTH"),
        codecs=tuple(codec.strip() for codec in codecs.split(",") if codec.strip()),
        width_px=width,
        height_px=height,
        frame_rate=rate,
        audio_group=attributes.get("AUDIO"),
        subtitles_group=attributes.get("SUBTITLES"),
        name=attributes.get("NAME"),
    )
