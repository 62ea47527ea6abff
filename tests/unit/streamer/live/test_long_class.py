"""A class of two hours: a version costs what is new, not what is old."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime

from kernel.hls import parse_media_playlist
from streamer.live import LiveWindow
from streamer.ports import EpochInfo, Part, SegmentInfo
from tests.unit.streamer.packager.world import PART, SECOND, NullReader

COUNT = 3600


def restored(count: int) -> LiveWindow:
    inits = {"av": ("init-a.mp4", b"a"), "audio": ("init-b.mp4", b"b")}
    epoch = EpochInfo(
        0, 0, 0, 0, datetime(2026, 7, 1, tzinfo=UTC), inits, "avc1.42c00c", 320, 180,
        "mp4a.40.2", 48_000, 2, "rtmp",
    )  # fmt: skip
    window = LiveWindow("b", NullReader())
    window.restore(
        [epoch],
        [
            SegmentInfo(0, msn, msn * 2 * SECOND, 2 * SECOND, {"av": 1000, "audio": 100}, 4)
            for msn in range(count)
        ],
    )
    return window


def add_part(window: LiveWindow, msn: int, index: int) -> None:
    start = msn * 2 * SECOND + index * PART
    media = {"av": b"x" * 100, "audio": b"y" * 10}
    window.on_part(Part(0, msn, index, start, PART, index == 0, media))


def test_a_new_part_renders_only_what_is_new(monkeypatch):
    window = restored(COUNT)
    window._render("av", is_delta=False)
    rendered = []
    playlist = window._playlists["av"]
    original = playlist._render_segment

    def counting(segment, *, has_parts):
        rendered.append(segment.msn)
        return original(segment, has_parts=has_parts)

    monkeypatch.setattr(playlist, "_render_segment", counting)
    add_part(window, COUNT, 0)
    text = window._render("av", is_delta=False)
    assert len(rendered) <= 4
    assert len(parse_media_playlist(text.plain.decode()).segments) == COUNT
    assert gzip.decompress(text.gzipped) == text.plain
    assert window._render("av", is_delta=False) is text


def test_a_delta_of_a_long_class_is_small():
    window = restored(COUNT)
    add_part(window, COUNT, 0)
    delta = window._render("av", is_delta=True)
    full = window._render("av", is_delta=False)
    assert len(delta.gzipped) < 1500
    assert len(delta.plain) * 50 < len(full.plain)
    playlist = parse_media_playlist(delta.plain.decode())
    assert playlist.skip is not None
    assert playlist.skip.skipped_count == COUNT - len(playlist.segments)


def test_memory_is_bounded_in_time_and_bytes():
    window = restored(0)
    for msn in range(100):
        for index in range(4):
            add_part(window, msn, index)
        sizes = {"av": 400, "audio": 40}
        window.on_segment(SegmentInfo(0, msn, msn * 2 * SECOND, 2 * SECOND, sizes, 4))
    assert window.memory_bytes <= 32 * 440
    assert window.find_segment(0, "av", 0) is None
    assert window.find_segment(0, "av", 99) is not None
