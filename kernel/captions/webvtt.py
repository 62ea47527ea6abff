"""Cues -> WebVTT and the one-segment playlist that HLS wants around it. Pure.

Spec: W3C WebVTT §4; RFC 8216 §3.5 (WebVTT), §4.3.3.
"""

from __future__ import annotations

from collections.abc import Iterable

from kernel.captions.cues import Cue, clean_text

# rfc8216 §3.5: every segment SHOULD begin with X-TIMESTAMP-MAP. Lecture time zero is media time
# zero in all our renditions.
TIMESTAMP_MAP = "X-TIMESTAMP-MAP=MPEGTS:0,LOCAL:00:00:00.000"


def render_webvtt(cues: Iterable[Cue], *, is_for_hls: bool = True) -> str:
    """Render a WebVTT file; ``is_for_hls`` adds the header that ties it to the media's clock."""
    blocks = ["WEBVTT\n" + (TIMESTAMP_MAP + "\n" if is_for_hls else "")]
    blocks += [
        f"{format_time(cue.start_ms)} --> {format_time(cue.end_ms)}\n{escape(cue.text)}\n"
        for cue in cues
    ]
    return "\n".join(blocks)


def render_chapters(chapters: Iterable[tuple[int, int, str]]) -> str:
    """Render a chapters track from ``(start_ms, end_ms, title)``."""
    return render_webvtt(
        (Cue(start, end, title.replace("\n", " ")) for start, end, title in chapters),
        is_for_hls=False,
    )


def render_subtitle_playlist(uri: str, *, duration_ms: int) -> str:
    """Render the media playlist of a caption track: the whole file is its one segment.

    Args:
        uri: Of the WebVTT file, relative to the playlist.
        duration_ms: Of the lecture, above zero.
    """
    # rfc8216 §4.3.3.1: EXTINF rounded to the nearest integer MUST be at most TARGETDURATION.
    target_s = max(1, (duration_ms + 500) // 1000)
    return (
        "#EXTM3U\n"
        "#EXT-X-VERSION:6\n"
        f"#EXT-X-TARGETDURATION:{target_s}\n"
        "#EXT-X-MEDIA-SEQUENCE:0\n"
        "#EXT-X-PLAYLIST-TYPE:VOD\n"
        f"#EXTINF:{duration_ms // 1000}.{duration_ms % 1000:03},\n"
        f"{uri}\n"
        "#EXT-X-ENDLIST\n"
    )


def escape(text: str) -> str:
    """Escape what WebVTT would read as markup; a cue's text holds no blank line."""
    # Escaping '>' also makes a literal '-->' harmless.
    return clean_text(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def format_time(ms: int) -> str:
    """``01:02:03.004``; hours grow as needed."""
    seconds, millis = divmod(ms, 1000)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{millis:03}"
