"""Add rungs of another codec to a published set: their files, then a playlist that names them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from pydantic import ValidationError

from kernel.errors import BlobMissingError, EncodeError, MediaError
from kernel.hls import (
    MultivariantPlaylist,
    Variant,
    parse_media_playlist,
    parse_multivariant_playlist,
    render_multivariant_playlist,
)
from kernel.messages import AssetReport, RenditionReport
from transcode.av1.check import verify_av1
from transcode.context import MIME, Outcome, UnitContext, describe_command
from transcode.joins import JoinedFile, half_frame_ticks, join_blocking
from transcode.playlists import (
    AUDIO_GROUP,
    build_media_playlist,
    measure_average_bps,
    measure_peak_bps,
)
from transcode.publishing import AUDIO_PLAYLIST, find_stale_prefixes
from transcode.specs import PublishAddedSpec, Rung, parse_spec
from transcode.units.make_images import fetch_pieces
from transcode.verify import check_rungs

INDEX: Final = "index-av1.m3u8"
MANIFEST: Final = "manifest-av1.json"  # Written last: who finds it need not do anything again.
MAX_TEXT_BYTES: Final = 8 * 1024 * 1024
JOIN_SHARE: Final = 0.2
VERIFY_SHARE: Final = 0.9

Joined = list[tuple[Rung, JoinedFile]]


def is_added(spec: Mapping[str, Any]) -> bool:
    """Tell adding to a set from publishing one."""
    return "adds_to" in spec


async def publish_added(context: UnitContext) -> Outcome:
    """Join, check, upload; the report of the larger set is the result.

    Raises:
        EncodeError: The rungs do not match the set, or do not decode.
    """
    spec = parse_spec(PublishAddedSpec, context.unit.spec)
    base = _read_base(context, spec)
    stale = find_stale_prefixes(context.unit.inputs)
    if (finished := await _read_finished(context, base)) is not None:
        return Outcome(finished, stale)
    rungs = await _join(context, spec)
    check_rungs(rungs, duration_ticks=spec.duration_ticks, grid=spec.grid)
    playlist = await _read_text(context, f"{base.prefix}{base.renditions[0].name}.m3u8")
    check_segments(rungs, playlist)
    argv = await verify_av1(context, rungs, share=(JOIN_SHARE, VERIFY_SHARE))
    index = add_variants(await _read_text(context, base.prefix + base.index), rungs)
    report = build_added_report(base, rungs)
    await _upload(context, base.prefix, rungs, index)
    document = {
        "report": report.model_dump(mode="json"),
        "check": describe_command(argv),
        "ffmpeg": await context.ask_version(),
        "units": [ref.key for ref in spec.ranges],
    }
    data = json.dumps(document, ensure_ascii=False, indent=1).encode()
    await context.store.put_bytes(base.prefix + MANIFEST, data, content_type=MIME[".json"])
    return Outcome(report, stale)


def _read_base(context: UnitContext, spec: PublishAddedSpec) -> AssetReport:
    try:
        base = AssetReport.model_validate(context.unit.inputs.get(spec.adds_to))
    except ValidationError as error:
        raise EncodeError(f"the set of {spec.adds_to} is not ours", permanent=True) from error
    if base.is_partial or not base.renditions or base.renditions[0].kind != "video":
        raise EncodeError("only whole sets with pictures are added to", permanent=True)
    return base


async def _read_finished(context: UnitContext, base: AssetReport) -> AssetReport | None:
    try:
        text = await _read_text(context, base.prefix + MANIFEST)
        return AssetReport.model_validate(json.loads(text)["report"])
    except BlobMissingError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise EncodeError(f"{base.prefix}{MANIFEST} is not ours", permanent=True) from error


async def _read_text(context: UnitContext, key: str) -> str:
    data = await context.store.get_bytes(key, limit_bytes=MAX_TEXT_BYTES)
    return data.decode("utf-8", "replace")


async def _join(context: UnitContext, spec: PublishAddedSpec) -> Joined:
    rungs: Joined = []
    for number, rung in enumerate(spec.rungs, start=1):
        joined = await asyncio.to_thread(
            join_blocking,
            await fetch_pieces(context, spec.ranges, rung),
            context.folder / f"{rung.name}.mp4",
            grid=spec.grid,
            early_ticks=half_frame_ticks(rung),
        )
        rungs.append((rung, joined))
        context.progress.report(JOIN_SHARE * number / len(spec.rungs))
    return rungs


def check_segments(rungs: Joined, playlist: str) -> None:
    """Check that the largest rung has the segments of the set it joins. Pure.

    Raises:
        EncodeError: It has others.
    """
    rung, joined = rungs[0]
    wanted = [segment.duration_ticks for segment in parse_media_playlist(playlist).segments]
    made = [segment.duration_ticks for segment in joined.segments]
    early = half_frame_ticks(rung) + 1
    if len(made) != len(wanted) or any(
        abs(one - other) > early for one, other in zip(made, wanted, strict=True)
    ):
        raise EncodeError(
            f"{rung.name} has other segments ({len(made)}) than the set ({len(wanted)})",
            title_zh="转码结果没有通过检查",
        )


def add_variants(index: str, rungs: Joined) -> str:
    """Name the rungs in a multivariant playlist, before the variant of sound alone. Pure.

    Raises:
        EncodeError: Permanent: the playlist is not ours.
    """
    try:
        known = parse_multivariant_playlist(index)
    except MediaError as error:
        raise EncodeError(f"the playlist is not ours: {error}", permanent=True) from error
    sound = next((item for item in known.variants if item.uri == AUDIO_PLAYLIST), None)
    if sound is None:
        raise EncodeError("the playlist has no variant of sound alone", permanent=True)
    added = [_build_variant(rung, joined, sound) for rung, joined in rungs]
    others = [item for item in known.variants if item is not sound]
    whole: MultivariantPlaylist = replace(known, variants=(*others, *added, sound))
    return render_multivariant_playlist(whole)


def _build_variant(rung: Rung, joined: JoinedFile, sound: Variant) -> Variant:
    average = sound.average_bandwidth_bps or sound.bandwidth_bps
    return Variant(
        uri=f"{rung.name}.m3u8",
        bandwidth_bps=measure_peak_bps(joined) + sound.bandwidth_bps,
        average_bandwidth_bps=measure_average_bps(joined) + average,
        codecs=(joined.codec, *sound.codecs),
        width_px=rung.width_px,
        height_px=rung.height_px,
        frame_rate=rung.frame_rate,
        audio_group=AUDIO_GROUP,
    )


def build_added_report(base: AssetReport, rungs: Joined) -> AssetReport:
    """Build what vod is told of the larger set. Pure."""
    added = [
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
        for rung, joined in rungs
    ]
    pictures = [item for item in base.renditions if item.kind == "video"]
    sound = [item for item in base.renditions if item.kind != "video"]
    return base.model_copy(update={"renditions": (*pictures, *added, *sound), "index": INDEX})


async def _upload(context: UnitContext, prefix: str, rungs: Joined, index: str) -> None:
    for rung, joined in rungs:
        await context.store.put_file(
            f"{prefix}{rung.name}.mp4", joined.path, content_type=MIME[".mp4"]
        )
        text = build_media_playlist(joined, file_name=f"{rung.name}.mp4")
        await context.store.put_bytes(
            f"{prefix}{rung.name}.m3u8", text.encode(), content_type=MIME[".m3u8"]
        )
    await context.store.put_bytes(prefix + INDEX, index.encode(), content_type=MIME[".m3u8"])
