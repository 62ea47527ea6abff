"""What a range and a joined file are decoded for: damage inside is found before anybody sees it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from fractions import Fraction
from pathlib import Path

import pytest

from kernel.blobs.directory import DirectoryBlobStore
from kernel.errors import EncodeError
from kernel.fmp4.reader import index_file
from tests.support.file_ranges import build_context, build_rung
from tests.support.synthetic_recording import run_ffmpeg
from transcode.commands.copying import FRAGMENT_OPTIONS
from transcode.context import UnitContext
from transcode.joins import JoinedFile, Piece, join_blocking
from transcode.specs import Grid
from transcode.verify import verify_files, verify_range

RUNG = build_rung("360p", Fraction(25))
FRAMES = 200


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight seconds, a keyframe every four."""
    path = tmp_path_factory.mktemp("verify") / "range.mp4"
    run_ffmpeg(
        *["-f", "lavfi", "-i", "testsrc2=s=160x90:r=25:d=8", "-c:v", "libx264", "-g", "100"],
        *["-keyint_min", "100", "-sc_threshold", "0", "-video_track_timescale", "90000"],
        *[word for name, value in FRAGMENT_OPTIONS.items() for word in (f"-{name}", str(value))],
        path,
    )
    return path


@pytest.fixture
async def context(tmp_path: Path) -> AsyncIterator[UnitContext]:
    store = DirectoryBlobStore(tmp_path / "blobs")
    yield build_context(store, tmp_path / "work")
    await store.close()


def damage(made: Path, folder: Path, *, keyframe: bool) -> Path:
    """Copy the file with bytes overwritten in its first keyframe, or in one of the last frames."""
    data = bytearray(made.read_bytes())
    with made.open("rb") as stream:
        fragment = index_file(stream, len(data)).fragments[0]
    in_keyframe = fragment.moof_bytes + 1500  # Behind the encoder's words about itself.
    start = fragment.offset + (in_keyframe if keyframe else int(fragment.size_bytes * 0.9))
    data[start : start + 60] = b"\xff" * 60
    path = folder / "damaged.mp4"
    path.write_bytes(data)
    return path


async def check_range(context: UnitContext, path: Path, count: int) -> None:
    await verify_range(context, {"360p": (path, count)}, media_s=8, frame_rate=25, share=(0.0, 1.0))


async def test_a_range_is_decoded_whole(made: Path, context: UnitContext, tmp_path: Path) -> None:
    await check_range(context, made, FRAMES)
    with pytest.raises(EncodeError, match="200 of 201 frames"):
        await check_range(context, made, FRAMES + 1)
    with pytest.raises(EncodeError):
        await check_range(
            context, await asyncio.to_thread(damage, made, tmp_path, keyframe=False), FRAMES
        )


async def test_of_a_joined_file_the_first_picture_of_every_segment_is_decoded(
    made: Path, context: UnitContext, tmp_path: Path
) -> None:
    def join(path: Path) -> JoinedFile:
        grid = Grid.regular(RUNG.frame_rate)
        return join_blocking([Piece(path, 0, FRAMES)], tmp_path / "joined.mp4", grid=grid)

    async def check(joined: JoinedFile) -> None:
        await verify_files(
            context, [(RUNG, joined)], None, share=(0.0, 1.0), joined_only={RUNG.name}
        )

    joined = await asyncio.to_thread(join, made)
    await check(joined)
    text = await asyncio.to_thread((context.folder / "360p.frames").read_text)
    assert text.count("\n") == len(joined.segments) == 2
    damaged = await asyncio.to_thread(damage, made, tmp_path, keyframe=True)
    with pytest.raises(EncodeError):
        await check(await asyncio.to_thread(join, damaged))
