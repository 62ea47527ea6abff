"""The tokens under which a document is found. Pure. No I/O, no clock.

The same words on both databases: of Han runs all pieces of two and three characters and the last
character (a single one is looked for as the beginning of a token), words as they are. Punctuation
between Han does not count. A position is not kept: three characters in a row are exact, longer
runs are all of their pieces.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from vod.search.sounds import list_sounds
from vod.search.text import split_runs, squeeze

VERSION: Final = 1  # Raise it when the same text yields other tokens: everything is indexed again.
PIECE_CHARS: Final = 3


def list_tokens(folded: str) -> Iterator[str]:
    """Yield the tokens of a folded text; the same one may come twice."""
    for run in split_runs(folded):
        if not run.is_han:
            yield run.text
            continue
        text = run.text
        yield text[-1]
        for length in range(2, PIECE_CHARS + 1):
            yield from (text[at : at + length] for at in range(len(text) - length + 1))


def build_tokens(texts: Iterable[str]) -> tuple[str, ...]:
    """Tokens of texts of one field, each once, in a fixed order."""
    return tuple(sorted({token for text in texts for token in list_tokens(squeeze(text))}))


def build_sounds(texts: Iterable[str]) -> tuple[str, ...]:
    """Tokens of how names and titles sound, each once, in a fixed order."""
    return tuple(sorted({token for text in texts for token in list_sounds(text)}))


def build_speech_tokens(folded: str) -> tuple[str, ...]:
    """Tokens of what is said, from the squeezed text of all cues."""
    return tuple(sorted(set(list_tokens(folded))))
