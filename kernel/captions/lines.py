"""Subtitle texts -> raw cues: SubRip, WebVTT, SubStation Alpha. Pure, linear in the text, total.

Each reader takes any text and yields what it can read, in the order of the file; times are as they
stand there (negative, reversed, overlapping), ``repair_cues`` makes sense of them. Styling goes.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import Final

from kernel.captions.cues import Cue

_CLOCK: Final = (
    r"(-?)(?:(\d{1,4})\s?[:：]\s?)?(\d{1,3})\s?[:：]\s?(\d{1,3})(?:\s?[,.，。:]\s?(\d{1,3}))?"
)
_TIMING: Final = re.compile(rf"^\s*{_CLOCK}\s*-{{1,2}}>\s*{_CLOCK}(?:\s|$)")
_NUMBER: Final = re.compile(r"^\s*\d{1,9}\s*$")
_TAG: Final = re.compile(r"</?[A-Za-z][^<>]{0,500}>|</?[ibuc]>|<\d[\d:.]{4,14}>")
_OVERRIDE: Final = re.compile(r"\{[^{}]{0,4000}\}")
_OVERRIDE_IN_SRT: Final = re.compile(r"\{\\[^{}]{0,400}\}|^\{[yY]:[^{}]{0,20}\}")
_DRAWING: Final = re.compile(r"\\p[1-9]")
_SKIPPED_BLOCK: Final = re.compile(r"^(NOTE|STYLE|REGION)(\s|$)")
_ASS_TIME: Final = re.compile(r"^\s*(-?)(\d{1,4}):(\d{1,2}):(\d{1,2})(?:[.:,](\d{1,3}))?\s*$")
_ASS_COLUMNS: Final = (
    "layer", "start", "end", "style", "name", "marginl", "marginr", "marginv", "effect", "text",
)  # fmt: skip


def read_srt(text: str) -> Iterator[Cue]:
    """Read SubRip; comma or point, missing numbers and blank lines inside a cue are all in use."""
    lines = text.splitlines()
    timings = [(n, found) for n, line in enumerate(lines) if (found := _TIMING.match(line))]
    ends = [n for n, _ in timings[1:]] + [len(lines)]
    for (number, timing), end in zip(timings, ends, strict=False):  # Without timings: nothing.
        body = [line for line in lines[number + 1 : end] if line.strip()]
        if end < len(lines) and body and _NUMBER.match(body[-1]):
            body.pop()  # The number of the next cue.
        yield _make_cue(timing, strip_tags(_OVERRIDE_IN_SRT.sub("", "\n".join(body))))


def read_vtt(text: str) -> Iterator[Cue]:
    """Read WebVTT: blocks between blank lines; notes, styles, regions and settings are left out."""
    for block in _split_blocks(text):
        if _SKIPPED_BLOCK.match(block[0]):
            continue
        for number, line in enumerate(block[:2]):  # The first line may be an identifier.
            if timing := _TIMING.match(line):
                yield _make_cue(timing, strip_tags("\n".join(block[number + 1 :])))
                break


def read_ass(text: str) -> Iterator[Cue]:
    """Read the dialogue of ASS and SSA; comments, drawings and attached fonts are left out."""
    columns: tuple[str, ...] = _ASS_COLUMNS
    is_events = False
    for line in text.splitlines():
        if line.startswith("[") and line.rstrip().endswith("]"):
            is_events = line.strip().casefold() == "[events]"
        elif is_events and line.startswith("Format:"):
            named = tuple(name.strip().casefold() for name in line[7:].split(","))
            columns = named if {"start", "end", "text"} <= set(named) else columns
        elif is_events and line.startswith("Dialogue:"):
            fields = dict(zip(columns, line[9:].split(",", len(columns) - 1), strict=False))
            start, end = _ass_ms(fields.get("start", "")), _ass_ms(fields.get("end", ""))
            body = fields.get("text", "")
            if start is not None and end is not None and not _DRAWING.search(body):
                yield Cue(start, end, read_ass_text(body))


def read_ass_text(body: str) -> str:
    """Reduce the text column to what is read: override codes go, line breaks stay."""
    plain = _OVERRIDE.sub("", body)
    return plain.replace("\\N", "\n").replace("\\n", "\n").replace("\\h", " ")


def strip_tags(text: str) -> str:
    """Drop ``<b>``, ``<font ...>``, ``<v Name>``, time stamps of karaoke; decode ``&amp;``."""
    return html.unescape(_TAG.sub("", text)).replace("\u200e", "").replace("\u200f", "")


def _split_blocks(text: str) -> Iterator[list[str]]:
    block: list[str] = []
    for line in text.splitlines():
        if line.strip():
            block.append(line)
        elif block:
            yield block
            block = []
    if block:
        yield block


def _make_cue(timing: re.Match[str], text: str) -> Cue:
    parts = timing.groups()
    return Cue(_clock_ms(parts[:5]), _clock_ms(parts[5:]), text)


def _clock_ms(parts: tuple[str | None, ...]) -> int:
    sign, hours, minutes, seconds, fraction = parts
    whole_s = (int(hours or 0) * 60 + int(minutes or 0)) * 60 + int(seconds or 0)
    total_ms = whole_s * 1000 + int((fraction or "0").ljust(3, "0"))
    return -total_ms if sign else total_ms


def _ass_ms(value: str) -> int | None:
    found = _ASS_TIME.match(value)
    return None if found is None else _clock_ms(found.groups())
