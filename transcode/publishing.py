"""What every published set has in common: playlists, upload, report, manifest last."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from kernel.errors import BlobMissingError, EncodeError
from kernel.layout import asset_prefix
from kernel.messages import AssetReport, FileRole, KeptRange, RenditionReport
from kernel.timing import to_seconds
from kernel.together import run_together
from transcode.context import MIME, UnitContext
from transcode.edit.specs import CopiedFacts, CutFacts
from transcode.joins import JoinedFile
from transcode.plan.renditions import AUDIO_NAME
from transcode.playlists import (
    build_media_playlist,
    build_multivariant,
    measure_average_bps,
    measure_peak_bps,
)
from transcode.specs import ColourName, Grid, Rung

MANIFEST: Final = "manifest.json"
AUDIO_FILE: Final = "audio.mp4"
AUDIO_PLAYLIST: Final = "audio.m3u8"
INDEX: Final = "index.m3u8"
MAX_MANIFEST_BYTES: Final = 64 * 1024 * 1024  # Commands of 2 000 units are a few megabytes.
UPLOADS_AT_ONCE: Final = 4  # Hides the latency of an object store.

RungFiles = Sequence[tuple[Rung, JoinedFile]]


@dataclass(frozen=True, slots=True)
class AssetSet:
    """Everything of one set, joined, in the unit's folder.

    Attributes:
        extras: Names of further files in the folder, by role.
        sources: Rendition -> keys of the units that made it.
        checks: Commands that verified the set.
        kept: Of a cut asset.
        copied: Names of the rungs that were not encoded by us.
    """

    prefix: str
    duration_ticks: int
    grid: Grid
    rungs: RungFiles
    audio: JoinedFile
    colour: ColourName
    preset: str
    is_partial: bool = False
    extras: Mapping[FileRole, tuple[str, ...]] = field(default_factory=dict)
    sources: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    checks: tuple[str, ...] = ()
    kept: tuple[KeptRange, ...] | None = None
    copied: tuple[str, ...] = ()


def find_prefix(context: UnitContext, *, is_partial: bool = False) -> str:
    """Return the immutable folder of this unit's set.

    Raises:
        EncodeError: Permanent: vod did not say which plan this is.
    """
    if context.unit.plan_hash is None:
        raise EncodeError("the unit came without its plan_hash", permanent=True)
    return asset_prefix(
        context.unit.asset_id, plan_hash=context.unit.plan_hash, is_partial=is_partial
    )


def find_stale_prefixes(inputs: Mapping[str, Mapping[str, Any]]) -> tuple[str, ...]:
    """Return the staging folders of all attempts at the inputs, from the keys in their results."""
    found: set[str] = set()

    def walk(value: object) -> None:
        if isinstance(value, Mapping):
            key = value.get("key")
            if isinstance(key, str) and key.startswith("staging/"):
                # staging/{unit}-{fence}/name: every fence of the unit is done with.
                found.add(key.split("/")[0] + "/" + key.split("/")[1].rpartition("-")[0] + "-")
            for item in value.values():
                walk(item)
        elif isinstance(value, list):
            for item in value:
                walk(item)

    walk(inputs)
    return tuple(sorted(found))


async def read_manifest(context: UnitContext, prefix: str) -> dict[str, Any] | None:
    """Read the manifest of a set; ``None`` before it is complete."""
    try:
        data = await context.store.get_bytes(prefix + MANIFEST, limit_bytes=MAX_MANIFEST_BYTES)
    except BlobMissingError:
        return None
    try:
        document = json.loads(data)
    except ValueError as error:
        raise EncodeError(f"{prefix}{MANIFEST} is broken: {error}", permanent=True) from error
    if not isinstance(document, dict):
        raise EncodeError(f"{prefix}{MANIFEST} is not ours", permanent=True)
    return document


async def read_report(context: UnitContext, prefix: str) -> AssetReport | None:
    """Return the report of a finished set: publishing again after a crash changes nothing."""
    document = await read_manifest(context, prefix)
    if document is None:
        return None
    try:
        return AssetReport.model_validate(document["report"])
    except (KeyError, ValidationError) as error:
        raise EncodeError(f"{prefix}{MANIFEST} is not ours: {error}", permanent=True) from error


async def publish_set(
    context: UnitContext, made: AssetSet, *, share: tuple[float, float]
) -> AssetReport:
    """Write the playlists, upload everything, the manifest last."""
    names = await _write_playlists(context, made)
    names += [f"{rung.name}.mp4" for rung, _ in made.rungs] + [AUDIO_FILE]
    names += sorted({name for files in made.extras.values() for name in files})
    await _upload(context, made.prefix, names, share=share)
    report = build_report(made)
    manifest = _build_manifest(context, made, report, version=await context.ask_version())
    await context.store.put_bytes(made.prefix + MANIFEST, manifest, content_type=MIME[".json"])
    return report


async def _write_playlists(context: UnitContext, made: AssetSet) -> list[str]:
    texts = {
        f"{rung.name}.m3u8": build_media_playlist(joined, file_name=f"{rung.name}.mp4")
        for rung, joined in made.rungs
    }
    texts[AUDIO_PLAYLIST] = build_media_playlist(made.audio, file_name=AUDIO_FILE)
    texts[INDEX] = build_multivariant(made.rungs, made.audio, audio_uri=AUDIO_PLAYLIST)
    for name, text in texts.items():
        await asyncio.to_thread((context.folder / name).write_text, text, "utf-8")
    return list(texts)


async def _upload(
    context: UnitContext, prefix: str, names: Sequence[str], *, share: tuple[float, float]
) -> None:
    low, high = share
    gate = asyncio.Semaphore(UPLOADS_AT_ONCE)
    done = 0

    async def put(name: str) -> None:
        nonlocal done
        path = context.folder / name
        async with gate:
            await context.store.put_file(prefix + name, path, content_type=MIME[path.suffix])
        done += 1
        context.progress.report(low + (high - low) * done / len(names))

    await run_together(put(name) for name in names)


def build_report(made: AssetSet) -> AssetReport:
    """Build what vod is told of a set. Pure."""
    renditions = [
        RenditionReport(
            name=rung.name,
            kind="video",
            width_px=rung.width_px,
            height_px=rung.height_px,
            frame_rate=float(rung.frame_rate),
            codec=joined.codec,
            bitrate_bps=measure_average_bps(joined),
            size_bytes=joined.size_bytes,
        )
        for rung, joined in made.rungs
    ]
    renditions.append(
        RenditionReport(
            name=AUDIO_NAME,
            kind="audio",
            codec=made.audio.codec,
            bitrate_bps=measure_average_bps(made.audio),
            size_bytes=made.audio.size_bytes,
        )
    )
    return AssetReport(
        prefix=made.prefix,
        duration_s=to_seconds(made.duration_ticks),
        renditions=tuple(renditions),
        poster=next(iter(made.extras.get("poster", ())), None),
        storyboard=next(iter(made.extras.get("storyboard", ())), None),
        files=dict(made.extras),
        is_partial=made.is_partial,
        kept=made.kept,
    )


def _build_manifest(
    context: UnitContext, made: AssetSet, report: AssetReport, *, version: str
) -> bytes:
    """Render the report with every command and version that made the set."""
    inputs = context.unit.inputs
    document = {
        "report": report.model_dump(mode="json"),
        "plan_hash": context.unit.plan_hash,
        "ffmpeg": version,
        "renditions": {
            name: _describe_rendition(joined, made.sources.get(name, ()))
            for name, joined in _iter_files(made)
        },
        "commands": {
            **{
                key: [str(line) for line in value.get("commands", ())]
                for key, value in inputs.items()
            },
            "verify": list(made.checks),
        },
        "wall_s": {key: value["wall_s"] for key, value in inputs.items() if "wall_s" in value},
        "cut": None if made.is_partial else build_facts(made).model_dump(mode="json"),
    }
    return json.dumps(document, ensure_ascii=False, indent=1).encode()


def _iter_files(made: AssetSet) -> Iterable[tuple[str, JoinedFile]]:
    yield from ((rung.name, joined) for rung, joined in made.rungs)
    yield AUDIO_NAME, made.audio


def _describe_rendition(joined: JoinedFile, units: tuple[str, ...]) -> dict[str, Any]:
    return {
        "units": list(units),
        "size_bytes": joined.size_bytes,
        "average_bps": measure_average_bps(joined),
        "peak_bps": measure_peak_bps(joined),
        "samples_count": joined.samples_count,
        "segments_count": len(joined.segments),
        "duration_ticks": joined.duration_ticks,
    }


def build_facts(made: AssetSet) -> CutFacts:
    """Note what cutting the set later needs to know. Pure."""
    lead = made.rungs[0][1] if made.rungs else made.audio
    return CutFacts(
        duration_ticks=made.duration_ticks,
        grid=made.grid,
        rungs=tuple(rung for rung, _ in made.rungs),
        copied={
            rung.name: _describe_copied(rung, joined)
            for rung, joined in made.rungs
            if rung.name in made.copied
        },
        starts=tuple(segment.start_ticks for segment in lead.segments),
        sizes={Path(joined.path).stem: joined.size_bytes for _, joined in _iter_files(made)},
        colour=made.colour,
        preset=made.preset,
    )


def _describe_copied(rung: Rung, joined: JoinedFile) -> CopiedFacts:
    delay = joined.edit_offset_ticks * rung.frame_rate / joined.timescale_hz
    # RFC 6381 §3.3: the first byte behind the dot is profile_idc.
    profile = joined.codec.partition(".")[2][:2]
    return CopiedFacts(delay_frames=round(delay), profile_idc=int(profile, 16))
