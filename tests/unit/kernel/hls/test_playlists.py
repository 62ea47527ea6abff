"""Rendering and parsing of playlists, and that one undoes the other."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.errors import PlaylistSyntaxError
from kernel.hls import (
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
    format_seconds,
    parse_media_playlist,
    parse_multivariant_playlist,
    render_media_playlist,
    render_multivariant_playlist,
)

uris = st.from_regex(r"\A[a-z0-9/._,=-]{1,30}\Z").filter(lambda uri: uri.strip())
words = st.from_regex(r"\A[A-Za-z0-9 一-鿿]{1,20}\Z").map(str.strip).filter(bool)
ticks = st.integers(1, 400_000)
counts = st.integers(0, 10**9)
ranges = st.builds(ByteRange, counts, st.none() | counts)
dates = st.integers(0, 10**12).map(
    lambda ms: datetime(2020, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)
)
parts = st.builds(Part, uris, ticks, st.booleans(), st.booleans(), st.none() | ranges)
segments = st.builds(
    Segment,
    uri=uris,
    duration_ticks=ticks,
    parts=st.lists(parts, max_size=3).map(tuple),
    init=st.none() | st.builds(InitMap, uris, st.none() | ranges),
    is_discontinuity=st.booleans(),
    program_date_time=st.none() | dates,
    byte_range=st.none() | ranges,
    is_gap=st.booleans(),
    title=st.just("") | words,
)
media_playlists = st.builds(
    MediaPlaylist,
    target_duration_s=st.integers(1, 60),
    segments=st.lists(segments, max_size=4).map(tuple),
    version=st.integers(1, 12),
    media_sequence=counts,
    discontinuity_sequence=st.none() | counts,
    server_control=st.none()
    | st.builds(
        ServerControl, st.just(True), st.none() | ticks, st.none() | ticks, st.none() | ticks
    ),
    part_target_ticks=st.none() | ticks,
    skip=st.none() | st.builds(Skip, counts),
    trailing=st.none()
    | st.builds(
        Segment, uri=st.just(""), duration_ticks=st.just(0),
        parts=st.lists(parts, min_size=1, max_size=3).map(tuple),
        is_discontinuity=st.booleans(),
    ),
    preload_hint=st.none()
    | st.builds(PreloadHint, uris, st.sampled_from(["PART", "MAP"]), st.none() | counts,
                st.none() | counts),
    rendition_reports=st.lists(
        st.builds(RenditionReport, uris, counts, st.none() | counts), max_size=2
    ).map(tuple),
    kind=st.sampled_from([None, "VOD", "EVENT"]),
    is_ended=st.booleans(),
    has_independent_segments=st.booleans(),
)  # fmt: skip
variants = st.builds(
    Variant,
    uri=uris,
    bandwidth_bps=counts,
    average_bandwidth_bps=st.none() | counts,
    codecs=st.sampled_from([(), ("avc1.64001f", "mp4a.40.2"), ("mp4a.40.2",)]),
    width_px=st.just(640),
    height_px=st.just(360),
    frame_rate=st.sampled_from([None, Fraction(25), Fraction("29.970")]),
    audio_group=st.none() | words,
    subtitles_group=st.none() | words,
    name=st.none() | words,
)
renditions = st.builds(
    RenditionMedia,
    kind=st.sampled_from(["AUDIO", "VIDEO", "SUBTITLES"]),
    group_id=words,
    name=words,
    uri=st.none() | uris,
    language=st.sampled_from([None, "zh", "en"]),
    is_default=st.booleans(),
    is_autoselect=st.booleans(),
    is_forced=st.booleans(),
    channels=st.sampled_from([None, "2"]),
    characteristics=st.none() | words,
)


@given(media_playlists)
def test_media_playlists_survive_a_round_trip(playlist):
    assert parse_media_playlist(render_media_playlist(playlist)) == playlist


@given(
    st.builds(
        MultivariantPlaylist,
        variants=st.lists(variants, min_size=1, max_size=3).map(tuple),
        media=st.lists(renditions, max_size=3).map(tuple),
        version=st.integers(1, 12),
        has_independent_segments=st.booleans(),
    )
)
def test_multivariant_playlists_survive_a_round_trip(playlist):
    assert parse_multivariant_playlist(render_multivariant_playlist(playlist)) == playlist


@pytest.mark.parametrize(
    ("count", "text"),
    [(45_000, "0.5"), (180_000, "2"), (1, "0.00001"), (179_910, "1.999"), (0, "0")],
)
def test_seconds_are_printed_exactly_and_short(count, text):
    assert format_seconds(count) == text


def test_tags_of_a_segment_stand_before_its_parts():
    text = render_media_playlist(
        MediaPlaylist(
            target_duration_s=4,
            segments=(
                Segment(
                    uri="1.m4s",
                    duration_ticks=90_000,
                    parts=(Part("1.0.m4s", 45_000, is_independent=True), Part("1.1.m4s", 45_000)),
                    init=InitMap("i.mp4"),
                    is_discontinuity=True,
                    program_date_time=datetime(2026, 7, 1, 8, 0, 0, 5999, tzinfo=UTC),
                ),
            ),
        )
    )
    assert text.splitlines()[4:] == [
        "#EXT-X-DISCONTINUITY",
        '#EXT-X-MAP:URI="i.mp4"',
        "#EXT-X-PROGRAM-DATE-TIME:2026-07-01T08:00:00.005Z",
        '#EXT-X-PART:DURATION=0.5,URI="1.0.m4s",INDEPENDENT=YES',
        '#EXT-X-PART:DURATION=0.5,URI="1.1.m4s"',
        "#EXTINF:1,",
        "1.m4s",
    ]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "line 1"),
        ("#EXTM3U\n#EXT-X-TARGETDURATION:x", "line 2: EXT-X-TARGETDURATION"),
        ("#EXTM3U\n#EXTINF:4,\na.ts", "TARGETDURATION is missing"),
        ("#EXTM3U\n#EXT-X-TARGETDURATION:4\na.ts", "line 3: URI 'a.ts' without EXTINF"),
        ("#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,", "no URI"),
        ("#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-PART:DURATION=1", "attribute URI is missing"),
        ('#EXTM3U\n#EXT-X-MAP:URI="a,BYTERANGE=1', "attribute list broken"),
        ("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\na", "multivariant"),
    ],
)
def test_faults_are_named_with_their_line(text, reason):
    with pytest.raises(PlaylistSyntaxError, match=reason):
        parse_media_playlist(text)


def test_unknown_tags_and_attributes_are_skipped():
    playlist = parse_media_playlist(
        "#EXTM3U\r\n# remark\r\n#EXT-X-FUTURE:A=1\r\n#EXT-X-TARGETDURATION:4\r\n"
        '#EXT-X-PART:URI="a",DURATION=0.5,FUTURE=0x1F\r\n'
    )
    assert playlist.trailing is not None
    assert playlist.trailing.parts == (Part("a", 45_000),)
