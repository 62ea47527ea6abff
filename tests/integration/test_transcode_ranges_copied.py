"""A picture track published as it is: beside encoded rungs, on one grid, frame for frame."""

from __future__ import annotations

import asyncio
import subprocess
from fractions import Fraction
from pathlib import Path

import pytest

from kernel.errors import EncodeError
from kernel.timing import TICKS_PER_S
from tests.support.file_ranges import (
    Stored,
    build_context,
    build_rung,
    hash_plain,
    list_picture_ticks,
    store_file,
)
from tests.support.synthetic_recording import FFPROBE, run_ffmpeg
from transcode.joins import JoinedFile, Piece, join_blocking
from transcode.plan.cuts import grid_of_keyframes
from transcode.specs import CopyVideoSpec, EncodedVideo, EncodeVideoSpec, Grid
from transcode.units.copy_video import copy_video
from transcode.units.encode_video import encode_video

X264 = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p")
FILM = Fraction(24_000, 1001)
KINDS = {
    "mp4-b-frames": ("mp4", "mov", Fraction(25), ("-bf", "2", "-g", "50"), ()),
    "mp4-pyramid": (
        "mp4", "mov", Fraction(30),
        ("-bf", "6", "-b-pyramid", "normal", "-refs", "4", "-g", "48"), (),
    ),
    "mkv-ms-time-stamps": ("mkv", "matroska", FILM, ("-bf", "2", "-g", "48"), ()),
    "ts-starts-at-10-s": (
        "ts", "mpegts", Fraction(25), ("-bf", "2", "-g", "74"), ("-output_ts_offset", "10"),
    ),
    "flv": ("flv", "flv", Fraction(30000, 1001), ("-bf", "0", "-g", "90"), ()),
}  # fmt: skip


async def store_track(folder: Path, name: str, *, seconds: int = 13) -> tuple[Stored, Path]:
    suffix, demuxer, rate, options, muxing = KINDS[name]
    path = folder / f"source.{suffix}"
    await asyncio.to_thread(
        run_ffmpeg,
        *["-f", "lavfi", "-t", seconds, "-i", f"testsrc2=s=160x90:r={rate}"],
        *[*X264, *options, "-metadata:s:v", "title=41.40,2.17", *muxing, path],
    )
    return await store_file(folder, path, demuxer=demuxer, rate=rate), path


def list_keyframes(path: Path, rate: Fraction, offset: int) -> list[int]:
    argv = [
        *[FFPROBE, "-v", "error", "-select_streams", "0", "-skip_frame", "nokey"],
        *["-show_entries", "frame=best_effort_timestamp_time", "-of", "csv=p=0", str(path)],
    ]
    text = subprocess.run(argv, check=True, capture_output=True, text=True, timeout=60).stdout
    times = [Fraction(line.split(",")[0]) for line in text.split() if line[0].isdigit()]
    return [round((time - Fraction(offset, TICKS_PER_S)) * rate) for time in times]


async def copy_and_join(
    folder: Path, stored: Stored, grid: Grid, rate: Fraction
) -> tuple[JoinedFile, EncodedVideo]:
    rung = build_rung("source", rate)
    spec = CopyVideoSpec(
        source=stored.source, duration_ticks=stored.duration_ticks, grid=grid, rung=rung
    )
    outcome = await copy_video(build_context(stored.store, folder / "copy", spec))
    result = outcome.result
    assert isinstance(result, EncodedVideo)
    made = result.rungs[0]
    path = stored.store.local_path(made.file.key)
    assert path is not None
    piece = Piece(path, 0, made.frames_count)
    joined = await asyncio.to_thread(join_blocking, [piece], folder / "joined.mp4", grid=grid)
    return joined, result


@pytest.mark.parametrize("name", KINDS)
async def test_a_copied_track_is_the_source_frame_for_frame(tmp_path: Path, name: str) -> None:
    rate = KINDS[name][2]
    stored, path = await store_track(tmp_path, name)
    keyframes = await asyncio.to_thread(list_keyframes, path, rate, stored.source.offset_ticks)
    grid = grid_of_keyframes(keyframes, frame_rate=rate, slowest_rate=rate / 2)
    assert grid is not None
    assert len(grid.boundaries) >= 3
    joined, result = await copy_and_join(tmp_path, stored, grid, rate)
    assert [part.start_ticks for part in joined.segments] == list(grid.boundaries)
    assert joined.samples_count == len(stored.picture_ticks)
    assert [round(Fraction(t) * rate / TICKS_PER_S) for t in result.keyframes] == keyframes
    plain = await asyncio.to_thread(hash_plain, path, tmp_path)
    assert await asyncio.to_thread(hash_plain, joined.path, tmp_path) == plain
    shown = await asyncio.to_thread(list_picture_ticks, joined.path)
    exact = [n * TICKS_PER_S / rate for n in range(len(shown))]
    assert max(abs(a - b) for a, b in zip(shown, exact, strict=True)) <= 1
    assert b"41.40,2.17" not in await asyncio.to_thread(joined.path.read_bytes)
    assert b"x264" not in await asyncio.to_thread(joined.path.read_bytes), "SEI is dropped"
    await check_beside_encoded(tmp_path, stored, grid, rate, joined)
    await stored.store.close()


async def check_beside_encoded(
    folder: Path, stored: Stored, grid: Grid, rate: Fraction, copied: JoinedFile
) -> None:
    """Encode the same lecture at the full and at half the rate: segments begin together."""
    rungs = (build_rung("top", rate), build_rung("half", rate / 2))
    middle = grid.boundaries[len(grid.boundaries) // 2]
    pieces: dict[str, list[Piece]] = {rung.name: [] for rung in rungs}
    for number, (start, end) in enumerate(((0, middle), (middle, stored.duration_ticks))):
        spec = EncodeVideoSpec(
            start_ticks=start,
            end_ticks=end,
            grid=grid.within(start, end),
            source=stored.source,
            decode=stored.decode,
            shape=None,
            rungs=rungs,
            colour="bt709",
            preset="ultrafast",
        )
        context = build_context(stored.store, folder / f"encode-{number}", spec)
        context.unit = context.unit.model_copy(update={"unit_id": f"e{number}"})
        result = (await encode_video(context)).result
        assert isinstance(result, EncodedVideo)
        for rung, made in zip(rungs, result.rungs, strict=True):
            path = stored.store.local_path(made.file.key)
            assert path is not None
            at = rung.frame_ticks(rung.first_frame(start))
            pieces[rung.name].append(Piece(path, at, made.frames_count))
    for rung in rungs:
        target = folder / f"{rung.name}.mp4"
        joined = await asyncio.to_thread(join_blocking, pieces[rung.name], target, grid=grid)
        starts = zip(joined.segments, copied.segments, strict=True)
        assert all(abs(one.start_ticks - other.start_ticks) <= 1 for one, other in starts)


async def test_a_track_with_open_gops_is_refused_in_words(tmp_path: Path) -> None:
    path = tmp_path / "source.mp4"
    await asyncio.to_thread(
        run_ffmpeg,
        *["-f", "lavfi", "-t", 5, "-i", "testsrc2=s=160x90:r=25", *X264, "-bf", "3"],
        *["-g", "50", "-x264-params", "open-gop=1", path],
    )
    stored = await store_file(tmp_path, path, demuxer="mov", rate=Fraction(25))
    with pytest.raises(EncodeError, match="shown before its keyframe") as caught:
        await copy_and_join(tmp_path, stored, Grid.regular(Fraction(25)), Fraction(25))
    assert caught.value.permanent
    assert caught.value.title == "原画面无法直接使用"
    await stored.store.close()


async def test_a_track_of_another_length_is_refused(tmp_path: Path) -> None:
    stored, _ = await store_track(tmp_path, "mp4-b-frames", seconds=5)
    grid = Grid(frame_rate=Fraction(25), gop_frames=100, boundaries=(0, 180_000))
    longer = Stored(
        stored.store,
        stored.source,
        stored.decode,
        stored.duration_ticks + 3600,
        stored.picture_ticks,
    )
    with pytest.raises(EncodeError, match="125 frames, planned 126"):
        await copy_and_join(tmp_path, longer, grid, Fraction(25))
    await stored.store.close()
