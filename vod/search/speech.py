"""What is said in a caption track: packed for the database, and found again. Pure.

Cues follow each other as one text, since a sentence often runs over several of them; a place in it
leads back to its cue.
"""

from __future__ import annotations

import json
import zlib
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, zip_longest
from typing import Final

from kernel.captions import Cue
from vod.search.text import is_han, squeeze

MAX_SPEECH_CHARS: Final = 60_000  # Of all tracks of a lecture: five hours of speech. PostgreSQL
# holds 1 MB of tokens per document, which this much text never reaches.
LEVEL: Final = 6


@dataclass(frozen=True, slots=True)
class Speech:
    """One track's cues as ``(start_ms, text)``, and their squeezed texts."""

    cues: tuple[tuple[int, str], ...]
    folded: tuple[str, ...]

    @property
    def chars_count(self) -> int:
        return sum(map(len, self.folded))


def read_speech(cues: Iterable[Cue], *, most_chars: int) -> Speech:
    """Fold cues of what plays until ``most_chars`` are reached."""
    kept: list[tuple[int, str]] = []
    folded: list[str] = []
    for cue in cues:
        text = squeeze(cue.text)
        if (most_chars := most_chars - len(text)) < 0:
            break
        if text:
            kept.append((cue.start_ms, " ".join(cue.text.split("\n"))))
            folded.append(text)
    return Speech(tuple(kept), tuple(folded))


def pack_cues(speech: Speech) -> bytes:
    return zlib.compress(json.dumps(speech.cues, ensure_ascii=False).encode(), LEVEL)


def unpack_cues(packed: bytes) -> list[tuple[int, str]]:
    return [(start_ms, text) for start_ms, text in json.loads(zlib.decompress(packed))]


def pack_folded(speech: Speech) -> bytes:
    return zlib.compress("\n".join(speech.folded).encode(), LEVEL)


def unpack_folded(packed: bytes) -> list[str]:
    text = zlib.decompress(packed).decode()
    return text.split("\n") if text else []


class SpokenText:
    """The squeezed texts of all cues as one, with the way back to each."""

    def __init__(self, folded: Sequence[str]) -> None:
        pieces = list(_space(folded))
        self.text = "".join(pieces)
        self._starts = [0, *accumulate(map(len, pieces))]

    def find_cue(self, place: int) -> int:
        """Number of the cue in which the character at ``place`` is."""
        return bisect_right(self._starts, place) - 1


def _space(folded: Sequence[str]) -> Iterable[str]:
    """Put a space after a cue unless Han follows Han."""
    for text, following in zip_longest(folded, folded[1:], fillvalue=""):
        joins = following and is_han(text[-1]) and is_han(following[0])
        yield text if joins or not following else f"{text} "
