"""What ffprobe says of a stranger's file is read whole or refused; nothing is believed blindly."""

from __future__ import annotations

import contextlib
import json
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.errors import EncodeError
from transcode.intake.choose import rank_audios, rank_videos
from transcode.intake.containers import DEMUXERS, name_container, refuse_by_head
from transcode.intake.pictures import describe_pictures, read_turn
from transcode.intake.scan import parse_frames
from transcode.intake.streams import Container, parse_container
from transcode.intake.windows import parse_window, plan_windows

FORBIDDEN = ("hls", "dash", "concat", "image2", "sdp", "rtsp", "rtp", "lavfi", "webm_dash_manifest")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["streams", "format", "chapters", "codec_type", "tags", "disposition", "index",
                 "side_data_list", "width", "format_name", "displaymatrix", "time_base"]
            ),
            inner,
            max_size=6,
        )
    ),
    max_leaves=20,
)  # fmt: skip


def describe(*streams: dict[str, Any], name: str = "mov,mp4", **more: Any) -> Container:
    numbered = [{"index": number, **stream} for number, stream in enumerate(streams)]
    document = {"format": {"format_name": name}, "streams": numbered, **more}
    return parse_container(json.dumps(document).encode())


def video(**more: Any) -> dict[str, Any]:
    base = {"codec_type": "video", "codec_name": "h264", "width": 640, "height": 360}
    return {**base, "pix_fmt": "yuv420p", **more}


def audio(**more: Any) -> dict[str, Any]:
    return {
        "codec_type": "audio",
        "codec_name": "aac",
        "sample_rate": "48000",
        "channels": 2,
    } | more


@given(st.binary(max_size=200))
def test_any_bytes_are_facts_or_our_error(data: bytes) -> None:
    with pytest.raises(EncodeError):
        parse_container(data)
    parse_frames(data)
    parse_window(data, data.decode("latin-1"))


@given(JSON)
def test_any_json_is_facts_or_our_error(value: Any) -> None:
    streams = value if isinstance(value, list) else [value]
    document = {"format": {"format_name": "mov"}, "streams": streams, "chapters": streams}
    try:
        container = parse_container(json.dumps(document).encode())
    except EncodeError:
        return
    for item in container.videos:
        with contextlib.suppress(EncodeError):
            describe_pictures(item, None, field_order="progressive", frame_rate=None)


def test_demuxers_that_open_other_addresses_are_not_taken() -> None:
    assert not set(FORBIDDEN) & set(DEMUXERS)
    for name in FORBIDDEN:
        with pytest.raises(EncodeError, match="demuxer"):
            describe(video(), name=name)


@pytest.mark.parametrize(
    ("head", "word"),
    [
        (b"", "空的"),
        (b"#EXTM3U\n#EXT-X-VERSION:3\n", "播放列表"),
        (b'\xef\xbb\xbf<?xml version="1.0"?>\n<MPD xmlns="x">', "播放列表"),
        (b"ffconcat version 1.0\nfile http://x/", "文件清单"),
        (b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\n", "SDP"),
        (b"%PDF-1.7\n", "PDF"),
        (b"PK\x03\x04\x14\x00\x06\x00", "Office"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "图片"),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF", "图片"),
        ("这是一份讲稿,不是视频。\n".encode(), "文本"),
        (b"WEBVTT\n\n00:00.000 --> 00:01.000\nhi", "字幕"),
        (b"MZ\x90\x00\x03\x00", "程序"),
    ],
)
def test_a_file_that_is_no_media_is_refused_by_name(head: bytes, word: str) -> None:
    with pytest.raises(EncodeError) as refused:
        refuse_by_head(head, size_bytes=len(head))
    assert word in refused.value.title
    assert refused.value.permanent


@pytest.mark.parametrize(
    "head",
    [
        b"\x00\x00\x00\x20ftypisom",
        b"\x1a\x45\xdf\xa3\x01",
        b"RIFF\x00\x00\x01\x00WAVE",
        b"OggS\x00",
    ],
)
def test_media_is_not_refused_by_its_head(head: bytes) -> None:
    refuse_by_head(head, size_bytes=1000)
    assert name_container(head) is not None


def test_covers_are_no_pictures_and_the_default_track_wins() -> None:
    container = describe(
        video(codec_name="mjpeg", width=3000, height=3000, disposition={"attached_pic": 1}),
        video(width=1920, height=1080),
        video(width=320, height=180, disposition={"default": 1}),
        audio(channels=1, disposition={"default": 1}),
        audio(channels=6, disposition={"default": 1}),
        audio(channels=8, disposition={"comment": 1}),
    )
    assert [item.index for item in rank_videos(container)] == [2, 1]
    # Both are called default: then more channels win; a commentary is the last choice.
    assert [item.index for item in rank_audios(container)] == [4, 3, 5]


def test_encryption_is_seen_in_tags_and_side_data() -> None:
    container = describe(
        video(codec_tag_string="encv"),
        audio(side_data_list=[{"side_data_type": "Encryption initialization data"}]),
        audio(),
    )
    assert container.videos[0].is_encrypted
    assert [item.is_encrypted for item in container.audios] == [True, False]


def test_places_and_devices_are_noticed() -> None:
    assert describe(video(tags={"com.apple.quicktime.location.ISO6709": "+40.6"})).has_private_tags
    assert not describe(video(tags={"language": "eng", "encoder": "x"})).has_private_tags


def test_more_tracks_than_we_look_at_are_refused_in_words() -> None:
    with pytest.raises(EncodeError) as refused:
        describe(*[audio()] * 65)
    assert "65 条轨道" in refused.value.title


@pytest.mark.parametrize(
    ("terms", "turn"),
    [
        (None, (0, False)),
        ((65536, 0, 0, 65536), (0, False)),
        ((0, 65536, -65536, 0), (90, False)),
        ((-65536, 0, 0, -65536), (180, False)),
        ((0, -65536, 65536, 0), (270, False)),
        ((-65536, 0, 0, 65536), (0, True)),
        ((65536, 0, 0, -65536), (180, True)),
        ((0, 65536, 65536, 0), (270, True)),
        ((0, 0, 0, 0), (0, False)),
        ((65000, 3000, -3000, 65000), (0, False)),
    ],
)
def test_display_matrices_are_quarter_turns(
    terms: tuple[int, int, int, int] | None, turn: tuple[int, bool]
) -> None:
    assert read_turn(terms) == turn


@pytest.mark.parametrize("turn", [(0, 65536, -65536, 0), (0, -65536, 65536, 0)])
def test_a_quarter_turn_exchanges_sides_and_pixel_shape(turn: tuple[int, int, int, int]) -> None:
    a, b, c, d = turn
    matrix = f"\n00000000: {a} {b} 0\n00000001: {c} {d} 0\n00000002: 0 0 1073741824\n"
    side = [{"side_data_type": "Display Matrix", "displaymatrix": matrix}]
    container = describe(video(sample_aspect_ratio="4:3", side_data_list=side))
    facts = describe_pictures(
        container.videos[0], None, field_order="progressive", frame_rate=Fraction(25)
    )
    assert (facts.shape.width_px, facts.shape.height_px) == (360, 640)
    assert (facts.shape.sar_num, facts.shape.sar_den) == (3, 4)
    assert any("转正" in note for note in facts.notes)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"color_transfer": "smpte2084", "pix_fmt": "yuv420p10le"}, ("bt2020nc", "bt2020", "pq")),
        ({"color_transfer": "arib-std-b67"}, ("bt2020nc", "bt2020", "hlg")),
        ({"pix_fmt": "yuvj420p"}, ("smpte170m", "smpte170m", "sdr")),
        ({"width": 1280, "height": 720}, ("bt709", "bt709", "sdr")),
        ({"pix_fmt": "gbrp"}, ("gbr", "bt709", "sdr")),
        ({"color_space": "bt709", "color_primaries": "bt470bg"}, ("bt709", "bt470bg", "sdr")),
    ],
)
def test_colours_are_resolved(fields: dict[str, Any], expected: tuple[str, str, str]) -> None:
    stream = describe(video(**fields)).videos[0]
    decode = describe_pictures(stream, None, field_order="progressive", frame_rate=None).decode
    assert (decode.matrix, decode.primaries, decode.transfer) == expected
    assert decode.is_full_range == (fields.get("pix_fmt") in {"yuvj420p", "gbrp"})


@pytest.mark.parametrize(("width", "height"), [(0, 0), (1, 100), (9841, 705), (8192, 8192)])
def test_sides_that_are_no_picture_are_refused(width: int, height: int) -> None:
    stream = describe(video(width=width, height=height)).videos[0]
    with pytest.raises(EncodeError) as refused:
        describe_pictures(stream, None, field_order="progressive", frame_rate=None)
    assert refused.value.permanent


def test_windows_begin_at_keyframes_and_small_files_are_looked_at_whole() -> None:
    small = plan_windows(duration_s=5.0, pixels=320 * 180, rate=25.0)
    assert small.is_whole
    assert small.length_s > 5
    long = plan_windows(
        duration_s=3600.0, pixels=1280 * 720, rate=30.0, keyframes_s=[0.0, 1700.0, 3500.0]
    )
    assert long.starts_s == (0.0, 1700.0, 3500.0)
    # One keyframe: whatever is looked at is decoded from there, so only the start is.
    assert plan_windows(
        duration_s=45.0, pixels=1280 * 720, rate=30.0, keyframes_s=[0.0]
    ).starts_s == (0.0,)
