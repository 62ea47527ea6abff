from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kernel.captions import (
    Cue,
    clean_text,
    parse_captions,
    render_chapters,
    render_subtitle_playlist,
    render_webvtt,
)
from kernel.hls import parse_media_playlist

CUES = st.lists(
    st.tuples(st.integers(1, 5_000), st.integers(0, 5_000), st.text(max_size=60).map(clean_text)),
    max_size=20,
)


@given(CUES)
def test_what_is_written_reads_back(parts: list[tuple[int, int, str]]) -> None:
    clock = 0
    cues: list[Cue] = []
    for length, pause, text in parts:
        clock += pause
        if text:
            cues.append(Cue(clock, clock + length, text))
        clock += length + 1
    text = render_webvtt(cues)
    if cues:
        assert parse_captions(text.encode()) == tuple(cues)


def test_markup_in_a_text_stays_text() -> None:
    text = render_webvtt([Cue(0, 1000, "a --> <b>b</b> & c\n\nd")], is_for_hls=False)
    assert text == (
        "WEBVTT\n\n00:00:00.000 --> 00:00:01.000\na --&gt; &lt;b&gt;b&lt;/b&gt; &amp; c\nd\n"
    )


def test_hls_ties_the_text_to_the_media_clock() -> None:
    # rfc8216 §3.5: the X-TIMESTAMP-MAP header, directly after WEBVTT.
    head = render_webvtt([]).split("\n")
    assert head[:2] == ["WEBVTT", "X-TIMESTAMP-MAP=MPEGTS:0,LOCAL:00:00:00.000"]


def test_the_playlist_has_one_segment_and_an_end() -> None:
    playlist = parse_media_playlist(render_subtitle_playlist("3.vtt", duration_ms=5_400_500))
    (segment,) = playlist.segments
    assert segment.uri == "3.vtt"
    assert segment.duration_ticks == 5_400_500 * 90
    assert playlist.is_ended
    # rfc8216 §4.3.3.1: EXTINF, rounded, is at most TARGETDURATION.
    assert playlist.target_duration_s == 5401


def test_chapters() -> None:
    text = render_chapters([(0, 61_000, "第一章 <总则>"), (61_000, 90_000, "第二章")])
    assert "00:01:01.000 --> 00:01:30.000\n第二章\n" in text
    assert "&lt;总则&gt;" in text
    assert "X-TIMESTAMP-MAP" not in text
