"""How texts are compared: one folded form, and the runs it falls into. Pure. No I/O, no clock.

Folding makes equal what people type for the same thing: full and half width (NFKC), capitals,
accents of Latin letters, traditional and simplified characters (character by character, so that a
piece of a word folds like the whole word). Everything that is no letter or digit becomes a space.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from html import unescape
from typing import Final

from opencc import OpenCC

MAX_WORD_CHARS: Final = 40  # Longer "words" are addresses and noise; their beginning is enough.
# Within names of people (阿拉腾·乌拉) the dot is written or not, in several ways.
_DOTS: Final = frozenset("·•・･‧⋅\u30fb\uff65")
_DROPPED: Final = frozenset({"Mn", "Mc", "Me", "Cf", "Cs"})  # Marks, joiners, lone surrogates.
_LAST_ACCENTED: Final = 0x052F  # Latin, Greek, Cyrillic: a letter without its accent is the same.
_LAST_KEPT: Final = 0x2FFFF  # Beyond it nothing is remembered: bounds the memory of the table.
# Scripts without spaces between words: Han, Kana, Bopomofo; Hangul is looked for by pieces, too.
_HAN: Final = (
    "\u3005\u3007\u3041-\u3096\u30a1-\u30fa\u30fc-\u30ff\u3105-\u312f\u31a0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3\uf900-\ufaff\U00020000-\U0003ffff"
)
_RUN: Final = re.compile(rf"([{_HAN}]+)|([^\W_{_HAN}]+)")
_TAG: Final = re.compile(r"<[^<>]*>")
_IS_HAN: Final = re.compile(rf"[{_HAN}]")


@dataclass(frozen=True, slots=True)
class Run:
    """Neighbouring characters of a folded text of one sort: Han and the like, or a word."""

    text: str
    is_han: bool


class _Folding(dict[int, str]):
    """What a character becomes, worked out when it is first met."""

    def __init__(self) -> None:
        super().__init__()
        self._simplify = OpenCC("t2s").convert

    def __missing__(self, code: int) -> str:
        folded = self._fold(chr(code))
        if code <= _LAST_KEPT:
            self[code] = folded
        return folded

    def _fold(self, char: str) -> str:
        if char in _DOTS or unicodedata.category(char) in _DROPPED:
            return ""
        whole = unicodedata.normalize("NFKD", char)
        if any(ord(part) > _LAST_ACCENTED for part in whole if not unicodedata.combining(part)):
            whole = unicodedata.normalize("NFKC", char)
        kept = "".join(part for part in whole if unicodedata.category(part) not in _DROPPED)
        simple = self._simplify(kept.casefold())
        return "".join(part if part.isalnum() else " " for part in simple)


@lru_cache(maxsize=1)
def _get_folding() -> _Folding:
    return _Folding()


def load_tables_blocking() -> None:
    """Read the tables of simplified characters from disk, once; later calls find them there."""
    fold("黨")


def fold(text: str) -> str:
    """Fold any text; the result holds letters, digits and spaces only."""
    return unicodedata.normalize("NFC", text).translate(_get_folding())


def squeeze(text: str) -> str:
    """Fold, with single spaces only where two words would otherwise grow together."""
    return join_runs(run.text for run in split_runs(fold(text)))


def join_runs(texts: Iterator[str]) -> str:
    """Join folded texts as they are spoken: Han to Han directly, words with a space."""
    joined = ""
    for text in texts:
        needs_space = joined and text and not (is_han(joined[-1]) and is_han(text[0]))
        joined += f" {text}" if needs_space else text
    return joined


@lru_cache(maxsize=1 << 16)
def is_han(char: str) -> bool:
    """Tell whether a folded character belongs to a script without spaces."""
    return _IS_HAN.match(char) is not None


def split_runs(folded: str) -> Iterator[Run]:
    """Split a folded text into runs; words are split where Latin meets Han."""
    for match in _RUN.finditer(folded):
        if match[1]:
            yield Run(match[1], is_han=True)
        else:
            yield Run(match[2][:MAX_WORD_CHARS], is_han=False)


def fold_aligned(text: str) -> tuple[str, list[int]]:
    """Fold ``text`` and tell where each character came from.

    Args:
        text: In NFC; positions mean nothing otherwise.

    Returns:
        The folded text, and for each of its characters the index of the one it was made of.
    """
    table = _get_folding()
    folded: list[str] = []
    origins: list[int] = []
    for index, char in enumerate(text):
        made = table[ord(char)]
        folded.append(made)
        origins.extend([index] * len(made))
    return "".join(folded), origins


def strip_markup(html: str) -> str:
    """Return the words of sanitised HTML; tags part them."""
    return unescape(_TAG.sub(" ", html))
