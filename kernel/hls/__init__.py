"""HLS playlists (rfc8216bis): a frozen model, rendered and parsed. Pure. No I/O, no clock."""

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
from kernel.hls.parse import parse_media_playlist, parse_multivariant_playlist
from kernel.hls.render import (
    format_date,
    format_seconds,
    render_media_playlist,
    render_multivariant_playlist,
    render_part,
    render_segment,
)

__all__ = [
    "ByteRange",
    "InitMap",
    "MediaPlaylist",
    "MultivariantPlaylist",
    "Part",
    "PreloadHint",
    "RenditionMedia",
    "RenditionReport",
    "Segment",
    "ServerControl",
    "Skip",
    "Variant",
    "format_date",
    "format_seconds",
    "parse_media_playlist",
    "parse_multivariant_playlist",
    "render_media_playlist",
    "render_multivariant_playlist",
    "render_part",
    "render_segment",
]
