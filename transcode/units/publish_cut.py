"""Publish a cut asset: whole GOPs of the uncut one, the pieces at the cuts, the sound."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from kernel.errors import BlobMissingError, EncodeError
from kernel.messages import AssetReport, FileRole, KeptRange
from kernel.timing import to_seconds
from transcode import commands
from transcode.context import Outcome, UnitContext, describe_command
from transcode.edit.extras import (
    CutClock,
    choose_kept_posters,
    cut_slides,
    cut_storyboard,
    cut_waveform,
)
from transcode.edit.inits import read_init_blocking, unite_inits
from transcode.edit.plan import KeptFrames, place_kept
from transcode.edit.sound import choose_frames, count_frames_blocking, cut_sound_blocking
from transcode.edit.specs import CutFacts, PieceRef, PublishCutSpec
from transcode.joins import JoinedFile, Piece, half_frame_ticks, join_blocking
from transcode.plan.renditions import AUDIO_NAME
from transcode.posters import name_poster
from transcode.publishing import (
    AUDIO_FILE,
    AssetSet,
    find_prefix,
    publish_set,
    read_report,
)
from transcode.specs import Rung, StagedFile, frame_ticks, parse_spec
from transcode.units.make_images import POSTER, find_rung
from transcode.units.plan_edit import build_base, read_facts
from transcode.verify import check_lengths, verify_files

JOIN_SHARE: Final = 0.5
VERIFY_SHARE: Final = 0.7
POSTER_PLACE: Final = 0.3  # Past the greeting.
MAX_EXTRA_BYTES: Final = 4 * 1024 * 1024


def is_cut(spec: Mapping[str, Any]) -> bool:
    """Tell a cut asset's publishing from that of a whole one."""
    return "cut_of" in spec


@dataclass(frozen=True, slots=True)
class _Job:
    """One cut at work."""

    context: UnitContext
    spec: PublishCutSpec
    facts: CutFacts
    base: AssetReport
    clock: CutClock


async def publish_cut(context: UnitContext) -> Outcome:
    """Join, check and publish; running again after a crash is safe."""
    spec = parse_spec(PublishCutSpec, context.unit.spec)
    prefix = find_prefix(context)
    stale = tuple(sorted({_find_staging(value) for value in context.unit.inputs.values()} - {""}))
    finished = await read_report(context, prefix)
    if finished is not None:
        return Outcome(finished, stale)
    base = await read_report(context, spec.cut_of)
    if base is None:
        raise EncodeError(f"{spec.cut_of} is gone", permanent=True, title_zh="完整课程的文件不在了")
    facts = await read_facts(context, spec.cut_of)
    job = _Job(context, spec, facts, base, _build_clock(spec, facts))
    made = await _make_set(job, prefix)
    return Outcome(await publish_set(context, made, share=(VERIFY_SHARE, 1.0)), stale)


def _find_staging(result: Mapping[str, Any]) -> str:
    """Return the staging folder of all attempts at one encoded piece."""
    for rung in result.get("rungs", ()):
        head, token, *_ = str(rung["file"]["key"]).split("/")
        if head == "staging":
            return f"{head}/{token.rpartition('-')[0]}-"
    return ""


def _build_clock(spec: PublishCutSpec, facts: CutFacts) -> CutClock:
    rate = build_base(facts).frame_rate
    kept = [
        (frame_ticks(first, frame_rate=rate), frame_ticks(end, frame_rate=rate))
        for first, end in spec.kept
    ]
    return CutClock(kept, place_kept([KeptFrames(*item) for item in spec.kept], rate))


async def _make_set(job: _Job, prefix: str) -> AssetSet:
    context, spec, facts = job.context, job.spec, job.facts
    rungs: list[tuple[Rung, JoinedFile]] = []
    checks: list[tuple[Rung, JoinedFile]] = []
    for number, rung in enumerate(facts.rungs):
        joined, check = await _join_rung(job, rung)
        rungs.append((rung, joined))
        if check is not None:
            checks.append((rung, check))
        context.progress.report(JOIN_SHARE * (number + 1) / (len(facts.rungs) + 1))
    audio = await _cut_sound(job)
    check_lengths(rungs, audio, duration_ticks=spec.duration_ticks, grid=spec.grid)
    # Whole GOPs and sound frames are the bytes that were checked when the uncut set was made.
    argv = await verify_files(context, checks, None, share=(JOIN_SHARE, VERIFY_SHARE))
    return AssetSet(
        prefix=prefix,
        duration_ticks=spec.duration_ticks,
        grid=spec.grid,
        rungs=rungs,
        audio=audio,
        colour=facts.colour,
        preset=facts.preset,
        extras=await _make_extras(job),
        sources={
            name: tuple(piece.key or spec.cut_of for piece in group.pieces)
            for group in spec.groups
            for name in group.rungs
        },
        checks=(describe_command(argv),) if argv else (),
        kept=tuple(KeptRange(start_ticks=start, end_ticks=end) for start, end in job.clock.kept),
        copied=tuple(facts.copied),
    )


async def _join_rung(job: _Job, rung: Rung) -> tuple[JoinedFile, JoinedFile | None]:
    """Join one rung; also its encoded pieces alone, which must be decoded for the first time."""
    context = job.context
    group = next(item for item in job.spec.groups if rung.name in item.rungs)
    base = await _fetch_base(job, rung.name)
    pieces = [await _fetch_piece(context, rung, ref, base) for ref in group.pieces]
    init = await asyncio.to_thread(_unite_inits_blocking, [base, *(item.path for item in pieces)])
    joined = await asyncio.to_thread(
        join_blocking,
        pieces,
        context.folder / f"{rung.name}.mp4",
        grid=job.spec.grid,
        early_ticks=half_frame_ticks(rung),
        init=init,
    )
    encoded = [
        (ref, piece) for ref, piece in zip(group.pieces, pieces, strict=True) if ref.key is not None
    ]
    check: JoinedFile | None = None
    if encoded:
        alone: list[Piece] = []
        place = 0
        for ref, piece in encoded:
            alone.append(Piece(piece.path, rung.frame_ticks(place), ref.count))
            place += ref.count
        path = context.folder / f"check-{rung.name}.mp4"
        check = await asyncio.to_thread(join_blocking, alone, path, grid=None, init=init)
    await _forget(context, base)
    return joined, check


async def _fetch_base(job: _Job, name: str) -> Path:
    file = StagedFile(key=f"{job.spec.cut_of}{name}.mp4", size_bytes=job.facts.sizes[name])
    return await job.context.fetch(file, f"base-{name}.mp4")


async def _forget(context: UnitContext, path: Path) -> None:
    """Remove a copy that is no longer needed; in place, it is the asset itself."""
    if path.is_relative_to(context.folder):
        await asyncio.to_thread(path.unlink)


def _unite_inits_blocking(paths: Sequence[Path]) -> bytes:
    """Build the init segment that serves all pieces; the first file is the base."""
    inits = [read_init_blocking(path) for path in dict.fromkeys(paths)]
    return unite_inits(inits[0], inits[1:])


async def _fetch_piece(context: UnitContext, rung: Rung, ref: PieceRef, base: Path) -> Piece:
    start = rung.frame_ticks(ref.out_first)
    if ref.key is None:
        return Piece(base, start, ref.count, first_sample=ref.first)
    encoded = find_rung(context.unit.inputs, ref.key, rung.name)
    if encoded is None or encoded.frames_count != ref.count:
        raise EncodeError(f"{ref.key} brought not {ref.count} of {rung.name}", permanent=True)
    path = await context.fetch(encoded.file, f"{ref.key}-{rung.name}.mp4")
    return Piece(path, start, ref.count)


async def _cut_sound(job: _Job) -> JoinedFile:
    base = await _fetch_base(job, AUDIO_NAME)
    count, samples, rate = await asyncio.to_thread(count_frames_blocking, base)
    pieces = choose_frames(
        job.clock.kept,
        job.clock.places,
        frames_count=count,
        samples_per_frame=samples,
        rate_hz=rate,
    )
    boundaries = job.spec.grid.boundaries or (0,)
    output = job.context.folder / AUDIO_FILE
    joined = await asyncio.to_thread(cut_sound_blocking, base, pieces, boundaries, output)
    await _forget(job.context, base)
    return joined


async def _make_extras(job: _Job) -> dict[FileRole, tuple[str, ...]]:
    """Move pictures, waveform and download to the time of the cut."""
    files = job.base.files
    found: dict[FileRole, tuple[str, ...]] = {}
    for name in files.get("storyboard", ())[1:]:
        await _copy(job, name)
    for role, cut in (
        ("storyboard", cut_storyboard),
        ("slides", cut_slides),
        ("waveform", cut_waveform),
    ):
        known = files.get(role, ())  # type: ignore[call-overload]
        text = await _read_text(job, known[0]) if known else None
        moved = cut(text, job.clock) if text is not None else None
        if moved is not None:
            path = job.context.folder / known[0]
            await asyncio.to_thread(path.write_text, moved, "utf-8")
            found[role] = known  # type: ignore[index]
    if files.get("audio_download"):
        found["audio_download"] = (await _make_download(job, files["audio_download"][0]),)
    found.update(await _choose_posters(job))
    return found


async def _choose_posters(job: _Job) -> dict[FileRole, tuple[str, ...]]:
    files = job.base.files
    candidates = choose_kept_posters(files.get("poster_candidates", ()), job.clock)
    for name in candidates:
        await _copy(job, name)
    if candidates:
        best = (job.context.folder / candidates[0]).read_bytes
        poster = job.context.folder / POSTER
        await asyncio.to_thread(poster.write_bytes, await asyncio.to_thread(best))
        return {"poster": (POSTER,), "poster_candidates": candidates}
    if job.facts.rungs:
        return await _grab_poster(job, job.facts.rungs[0])
    if files.get("poster"):
        await _copy(job, files["poster"][0])  # It was drawn.
        return {"poster": files["poster"]}
    return {}


async def _grab_poster(job: _Job, rung: Rung) -> dict[FileRole, tuple[str, ...]]:
    """All candidates were cut out: take a picture of what is left."""
    folder = job.context.folder
    out = rung.frame_ticks(rung.first_frame(round(job.clock.duration_ticks * POSTER_PLACE)))
    name = name_poster(to_seconds(job.clock.to_base(out)))
    source = folder / f"{rung.name}.mp4"
    argv = commands.grab_posters(
        job.context.programs.ffmpeg,
        shots=[(source, max(0.0, to_seconds(out - half_frame_ticks(rung))), folder / name)],
        width_px=rung.width_px,
    )
    await job.context.encode(argv, media_s=0, share=(VERIFY_SHARE, VERIFY_SHARE))
    data = await asyncio.to_thread((folder / name).read_bytes)
    await asyncio.to_thread((folder / POSTER).write_bytes, data)
    return {"poster": (POSTER,), "poster_candidates": (name,)}


async def _make_download(job: _Job, name: str) -> str:
    argv = commands.make_download(
        job.context.programs.ffmpeg,
        source=job.context.folder / AUDIO_FILE,
        title=None,
        output=job.context.folder / name,
    )
    await job.context.encode(argv, media_s=0, share=(VERIFY_SHARE, VERIFY_SHARE))
    return name


async def _copy(job: _Job, name: str) -> None:
    await job.context.store.download(job.spec.cut_of + name, job.context.folder / name)


async def _read_text(job: _Job, name: str) -> str | None:
    try:
        data = await job.context.store.get_bytes(
            job.spec.cut_of + name, limit_bytes=MAX_EXTRA_BYTES
        )
    except BlobMissingError:
        return None
    return data.decode("utf-8", "replace")
