"""Unit ``make_images``: posters, storyboard, slide changes, from what has been encoded already."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from kernel.errors import EncodeError
from kernel.timing import TICKS_PER_S, to_seconds
from transcode import commands
from transcode.artwork import draw_sound_poster_blocking
from transcode.context import Outcome, UnitContext, describe_command
from transcode.joins import Piece, half_frame_ticks, join_blocking
from transcode.posters import (
    KeyPicture,
    choose_posters,
    find_slides,
    name_poster,
    parse_stats,
    render_slides,
)
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
from transcode.storyboard import list_tiles, render_vtt

POSTER: Final = "poster.jpg"
STORYBOARD: Final = "storyboard.vtt"
SLIDES: Final = "slides.json"
SURVEY_SHARE: Final = 0.6


async def make_images(context: UnitContext) -> Outcome:
    """Make the poster and its alternatives, the storyboard, the list of slide changes."""
    spec = parse_spec(MakeImagesSpec, context.unit.spec)
    if spec.poster_rung is None or spec.storyboard_rung is None:
        return await _draw_poster(context)
    joined = context.folder / "survey.mp4"
    pieces = await fetch_pieces(context, spec.ranges, spec.storyboard_rung)
    await asyncio.to_thread(join_blocking, pieces, joined, grid=None)
    board = commands.plan_storyboard(spec.duration_ticks)
    stats = context.folder / "stats.txt"
    argv = commands.survey_keyframes(
        context.programs.ffmpeg,
        source=joined,
        board=board,
        sheets=context.folder / commands.SHEET_PATTERN,
        stats=stats,
    )
    await context.encode(argv, media_s=0, share=(0.1, SURVEY_SHARE))
    pictures = parse_stats(await asyncio.to_thread(stats.read_text))
    chosen = choose_posters(pictures, duration_s=to_seconds(spec.duration_ticks))
    grab, posters = await _grab_posters(context, spec, spec.poster_rung, chosen)
    sheets = [context.folder / (commands.SHEET_PATTERN % n) for n in range(board.sheets_count)]
    tiles = list_tiles(board, duration_ticks=spec.duration_ticks)
    slides = json.dumps(render_slides(find_slides(pictures)), indent=1)
    return Outcome(
        MadeImages(
            poster=posters[0],
            candidates=tuple(posters[1:]),
            sheets=tuple([await context.stage(sheet) for sheet in sheets]),
            vtt=await _stage_text(context, STORYBOARD, render_vtt(tiles)),
            slides=await _stage_text(context, SLIDES, slides),
            # The file of figures is named inside a filter, where no quoting finds it.
            commands=(
                describe_command(argv).replace(f"{context.folder}/", ""),
                describe_command(grab),
            ),
        )
    )


async def _stage_text(context: UnitContext, name: str, text: str) -> StagedFile:
    path = context.folder / name
    await asyncio.to_thread(path.write_text, text, "utf-8")
    return await context.stage(path)


async def _draw_poster(context: UnitContext) -> Outcome:
    path = context.folder / POSTER
    await asyncio.to_thread(draw_sound_poster_blocking, path)
    return Outcome(MadeImages(poster=await context.stage(path), commands=()))


async def _grab_posters(
    context: UnitContext, spec: MakeImagesSpec, rung: Rung, chosen: Sequence[KeyPicture]
) -> tuple[list[str], list[StagedFile]]:
    """Take the chosen pictures from the good rung; return ``poster.jpg`` and the candidates."""
    slow = spec.storyboard_rung or rung
    shots: dict[Path, tuple[Path, float, Path]] = {}
    for picture in chosen:
        source, at_s = await _find_shot(context, spec, rung, picture.at_s, slow=slow)
        output = context.folder / name_poster(picture.at_s)
        shots[output] = (source, at_s, output)
    if not shots:
        raise EncodeError("no keyframe could be decoded")
    argv = commands.grab_posters(
        context.programs.ffmpeg,
        shots=list(shots.values()),
        width_px=rung.width_px,
        is_at_keyframes=True,
    )
    await context.encode(argv, media_s=0, share=(SURVEY_SHARE, 0.95))
    made = [path for path in shots if await asyncio.to_thread(path.is_file)]
    if not made:
        raise EncodeError("no poster came out")
    poster = context.folder / POSTER
    await asyncio.to_thread(poster.write_bytes, await asyncio.to_thread(made[0].read_bytes))
    return argv, [await context.stage(path) for path in (poster, *made)]


async def _find_shot(
    context: UnitContext, spec: MakeImagesSpec, rung: Rung, at_s: float, *, slow: Rung
) -> tuple[Path, float]:
    """Find the range file that shows a keyframe's lecture time, and a time in it (seconds).

    The time is after the same keyframe of ``rung`` and before the next: a keyframe of the ``slow``
    rung, where it was chosen, is up to half a frame of its own earlier or later.
    """
    ticks = round(at_s * TICKS_PER_S)
    ranges = list_ranges(spec.ranges, rung.name)
    wanted = next((item for item in ranges if item.end_ticks > ticks), ranges[-1])
    staged = find_rung(context.unit.inputs, wanted.key, rung.name)
    if staged is None:
        raise EncodeError(f"{wanted.key} brought no {rung.name}", permanent=True)
    first = rung.first_frame(wanted.start_ticks)
    frame = min(max(0, rung.first_frame(ticks) - first), staged.frames_count - 1)
    path = await context.fetch(staged.file, f"poster-{wanted.key}.mp4")
    return path, to_seconds(rung.frame_ticks(frame) + half_frame_ticks(slow))


def list_ranges(ranges: Sequence[RangeRef], rung: str) -> list[RangeRef]:
    """List the ranges that bring a rung, in order."""
    return [item for item in ranges if item.rungs is None or rung in item.rungs]


def find_rung(inputs: Mapping[str, Mapping[str, Any]], key: str, rung: str) -> EncodedRung | None:
    """Find one rung in a unit's result; a range too short for a slow rung has none.

    Raises:
        EncodeError: Permanent: vod did not hand over the unit's result.
    """
    if key not in inputs:
        raise EncodeError(f"the result of {key} is missing", permanent=True)
    video = parse_spec(EncodedVideo, inputs[key])
    return next((item for item in video.rungs if item.rung == rung), None)


async def fetch_pieces(context: UnitContext, ranges: Sequence[RangeRef], rung: Rung) -> list[Piece]:
    """Fetch every range of one rung, in order."""
    pieces: list[Piece] = []
    for item in list_ranges(ranges, rung.name):
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
