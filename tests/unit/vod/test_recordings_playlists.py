"""Replay playlists over recorded segments: every tag where the specification wants it."""

from __future__ import annotations

from datetime import UTC, datetime

import m3u8
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.hls import parse_media_playlist
from kernel.recording import RecordedEpoch, RecordedSegment, RecordingIndex
from vod.recordings.playlists import (
    FROM_LECTURE,
    build_recording_index,
    measure_bandwidth,
    render_recording,
)

AT = datetime(2026, 7, 1, 8, 30, 0, 250_000, tzinfo=UTC)


def make_index(
    *durations: list[int], gaps: frozenset[int] = frozenset(), **fields: object
) -> RecordingIndex:
    """One list of segment durations in ticks per epoch."""
    epochs, msn, clock = [], 7, 0
    for number, epoch in enumerate(durations):
        segments = []
        for ticks in epoch:
            is_gap = msn in gaps
            segments.append(
                RecordedSegment(
                    msn=msn, start_ticks=clock, duration_ticks=ticks, is_gap=is_gap,
                    av_bytes=0 if is_gap else 50_000, audio_bytes=0 if is_gap else 4_000,
                )
            )  # fmt: skip
            msn, clock = msn + 1, clock + ticks
        values: dict[str, object] = {
            "epoch": number * 2, "program_date_time": AT, "av_init": f"init-a{number}.mp4",
            "audio_init": f"init-b{number}.mp4", "video_codec": "avc1.64001f", "width_px": 1280,
            "height_px": 720, "audio_codec": "mp4a.40.2", "sample_rate_hz": 48_000,
            "channels_count": 2, "protocol": "rtmp", "segments": tuple(segments), **fields,
        }  # fmt: skip
        epochs.append(RecordedEpoch.model_validate(values))
    return RecordingIndex(broadcast_id="b1", epochs=tuple(epochs))


def test_a_recording_of_two_epochs_reads_as_it_should() -> None:
    index = make_index([180_000, 171_000], [90_000], gaps=frozenset({8}))
    root = "../../../../live/b1"
    assert render_recording(index, "av") == (
        "#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-TARGETDURATION:4\n#EXT-X-PLAYLIST-TYPE:VOD\n"
        "#EXT-X-MEDIA-SEQUENCE:7\n"
        f'#EXT-X-MAP:URI="{root}/0/av/init-a0.mp4"\n'
        "#EXT-X-PROGRAM-DATE-TIME:2026-07-01T08:30:00.250Z\n"
        f"#EXTINF:2,\n{root}/0/av/7.m4s\n"
        f"#EXT-X-GAP\n#EXTINF:1.9,\n{root}/0/av/8.m4s\n"
        f'#EXT-X-DISCONTINUITY\n#EXT-X-MAP:URI="{root}/2/av/init-a1.mp4"\n'
        "#EXT-X-PROGRAM-DATE-TIME:2026-07-01T08:30:00.250Z\n"
        f"#EXTINF:1,\n{root}/2/av/9.m4s\n"
        "#EXT-X-ENDLIST\n"
    )


def test_audio_can_be_served_beside_the_index() -> None:
    text = render_recording(make_index([180_000]), "audio", root=FROM_LECTURE)
    assert "\n../../live/b1/0/audio/7.m4s\n" in text
    assert 'URI="../../live/b1/0/audio/init-b0.mp4"' in text


def test_a_long_segment_raises_the_target_duration() -> None:
    assert "#EXT-X-TARGETDURATION:4\n" in render_recording(make_index([404_999]), "av")
    assert "#EXT-X-TARGETDURATION:5\n" in render_recording(make_index([405_000]), "av")


@given(st.lists(st.lists(st.integers(1, 900_000), max_size=8), max_size=4))
def test_every_recording_reads_back(durations: list[list[int]]) -> None:
    index = make_index(*durations)
    for rendition in ("av", "audio"):
        text = render_recording(index, rendition)  # type: ignore[arg-type]
        playlist = parse_media_playlist(text)
        assert len(playlist.segments) == index.segments_count
        filled = sum(1 for epoch in index.epochs if epoch.segments)
        assert sum(s.init is not None for s in playlist.segments) == filled
        assert sum(s.is_discontinuity for s in playlist.segments) == max(0, filled - 1)
        assert all(
            round(s.duration_ticks / 90_000) <= playlist.target_duration_s
            for s in playlist.segments
        )
        assert len(m3u8.loads(text).segments) == index.segments_count


def test_the_multivariant_names_codecs_and_the_largest_picture() -> None:
    index = make_index([180_000], [180_000])
    small = index.epochs[1].model_copy(
        update={"width_px": 640, "height_px": 360, "video_codec": "avc1.42c01e"}
    )
    index = index.model_copy(update={"epochs": (index.epochs[0], small)})
    playlist = build_recording_index(index, version=3)
    av, audio = playlist.variants
    assert av.uri == "recording/3/av.m3u8"
    assert av.codecs == ("avc1.64001f", "avc1.42c01e", "mp4a.40.2")
    assert (av.width_px, av.height_px) == (1280, 720)
    assert av.bandwidth_bps == 200_000
    assert (audio.uri, audio.codecs) == ("recording/3/audio.m3u8", ("mp4a.40.2",))
    assert not playlist.has_independent_segments


def test_sound_alone_is_one_variant() -> None:
    index = make_index([180_000], video_codec=None, width_px=None, height_px=None)
    playlist = build_recording_index(index, version=1)
    assert [variant.uri for variant in playlist.variants] == ["recording/1/audio.m3u8"]


@pytest.mark.parametrize("gaps", [frozenset(), frozenset({7}), frozenset({7, 8})])
def test_bandwidth_is_never_zero_and_peak_is_not_below_average(gaps: frozenset[int]) -> None:
    peak_bps, average_bps = measure_bandwidth(make_index([90_000, 180_000], gaps=gaps), "av")
    assert peak_bps >= average_bps >= 1
