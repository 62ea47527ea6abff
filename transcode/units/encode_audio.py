"""Unit ``encode_audio``: all epochs on one exact sample clock, normalised, encoded once."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from kernel.timing import TICKS_PER_S, rescale, to_seconds
from transcode import commands
from transcode.commands import AUDIO_RATE_HZ
from transcode.context import Outcome, UnitContext, describe_command
from transcode.loudness import choose_gain_db, combine_loudness, parse_loudness
from transcode.sources import write_source
from transcode.specs import AudioSpan, EncodeAudioSpec, EncodedAudio, parse_spec

DECODE_SHARE = 0.4  # Of the unit's time; encoding takes the rest.


def sample_at(ticks: int) -> int:
    """Sample of the 48 kHz clock at a lecture time."""
    return rescale(ticks, from_hz=TICKS_PER_S, to_hz=AUDIO_RATE_HZ)


def build_list(names: list[str]) -> str:
    """Render the list file of ffmpeg's concat demuxer; names are ours and plain."""
    return "ffconcat version 1.0\n" + "".join(f"file '{name}'\n" for name in names)


async def encode_audio(context: UnitContext) -> Outcome:
    """Decode every span to its exact number of samples, choose one gain, encode."""
    spec = parse_spec(EncodeAudioSpec, context.unit.spec)
    started_s = time.monotonic()
    total_s = to_seconds(spec.spans[-1].end_ticks)
    names: list[str] = []
    loudness: list[tuple[float, int]] = []
    lines: list[str] = []
    for number, span in enumerate(spec.spans):
        count = sample_at(span.end_ticks) - sample_at(span.start_ticks)
        if count == 0:
            continue
        path = context.folder / f"span-{number:05}.flac"
        lufs, argv = await _decode_span(context, span, path, count, total_s=total_s)
        names.append(path.name)
        lines.append(describe_command(argv))
        if lufs is not None:
            loudness.append((lufs, count))
    measured = combine_loudness(loudness)
    gain_db = choose_gain_db(measured)
    list_file = context.folder / "spans.ffconcat"
    await asyncio.to_thread(list_file.write_text, build_list(names), "ascii")
    output = context.folder / "audio.m3u8"
    argv = commands.encode_audio(
        context.programs.ffmpeg,
        list_file=list_file,
        gain_db=gain_db,
        bitrate_bps=spec.bitrate_bps,
        output=output,
    )
    await context.encode(argv, media_s=total_s, share=(DECODE_SHARE, 0.98))
    return Outcome(
        EncodedAudio(
            file=await context.stage(output.with_suffix(".m4s")),
            samples_count=sample_at(spec.spans[-1].end_ticks),
            sample_rate_hz=AUDIO_RATE_HZ,
            loudness_lufs=None if measured is None else round(measured, 2),
            gain_db=gain_db,
            commands=(*lines[:20], describe_command(argv)),
            wall_s=round(time.monotonic() - started_s, 3),
        )
    )


async def _decode_span(
    context: UnitContext, span: AudioSpan, path: Path, count: int, *, total_s: float
) -> tuple[float | None, list[str]]:
    source = context.folder / "source.mp4"
    if span.source is not None:
        await write_source(context.store, span.source, "audio", source)
    argv = commands.decode_span(
        context.programs.ffmpeg,
        source=source if span.source is not None else None,
        start_ticks=span.start_ticks,
        samples_count=count,
        output=path,
    )
    result = await context.encode(
        argv,
        media_s=to_seconds(span.end_ticks - span.start_ticks),
        share=(
            DECODE_SHARE * to_seconds(span.start_ticks) / total_s,
            DECODE_SHARE * to_seconds(span.end_ticks) / total_s,
        ),
    )
    if span.source is None:
        return None, argv
    await asyncio.to_thread(source.unlink)
    return parse_loudness(result.stderr_tail), argv
