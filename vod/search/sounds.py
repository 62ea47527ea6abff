"""How names and titles sound: pinyin syllables and initials. Pure. No I/O, no clock.

A member types ``caoyuan``, ``cao yuan`` or ``cysddq`` for 草原上的党旗. Each run of Han characters
yields what it sounds like from every syllable on, so that a token that begins with what was typed
is enough to find it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice, pairwise, product
from typing import Any, Final

from pypinyin import Style, lazy_pinyin, pinyin

from vod.search.text import fold, split_runs

MAX_SYLLABLES: Final = 8  # A token goes on so far from where it begins.
MAX_INITIALS: Final = 12
MAX_NAME_CHARS: Final = (
    4  # Up to here a run may be a person's name, where readings differ (单, 曾).
)
MAX_READINGS: Final = 8  # Of one name.
MAX_RUN_CHARS: Final = 64  # Titles have at most 200; their first words are what people remember.


def list_sounds(text: str) -> Iterator[str]:
    """Yield the tokens of a name or title; the same one may come twice."""
    for run in split_runs(fold(text)):
        if run.is_han:
            for syllables in _read(run.text[:MAX_RUN_CHARS]):
                yield from _list_starts(syllables)


def _list_starts(syllables: Sequence[str]) -> Iterator[str]:
    for first in range(len(syllables)):
        yield "".join(syllables[first : first + MAX_SYLLABLES])
        initials = "".join(syllable[0] for syllable in syllables[first : first + MAX_INITIALS])
        if len(initials) > 1:
            yield initials


def _read(han: str) -> Iterator[tuple[str, ...]]:
    """Yield the readings of a run: the likely one, and for names the others."""
    likely = tuple(_list_syllables(han))
    yield from _with_u(likely)
    if len(han) <= MAX_NAME_CHARS:
        options = pinyin(han, style=Style.NORMAL, heteronym=True, errors=_keep)
        several = product(*(dict.fromkeys(map(_spell, option)) for option in options))
        yield from (one for one in islice(several, MAX_READINGS) if one != likely)


def _list_syllables(han: str) -> list[str]:
    """List the likely syllables; what has no pinyin (Kana) stands for itself."""
    return [_spell(syllable) for syllable in lazy_pinyin(han, errors=_keep)]


def _keep(han: str) -> Any:  # The library takes a list, too; its types do not say so.
    return list(han)


def _spell(syllable: str) -> str:
    return fold(syllable).replace(" ", "") or "-"


def _with_u(syllables: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """绿 is typed ``lv`` on keyboards and written ``lü``, which folds to ``lu``."""
    yield syllables
    other = tuple(part.replace("v", "u") for part in syllables)
    if other != syllables:
        yield other


def spell(text: str) -> str:
    """What a text sounds like as a whole, for distances; words stand for themselves."""
    return "".join(
        "".join(_list_syllables(run.text)) if run.is_han else run.text
        for run in split_runs(fold(text))
    )


def spell_pieces(text: str) -> list[str]:
    """Neighbouring syllables in pairs, each the beginning of a token of :func:`list_sounds`."""
    pieces: list[str] = []
    for run in split_runs(fold(text)):
        if run.is_han:
            syllables = _list_syllables(run.text)
            pairs = ["".join(pair) for pair in pairwise(syllables)]
            pieces.extend(pairs or syllables)
    return pieces
