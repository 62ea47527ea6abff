"""Unit ``publish_asset``: join, verify, write the playlists, upload, manifest last."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from kernel.errors import BlobMissingError, EncodeError
from kernel.layout import asset_prefix
from kernel.messages import AssetReport, RenditionReport
from kernel.timing import to_seconds
from transcode.context import MIME, Outcome, UnitContext, describe_command
from transcode.joins import JoinedFile, Piece, join_blocking
from transcode.playlists import build_media_playlist, build_multivariant, measure_average_bps
from transcode.specs import EncodedAudio, MadeImages, PublishSpec, Rung, parse_spec
from transcode.units.make_images import fetch_pieces
from transcode.verify import verify_set

MANIFEST: Final = "manifest.json"
AUDIO_FILE: Final = "audio.mp4"
AUDIO_PLAYLIST: Final = "audio.m3u8"

RungFiles = list[tuple[Rung, JoinedFile]]


async def publish_asset(context: UnitContext) -> Outcome:
    """Publish the set under its immutable prefix.

    Running again after a crash is safe: when the manifest is there, its report is the answer.
    """
    spec = parse_spec(PublishSpec, context.unit.spec)
    if context.unit.plan_hash is None:
        raise EncodeError("the unit came without its plan_hash", permanent=True)
    prefix = asset_prefix(context.unit.asset_id, plan_hash=context.unit.plan_hash)
    stale = find_stale_prefixes(context.unit.inputs)
    finished = await _read_manifest(context, prefix)
    if finished is not None:
        return Outcome(finished, stale)
    rungs, audio = await _join(context, spec)
    argv = await verify_set(
        context,
        rungs,
        audio,
        duration_ticks=spec.duration_ticks,
        grid=spec.grid,
        share=(0.3, 0.8),
    )
    names = [*await _write_playlists(context, rungs, audio), *[f"{r.name}.mp4" for r, _ in rungs]]
    names += [AUDIO_FILE, *await _fetch_images(context, spec)]
    for number, name in enumerate(names):
        await _upload(context, prefix, name)
        context.progress.report(0.8 + 0.2 * (number + 1) / len(names))
    report = _build_report(prefix, spec, rungs, audio)
    manifest = await _build_manifest(context, report, describe_command(argv))
    await context.store.put_bytes(prefix + MANIFEST, manifest, content_type=MIME[".json"])
    return Outcome(report, stale)


def find_stale_prefixes(inputs: dict[str, dict[str, Any]]) -> tuple[str, ...]:
    """Return the staging folders of all attempts at the inputs, from the keys in their results."""
    found: set[str] = set()

    def walk(value: object) -> None:
        if isinstance(value, dict):
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


async def _read_manifest(context: UnitContext, prefix: str) -> AssetReport | None:
    try:
        text = await context.store.get_bytes(prefix + MANIFEST)
    except BlobMissingError:
        return None
    try:
        return AssetReport.model_validate(json.loads(text)["report"])
    except (ValueError, KeyError, TypeError, ValidationError) as error:
        raise EncodeError(f"{prefix}{MANIFEST} is not ours: {error}", permanent=True) from error


async def _join(context: UnitContext, spec: PublishSpec) -> tuple[RungFiles, JoinedFile]:
    rungs: RungFiles = []
    for number, rung in enumerate(spec.rungs):
        pieces = await fetch_pieces(context, spec.ranges, rung)
        output = context.folder / f"{rung.name}.mp4"
        rungs.append((rung, await asyncio.to_thread(join_blocking, pieces, output, grid=spec.grid)))
        context.progress.report(0.3 * (number + 1) / (len(spec.rungs) + 1))
    encoded = parse_spec(EncodedAudio, _take_input(context, spec.audio_key))
    staged = await context.fetch(encoded.file, "audio.m4s")
    audio = await asyncio.to_thread(
        join_blocking, [Piece(staged, 0)], context.folder / AUDIO_FILE, grid=spec.grid
    )
    return rungs, audio


def _take_input(context: UnitContext, key: str) -> dict[str, Any]:
    if key not in context.unit.inputs:
        raise EncodeError(f"the result of {key} is missing", permanent=True)
    return context.unit.inputs[key]


async def _write_playlists(context: UnitContext, rungs: RungFiles, audio: JoinedFile) -> list[str]:
    texts = {
        f"{rung.name}.m3u8": build_media_playlist(joined, file_name=f"{rung.name}.mp4")
        for rung, joined in rungs
    }
    texts[AUDIO_PLAYLIST] = build_media_playlist(audio, file_name=AUDIO_FILE)
    texts["index.m3u8"] = build_multivariant(rungs, audio, audio_uri=AUDIO_PLAYLIST)
    for name, text in texts.items():
        await asyncio.to_thread((context.folder / name).write_text, text, "utf-8")
    return list(texts)


async def _fetch_images(context: UnitContext, spec: PublishSpec) -> list[str]:
    if spec.images_key is None:
        return []
    images = parse_spec(MadeImages, _take_input(context, spec.images_key))
    names: list[str] = []
    for file in (images.poster, images.storyboard, images.vtt):
        name = Path(file.key).name
        await context.store.download(file.key, context.folder / name)
        names.append(name)
    return names


async def _upload(context: UnitContext, prefix: str, name: str) -> None:
    path = context.folder / name
    await context.store.put_file(prefix + name, path, content_type=MIME[path.suffix])


def _build_report(
    prefix: str, spec: PublishSpec, rungs: RungFiles, audio: JoinedFile
) -> AssetReport:
    renditions = [
        RenditionReport(
            name=rung.name,
            kind="video",
            width_px=rung.width_px,
            height_px=rung.height_px,
            codec=joined.codec,
            bitrate_bps=measure_average_bps(joined),
            size_bytes=joined.size_bytes,
        )
        for rung, joined in rungs
    ]
    renditions.append(
        RenditionReport(
            name="audio",
            kind="audio",
            codec=audio.codec,
            bitrate_bps=measure_average_bps(audio),
            size_bytes=audio.size_bytes,
        )
    )
    has_images = spec.images_key is not None
    return AssetReport(
        prefix=prefix,
        duration_s=to_seconds(spec.duration_ticks),
        renditions=tuple(renditions),
        poster="poster.jpg" if has_images else None,
        storyboard="storyboard.vtt" if has_images else None,
    )


async def _build_manifest(context: UnitContext, report: AssetReport, check: str) -> bytes:
    """Render the report with every command and version that made the set."""
    lines: dict[str, list[str]] = {"verify": [check]}
    walls: dict[str, float] = {}
    for key, value in context.unit.inputs.items():
        lines[key] = [str(line) for line in value.get("commands", ())]
        if "wall_s" in value:
            walls[key] = value["wall_s"]
    document = {
        "report": report.model_dump(mode="json"),
        "plan_hash": context.unit.plan_hash,
        "ffmpeg": await context.ask_version(),
        "commands": lines,
        "wall_s": walls,
    }
    return json.dumps(document, ensure_ascii=False, indent=1).encode()
