"""The adapter: sherpa-onnx in a process of its own, under the same limits as ffmpeg."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from kernel.errors import EncodeError
from transcode.context import UnitContext
from transcode.transcriber import child
from transcode.transcriber.models import SpeechModel
from transcode.transcriber.port import Heard, Piece, Token

MAX_THREADS: Final = 4  # More do not make a small model quicker.
MAX_TOKENS_COUNT: Final = 2_000  # Of one piece; twenty seconds hold some 150.
WORD_START: Final = "\u2581"  # SentencePiece writes a space like this.
NOT_INSTALLED: Final = "没有安装语音识别组件 sherpa-onnx,请管理员按说明安装"


def is_installed() -> bool:
    """Tell whether the optional package is there, without loading it."""
    return importlib.util.find_spec("sherpa_onnx") is not None


class SherpaTranscriber:
    """A SenseVoice or Paraformer model behind the ``Transcriber`` port.

    Args:
        share: Which part of the unit's progress the listening is.
    """

    def __init__(
        self, context: UnitContext, model: SpeechModel, *, share: tuple[float, float]
    ) -> None:
        self.name = model.name
        self._context = context
        self._model = model
        self._share = share

    async def transcribe(
        self, sound: Path, pieces: Sequence[Piece], *, language: str
    ) -> tuple[Heard, ...]:
        """Listen to every piece; see the port."""
        word = self._model.choose_language(language)
        if not is_installed():
            raise EncodeError("sherpa_onnx is missing", permanent=True, title_zh=NOT_INSTALLED)
        if not pieces:
            return ()
        folder = self._context.folder
        listing, output = folder / "pieces.json", folder / "heard.jsonl"
        text = json.dumps([[piece.start_ms, piece.end_ms] for piece in pieces])
        await asyncio.to_thread(listing.write_text, text, "ascii")
        try:
            await self._context.encode(
                self._build_command(word, sound, listing, output),
                media_s=pieces[-1].end_ms / 1000,
                share=self._share,
            )
        except EncodeError as error:
            if await asyncio.to_thread(output.exists):
                raise
            # It ended before the model stood.
            raise EncodeError(
                f"the model does not load: {error}",
                permanent=True,
                title_zh="语音识别模型打不开,请管理员检查模型文件",
            ) from error
        return parse_heard(await asyncio.to_thread(output.read_text, "utf-8"), pieces)

    def _build_command(self, word: str, sound: Path, listing: Path, output: Path) -> list[str]:
        cores = self._context.programs.cores or tuple(range(os.cpu_count() or 1))
        model = self._model
        return [
            *(sys.executable, "-I", str(Path(child.__file__).resolve())),
            *(model.kind, str(model.model), str(model.tokens), word),
            *(str(min(MAX_THREADS, len(cores))), str(sound), str(listing), str(output)),
        ]


def parse_heard(text: str, pieces: Sequence[Piece]) -> tuple[Heard, ...]:
    """Read what the child wrote, one line per piece. Pure.

    Raises:
        EncodeError: It wrote something else.
    """
    lines = text.splitlines()
    if len(lines) != len(pieces):
        raise EncodeError(f"{len(lines)} answers for {len(pieces)} pieces")
    try:
        return tuple(
            Heard(piece, _read_tokens(json.loads(line), piece))
            for piece, line in zip(pieces, lines, strict=True)
        )
    except (ValueError, KeyError, TypeError) as error:
        raise EncodeError(f"an answer is not understood: {error}") from error


def _read_tokens(answer: dict[str, Any], piece: Piece) -> tuple[Token, ...]:
    tokens: list[Token] = []
    starts = answer["starts_s"]
    for number, text in enumerate(answer["tokens"][:MAX_TOKENS_COUNT]):
        offset_s = float(starts[number]) if number < len(starts) else 0.0
        start = piece.start_ms + round(offset_s * 1000)
        # Times never go back and stay inside the piece.
        floor = tokens[-1].start_ms if tokens else piece.start_ms
        tokens.append(Token(min(max(start, floor), piece.end_ms), _read_text(str(text))))
    return tuple(tokens)


def _read_text(token: str) -> str:
    """``▁hello`` begins a word; ``hel@@`` goes on in the next token."""
    if token.endswith("@@"):
        return token[:-2]
    return token.replace(WORD_START, " ")
