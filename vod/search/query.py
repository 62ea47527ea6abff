"""What somebody looks for, as an expression over tokens. Pure. No I/O, no clock.

Any text is a query: operators, quotes and punctuation are what they are to readers, spaces. All of
its terms must be there. Neither database's query language is seen outside of its adapter.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Final

from vod.search.text import Run, fold, split_runs
from vod.search.tokens import PIECE_CHARS

MAX_TERMS: Final = 8  # The rest of a longer text is not looked for.
MAX_RUN_CHARS: Final = 24  # A line from a lecture that somebody pasted; its beginning is enough.
MIN_PREFIX_CHARS: Final = 2  # From here on a word may go on: ``lect`` finds ``lecture``.
MIN_PART_CHARS: Final = 2
MAX_SPLIT_CHARS: Final = 12  # Longer runs are not taken apart in two places: 28 ways at most.


@dataclass(frozen=True, slots=True)
class Token:
    """A word of the index, or how it begins."""

    text: str
    is_prefix: bool = False


@dataclass(frozen=True, slots=True)
class Term:
    """One thing that must be there, in one of some ways.

    Attributes:
        ways: Each a set of tokens that must all be there.
        needles: What to mark in a folded text.
        in_speech: Whether captions are looked through, too; a single character is everywhere.
    """

    ways: tuple[tuple[Token, ...], ...]
    needles: tuple[str, ...]
    in_speech: bool = True


@dataclass(frozen=True, slots=True)
class Query:
    """All ``terms`` must be there.

    Attributes:
        key: The whole, folded, without spaces; what a title is compared with.
    """

    terms: tuple[Term, ...]
    key: str

    def __bool__(self) -> bool:
        return bool(self.terms)

    @property
    def needles(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(needle for term in self.terms for needle in term.needles))


def parse_query(text: str) -> Query:
    """Read a query; of punctuation only, it is empty and finds nothing."""
    runs = _read_runs(text)
    return Query(tuple(_build_term(run) for run in runs), _build_key(runs))


def relax(text: str) -> Query:
    """Read a query so that runs may fall apart: 草原党旗 finds 草原上的党旗."""
    runs = _read_runs(text)
    return Query(tuple(_build_loose_term(run) for run in runs), _build_key(runs))


def parse_key(text: str) -> str:
    """Fold a whole title for comparing it with a whole query."""
    return "".join(run.text for run in split_runs(fold(text)))


def _read_runs(text: str) -> list[Run]:
    runs = dict.fromkeys(
        Run(run.text[:MAX_RUN_CHARS], run.is_han) if run.is_han else run
        for run in split_runs(fold(text))
    )
    return list(runs)[:MAX_TERMS]


def _build_key(runs: list[Run]) -> str:
    return "".join(run.text for run in runs)


def _build_term(run: Run) -> Term:
    if not run.is_han:
        return Term(((Token(run.text, len(run.text) >= MIN_PREFIX_CHARS),),), (run.text,))
    is_single = len(run.text) == 1
    return Term((tuple(_cut(run.text)),), (run.text,), in_speech=not is_single)


def _cut(han: str) -> Iterator[Token]:
    """Cut a run into the longest pieces that the index has."""
    if len(han) == 1:
        yield Token(han, is_prefix=True)
        return
    length = min(PIECE_CHARS, len(han))
    pieces = dict.fromkeys(han[at : at + length] for at in range(len(han) - length + 1))
    yield from map(Token, pieces)


def _build_loose_term(run: Run) -> Term:
    if not run.is_han or len(run.text) < 2 * MIN_PART_CHARS:
        return _build_term(run)
    splits = list(_split(run.text))
    ways = dict.fromkeys(
        tuple(dict.fromkeys(token for part in parts for token in _cut(part))) for parts in splits
    )
    needles = dict.fromkeys(part for parts in splits for part in parts)
    return Term(tuple(ways), tuple(sorted(needles, key=len, reverse=True)))


def _split(han: str) -> Iterator[tuple[str, ...]]:
    """Split a run in one or two places into parts of two characters at least."""
    most = 2 if len(han) <= MAX_SPLIT_CHARS else 1
    for count in range(1, most + 1):
        for places in combinations(range(MIN_PART_CHARS, len(han) - MIN_PART_CHARS + 1), count):
            bounds = (0, *places, len(han))
            parts = tuple(han[a:b] for a, b in pairwise(bounds))
            if all(len(part) >= MIN_PART_CHARS for part in parts):
                yield parts
