"""Unit ``make_images``: poster and storyboard from what has been encoded already."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from kernel.errors import EncodeError
from transcode import commands
from transcode.context import Outcome, UnitContext, describe_command
from transcode.joins import Piece, join_blocking
from transcode.specs import (
    EncodedRung,
    EncodedVideo,
    MadeImages,
    MakeImagesSpec,
    RangeRef,
    Rung,
    StagedFile,
    parse_spec,
)
from transcode.storyboard import build_vtt

POSTER_PLACE = 0.15  # Past the greeting and the empty first slide.


async def make_images(context: UnitContext) -> Outcome:
    """Make ``poster.jpg``, ``storyboard.jpg`` and ``storyboard.vtt``."""
    spec = parse_spec(MakeImagesSpec, context.unit.spec)
    poster_argv, poster = await _make_poster(context, spec)
    sheet = commands.plan_storyboard(spec.duration_ticks)
    joined = context.folder / "storyboard.mp4"
    pieces = await fetch_pieces(context, spec.ranges, spec.storyboard_rung)
    await asyncio.to_thread(join_blocking, pieces, joined, grid=spec.grid)
    board = context.folder / "storyboard.jpg"
    board_argv = commands.make_storyboard(
        context.programs.ffmpeg, source=joined, sheet=sheet, output=board
    )
    await context.encode(board_argv, media_s=0, share=(0.5, 0.9))
    vtt = context.folder / "storyboard.vtt"
    text = build_vtt(sheet, duration_ticks=spec.duration_ticks, image=board.name)
    await asyncio.to_thread(vtt.write_text, text, "utf-8")
    return Outcome(
        MadeImages(
            poster=poster,
            storyboard=await context.stage(board),
            vtt=await context.stage(vtt),
            commands=(describe_command(poster_argv), describe_command(board_argv)),
        )
    )


async def _make_poster(context: UnitContext, spec: MakeImagesSpec) -> tuple[list[str], StagedFile]:
    source = choose_poster_range(spec)
    staged = find_rung(context.unit.inputs, source.key, spec.poster_rung.name)
    if staged is None:
        raise EncodeError(f"{source.key} brought no {spec.poster_rung.name}", permanent=True)
    path = context.folder / "poster.jpg"
    argv = commands.make_poster(
        context.programs.ffmpeg,
        source=await context.fetch(staged.file, "poster.mp4"),
        rung=spec.poster_rung,
        output=path,
    )
    await context.encode(argv, media_s=0, share=(0.0, 0.5))
    return argv, await context.stage(path)


def choose_poster_range(spec: MakeImagesSpec) -> RangeRef:
    """Return the range at 15 % of the lecture that has pictures, else the next that has any."""
    place = spec.duration_ticks * POSTER_PLACE
    shown = [item for item in spec.ranges if not item.is_black] or list(spec.ranges)
    return next((item for item in shown if item.end_ticks > place), shown[-1])


def find_rung(inputs: Mapping[str, Mapping[str, Any]], key: str, rung: str) -> EncodedRung | None:
    """Find one rung in a unit's result; a range too short for a slow rung has none.

    Raises:
        EncodeError: Permanent: vod did not hand over the unit's result.
    """
    if key not in inputs:
        raise EncodeError(f"the result of {key} is missing", permanent=True)
    video = parse_spec(EncodedVideo, inputs[key])
    return next((item for item in video.rungs if item.rung == rung), None)


async def fetch_pieces(
    context: UnitContext, ranges: tuple[RangeRef, ...], rung: Rung
) -> list[Piece]:
    """Fetch every range of one rung, in order."""
    pieces: list[Piece] = []
    for item in ranges:
        first = rung.first_frame(item.start_ticks)
        count = rung.first_frame(item.end_ticks) - first
        if count == 0:
            continue
        encoded = find_rung(context.unit.inputs, item.key, rung.name)
        if encoded is None or encoded.frames_count != count:
            raise EncodeError(
                f"{item.key} brought not {count} frames of {rung.name}", permanent=True
            )
        path = await context.fetch(encoded.file, f"{item.key}-{rung.name}.mp4")
        pieces.append(Piece(path, rung.frame_ticks(first), count))
    return pieces
