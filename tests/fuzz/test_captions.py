"""Subtitle files of strangers: any bytes become cues or a sentence, in bounded time."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.captions import check_cues, parse_captions, render_webvtt, split_for_width
from kernel.captions.encodings import MAX_FILE_BYTES
from kernel.captions.width import fits
from kernel.errors import InputError

SEEDS = (
    b"1\n00:00:01,000 --> 00:00:02,000\n<b>a</b>\n\n",
    "WEBVTT\n\n00:01.000 --> 00:02.000\n你好 &amp;\n".encode(),
    b"[Script Info]\n[Events]\nFormat: Start, End, Text\nDialogue: 0:00:01.00,0:00:02.00,{\\b1}a\n",
    "1\n00:00:01,000 --> 00:00:02,000\n党员同志\n".encode("gb18030"),
    "1\n00:00:01,000 --> 00:00:02,000\n党员同志\n".encode("utf-16"),
)


def check(data: bytes) -> None:
    try:
        cues = parse_captions(data, "a.srt")
    except InputError as error:
        assert error.title  # noqa: PT017 - anything else than our error fails the test by itself
        return
    assert check_cues(cues) == cues
    shown = split_for_width(cues)
    assert all(fits(cue.text) or cue.end_ms - cue.start_ms < 1000 for cue in shown)
    render_webvtt(shown).encode()


@given(st.binary(max_size=400))
def test_any_bytes(data: bytes) -> None:
    check(data)


@given(st.sampled_from(SEEDS), st.data())
def test_damaged_files(seed: bytes, data: st.DataObject) -> None:
    damaged = bytearray(seed * data.draw(st.integers(1, 3)))
    for _ in range(data.draw(st.integers(1, 6))):
        place = data.draw(st.integers(0, len(damaged) - 1))
        action = data.draw(st.sampled_from(["set", "cut", "copy"]))
        if action == "set":
            damaged[place] = data.draw(st.integers(0, 255))
        elif action == "cut":
            del damaged[place : place + data.draw(st.integers(1, 10))]
        else:
            damaged[place:place] = damaged[: data.draw(st.integers(1, 20))]
        if not damaged:
            return
    check(bytes(damaged))


PATTERNS = (
    b"<a",
    b"{",
    b"{\\b",
    b"&amp",
    b"00:00:01,000 --> ",
    b"1\n00:00:01,000 --> 00:00:02,000\n" + b"x" * 50,
    b"1\n00:00:01,000 --> 09:00:02,000\na\n\n",
    b"[Events]\nDialogue: ",
    "字".encode(),
    b"\n",
    b"<" + b"a" * 600,
    b"-" * 99 + b" ",
)


@pytest.mark.parametrize("pattern", PATTERNS, ids=range(len(PATTERNS)))
def test_hostile_repetition_takes_linear_time(pattern: bytes) -> None:
    whole = b"1\n00:00:01,000 --> 00:00:02,000\n" + pattern * (MAX_FILE_BYTES // len(pattern) - 1)
    started = time.process_time()
    check(whole[:MAX_FILE_BYTES])
    assert time.process_time() - started < 20
