"""The port: what listens to sound and writes down what was said. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

SAMPLE_RATE_HZ: Final = 16_000  # What speech models are trained on.


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of sound with somebody speaking in it; ``[start_ms, end_ms)``."""

    start_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True)
class Token:
    """A character, a word or a part of one, and when it begins.

    Attributes:
        text: A leading space begins a new word of a script that has words.
    """

    start_ms: int
    text: str


@dataclass(frozen=True, slots=True)
class Heard:
    """What was said in one piece."""

    piece: Piece
    tokens: tuple[Token, ...]


class Transcriber(Protocol):
    """Writes down what is said.

    Attributes:
        name: Of the model, for people.
    """

    name: str

    async def transcribe(
        self, sound: Path, pieces: Sequence[Piece], *, language: str
    ) -> tuple[Heard, ...]:
        """Listen to every piece.

        Args:
            sound: Raw samples, 16 kHz, one channel, signed 16 bit, native byte order.
            pieces: Ascending, not overlapping.
            language: BCP 47 tag of what is spoken; it is told, never guessed.

        Raises:
            EncodeError: Permanent: the model cannot be opened or does not know the language.

        Cancelling it stops the work at once.
        """
