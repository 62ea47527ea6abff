"""Where in a text the words of a query are: marks, snippets, moments of a lecture. Pure.

Marks are half-open ranges of characters (Unicode code points) of the text they come with, never
markup: whoever shows them cuts the text.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from vod.search.query import MIN_PREFIX_CHARS, Query, Term
from vod.search.speech import SpokenText
from vod.search.text import fold_aligned, is_han

MAX_MOMENTS: Final = 3  # Shown per lecture.
MAX_PLACES: Final = 2_000  # Of one term in one lecture; what is said that often needs no more.
SNIPPET_CHARS: Final = 60
LEAD_CHARS: Final = 20  # What comes before the first mark.
MAX_SUMMARY_CHARS: Final = 2_000  # Of a description, marked character by character.
MIN_CUE_CHARS: Final = 12  # A shorter cue is shown with what follows.

Mark = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Marked:
    """A text and what of it was looked for."""

    text: str
    marks: tuple[Mark, ...]


@dataclass(frozen=True, slots=True)
class Moment:
    """A place in a lecture, in the time of what plays."""

    start_ms: int
    snippet: Marked


def mark(text: str, query: Query) -> Marked:
    """Mark all of a query's words in a text."""
    text = unicodedata.normalize("NFC", text)
    folded, origins = fold_aligned(text)
    places = _pass_over(folded)
    squeezed = "".join(folded[at] for at in places)
    marks = [
        (origins[places[start]], origins[places[end - 1]] + 1)
        for needle in query.needles
        for start, end in find_places(squeezed, needle)
    ]
    return Marked(text, _merge(marks))


def _pass_over(folded: str) -> list[int]:
    """Places of all characters but the spaces between Han, which the index does not know."""
    places: list[int] = []
    spaces: list[int] = []
    for at, char in enumerate(folded):
        if char == " ":
            spaces.append(at)
            continue
        is_within = places and is_han(folded[places[-1]]) and is_han(char)
        places.extend([] if is_within else spaces)
        places.append(at)
        spaces.clear()
    return places


def _merge(marks: Sequence[Mark]) -> tuple[Mark, ...]:
    merged: list[Mark] = []
    for start, end in sorted(marks):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return tuple(merged)


def find_places(folded: str, needle: str) -> Iterator[Mark]:
    """Find a needle in folded text: words from where they begin, Han anywhere."""
    if is_han(needle[0]):
        pattern = re.escape(needle)
    else:
        ends = "" if len(needle) >= MIN_PREFIX_CHARS else r"(?![^\W_])"
        pattern = rf"(?<![^\W_\u2e80-\U0003ffff]){re.escape(needle)}{ends}"
    for count, match in enumerate(re.finditer(pattern, folded)):
        if count >= MAX_PLACES:
            return
        yield match.span()


def cut_snippet(text: str, query: Query) -> Marked | None:
    """Cut the stretch around the first mark out of a long text; ``None`` when nothing is marked."""
    flat = " ".join(text[:MAX_SUMMARY_CHARS].split())
    marked = mark(flat, query)
    if not marked.marks:
        return None
    return _cut(marked)


def _cut(marked: Marked) -> Marked:
    if len(marked.text) <= SNIPPET_CHARS:
        return marked
    first = max(0, min(marked.marks[0][0] - LEAD_CHARS, len(marked.text) - SNIPPET_CHARS))
    last = min(len(marked.text), first + SNIPPET_CHARS)
    before, after = "…" if first else "", "…" if last < len(marked.text) else ""
    marks = tuple(
        (max(start, first) - first + len(before), min(end, last) - first + len(before))
        for start, end in marked.marks
        if start < last and end > first
    )
    return Marked(before + marked.text[first:last] + after, marks)


def find_cues(folded: Sequence[str], query: Query) -> list[int]:
    """Numbers of the cues to jump to: most of the terms first, then in the order they are said.

    A term that runs over several cues counts where it begins.
    """
    if not folded:
        return []
    spoken = SpokenText(folded)
    terms: defaultdict[int, set[int]] = defaultdict(set)
    for number, term in enumerate(query.terms):
        for place in _find_term(spoken.text, term):
            terms[spoken.find_cue(place)].add(number)
    return sorted(terms, key=lambda cue: (-len(terms[cue]), cue))


def _find_term(text: str, term: Term) -> Iterator[int]:
    for needle in term.needles:
        yield from (start for start, _ in find_places(text, needle))


def build_moment(cues: Sequence[tuple[int, str]], number: int, query: Query) -> Moment:
    """Build the moment of one cue, with what follows when it is short or the match runs on."""
    start_ms, text = cues[number]
    marked = mark(text, query)
    following = number + 1
    while following < len(cues) and following < number + 3 and _is_cut_off(marked):
        text = _join(text, cues[following][1])
        marked = mark(text, query)
        following += 1
    return Moment(start_ms, _cut(marked))


def _is_cut_off(marked: Marked) -> bool:
    return not marked.marks or len(marked.text) < MIN_CUE_CHARS


def _join(text: str, following: str) -> str:
    joins = text and following and is_han(text[-1]) and is_han(following[0])
    return text + following if joins else f"{text} {following}"
