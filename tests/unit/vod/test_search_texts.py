"""How texts are folded, cut into tokens, asked for, marked and compared."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.captions import Cue
from vod.search import fts5, postgres
from vod.search.distance import compute_distance, judge, list_pieces
from vod.search.moments import (
    MAX_MOMENTS,
    SNIPPET_CHARS,
    build_moment,
    cut_snippet,
    find_cues,
    mark,
)
from vod.search.query import MAX_TERMS, parse_query, relax
from vod.search.sounds import list_sounds, spell
from vod.search.speech import (
    SpokenText,
    pack_cues,
    pack_folded,
    read_speech,
    unpack_cues,
    unpack_folded,
)
from vod.search.text import fold, fold_aligned, split_runs, squeeze, strip_markup
from vod.search.tokens import build_tokens

ANY = st.text(max_size=80) | st.text("草原上的黨旗 aB1，。·\u0301\ud800", max_size=40)
HAN = st.text("草原上的党旗飘", min_size=1, max_size=12)


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("黨員學習", "党员学习"),
        ("ＡＢＣ１２", "abc12"),
        ("Ürümqi ﬁn", "urumqi fin"),
        ("阿拉腾·乌拉", "阿拉腾乌拉"),
        ("《党旗》", " 党旗 "),
        ("a\x00b\ud800c", "a bc"),
        ("が", "が"),
        ("ᠮᠣᠩᠭᠣᠯ", "ᠮᠣᠩᠭᠣᠯ"),
    ],
)
def test_what_people_type_for_the_same_is_the_same(text: str, folded: str) -> None:
    assert fold(text) == folded


@given(ANY)
def test_folding_is_total_and_settled(text: str) -> None:
    folded = fold(text)
    assert all(char.isalnum() or char == " " for char in folded)
    assert fold(folded) == folded
    folded.encode()


@given(ANY)
def test_each_folded_character_knows_where_it_came_from(text: str) -> None:
    text = unicodedata.normalize("NFC", text)
    folded, origins = fold_aligned(text)
    assert folded == fold(text)
    assert origins == sorted(origins)
    assert len(origins) == len(folded)
    assert all(0 <= origin < len(text) for origin in origins)


def test_words_are_split_where_scripts_meet() -> None:
    assert [run.text for run in split_runs(fold("H264编码v2党课"))] == [
        "h264",
        "编码",
        "v2",
        "党课",
    ]
    assert squeeze("草原，党旗 big  deal. 好") == "草原党旗 big deal 好"
    assert strip_markup("<p>草原<br>党旗 &lt;b&gt;</p>").split() == ["草原", "党旗", "<b>"]


def test_tokens_are_pieces_of_two_and_three_and_the_last_character() -> None:
    assert set(build_tokens(["草原上的 abc"])) == {
        "草原",
        "原上",
        "上的",
        "草原上",
        "原上的",
        "的",
        "abc",
    }


def test_names_are_found_by_sound_initials_and_other_readings() -> None:
    assert {"shantianfang", "dantianfang", "tianfang", "stf"} <= set(list_sounds("单田芳"))
    assert {"lv", "lu"} <= set(list_sounds("吕"))
    assert spell("草原 abc") == "caoyuanabc"


@given(HAN, HAN, HAN)
def test_whatever_is_in_a_text_is_found_in_its_tokens(before: str, asked: str, after: str) -> None:
    tokens = set(build_tokens([before + asked + after]))
    (term,) = parse_query(asked).terms
    (way,) = term.ways
    assert all(
        any(token.startswith(wanted.text) for token in tokens)
        if wanted.is_prefix
        else wanted.text in tokens
        for wanted in way
    )


@given(ANY)
def test_every_text_is_a_query_that_both_databases_can_read(text: str) -> None:
    for query in (parse_query(text), relax(text)):
        assert len(query.terms) <= MAX_TERMS
        for term in query.terms:
            for token in (token for way in term.ways for token in way):
                assert token.text.isalnum()
        if query:
            assert fts5.render_tier(query, 4).count('"') % 2 == 0
            assert all(text.count("'") % 2 == 0 for _, text in postgres.render_tier(query, 4))


def test_a_run_falls_apart_only_when_asked_loosely() -> None:
    ways = relax("草原党旗").terms[0].ways
    assert [[token.text for token in way] for way in ways] == [["草原", "党旗"]]
    assert relax("草原上") == parse_query("草原上")


def test_marks_are_ranges_of_the_text_as_it_is() -> None:
    marked = mark("党史：學習教育 <b>Party</b>", parse_query("党史学习 par"))
    assert [marked.text[a:b] for a, b in marked.marks] == ["党史：學習", "Par"]
    snippet = cut_snippet("好" * 100 + "草原" + "x" * 100, parse_query("草原"))
    assert snippet is not None
    assert [snippet.text[a:b] for a, b in snippet.marks] == ["草原"]
    assert len(snippet.text) <= SNIPPET_CHARS + 2
    assert cut_snippet("没有", parse_query("草原")) is None


@given(ANY, ANY)
def test_marks_are_ordered_and_inside(text: str, asked: str) -> None:
    marked = mark(text, parse_query(asked))
    flat = [place for pair in marked.marks for place in pair]
    assert flat == sorted(flat)
    assert all(0 <= place <= len(marked.text) for place in flat)


def test_a_sentence_over_two_cues_is_found_where_it_begins() -> None:
    said = ("同志们好", "今天讲草原上的", "黨旗，big  Deal\nsecond", "草原牧民")
    cues = [Cue(at * 1000, at * 1000 + 1000, line) for at, line in enumerate(said)]
    speech = read_speech(cues, most_chars=1000)
    assert unpack_cues(pack_cues(speech)) == list(speech.cues)
    assert unpack_folded(pack_folded(speech)) == list(speech.folded)
    query = parse_query("草原上的党旗")
    assert find_cues(speech.folded, query) == [1]
    moment = build_moment(speech.cues, 1, query)
    assert moment.start_ms == 1000
    assert [moment.snippet.text[a:b] for a, b in moment.snippet.marks] == ["草原上的黨旗"]
    assert find_cues(speech.folded, parse_query("草原 党旗"))[0] == 1
    assert find_cues(speech.folded, parse_query("econd")) == []  # Words from where they begin.
    assert find_cues(speech.folded, parse_query("deal")) == [2]
    assert read_speech(cues, most_chars=4).folded == ("同志们好",)
    assert MAX_MOMENTS == 3


@given(st.lists(st.text("草原ab ", min_size=1, max_size=6), max_size=8))
def test_every_place_of_spoken_text_has_its_cue(said: list[str]) -> None:
    folded = [text for text in map(squeeze, said) if text]
    spoken = SpokenText(folded)
    found = [spoken.find_cue(at) for at in range(len(spoken.text))]
    assert sorted(set(found)) == list(range(len(folded)))
    assert found == sorted(found)


def brute_distance(pattern: str, text: str) -> int:
    row = [0] * (len(text) + 1)  # A part of the text may begin anywhere,
    for i, char in enumerate(pattern, 1):
        last, row = row, [i]
        for j, other in enumerate(text, 1):
            row.append(min(last[j] + 1, row[-1] + 1, last[j - 1] + (char != other)))
    return min(row)  # and end anywhere.


@given(st.text("abc", max_size=9), st.text("abc", max_size=14))
def test_the_distance_is_that_of_the_textbook(pattern: str, text: str) -> None:
    assert compute_distance(pattern, text) == brute_distance(pattern, text)


def test_mistakes_are_forgiven_and_other_titles_are_not() -> None:
    title = {"title_key": "草原上的党旗", "title_sound": spell("草原上的党旗")}
    for typed in ("草原上的党期", "草原上得党旗", "caoyaunshang"):
        assert judge(parse_query(typed).key, spell(typed), **title) is not None, typed
        assert list_pieces(typed)
    assert judge("主题教育", spell("主题教育"), **title) is None
    assert judge("", "", **title) is None
