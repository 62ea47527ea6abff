from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.captions import Cue, check_cues, clean_text, repair_cues
from kernel.captions.cues import MAX_AT_ONCE, MAX_CUE_CHARS, MAX_CUES_COUNT, MAX_TIME_MS
from kernel.errors import InputError

TIMES = st.integers(min_value=-5_000, max_value=60_000)
CUES = st.lists(st.builds(Cue, TIMES, TIMES, st.text(max_size=30)), max_size=30)


@given(CUES)
def test_repaired_cues_are_in_order_and_do_not_overlap(cues: list[Cue]) -> None:
    repaired = repair_cues(cues)
    assert all(0 <= cue.start_ms < cue.end_ms for cue in repaired)
    assert all(a.end_ms <= b.start_ms for a, b in pairwise(repaired))
    assert all(cue.text == clean_text(cue.text) != "" for cue in repaired)


@given(CUES)
def test_repairing_again_changes_nothing(cues: list[Cue]) -> None:
    repaired = repair_cues(cues)
    assert repair_cues(repaired) == repaired


def test_a_negative_start_is_cut_off() -> None:
    assert repair_cues([Cue(-500, 1500, "a"), Cue(-900, -100, "gone")]) == (Cue(0, 1500, "a"),)


def test_an_end_before_the_start_becomes_a_reading_time() -> None:
    assert repair_cues([Cue(5000, 1000, "六个字的一行")]) == (Cue(5000, 6200, "六个字的一行"),)
    # ... which the next cue ends.
    assert repair_cues([Cue(5000, 5000, "甲"), Cue(5400, 6000, "乙")]) == (
        Cue(5000, 5400, "甲"),
        Cue(5400, 6000, "乙"),
    )


def test_a_short_overlap_ends_the_earlier_cue() -> None:
    assert repair_cues([Cue(0, 2200, "甲"), Cue(2000, 4000, "乙")]) == (
        Cue(0, 2000, "甲"),
        Cue(2000, 4000, "乙"),
    )


def test_two_languages_at_once_become_two_lines_in_the_order_of_the_file() -> None:
    both = [Cue(0, 2000, "大家好"), Cue(0, 2000, "Hello"), Cue(0, 2000, "大家好")]
    assert repair_cues(both) == (Cue(0, 2000, "大家好\nHello"),)


def test_a_long_sign_stays_while_others_speak() -> None:
    assert repair_cues([Cue(0, 10_000, "会场"), Cue(3000, 5000, "你好")]) == (
        Cue(0, 3000, "会场"),
        Cue(3000, 5000, "会场\n你好"),
        Cue(5000, 10_000, "会场"),
    )


def test_thousands_at_once_do_not_pile_up() -> None:
    crowd = [Cue(0, 100_000 + n, f"{n}") for n in range(MAX_CUES_COUNT // 4)]
    repaired = repair_cues(crowd)
    assert all(len(cue.text.split("\n")) <= MAX_AT_ONCE for cue in repaired)


def test_text_is_cleaned() -> None:
    assert clean_text("\ufeff a\tb \r\n\r\n \x00c\u2028\ud800d ") == "a b\nc\nd"
    # Joiners and the Mongolian vowel separator belong to the script.
    assert clean_text("ᠬᠠᠷ᠎ᠠ") == "ᠬᠠᠷ᠎ᠠ"


@pytest.mark.parametrize(
    ("cue", "says"),
    [
        (Cue(5, 5, "a"), "第 2 条字幕的时间不对"),
        (Cue(-1, 5, "a"), "第 2 条字幕的时间不对"),
        (Cue(0, MAX_TIME_MS + 1, "a"), "第 2 条字幕的时间不对"),
        (Cue(0, 5, " \n "), "第 2 条字幕没有文字"),
        (Cue(0, 5, "字" * (MAX_CUE_CHARS + 1)), "第 2 条字幕太长"),
    ],
)
def test_what_an_editor_saves_is_refused_with_its_number(cue: Cue, says: str) -> None:
    with pytest.raises(InputError) as caught:
        check_cues([Cue(0, 1, "好"), cue])
    assert caught.value.title.startswith(says)


def test_what_an_editor_saves_is_put_in_order() -> None:
    cues = [Cue(n * 1000, n * 1000 + 900, f" 第 {n} 条 ") for n in range(50)]
    shuffled = random.Random(4).sample(cues, k=50)
    assert [cue.text for cue in check_cues(shuffled)] == [f"第 {n} 条" for n in range(50)]
