from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.captions import Cue, clean_text, measure_width, split_cue, split_for_width
from kernel.captions.breaks import _choose_ends, _halve, _tokenise
from kernel.captions.width import MAX_LATIN_WIDTH, MAX_WIDTH, choose_limit, fits, wrap_text

MIXED = st.text(
    alphabet=st.sampled_from(list("党员同志学习的，。！？《》（）“” \nabcXYZ019.-/'…—é")),
    max_size=300,
)


def squeeze(text: str) -> str:
    return re.sub(r"\s+", "", text)


@given(MIXED | st.text(max_size=120))
def test_every_line_fits_and_no_character_is_lost(text: str) -> None:
    text = clean_text(text)
    if not text:
        return
    parts = split_cue(Cue(0, 60_000, text))
    limit = choose_limit(text)
    for part in parts:
        lines = part.text.split("\n")
        assert len(lines) <= 2
        assert all(measure_width(line) <= limit for line in lines)
    assert squeeze("".join(part.text for part in parts)) == squeeze(text)
    assert parts[0].start_ms == 0
    assert parts[-1].end_ms == 60_000
    assert all(a.end_ms == b.start_ms for a, b in pairwise(parts))
    assert all(part.start_ms < part.end_ms for part in parts)


@given(st.lists(MIXED.map(clean_text).filter(bool), max_size=4))
def test_splitting_again_changes_nothing(texts: list[str]) -> None:
    cues = [Cue(n * 10_000, n * 10_000 + 9_000, text) for n, text in enumerate(texts)]
    once = split_for_width(cues)
    assert all(fits(cue.text) for cue in once)
    assert split_for_width(once) == once


def test_what_fits_stays_as_its_author_broke_it() -> None:
    cue = Cue(0, 1000, "短\n也短")
    assert split_cue(cue) == (cue,)


def test_sentences_and_titles_stay_together() -> None:
    text = (
        "各位党员同志，大家好。今天我们学习《中国共产党纪律处分条例》的主要内容，一共讲三个方面。"
    )
    screens = wrap_text(text)
    lines = [line for screen in screens for line in screen.split("\n")]
    assert any("《中国共产党纪律处分条例》" in line for line in lines)
    assert not any(line[0] in "，。》、！？" or line[-1] in "《“（" for line in lines)


def test_latin_words_stay_whole_and_may_be_wider() -> None:
    text = "The accessibility requirements of GB/T 37668-2019 were published by the standards body."
    lines = [line for screen in wrap_text(text) for line in screen.split("\n")]
    assert " ".join(lines) == text
    assert max(map(len, lines)) > MAX_WIDTH
    assert max(map(len, lines)) <= MAX_LATIN_WIDTH


def test_lines_of_latin_are_joined_with_a_space_and_of_han_without() -> None:
    assert wrap_text("one\ntwo\nthree") == ["one two three"]
    assert wrap_text("第一\n第二\n第三") == ["第一第二第三"]


def test_a_word_longer_than_a_line_is_cut() -> None:
    lines = [line for screen in wrap_text("见 www." + "a" * 60) for line in screen.split("\n")]
    assert lines[0] == "见"
    assert [len(line) for line in lines[1:]] == [36, 28]


def test_time_is_shared_by_width() -> None:
    text = "一" * 17 + "。" + "二" * 17 + "。" + "三" * 17 + "。"
    first, second = split_cue(Cue(0, 9000, text))
    assert (first.start_ms, first.end_ms, second.end_ms) == (0, 6000, 9000)


def test_a_cue_of_a_moment_is_not_split_into_nothing() -> None:
    parts = split_cue(Cue(0, 2, "字" * 200))
    assert len(parts) == 1
    assert squeeze(parts[0].text) == "字" * 200


@pytest.mark.parametrize(
    ("text", "width"), [("abc", 3), ("党员", 4), ("Ａ１", 4), ("é", 1), ("e\u0301", 1), ("“好”", 6)]
)
def test_widths(text: str, width: int) -> None:
    assert measure_width(text) == width


@given(st.text(alphabet="的一是在和与，。、！《》（）“” \n.,ab1-\u0301", min_size=20, max_size=60))
def test_the_short_way_for_one_screen_finds_what_the_long_one_does(text: str) -> None:
    limit = choose_limit(text)
    tokens = _tokenise(text, limit)
    assert _halve(tokens, limit) in (None, _choose_ends(tokens, limit))


def test_the_short_way_is_taken_for_usual_captions() -> None:
    text = "我们今天来学习第三章的内容,请大家打开书本翻到四十二页"
    tokens = _tokenise(text, MAX_WIDTH)
    assert _halve(tokens, MAX_WIDTH) is not None
