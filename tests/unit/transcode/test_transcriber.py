from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.captions.width import fits
from kernel.errors import EncodeError
from transcode.transcriber.phrases import build_cues
from transcode.transcriber.pieces import MAX_INNER_PAUSE_MS, MAX_PIECE_MS, plan_pieces
from transcode.transcriber.port import Heard, Piece, Token
from transcode.transcriber.sherpa import parse_heard

SILENCES = st.lists(st.tuples(st.integers(0, 30_000), st.integers(250, 9_000)), max_size=15).map(
    lambda parts: [
        (start := sum(p[0] + p[1] for p in parts[:n]) + gap, start + size)
        for n, (gap, size) in enumerate(parts)
    ]
)


def say(text: str, *, start_ms: int = 0, step_ms: int = 200) -> Heard:
    tokens = tuple(Token(start_ms + n * step_ms, char) for n, char in enumerate(text))
    return Heard(Piece(start_ms, start_ms + len(text) * step_ms), tokens)


@given(SILENCES, st.integers(0, 5_000))
def test_pieces_cover_all_speech_and_no_long_silence(
    silences: list[tuple[int, int]], rest: int
) -> None:
    duration = (silences[-1][1] if silences else 0) + rest
    pieces = plan_pieces(silences, duration_ms=duration)
    assert all(0 <= p.start_ms < p.end_ms <= duration + 200 for p in pieces)
    assert all(p.end_ms - p.start_ms <= MAX_PIECE_MS + 400 for p in pieces)
    assert all(a.end_ms <= b.start_ms for a, b in pairwise(pieces))
    edges = [0, *(edge for item in silences for edge in item), duration]
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        if end - start >= 200:
            middle = (start + end) // 2
            assert any(p.start_ms <= middle < p.end_ms for p in pieces)
    for start, end in silences:
        if end - start > MAX_INNER_PAUSE_MS + 400:
            middle = (start + end) // 2
            assert not any(p.start_ms <= middle < p.end_ms for p in pieces)


def test_a_speaker_without_pauses_is_cut_into_equal_parts() -> None:
    pieces = plan_pieces([], duration_ms=50_000)
    assert len(pieces) == 3
    assert pieces[0].end_ms == pieces[1].start_ms
    assert max(p.end_ms - p.start_ms for p in pieces) <= MAX_PIECE_MS


def test_captions_end_where_sentences_do() -> None:
    cues = build_cues(
        [say("各位党员同志,大家好。今天我们学习新党章的主要内容。")], duration_ms=60_000
    )
    assert [cue.text for cue in cues] == ["各位党员同志,大家好。", "今天我们学习新党章的主要内容。"]
    assert cues[0].end_ms <= cues[1].start_ms == 11 * 200


def test_a_pause_ends_a_caption_where_there_is_no_punctuation() -> None:
    heard = Heard(
        Piece(0, 9000), (Token(0, "第"), Token(200, "一"), Token(2000, "第"), Token(2200, "二"))
    )
    assert [
        (cue.start_ms, cue.end_ms, cue.text) for cue in build_cues([heard], duration_ms=9000)
    ] == [
        (0, 800, "第一"),
        (2000, 2800, "第二"),
    ]


def test_words_of_latin_script_keep_their_spaces() -> None:
    tokens = (Token(0, " hello"), Token(300, " wor"), Token(400, "ld"), Token(500, "."))
    (cue,) = build_cues([Heard(Piece(0, 2000), tokens)], duration_ms=2000)
    assert cue.text == "hello world."


def test_punctuation_alone_is_no_caption() -> None:
    assert build_cues([say("。")], duration_ms=1000) == ()


@given(
    st.lists(
        st.text(alphabet="党员学习。,!?；a ", min_size=1, max_size=150), min_size=1, max_size=5
    ),
    st.integers(20, 900),
)
def test_captions_are_in_order_fit_and_lose_no_word(texts: list[str], step_ms: int) -> None:
    clock = 0
    heard: list[Heard] = []
    for text in texts:
        heard.append(say(text, start_ms=clock, step_ms=step_ms))
        clock = heard[-1].piece.end_ms + 300
    cues = build_cues(heard, duration_ms=clock)
    assert all(cue.start_ms < cue.end_ms <= clock for cue in cues)
    assert all(a.end_ms <= b.start_ms for a, b in pairwise(cues))
    assert all(fits(cue.text) for cue in cues)
    words = [char for text in texts for char in text if char in "党员学习a"]
    assert [char for cue in cues for char in cue.text if char in "党员学习a"] == words


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}\n",
        '{"tokens": 5, "starts_s": []}\n',
        '{"tokens": ["a"], "starts_s": ["x"]}\n',
        "[\n",
    ],
)
def test_an_answer_that_is_not_understood_is_our_error(text: str) -> None:
    with pytest.raises(EncodeError):
        parse_heard(text, [Piece(0, 1000)])


def test_times_of_tokens_stay_in_the_piece_and_never_go_back() -> None:
    line = '{"tokens": ["▁a", "b@@", "c", "d"], "starts_s": [0.5, 0.2, 9.0]}\n'
    (heard,) = parse_heard(line, [Piece(1000, 3000)])
    assert [(token.start_ms, token.text) for token in heard.tokens] == [
        (1500, " a"),
        (1500, "b"),
        (3000, "c"),
        (3000, "d"),
    ]
