"""A whole track costs as much per cue as a short one: steps are counted, not seconds."""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from kernel.captions import (
    Cue,
    clean_text,
    cut_cues,
    parse_captions,
    render_webvtt,
    split_for_width,
)

SENTENCE = "我们先看这一页上的三个问题,然后回到上一讲留下的例子,把它们一一说清楚。"


def count_steps(work: Callable[[], object]) -> int:
    """Lines of Python that ``work`` runs through."""
    steps = 0

    def trace(_frame: FrameType, event: str, _argument: object) -> Any:
        nonlocal steps
        steps += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return steps


def make_cues(count: int) -> list[Cue]:
    return [Cue(1500 * n, 1500 * n + 1400, f"{n}{SENTENCE}") for n in range(count)]


def upload(count: int) -> Callable[[], object]:
    data = render_webvtt(make_cues(count)).encode()
    return lambda: render_webvtt(split_for_width(parse_captions(data, "a.vtt")))


def cut(count: int) -> Callable[[], object]:
    """As many cuts as cues."""
    kept = [(1500 * n + 700, 1500 * n + 2000) for n in range(0, count, 2)]
    cues = make_cues(count)
    return lambda: cut_cues(cues, kept)


@pytest.mark.parametrize("work", [upload, cut])
def test_steps_grow_with_the_cues_and_no_faster(
    work: Callable[[int], Callable[[], object]],
) -> None:
    work(20)()  # What is remembered between calls is remembered now.
    few, many = count_steps(work(50)), count_steps(work(400))
    assert few > 50
    assert 7 * few < many < 9 * few


def test_the_steps_of_cleaning_do_not_depend_on_the_length_of_a_text() -> None:
    assert count_steps(lambda: clean_text(SENTENCE)) == count_steps(
        lambda: clean_text(SENTENCE * 50)
    )


def test_cleaning_drops_what_unicode_calls_invisible() -> None:
    for code in (*range(0x3000), *range(0xD7F0, 0x10000), 0xE0001, 0xF0000, 0x10FFFD):
        char = chr(code)
        is_gone = unicodedata.category(char) in {"Cc", "Cs", "Co"} or char == "\ufeff"
        if char.isspace() or char in "\u2028\u2029":
            continue  # Spaces are spaces, line ends line ends.
        assert clean_text(f"一{char}二") == unicodedata.normalize(
            "NFC", "一二" if is_gone else f"一{char}二"
        ), hex(code)
