"""Take the text tracks out of an uploaded file: one reading of it, every track to SubRip."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import structlog

from kernel.captions import MAX_FILE_BYTES, Cue, parse_captions
from kernel.captions.cues import MAX_CUE_CHARS
from kernel.errors import EncodeError, InputError
from kernel.messages import EmbeddedCaptions, EmbeddedCue
from kernel.timing import TICKS_PER_S, to_seconds
from transcode import commands
from transcode.commands.base import MediaInput
from transcode.context import UnitContext
from transcode.intake.streams import TextStream

log = structlog.get_logger(__name__)

# Codecs of text that ffmpeg turns into SubRip; pictures of text (DVD, Blu-ray, DVB) are not read.
TEXT_CODECS: Final = frozenset(
    {
        *("subrip", "srt", "ass", "ssa", "mov_text", "webvtt", "text", "stl", "sami", "realtext"),
        *("subviewer", "subviewer1", "microdvd", "jacosub", "mpl2", "pjs", "vplayer"),
        "hdmv_text_subtitle",
    }
)
MAX_TRACKS_COUNT: Final = 16  # What a plan carries.
MAX_LABEL_CHARS: Final = 100
UNKNOWN: Final = "und"
_LANGUAGE: Final = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,3}")


def choose_tracks(streams: Sequence[TextStream]) -> tuple[TextStream, ...]:
    """Those that can be read, at most ``MAX_TRACKS_COUNT``; the default one comes first. Pure."""
    readable = [stream for stream in streams if stream.codec in TEXT_CODECS]
    ordered = sorted(readable, key=lambda stream: (not stream.is_default, stream.index))
    return tuple(ordered[:MAX_TRACKS_COUNT])


async def extract_embedded(
    context: UnitContext,
    media: MediaInput,
    streams: Sequence[TextStream],
    *,
    offset_ticks: int,
    duration_ticks: int,
) -> tuple[EmbeddedCaptions, ...]:
    """Read the text tracks of a file in lecture time.

    A track that cannot be read or says nothing is left out, with a line in the log: captions never
    decide whether a file becomes a lecture.

    Args:
        streams: Of the file; only those of text are read.
        offset_ticks: Time stamp of the file that is lecture time 0.

    Raises:
        DependencyError: The store is down.
    """
    chosen = choose_tracks(streams)
    if not chosen:
        return ()
    outputs = [(stream.index, context.folder / f"text-{stream.index}.srt") for stream in chosen]
    argv = commands.extract_texts(
        context.programs.ffmpeg, source=media, outputs=outputs, limit_bytes=MAX_FILE_BYTES
    )
    try:
        await context.encode(argv, media_s=to_seconds(duration_ticks), share=(0.0, 0.0))
    except EncodeError as error:  # What was written until then may still be good.
        log.warning("texts_not_extracted", detail=str(error))
    found: list[EmbeddedCaptions] = []
    for stream, (_, path) in zip(chosen, outputs, strict=True):
        cues = await asyncio.to_thread(_read_blocking, path)
        mapped = map_cues(cues, offset_ticks=offset_ticks, duration_ticks=duration_ticks)
        if mapped:
            found.append(_describe(stream, mapped))
    return tuple(found)


def map_cues(
    cues: Iterable[Cue], *, offset_ticks: int, duration_ticks: int
) -> tuple[EmbeddedCue, ...]:
    """Move cues from file time to lecture time; what lies outside of the lecture goes. Pure."""
    shift_ms = -(offset_ticks * 1000 // TICKS_PER_S)
    end_ms = duration_ticks * 1000 // TICKS_PER_S
    moved = (
        (max(0, cue.start_ms + shift_ms), min(end_ms, cue.end_ms + shift_ms), cue.text)
        for cue in cues
    )
    return tuple(
        EmbeddedCue(start_ms=start, end_ms=end, text=text[:MAX_CUE_CHARS])
        for start, end, text in moved
        if start < end
    )


def _describe(stream: TextStream, cues: tuple[EmbeddedCue, ...]) -> EmbeddedCaptions:
    language = stream.language if _LANGUAGE.fullmatch(stream.language) else UNKNOWN
    label = stream.title.strip()[:MAX_LABEL_CHARS]
    return EmbeddedCaptions(language=language, label=label, cues=cues)


def _read_blocking(path: Path) -> tuple[Cue, ...]:
    try:
        return parse_captions(path.read_bytes(), path.name)
    except FileNotFoundError:
        log.info("text_track_missing", name=path.name)
    except InputError as error:
        log.info("text_track_left_out", name=path.name, detail=str(error))
    return ()
