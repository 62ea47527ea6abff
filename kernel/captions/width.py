"""Break captions for the width of a Chinese picture: two lines of 18 full-width characters. Pure.

Widths are in half characters: a Han character or full-width sign is two, anything else one. Text
without any full-width character may be a little wider, since Latin letters are narrow. Where lines
end is for ``breaks`` to say.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from kernel.captions.breaks import FULL_WIDTH, break_text, char_width, measure_width
from kernel.captions.cues import MAX_CUES_COUNT, Cue

MAX_LINES_COUNT: Final = 2
MAX_WIDTH: Final = 36  # 18 full-width characters.
MAX_LATIN_WIDTH: Final = 42  # The usual limit for Latin script; as wide as the above on screen.


def choose_limit(text: str) -> int:
    """Width of a line for this text."""
    is_narrow = text.isascii() or FULL_WIDTH not in map(char_width, text)
    return MAX_LATIN_WIDTH if is_narrow else MAX_WIDTH


def split_for_width(cues: Iterable[Cue]) -> tuple[Cue, ...]:
    """Break every cue that is too wide or too high into cues of at most two lines that fit.

    What fits stays as its author broke it. A cue that becomes several shares its time among them
    by the width of their text. Idempotent; no character but white space is lost. Where the parts
    would be more than a track may have, all cues stay as they are.

    Cost: about 0.1 ms a cue that is broken; for whole tracks call it in a thread.
    """
    whole = tuple(cues)
    parts: list[Cue] = []
    for cue in whole:
        parts += split_cue(cue)
        if len(parts) > MAX_CUES_COUNT:
            return whole
    return tuple(parts)


def split_cue(cue: Cue) -> tuple[Cue, ...]:
    """Break one cue; see ``split_for_width``."""
    if fits(cue.text):
        return (cue,)
    screens = wrap_text(cue.text)
    total_ms = cue.end_ms - cue.start_ms
    if len(screens) > total_ms:  # Less than a millisecond each: a broken cue, shown as it is.
        return (Cue(cue.start_ms, cue.end_ms, "\n".join(screens)),) if screens else ()
    weights = [max(1, measure_width(screen.replace("\n", ""))) for screen in screens]
    edges = _share_out(total_ms, weights)
    return tuple(
        Cue(cue.start_ms + edges[n], cue.start_ms + edges[n + 1], screen)
        for n, screen in enumerate(screens)
    )


def fits(text: str) -> bool:
    """Tell whether a text shows as it is."""
    lines = text.split("\n")
    limit = choose_limit(text)
    return len(lines) <= MAX_LINES_COUNT and all(measure_width(line) <= limit for line in lines)


def wrap_text(text: str) -> list[str]:
    """Break a text into screens of one or two lines, at the places that cost least."""
    return break_text(text, choose_limit(text))


def _share_out(total_ms: int, weights: Sequence[int]) -> list[int]:
    """Return strictly growing edges from 0 to ``total_ms``, in proportion to the weights."""
    whole = sum(weights)
    edges, done = [0], 0
    for number, weight in enumerate(weights):
        done += weight
        left = len(weights) - number - 1  # Those after this one need a millisecond each.
        edges.append(min(total_ms - left, max(edges[-1] + 1, total_ms * done // whole)))
    return edges
