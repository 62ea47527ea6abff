"""Playlist text from the model. Pure.

Spec: draft-pantos-hls-rfc8216bis, §4.4 (tags), cited by its section titles where it matters.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

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
    Variant,
)
from kernel.timing import TICKS_PER_S


def format_seconds(ticks: int) -> str:
    """Print ticks as decimal seconds, exact to 10 us, without trailing zeros."""
    hundred_thousandths = (ticks * 100_000 + TICKS_PER_S // 2) // TICKS_PER_S
    whole, rest = divmod(hundred_thousandths, 100_000)
    return f"{whole}.{rest:05}".rstrip("0").rstrip(".")


def format_date(moment: datetime) -> str:
    """Print an aware time as UTC with milliseconds, rounded down."""
    utc = moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    return utc.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def quote(text: str) -> str:
    """Quote an attribute; line ends and quotes cannot be carried and become spaces and ``'``."""
    return '"' + text.replace('"', "'").replace("\r", " ").replace("\n", " ") + '"'


def render_media_playlist(playlist: MediaPlaylist) -> str:
    """Render a media playlist; every line is ended."""
    lines = [
        "#EXTM3U",
        f"#EXT-X-VERSION:{playlist.version}",
        f"#EXT-X-TARGETDURATION:{playlist.target_duration_s}",
    ]
    if playlist.server_control is not None:
        lines.append(render_server_control(playlist.server_control))
    if playlist.part_target_ticks is not None:
        lines.append(f"#EXT-X-PART-INF:PART-TARGET={format_seconds(playlist.part_target_ticks)}")
    if playlist.kind is not None:
        lines.append(f"#EXT-X-PLAYLIST-TYPE:{playlist.kind}")
    if playlist.has_independent_segments:
        lines.append("#EXT-X-INDEPENDENT-SEGMENTS")
    lines.append(f"#EXT-X-MEDIA-SEQUENCE:{playlist.media_sequence}")
    if playlist.discontinuity_sequence is not None:
        lines.append(f"#EXT-X-DISCONTINUITY-SEQUENCE:{playlist.discontinuity_sequence}")
    if playlist.skip is not None:
        lines.append(f"#EXT-X-SKIP:SKIPPED-SEGMENTS={playlist.skip.skipped_count}")
    text = "\n".join(lines) + "\n" + "".join(map(render_segment, playlist.segments))
    if playlist.trailing is not None:
        text += render_segment(playlist.trailing)
    if playlist.preload_hint is not None:
        text += render_preload_hint(playlist.preload_hint)
    text += "".join(map(render_rendition_report, playlist.rendition_reports))
    return text + ("#EXT-X-ENDLIST\n" if playlist.is_ended else "")


def render_server_control(control: ServerControl) -> str:
    """Render EXT-X-SERVER-CONTROL without a line end."""
    attributes = ["CAN-BLOCK-RELOAD=YES"] if control.may_block_reload else []
    for name, ticks in (
        ("CAN-SKIP-UNTIL", control.skip_until_ticks),
        ("PART-HOLD-BACK", control.part_hold_back_ticks),
        ("HOLD-BACK", control.hold_back_ticks),
    ):
        if ticks is not None:
            attributes.append(f"{name}={format_seconds(ticks)}")
    return "#EXT-X-SERVER-CONTROL:" + ",".join(attributes)


def render_segment(segment: Segment) -> str:
    """Render a segment with its tags; one with an empty URI is cut off after its parts."""
    lines = list(_segment_head(segment))
    lines += [render_part(part) for part in segment.parts]
    if segment.uri:
        if segment.byte_range is not None:
            lines.append(f"#EXT-X-BYTERANGE:{_byte_range(segment.byte_range)}")
        lines.append(f"#EXTINF:{format_seconds(segment.duration_ticks)},{segment.title}")
        lines.append(segment.uri)
    return "".join(line + "\n" for line in lines)


def _segment_head(segment: Segment) -> Iterator[str]:
    # 4.4.4.9: tags that concern a segment MUST come before its first EXT-X-PART.
    if segment.is_discontinuity:
        yield "#EXT-X-DISCONTINUITY"
    if segment.init is not None:
        yield _init_map(segment.init)
    if segment.program_date_time is not None:
        yield f"#EXT-X-PROGRAM-DATE-TIME:{format_date(segment.program_date_time)}"
    if segment.is_gap:
        yield "#EXT-X-GAP"


def _init_map(init: InitMap) -> str:
    ranges = f",BYTERANGE={quote(_byte_range(init.byte_range))}" if init.byte_range else ""
    return f"#EXT-X-MAP:URI={quote(init.uri)}{ranges}"


def _byte_range(value: ByteRange) -> str:
    offset = "" if value.offset_bytes is None else f"@{value.offset_bytes}"
    return f"{value.size_bytes}{offset}"


def render_part(part: Part) -> str:
    """Render EXT-X-PART without a line end."""
    text = f"#EXT-X-PART:DURATION={format_seconds(part.duration_ticks)},URI={quote(part.uri)}"
    if part.byte_range is not None:
        text += f",BYTERANGE={quote(_byte_range(part.byte_range))}"
    if part.is_independent:
        text += ",INDEPENDENT=YES"
    return text + (",GAP=YES" if part.is_gap else "")


def render_preload_hint(hint: PreloadHint) -> str:
    """Render EXT-X-PRELOAD-HINT with its line end."""
    text = f"#EXT-X-PRELOAD-HINT:TYPE={hint.kind},URI={quote(hint.uri)}"
    if hint.start_bytes is not None:
        text += f",BYTERANGE-START={hint.start_bytes}"
    if hint.size_bytes is not None:
        text += f",BYTERANGE-LENGTH={hint.size_bytes}"
    return text + "\n"


def render_rendition_report(report: RenditionReport) -> str:
    """Render EXT-X-RENDITION-REPORT with its line end."""
    text = f"#EXT-X-RENDITION-REPORT:URI={quote(report.uri)},LAST-MSN={report.last_msn}"
    return text + ("" if report.last_part is None else f",LAST-PART={report.last_part}") + "\n"


def render_multivariant_playlist(playlist: MultivariantPlaylist) -> str:
    """Render a multivariant playlist."""
    lines = ["#EXTM3U", f"#EXT-X-VERSION:{playlist.version}"]
    if playlist.has_independent_segments:
        lines.append("#EXT-X-INDEPENDENT-SEGMENTS")
    lines += [_render_media(media) for media in playlist.media]
    for variant in playlist.variants:
        lines += [_render_variant(variant), variant.uri]
    return "".join(line + "\n" for line in lines)


def _render_media(media: RenditionMedia) -> str:
    attributes = [
        f"TYPE={media.kind}",
        f"GROUP-ID={quote(media.group_id)}",
        f"NAME={quote(media.name)}",
    ]
    if media.language is not None:
        attributes.append(f"LANGUAGE={quote(media.language)}")
    attributes.append(f"DEFAULT={'YES' if media.is_default else 'NO'}")
    attributes.append(f"AUTOSELECT={'YES' if media.is_autoselect else 'NO'}")
    if media.is_forced:
        attributes.append("FORCED=YES")
    for name, value in (
        ("CHANNELS", media.channels),
        ("CHARACTERISTICS", media.characteristics),
        ("URI", media.uri),
    ):
        if value is not None:
            attributes.append(f"{name}={quote(value)}")
    return "#EXT-X-MEDIA:" + ",".join(attributes)


def _render_variant(variant: Variant) -> str:
    attributes = [f"BANDWIDTH={variant.bandwidth_bps}"]
    if variant.average_bandwidth_bps is not None:
        attributes.append(f"AVERAGE-BANDWIDTH={variant.average_bandwidth_bps}")
    if variant.codecs:
        attributes.append(f"CODECS={quote(','.join(variant.codecs))}")
    if variant.width_px is not None and variant.height_px is not None:
        attributes.append(f"RESOLUTION={variant.width_px}x{variant.height_px}")
    if variant.frame_rate is not None:
        attributes.append(f"FRAME-RATE={float(variant.frame_rate):.3f}")
    for name, value in (
        ("AUDIO", variant.audio_group),
        ("SUBTITLES", variant.subtitles_group),
        ("NAME", variant.name),
    ):
        if value is not None:
            attributes.append(f"{name}={quote(value)}")
    return "#EXT-X-STREAM-INF:" + ",".join(attributes)
