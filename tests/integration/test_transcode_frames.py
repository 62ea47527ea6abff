"""Ranges cut anywhere give together exactly the frames of a single pass (DESIGN §5)."""

from __future__ import annotations

import asyncio
import subprocess
from fractions import Fraction
from pathlib import Path

import pytest

from kernel.blobs.directory import DirectoryBlobStore
from kernel.timing import TICKS_PER_S
from tests.support.synthetic_recording import FFMPEG, EpochSketch, store_recording
from transcode import commands
from transcode.commands.base import MediaInput
from transcode.plan import SourceFacts
from transcode.plan.build import build_plan
from transcode.plan.cuts import cut_ranges, select_segments, split_spans
from transcode.plan.ladder import build_ladder
from transcode.sources import write_range
from transcode.specs import EncodeVideoSpec, Grid, Rung, Shape, Source, SourceSegment

SHAPE = Shape(width_px=160, height_px=90)
HASHES = {"c:v": "rawvideo", "f": "framehash", "hash": "md5", "fps_mode": "passthrough"}


async def hash_frames(
    folder: Path, sketch: EpochSketch, *, range_s: int, lead_s: float, rate: Fraction
) -> dict[str, list[str]]:
    """Hash the selected frames of every range, in order, per rung."""
    store = DirectoryBlobStore(folder / "blobs")
    # A first epoch moves the second one off the grid of seconds and frames.
    first = EpochSketch(lead_s, size="160x90")
    index = await store_recording(store, (first, sketch), folder / "epochs")
    rungs = build_ladder(SHAPE, frame_rate=rate, source_bps=None).rungs
    found: dict[str, list[str]] = {rung.name: [] for rung in rungs}
    spans = split_spans(index)[1:]
    grid = Grid.regular(rate)
    for number, piece in enumerate(cut_ranges(spans, grid=grid, range_ticks=range_s * TICKS_PER_S)):
        source = Source(
            broadcast_id="b0",
            epoch=piece.span.epoch.epoch,
            init=piece.span.epoch.av_init,
            segments=tuple(
                SourceSegment(
                    msn=item.msn,
                    start_ticks=item.start_ticks,
                    duration_ticks=item.duration_ticks,
                    size_bytes=item.av_bytes,
                )
                for item in select_segments(piece)
            ),
        )
        spec = EncodeVideoSpec(
            start_ticks=piece.start_ticks,
            end_ticks=piece.end_ticks,
            grid=grid,
            source=source,
            shape=SHAPE,
            rungs=rungs,
            colour="bt709",
            preset="ultrafast",
        )
        start = rungs[0].frame_ticks(rungs[0].first_frame(piece.start_ticks))
        fetched = await write_range(store, source, folder / f"{number}.mp4", start_ticks=start)
        outputs = {rung.name: folder / f"{number}-{rung.name}.hash" for rung in rungs}
        argv = commands.encode_video(
            Path(FFMPEG),
            spec,
            media=MediaInput(str(fetched.path), "mp4"),
            outputs=outputs,
            muxer=HASHES,
        )
        await asyncio.to_thread(subprocess.run, argv, check=True, capture_output=True, timeout=60)
        for rung in rungs:
            found[rung.name] += read_hashes(outputs[rung.name])
            assert len(found[rung.name]) == count_frames(rung, spans[0].start_ticks, spec.end_ticks)
    await store.close()
    return found


def read_hashes(path: Path) -> list[str]:
    lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    return [line.rsplit(",", 1)[1].strip() for line in lines]


def count_frames(rung: Rung, start_ticks: int, end_ticks: int) -> int:
    return rung.first_frame(end_ticks) - rung.first_frame(start_ticks)


@pytest.mark.parametrize(
    ("sketch", "rate", "lead_s"),
    [
        pytest.param(
            EpochSketch(13.2, size="160x90", rate="25", b_frames=2), 25, 2.16, id="b-frames"
        ),
        pytest.param(
            EpochSketch(13.2, size="160x90", rate="30", gop_s=9, b_frames=3),
            30,
            3.08,
            id="long-gops-cut-inside",
        ),
        pytest.param(
            EpochSketch(13.2, size="160x90", rate="30000/1001", gop_s=3), 30, 2.6, id="odd-rate"
        ),
        pytest.param(EpochSketch(12.6, size="160x90", rate="60"), 30, 2.2, id="twice-the-rate"),
        pytest.param(EpochSketch(12.6, size="160x90", rate="7"), 15, 2.3, id="slow-source"),
    ],
)
async def test_ranges_give_the_frames_of_a_single_pass(
    tmp_path: Path, sketch: EpochSketch, rate: int, lead_s: float
) -> None:
    whole = await hash_frames(
        tmp_path / "whole", sketch, range_s=600, lead_s=lead_s, rate=Fraction(rate)
    )
    cut = await hash_frames(tmp_path / "cut", sketch, range_s=4, lead_s=lead_s, rate=Fraction(rate))
    assert list(tmp_path.glob("cut/2-*.hash")), "the cut run has at least three ranges"
    assert cut == whole
    # The source moves: the comparison would notice a frame shown twice or not at all.
    assert len(set(whole["90p"])) > len(whole["90p"]) // 3


async def test_the_plan_hash_follows_what_decides_the_output(tmp_path: Path) -> None:
    store = DirectoryBlobStore(tmp_path / "blobs")
    index = await store_recording(store, (EpochSketch(4, size="160x90"),), tmp_path / "e")
    await store.close()
    facts = {0: SourceFacts(shape=SHAPE, frame_rates=(Fraction(25),))}
    one = build_plan(index, facts, program="ffmpeg 8")
    assert build_plan(index, facts, program="ffmpeg 8").plan_hash == one.plan_hash
    assert build_plan(index, facts, program="ffmpeg 9").plan_hash != one.plan_hash
    other = {0: SourceFacts(shape=SHAPE, frame_rates=(Fraction(30),))}
    assert build_plan(index, other, program="ffmpeg 8").plan_hash != one.plan_hash
