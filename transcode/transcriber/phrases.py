"""What was heard -> captions: phrases that end where a listener breathes. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from kernel.captions import MAX_CUES_COUNT, Cue, clean_text, measure_width, split_for_width
from transcode.transcriber.port import Heard, Token

MAX_PHRASE_WIDTH: Final = 64  # Two lines of 18 full-width characters, with room for the break.
MAX_PHRASE_MS: Final = 7_000
PAUSE_MS: Final = 700  # Between two tokens: the speaker stopped.
TAIL_MS: Final = 500  # How long the last token of a phrase is heard.
MIN_CUE_MS: Final = 800
SHORT_WIDTH: Final = 12  # A sentence of fewer characters shares its cue with the next one.
_ENDS: Final = tuple("。！？!?；")
_PAUSES: Final = tuple("，、：,:;—")


@dataclass(frozen=True, slots=True)
class _Phrase:
    """Tokens up to a punctuation mark or a pause."""

    start_ms: int
    last_ms: int
    text: str


def build_cues(heard: Iterable[Heard], *, duration_ms: int) -> tuple[Cue, ...]:
    """Make cues of at most two lines, in order, not overlapping, inside the lecture."""
    cues: list[Cue] = []
    for item in heard:
        phrases = list(_pack(list(_find_phrases(item.tokens))))
        for number, phrase in enumerate(phrases):
            following = phrases[number + 1].start_ms if number + 1 < len(phrases) else duration_ms
            end = min(max(phrase.last_ms + TAIL_MS, phrase.start_ms + MIN_CUE_MS), following)
            text = clean_text(phrase.text)
            if text.strip("".join(_ENDS + _PAUSES)) and end > phrase.start_ms:
                cues.append(Cue(phrase.start_ms, end, text))
    return split_for_width(_keep_order(cues))[:MAX_CUES_COUNT]


def _find_phrases(tokens: Sequence[Token]) -> Iterator[_Phrase]:
    held: list[Token] = []
    for token in tokens:
        if held and token.start_ms - held[-1].start_ms >= PAUSE_MS:
            yield _close(held)
            held = []
        held.append(token)
        if token.text.endswith(_ENDS + _PAUSES) or _is_full(held):
            yield _close(held)
            held = []
    if held:
        yield _close(held)


def _is_full(held: Sequence[Token]) -> bool:
    return measure_width("".join(token.text for token in held)) >= MAX_PHRASE_WIDTH


def _close(held: Sequence[Token]) -> _Phrase:
    text = "".join(token.text for token in held)
    return _Phrase(held[0].start_ms, held[-1].start_ms, text)


def _pack(phrases: Sequence[_Phrase]) -> Iterator[_Phrase]:
    """Put neighbours into one cue while both lines hold them and nobody has to wait."""
    held: _Phrase | None = None
    for phrase in phrases:
        if held is not None and _may_join(held, phrase):
            held = _Phrase(held.start_ms, phrase.last_ms, held.text + phrase.text)
            continue
        if held is not None:
            yield held
        held = phrase
    if held is not None:
        yield held


def _may_join(held: _Phrase, following: _Phrase) -> bool:
    is_finished = held.text.endswith(_ENDS) and measure_width(held.text) >= SHORT_WIDTH
    return (
        not is_finished
        and following.start_ms - held.last_ms < PAUSE_MS
        and following.last_ms - held.start_ms <= MAX_PHRASE_MS
        and measure_width(held.text + following.text) <= MAX_PHRASE_WIDTH
    )


def _keep_order(cues: Sequence[Cue]) -> Iterator[Cue]:
    """End each cue where the next one begins; token times of neighbouring pieces may cross."""
    clock = 0
    for number, cue in enumerate(cues):
        start = max(clock, cue.start_ms)
        end = cue.end_ms
        if number + 1 < len(cues):
            end = min(end, max(start + 1, cues[number + 1].start_ms))
        if end > start:
            yield Cue(start, end, cue.text)
            clock = end
