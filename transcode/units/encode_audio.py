"""Unit ``encode_audio``: one exact sample clock, normalised, encoded once, measured."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import structlog

from kernel.errors import EncodeError
from kernel.timing import TICKS_PER_S, rescale, to_seconds
from transcode import commands
from transcode.commands import AUDIO_RATE_HZ
from transcode.commands.base import MediaInput
from transcode.context import Outcome, UnitContext, describe_command
from transcode.flac import count_samples_blocking
from transcode.loudness import choose_gain_db, combine_loudness, parse_loudness
from transcode.runner import ToolError
from transcode.silence import parse_silences
from transcode.sources import open_source, write_source
from transcode.specs import (
    AudioSpan,
    EncodeAudioSpec,
    EncodedAudio,
    FileSource,
    StagedFile,
    parse_spec,
)
from transcode.waveform import choose_step_ms, parse_peaks, render_waveform

log = structlog.get_logger(__name__)

DECODE_SHARE = 0.4  # Of the unit's time; encoding takes the rest.
ENCODE_SHARE = (DECODE_SHARE, 0.96)
STRETCH_TICKS = 5 * 60 * TICKS_PER_S  # A hole of that length takes up to 340 MB.
MAX_TOLD_COMMANDS = 20  # A lecture of a hundred epochs repeats itself.


@dataclass(frozen=True, slots=True)
class _Piece:
    path: Path
    samples_count: int
    lufs: float | None
    command: str


@dataclass(frozen=True, slots=True)
class _Decoded:
    """Spans as files of exact length, and how loud each is."""

    names: tuple[str, ...]
    loudness: tuple[tuple[float, int], ...]
    commands: tuple[str, ...]


def sample_at(ticks: int) -> int:
    """Sample of the 48 kHz clock at a lecture time."""
    return rescale(ticks, from_hz=TICKS_PER_S, to_hz=AUDIO_RATE_HZ)


def build_list(names: tuple[str, ...]) -> str:
    """Render the list file of ffmpeg's concat demuxer; names are ours and plain."""
    return "ffconcat version 1.0\n" + "".join(f"file '{name}'\n" for name in names)


async def encode_audio(context: UnitContext) -> Outcome:
    """Decode every span to its exact number of samples, choose one gain, encode and measure."""
    spec = parse_spec(EncodeAudioSpec, context.unit.spec)
    started_s = time.monotonic()
    total_ticks = spec.spans[-1].end_ticks
    decoded = await _decode_spans(context, spec)
    measured = combine_loudness(decoded.loudness)
    gain_db = choose_gain_db(measured)
    list_file = context.folder / "spans.ffconcat"
    await asyncio.to_thread(list_file.write_text, build_list(decoded.names), "ascii")
    output = context.folder / "audio.m3u8"
    silences, peaks = context.folder / "silences.txt", context.folder / "peaks.txt"
    step_ms = choose_step_ms(total_ticks * 1000 // TICKS_PER_S)
    argv = commands.encode_audio(
        context.programs.ffmpeg,
        list_file=list_file,
        gain_db=gain_db,
        bitrate_bps=spec.bitrate_bps,
        output=output,
        silences=silences,
        peaks=peaks,
        step_ms=step_ms,
    )
    await context.encode(argv, media_s=to_seconds(total_ticks), share=ENCODE_SHARE)
    found = parse_silences(
        await asyncio.to_thread(silences.read_text, "utf-8"),
        duration_ms=total_ticks * 1000 // TICKS_PER_S,
    )
    text = render_waveform(
        parse_peaks(await asyncio.to_thread(peaks.read_text, "utf-8")),
        step_ms=step_ms,
        silences=found,
    )
    waveform = context.folder / "waveform.json"
    await asyncio.to_thread(waveform.write_text, text, "ascii")
    encoded = output.with_suffix(".m4s")
    download = None if measured is None else await _make_download(context, encoded, spec.title)
    return Outcome(
        EncodedAudio(
            file=await context.stage(encoded),
            samples_count=sample_at(total_ticks),
            sample_rate_hz=AUDIO_RATE_HZ,
            loudness_lufs=None if measured is None else round(measured, 2),
            gain_db=gain_db,
            waveform=await context.stage(waveform),
            download=download,
            silences=found,
            commands=(*decoded.commands, _describe(context, argv)),
            wall_s=round(time.monotonic() - started_s, 3),
        )
    )


async def _decode_spans(context: UnitContext, spec: EncodeAudioSpec) -> _Decoded:
    total_s = to_seconds(spec.spans[-1].end_ticks)
    names: list[str] = []
    loudness: list[tuple[float, int]] = []
    lines: list[str] = []
    for span in spec.spans:
        for piece in await _decode_span(context, span, total_s=total_s):
            names.append(piece.path.name)
            lines.append(piece.command)
            if piece.lufs is not None:
                loudness.append((piece.lufs, piece.samples_count))
    return _Decoded(tuple(names), tuple(loudness), tuple(lines[:MAX_TOLD_COMMANDS]))


async def _decode_span(
    context: UnitContext, span: AudioSpan, *, total_s: float
) -> tuple[_Piece, ...]:
    """Decode a span in one go; where that takes too much memory, in stretches.

    FFmpeg fills a hole in the time stamps in memory, up to 1.1 MB a second: a file whose sound is
    away for an hour needs more than a program may take. Stretches bound the hole. They are not the
    rule: where one ends, sound may be off by the rounding of its time stamps.
    """
    try:
        return await _decode_piece(context, span, total_s=total_s)
    except ToolError as error:
        if error.cause != "memory" or not isinstance(span.source, FileSource):
            raise
        stretches = split_span(span)
        if len(stretches) == 1:
            raise
        log.warning("sound_decoded_in_stretches", count=len(stretches), detail=str(error))
    pieces: list[_Piece] = []
    for stretch in stretches:
        pieces += await _decode_piece(context, stretch, total_s=total_s, is_seeking=True)
    return tuple(pieces)


def split_span(span: AudioSpan) -> tuple[AudioSpan, ...]:
    """Cut a span into stretches of at most ``STRETCH_TICKS``. Pure."""
    edges = [*range(span.start_ticks, span.end_ticks, STRETCH_TICKS), span.end_ticks]
    return tuple(
        span.model_copy(update={"start_ticks": start, "end_ticks": end})
        for start, end in pairwise(edges)
    )


async def _decode_piece(
    context: UnitContext, span: AudioSpan, *, total_s: float, is_seeking: bool = False
) -> tuple[_Piece, ...]:
    """Decode to a file of exactly the span's samples; none at all for a span of no length.

    Raises:
        EncodeError: What was decoded has not the length of the span.
    """
    count = sample_at(span.end_ticks) - sample_at(span.start_ticks)
    if count == 0:
        return ()
    path = context.folder / f"span-{span.start_ticks:012}.flac"
    source, start_ticks = await _open_span(context, span)
    argv = commands.decode_span(
        context.programs.ffmpeg,
        source=source,
        stream_index=span.source.audio_index if isinstance(span.source, FileSource) else None,
        start_ticks=start_ticks,
        samples_count=count,
        output=path,
        is_seeking=is_seeking,
    )
    result = await context.encode(
        argv,
        media_s=to_seconds(span.end_ticks - span.start_ticks),
        share=(
            DECODE_SHARE * to_seconds(span.start_ticks) / total_s,
            DECODE_SHARE * to_seconds(span.end_ticks) / total_s,
        ),
    )
    got = await asyncio.to_thread(count_samples_blocking, path)
    if got != count:
        raise EncodeError(f"{path.name} holds {got} samples, the span has {count}")
    if source is not None and not isinstance(span.source, FileSource):
        await asyncio.to_thread(Path(source.address).unlink)
    lufs = None if source is None else parse_loudness(result.stderr_tail)
    return (_Piece(path, count, lufs, _describe(context, argv)),)


async def _open_span(context: UnitContext, span: AudioSpan) -> tuple[MediaInput | None, int]:
    """Return what to read, and its time stamp where the span begins."""
    if span.source is None:
        return None, span.start_ticks
    if isinstance(span.source, FileSource):
        return (
            await open_source(context, span.source),
            span.start_ticks + span.source.offset_ticks,
        )
    path = context.folder / "source.mp4"
    await write_source(context.store, span.source, "audio", path)
    return MediaInput(str(path), "mp4"), span.start_ticks


async def _make_download(context: UnitContext, encoded: Path, title: str | None) -> StagedFile:
    output = context.folder / "audio.m4a"
    argv = commands.make_download(
        context.programs.ffmpeg, source=encoded, title=title, output=output
    )
    await context.encode(argv, media_s=1, share=(ENCODE_SHARE[1], 0.98))
    return await context.stage(output)


def _describe(context: UnitContext, argv: list[str]) -> str:
    """Shorten paths inside of filters, too."""
    return describe_command(argv).replace(f"{context.folder}/", "")
