"""Ranges of an uploaded file give together exactly the frames of a single pass (DESIGN §5)."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import pytest

from kernel.timing import TICKS_PER_S
from tests.support.file_ranges import (
    Stored,
    build_rung,
    hash_plain,
    hash_ranges,
    select_nearest,
    store_file,
)
from tests.support.synthetic_recording import run_ffmpeg
from transcode.plan.rates import halve_rate
from transcode.specs import first_frame

FILM = Fraction(24_000, 1001)
X264 = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p")
X265 = (
    *("-c:v", "libx265", "-preset", "ultrafast", "-pix_fmt", "yuv420p"),
    *("-x265-params", "log-level=error:keyint=60:bframes=4:open-gop=1"),
)
VP8 = ("-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8", "-g", "9999")
OPEN = ("-x264-params", "open-gop=1")
PYRAMID = ("-bf", "4", "-b-pyramid", "normal", "-refs", "4")


@dataclass(frozen=True)
class Kind:
    """How a file is made: ``suffix`` and ``demuxer`` of the container, options of the encoder."""

    suffix: str
    demuxer: str
    rate: str
    options: tuple[str, ...]
    seconds: int = 15
    muxing: tuple[str, ...] = ()


CONSTANT = {
    "b-pyramid": Kind("mp4", "mov", "25", (*X264, *PYRAMID, "-g", "50")),
    "open-gop": Kind("mp4", "mov", "25", (*X264, *PYRAMID, "-g", "75", *OPEN)),
    "open-gop-ts": Kind(
        "ts", "mpegts", "30", (*X264, *PYRAMID, "-g", "75", *OPEN)
    ),
    "20-s-gop": Kind(
        "mp4", "mov", "25", (*X264, "-bf", "2", "-g", "500", "-sc_threshold", "0"), seconds=22
    ),
    "one-gop": Kind("webm", "matroska", "15", VP8),
    "gradual-refresh": Kind(
        "ts", "mpegts", "25", (*X264, "-x264-params", "intra-refresh=1:keyint=50:bframes=0")
    ),
    "ts-starts-at-10-s": Kind(
        "ts", "mpegts", "50", (*X264, "-bf", "2", "-g", "100"), muxing=("-output_ts_offset", "10")
    ),
    "negative-start": Kind(
        "ts", "mpegts", "25", (*X264, "-bf", "2"),
        muxing=("-avoid_negative_ts", "disabled", "-output_ts_offset", "-7.3"),
    ),
    "no-edit-list": Kind("mp4", "mov", "25", (*X264, "-bf", "3"), muxing=("-use_editlist", "0")),
    "ms-time-stamps": Kind("mkv", "matroska", "24000/1001", (*X264, "-bf", "2")),
    "ntsc": Kind("mp4", "mov", "30000/1001", (*X264, "-bf", "2")),
    "one-frame-a-second": Kind("mp4", "mov", "1", (*X264, "-bf", "2")),
    "mpeg-4-in-avi": Kind("avi", "avi", "24000/1001", ("-c:v", "mpeg4", "-bf", "2", "-g", "240")),
    "flv": Kind("flv", "flv", "25", (*X264, "-bf", "2")),
    "hevc-cra": Kind(
        "mp4", "mov", "25",
        X265,
    ),
    "fragmented": Kind(
        "mp4", "mov", "25", (*X264, "-bf", "2", "-g", "50"),
        muxing=("-movflags", "+frag_keyframe+empty_moov+default_base_moof"),
    ),
}  # fmt: skip


VARIABLE = {
    "random-gaps": Kind(
        "mkv", "matroska", "30", (*X264, "-bf", "2", "-vf", "select='gt(random(3),0.5)'")
    ),
    "still-for-long": Kind(
        "mp4", "mov", "30", (*X264, "-bf", "2", "-vf", "select='lt(mod(t,11),1)'")
    ),
    "ends-early": Kind("mp4", "mov", "25", (*X264, "-bf", "2", "-vf", "select='lt(t,6)'")),
    "twice-the-rate": Kind("mp4", "mov", "60", (*X264, "-bf", "2", "-g", "200")),
    "between-frames": Kind("webm", "matroska", "7", VP8),
    "faster-and-slower": Kind(
        "mkv", "matroska", "50",
        (*X264, "-bf", "2", "-vf", "select='if(lt(mod(t,8),4),1,not(mod(n,5)))'"),
    ),
}  # fmt: skip


def make(kind: Kind, folder: Path) -> Path:
    path = folder / f"source.{kind.suffix}"
    run_ffmpeg(
        *["-f", "lavfi", "-t", kind.seconds, "-i", f"testsrc2=s=160x90:r={kind.rate}"],
        *["-fps_mode", "passthrough", *kind.options, *kind.muxing, path],
    )
    return path


@pytest.mark.parametrize("name", CONSTANT)
async def test_every_frame_of_a_constant_rate_is_there_once(tmp_path: Path, name: str) -> None:
    kind = CONSTANT[name]
    rate = Fraction(kind.rate)
    path = await asyncio.to_thread(make, kind, tmp_path)
    stored = await store_file(tmp_path, path, demuxer=kind.demuxer, rate=rate)
    half = halve_rate(rate)
    rungs = (build_rung("top", rate), build_rung("half", half))
    plain = await asyncio.to_thread(hash_plain, path, tmp_path)
    assert abs(len(plain) - kind.seconds * rate) <= 1
    assert len(set(plain)) > len(plain) * 9 // 10, "the picture moves"
    cut = await hash_ranges(tmp_path / "cut", stored, rungs, range_s=4)
    await stored.store.close()
    assert list(tmp_path.glob("cut/3-*.hash")), "the cut run has at least four ranges"
    assert cut["top"] == plain
    assert cut["half"] == plain[:: int(rate / half)][: count_frames(stored, half)]


@pytest.mark.parametrize("name", VARIABLE)
async def test_a_frame_shows_the_picture_of_its_time(tmp_path: Path, name: str) -> None:
    kind, rate = VARIABLE[name], Fraction(30)
    path = await asyncio.to_thread(make, kind, tmp_path)
    stored = await store_file(tmp_path, path, demuxer=kind.demuxer, rate=None)
    if name in {"ends-early", "still-for-long"}:  # Sound goes on.
        stored = replace(stored, duration_ticks=15 * TICKS_PER_S)
    rungs = (build_rung("top", rate), build_rung("half", rate / 2))
    plain = await asyncio.to_thread(hash_plain, path, tmp_path)
    count = rungs[0].first_frame(stored.duration_ticks)
    expected = select_nearest(plain, stored.picture_ticks, rate, count)
    cut = await hash_ranges(tmp_path / "cut", stored, rungs, range_s=4)
    await stored.store.close()
    assert list(tmp_path.glob("cut/3-*.hash")), "the cut run has at least four ranges"
    assert cut["top"] == expected
    assert cut["half"] == expected[::2][: count_frames(stored, rate / 2)]


def count_frames(stored: Stored, rate: Fraction) -> int:
    """An odd number of frames leaves half a frame: then the slower rung may end one earlier."""
    return first_frame(stored.duration_ticks, frame_rate=rate)
