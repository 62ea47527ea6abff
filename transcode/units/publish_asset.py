"""Unit ``publish_asset``: join, verify, write the playlists, upload, manifest last."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from kernel.errors import EncodeError
from kernel.messages import AssetReport, FileRole
from transcode.context import Outcome, UnitContext, describe_command
from transcode.joins import JoinedFile, Piece, half_frame_ticks, join_blocking
from transcode.plan.renditions import AUDIO_NAME
from transcode.publishing import (
    AUDIO_FILE,
    AssetSet,
    find_prefix,
    find_stale_prefixes,
    publish_set,
    read_report,
)
from transcode.specs import EncodedAudio, MadeImages, PublishSpec, Rung, StagedFile, parse_spec
from transcode.units.make_images import fetch_pieces, find_rung, list_ranges
from transcode.units.publish_added import is_added, publish_added
from transcode.units.publish_cut import is_cut, publish_cut
from transcode.verify import check_lengths, verify_files

JOIN_SHARE: Final = 0.3
VERIFY_SHARE: Final = 0.8


async def publish_asset(context: UnitContext) -> Outcome:
    """Publish the set under its immutable prefix.

    Running again after a crash is safe: when the manifest is there, its report is the answer.
    """
    if is_cut(context.unit.spec):
        return await publish_cut(context)
    if is_added(context.unit.spec):
        return await publish_added(context)
    spec = parse_spec(PublishSpec, context.unit.spec)
    prefix = find_prefix(context, is_partial=spec.is_partial)
    # What a first set is made of is needed again for the whole one.
    stale = () if spec.is_partial else find_stale_prefixes(context.unit.inputs)
    finished = await read_report(context, prefix)
    if finished is not None:
        return Outcome(finished, stale)
    first = find_first_set(context.unit.inputs)
    rungs, audio = await _join(context, spec, first)
    check_lengths(rungs, audio, duration_ticks=spec.duration_ticks, grid=spec.grid)
    # What the first set holds was decoded then; a track that is copied, when the job was planned.
    copied = _find_copied(context, spec)
    new = [
        (rung, joined)
        for rung, joined in rungs
        if not _is_in(first, rung.name) and rung.name not in copied
    ]
    argv = await verify_files(
        context,
        new,
        None if first is not None else audio,
        share=(JOIN_SHARE, VERIFY_SHARE),
        joined_only={rung.name for rung, _ in new if _is_decoded(context, spec, rung)},
    )
    made = AssetSet(
        prefix=prefix,
        duration_ticks=spec.duration_ticks,
        grid=spec.grid,
        rungs=rungs,
        audio=audio,
        colour=spec.colour,
        preset=spec.preset,
        is_partial=spec.is_partial,
        extras=await _fetch_extras(context, spec),
        sources=_find_sources(spec),
        checks=(describe_command(argv),) if argv else (),
        copied=copied,
    )
    report = await publish_set(context, made, share=(VERIFY_SHARE, 1.0))
    return Outcome(report, stale)


def find_first_set(inputs: Mapping[str, Mapping[str, Any]]) -> AssetReport | None:
    """Find the set that this job has published already, with some of the rungs."""
    for value in inputs.values():
        if "prefix" in value and value.get("is_partial"):
            try:
                return AssetReport.model_validate(value)
            except ValidationError as error:
                raise EncodeError(
                    f"a published set is not ours: {error}", permanent=True
                ) from error
    return None


def _is_in(report: AssetReport | None, name: str) -> bool:
    return report is not None and any(item.name == name for item in report.renditions)


async def _join(
    context: UnitContext, spec: PublishSpec, first: AssetReport | None
) -> tuple[list[tuple[Rung, JoinedFile]], JoinedFile]:
    rungs: list[tuple[Rung, JoinedFile]] = []
    for number, rung in enumerate(spec.rungs):
        if first is not None and _is_in(first, rung.name):
            pieces: Sequence[Piece] = [await _fetch_published(context, first, rung.name)]
        else:
            pieces = await fetch_pieces(context, spec.ranges, rung)
        joined = await asyncio.to_thread(
            join_blocking,
            pieces,
            context.folder / f"{rung.name}.mp4",
            grid=spec.grid,
            early_ticks=half_frame_ticks(rung),
        )
        rungs.append((rung, joined))
        context.progress.report(JOIN_SHARE * (number + 1) / (len(spec.rungs) + 1))
    encoded = parse_spec(EncodedAudio, take_input(context, spec.audio_key))
    staged = await context.fetch(encoded.file, "audio.m4s")
    audio = await asyncio.to_thread(
        join_blocking, [Piece(staged, 0)], context.folder / AUDIO_FILE, grid=None
    )
    return rungs, audio


async def _fetch_published(context: UnitContext, first: AssetReport, name: str) -> Piece:
    made = next(item for item in first.renditions if item.name == name)
    file = StagedFile(key=f"{first.prefix}{name}.mp4", size_bytes=made.size_bytes)
    return Piece(await context.fetch(file, f"first-{name}.mp4"), 0)


def take_input(context: UnitContext, key: str) -> dict[str, Any]:
    """Return the result of a unit that came before.

    Raises:
        EncodeError: Permanent: vod did not hand it over.
    """
    if key not in context.unit.inputs:
        raise EncodeError(f"the result of {key} is missing", permanent=True)
    return context.unit.inputs[key]


async def _fetch_extras(context: UnitContext, spec: PublishSpec) -> dict[FileRole, tuple[str, ...]]:
    """Bring pictures, waveform and download into the folder; name them by role."""
    files: dict[FileRole, tuple[StagedFile | None, ...]] = {}
    encoded = parse_spec(EncodedAudio, take_input(context, spec.audio_key))
    files["waveform"] = (encoded.waveform,)
    files["audio_download"] = (encoded.download,)
    if spec.images_key is not None:
        images = parse_spec(MadeImages, take_input(context, spec.images_key))
        files["poster"] = (images.poster,)
        files["poster_candidates"] = images.candidates
        files["storyboard"] = (images.vtt, *images.sheets)
        files["slides"] = (images.slides,)
    found: dict[FileRole, tuple[str, ...]] = {}
    for role, staged in files.items():
        names = [await _bring(context, file) for file in staged if file is not None]
        if names:
            found[role] = tuple(names)
    return found


async def _bring(context: UnitContext, file: StagedFile) -> str:
    name = Path(file.key).name
    await context.store.download(file.key, context.folder / name)
    return name


def _find_sources(spec: PublishSpec) -> dict[str, tuple[str, ...]]:
    found = {
        rung.name: tuple(item.key for item in list_ranges(spec.ranges, rung.name))
        for rung in spec.rungs
    }
    return {**found, AUDIO_NAME: (spec.audio_key,)}


def _is_decoded(context: UnitContext, spec: PublishSpec, rung: Rung) -> bool:
    """Tell whether every range of the rung was decoded where it was made."""
    parts = (
        find_rung(context.unit.inputs, item.key, rung.name)
        for item in list_ranges(spec.ranges, rung.name)
    )
    return all(part is None or part.is_decoded for part in parts)


def _find_copied(context: UnitContext, spec: PublishSpec) -> tuple[str, ...]:
    """Name the rungs that a ``copy_video`` unit brought: its result lists their keyframes."""
    return tuple(
        rung.name
        for rung in spec.rungs
        if any(
            context.unit.inputs.get(item.key, {}).get("keyframes")
            for item in list_ranges(spec.ranges, rung.name)
        )
    )
