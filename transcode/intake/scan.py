"""Run ffprobe and ffmpeg over an upload: streams, packets, first pictures, windows."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import structlog

from kernel.errors import EncodeError
from kernel.together import run_together
from transcode import commands
from transcode.commands.base import MediaInput
from transcode.context import UnitContext
from transcode.intake.containers import DEMUXERS, HEAD_BYTES, name_container
from transcode.intake.copying import check_units
from transcode.intake.packets import TrackPackets, read_packets
from transcode.intake.pictures import FrameSample
from transcode.intake.refusals import explain_probe_failure
from transcode.intake.streams import (
    AudioStream,
    Container,
    VideoStream,
    parse_container,
    read_ratio,
)
from transcode.intake.windows import Window, WindowPlan, is_unsupported, parse_window
from transcode.runner import ToolError
from transcode.settings import GIB, Limits

PROBE: Final = Limits(wall_s=90, cpu_s=60, address_bytes=2 * GIB, file_bytes=1024)
# The whole file is read once: 16 GiB at 50 MB/s take six minutes; a day of packets is 1 GiB.
SCAN: Final = Limits(wall_s=1800, cpu_s=600, address_bytes=2 * GIB, file_bytes=GIB)
LOOK: Final = Limits(wall_s=180, cpu_s=240, address_bytes=6 * GIB, file_bytes=1024)
WINDOWS_AT_ONCE: Final = 2  # Decoders of large pictures take their gigabyte each.
SAMPLE_PACKETS: Final = 40  # More than any delay of B-frames; less than two seconds.

log = structlog.get_logger(__name__)


async def read_head(context: UnitContext, key: str, *, size_bytes: int) -> bytes:
    """First bytes of the stored file."""
    head = b""
    if size_bytes == 0:
        return head
    async for data in context.store.iter_bytes(key, start=0, end=min(HEAD_BYTES, size_bytes)):
        head += data
    return head


async def probe_container(
    context: UnitContext, media: MediaInput, *, head: bytes
) -> tuple[Container, MediaInput]:
    """Find out what the file is; the demuxer is forced from here on.

    Args:
        head: Its first bytes, to name it where it cannot be read.

    Raises:
        EncodeError: Permanent, with a sentence: not media, damaged, or of no use to us.
    """
    argv = commands.probe_upload(context.programs.ffprobe, media, demuxers=DEMUXERS)
    try:
        result = await context.inspect(argv, limits=PROBE)
    except EncodeError as error:
        raise explain_probe_failure(
            error, is_local=media.is_local, container=name_container(head)
        ) from error
    container = parse_container(result.stdout)
    return container, replace(media, demuxer=container.demuxer)


async def scan_packets(
    context: UnitContext, media: MediaInput, tracks: Iterable[VideoStream | AudioStream]
) -> dict[int, TrackPackets]:
    """Read the time stamps of every packet of ``tracks``; damage ends the list, not the job."""
    found = {track.index: TrackPackets(float(1 / track.time_base)) for track in tracks}
    path = context.folder / "packets.csv"
    try:
        argv = commands.list_packets(context.programs.ffprobe, media, output=path)
        await context.inspect(argv, limits=SCAN)
    except EncodeError as error:
        problem = explain_probe_failure(error, is_local=media.is_local)
        if not isinstance(problem, EncodeError) or not problem.permanent:
            raise problem from error
        log.warning("packets_end_early", detail=str(error))
    await asyncio.to_thread(_read_packets_blocking, path, found)
    return found


def _read_packets_blocking(path: Path, tracks: dict[int, TrackPackets]) -> None:
    if path.is_file():
        with path.open(encoding="ascii", errors="replace") as lines:
            read_packets(lines, tracks)
        path.unlink()


async def sample_frames(
    context: UnitContext, media: MediaInput, stream: VideoStream
) -> FrameSample | None:
    """Describe the first pictures that decode; ``None`` when none of the first packets does."""
    argv = commands.show_frames(
        context.programs.ffprobe, media, stream=stream.index, packets_count=SAMPLE_PACKETS
    )
    try:
        result = await context.inspect(argv, limits=LOOK)
    except EncodeError as error:
        problem = explain_probe_failure(error, is_local=media.is_local)
        if not isinstance(problem, EncodeError) or not problem.permanent:
            raise problem from error
        return None
    return parse_frames(result.stdout)


def parse_frames(output: bytes) -> FrameSample | None:
    """Read ``ffprobe -show_frames``: the last picture, since decoders learn as they go."""
    try:
        document = json.loads(output)
    except (ValueError, RecursionError):
        return None
    frames = document.get("frames") if isinstance(document, dict) else None
    good = [item for item in frames or () if isinstance(item, dict) and item.get("pix_fmt")]
    if not good:
        return None
    last = good[-1]
    return FrameSample(
        width_px=_int(last, "width"),
        height_px=_int(last, "height"),
        sar=read_ratio(last.get("sample_aspect_ratio")),
        pixel_format=str(last["pix_fmt"])[:32],
        colour_range=str(last.get("color_range", "")),
        colour_space=str(last.get("color_space", "")),
        colour_transfer=str(last.get("color_transfer", "")),
        colour_primaries=str(last.get("color_primaries", "")),
    )


def _int(item: dict[str, Any], name: str) -> int:
    value = item.get(name)
    return value if isinstance(value, int) else 0


async def decode_windows(
    context: UnitContext,
    media: MediaInput,
    plan: WindowPlan,
    *,
    video: int | None,
    audio: int | None,
) -> list[Window]:
    """Decode the windows; a track that does not decode at all has no frames in any of them."""
    at_once = asyncio.Semaphore(WINDOWS_AT_ONCE)

    async def decode(start_s: float) -> Window:
        async with at_once:
            window = await _decode(context, media, plan, start_s, video=video, audio=audio)
            if window.video_s or window.audio_s or video is None or audio is None:
                return window
            pictures = await _decode(context, media, plan, start_s, video=video, audio=None)
            sound = await _decode(context, media, plan, start_s, video=None, audio=audio)
            return replace(pictures, audio_s=sound.audio_s)

    return await run_together(decode(start_s) for start_s in plan.starts_s)


async def _decode(
    context: UnitContext,
    media: MediaInput,
    plan: WindowPlan,
    start_s: float,
    *,
    video: int | None,
    audio: int | None,
) -> Window:
    argv = commands.sample_window(
        context.programs.ffmpeg,
        media,
        video=video,
        audio=audio,
        start_s=start_s,
        length_s=plan.length_s,
    )
    try:
        result = await context.inspect(argv, limits=LOOK)
    except EncodeError as error:
        problem = explain_probe_failure(error, is_local=media.is_local)
        if not isinstance(problem, EncodeError) or not problem.permanent:
            raise problem from error
        return Window(is_damaged=True, is_unsupported=is_unsupported(str(error)))
    return parse_window(result.stdout, result.stderr_tail)


async def confirm_copy(
    context: UnitContext, media: MediaInput, *, video: int, keyframes_count: int, media_s: float
) -> str:
    """Read every packet of an H.264 track for what copying needs; return the obstacle, if any.

    The track is decoded, too: what viewers get as it is must be whole. Publishing relies on it.
    """
    outputs = {types: context.folder / f"units-{types}.txt" for types in ("5", "7", "8")}
    argv = commands.list_h264_units(context.programs.ffmpeg, media, video=video, outputs=outputs)
    try:
        await context.encode(argv, media_s=media_s, share=(0.8, 0.85))
    except EncodeError as error:
        log.warning("units_not_listed", detail=str(error))
        return "画面数据读取时出错"
    texts = [await asyncio.to_thread(_take_blocking, path) for path in outputs.values()]
    obstacle = check_units(texts[0], texts[1:], keyframes_count)
    return obstacle or await _decode_whole(context, media, video=video, media_s=media_s)


async def _decode_whole(
    context: UnitContext, media: MediaInput, *, video: int, media_s: float
) -> str:
    argv = commands.decode_strictly(context.programs.ffmpeg, media, video=video)
    try:
        result = await context.encode(argv, media_s=media_s, share=(0.85, 0.98))
    except EncodeError as error:
        if isinstance(error, ToolError) and error.cause in {"memory", "disk", "timeout", "stall"}:
            raise  # A machine in trouble is no verdict about the file.
        log.info("track_not_whole", detail=str(error))
        return "画面有缺失或损坏"
    media.check(result.stderr_tail)
    return ""


def _take_blocking(path: Path) -> str:
    text = path.read_text("ascii", "replace")
    path.unlink()
    return text
