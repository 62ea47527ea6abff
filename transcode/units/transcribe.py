"""Unit ``transcribe``: the sound of a published lecture becomes captions that a person can mend."""

from __future__ import annotations

import asyncio
from pathlib import Path

from pydantic import Field

from kernel.errors import BlobMissingError, EncodeError
from kernel.messages import EmbeddedCue, TranscriptReport
from transcode import commands
from transcode.context import Outcome, UnitContext
from transcode.silence import parse_silences
from transcode.sources import open_key
from transcode.specs import Frozen, parse_spec
from transcode.transcriber.models import find_model_blocking
from transcode.transcriber.phrases import build_cues
from transcode.transcriber.pieces import PAUSE_DB, PAUSE_S, plan_pieces
from transcode.transcriber.port import SAMPLE_RATE_HZ
from transcode.transcriber.sherpa import SherpaTranscriber

DECODE_SHARE = (0.0, 0.05)
LISTEN_SHARE = (0.05, 0.99)


class TranscribeSpec(Frozen):
    """``{"key", "duration_s", "language"}``: see ``kernel.messages.TranscriptReport``."""

    key: str = Field(max_length=512)
    duration_s: float = Field(gt=0, le=360_000)
    language: str = Field(pattern=r"^[A-Za-z0-9-]{1,35}$")


async def transcribe(context: UnitContext) -> Outcome:
    """Find where somebody speaks, listen there, write it down in phrases.

    Raises:
        EncodeError: Permanent, with a sentence: no model is set up, it does not load or does not
            know the language.
    """
    spec = parse_spec(TranscribeSpec, context.unit.spec)
    model = await asyncio.to_thread(find_model_blocking, context.programs.captions_model)
    model.choose_language(spec.language)  # Refuse before an hour of sound is decoded.
    duration_ms = round(spec.duration_s * 1000)
    sound, pauses = context.folder / "speech.raw", context.folder / "pauses.txt"
    await _decode(context, spec, sound=sound, pauses=pauses)
    silences = parse_silences(
        await asyncio.to_thread(pauses.read_text, "utf-8"),
        duration_ms=duration_ms,
        max_count=None,
    )
    listener = SherpaTranscriber(context, model, share=LISTEN_SHARE)
    pieces = plan_pieces(silences, duration_ms=duration_ms)
    heard = await listener.transcribe(sound, pieces, language=spec.language)
    cues = build_cues(heard, duration_ms=duration_ms)
    return Outcome(
        TranscriptReport(
            language=spec.language,
            model=listener.name[:200],
            cues=tuple(
                EmbeddedCue(start_ms=cue.start_ms, end_ms=cue.end_ms, text=cue.text) for cue in cues
            ),
        )
    )


async def _decode(context: UnitContext, spec: TranscribeSpec, *, sound: Path, pauses: Path) -> None:
    try:
        size = (await context.store.head(spec.key)).size_bytes
    except BlobMissingError as error:
        raise EncodeError(
            f"{spec.key} is gone", permanent=True, title_zh="课程的声音文件已被替换,请重新生成字幕"
        ) from error
    media = await open_key(context, spec.key, size_bytes=size, demuxer="mp4")
    argv = commands.decode_speech(
        context.programs.ffmpeg,
        source=media,
        rate_hz=SAMPLE_RATE_HZ,
        output=sound,
        pauses=pauses,
        pause_db=PAUSE_DB,
        pause_s=PAUSE_S,
    )
    await context.encode(argv, media_s=spec.duration_s, share=DECODE_SHARE)
