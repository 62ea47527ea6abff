"""Any text: a playlist that renders and parses to itself, or our error."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kernel.errors import PlaylistSyntaxError
from kernel.hls import (
    parse_media_playlist,
    parse_multivariant_playlist,
    render_media_playlist,
    render_multivariant_playlist,
)

LINES = [
    "#EXTM3U",
    "#EXT-X-VERSION:9",
    "#EXT-X-TARGETDURATION:4",
    "#EXTINF:2.0,",
    "#EXTINF:1e9,",
    "a.m4s",
    '#EXT-X-PART:DURATION=0.5,URI="p"',
    "#EXT-X-PART:DURATION=,URI=",
    '#EXT-X-MAP:URI="i"',
    "#EXT-X-GAP",
    "#EXT-X-BYTERANGE:5@",
    "#EXT-X-BYTERANGE:5@7",
    "#EXT-X-SKIP:SKIPPED-SEGMENTS=99999999999999999999",
    '#EXT-X-PRELOAD-HINT:TYPE=PART,URI="x"',
    "#EXT-X-PROGRAM-DATE-TIME:2026-07-01T08:00:00Z",
    "#EXT-X-PROGRAM-DATE-TIME:0001-01-01T00:00:00+23:00",
    "#EXT-X-ENDLIST",
    "#EXT-X-DISCONTINUITY",
    '#EXT-X-STREAM-INF:BANDWIDTH=1,CODECS="a,b",RESOLUTION=1x2',
    '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="g",NAME="n"',
    "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,HOLD-BACK=12",
    "#EXT-X-PART-INF:PART-TARGET=0.5",
    "#",
    "",
    '#EXT-X-RENDITION-REPORT:URI="r",LAST-MSN=1',
    "#EXT-X-MEDIA-SEQUENCE:-1",
    "#EXT-X-PLAYLIST-TYPE:VOD",
]

texts = st.lists(st.sampled_from(LINES) | st.text(max_size=30), max_size=25).map(
    lambda lines: "\n".join(["#EXTM3U", "#EXT-X-TARGETDURATION:4", *lines])
)


@given(texts | st.text(max_size=200))
def test_media_playlists_are_total(text):
    try:
        playlist = parse_media_playlist(text)
    except PlaylistSyntaxError:
        return
    again = parse_media_playlist(render_media_playlist(playlist))
    assert len(again.segments) == len(playlist.segments)


@given(texts | st.text(max_size=200))
def test_multivariant_playlists_are_total(text):
    try:
        playlist = parse_multivariant_playlist(text)
    except PlaylistSyntaxError:
        return
    assert parse_multivariant_playlist(render_multivariant_playlist(playlist)).variants
