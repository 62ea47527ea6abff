from __future__ import annotations

import pysubs2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.captions import Cue, parse_captions, recognise
from kernel.captions.cues import MAX_CUES_COUNT
from kernel.captions.encodings import MAX_FILE_BYTES
from kernel.errors import InputError
from tests.support.shared_media import require_media

SRT = """1
00:00:01,000 --> 00:00:02,500
各位党员同志，大家好。

2
00:00:03,000 --> 00:00:04,000
<i>今天</i>学习<font color="#ff0000">新党章</font>
"""


def texts(data: bytes, name: str = "") -> list[str]:
    return [cue.text for cue in parse_captions(data, name)]


@pytest.mark.parametrize(
    "encoding",
    ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "gb18030", "gbk"],
)
def test_every_encoding_of_chinese_subtitles_reads_the_same(encoding: str) -> None:
    assert parse_captions(SRT.encode(encoding)) == (
        Cue(1000, 2500, "各位党员同志，大家好。"),
        Cue(3000, 4000, "今天学习新党章"),
    )


def test_traditional_and_western_encodings_are_guessed() -> None:
    big5 = SRT.replace(
        "各位党员同志，大家好。", "各位黨員同志，大家好。我們今天學習新的黨章內容，請大家認真聽講。"
    )
    big5 = big5.replace("今天", "今天").replace("学习", "學習").replace("新党章", "新黨章")
    assert texts(big5.encode("big5"))[0].startswith("各位黨員同志")
    french = SRT.replace("各位党员同志，大家好。", "Très bien, élève à côté: ça dépend de l'été.")
    french = french.replace("今天", "").replace("学习", "").replace("新党章", "voilà")
    assert texts(french.encode("cp1252"))[0].startswith("Très bien")


def test_a_broken_byte_costs_a_character_not_the_file() -> None:
    data = bytearray((SRT * 20).encode())
    data[data.index("同志".encode()) + 1] = 0xFF
    assert len(parse_captions(bytes(data))) >= 2


def test_lax_srt_is_read() -> None:
    lax = (
        "00:00:01.5 --> 00:00:02.25 X1:100 X2:200\n{\\an8}first\n\nstill first\n"
        "7\n0:00:03,000 -> 0:00:04,000\nsecond\n2024\n"
        "8\n 00：00：05，000 --> 00：00：06，000\n第三\n\n"
        "9\n00:00:07,000 --> 00:00:08,000\n\n"
    )
    assert parse_captions(lax.encode()) == (
        Cue(1500, 2250, "first\nstill first"),
        Cue(3000, 4000, "second\n2024"),
        Cue(5000, 6000, "第三"),
    )


def test_webvtt_keeps_words_only() -> None:
    vtt = (
        "WEBVTT - title\nX-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:0\n\n"
        "STYLE\n::cue { color: red }\n\nNOTE 00:00:01.000 --> 00:00:02.000\nnot a cue\n\n"
        "intro\n00:01.000 --> 00:02.000 align:start position:0%\n"
        "<v 王老师>你好 &amp; <b>欢迎</b> &lt;同志&gt; <00:01.500>a<c.red>b</c>\n\n"
        "01:00:00.000 --> 01:00:01.000\nlate\n"
    )
    assert parse_captions(vtt.encode(), "x.srt") == (
        Cue(1000, 2000, "你好 & 欢迎 <同志> ab"),
        Cue(3_600_000, 3_601_000, "late"),
    )


def test_ass_keeps_words_only() -> None:
    ass = (
        "[Script Info]\nScriptType: v4.00+\n[V4+ Styles]\nStyle: broken,&Hzz\n[Events]\n"
        "Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\n"
        "Dialogue: 0,0:00:01.00,0:00:02.50,D,,0,0,0,,{\\b1\\pos(1,2)}第一行\\N第二行, 有逗号\\h\n"
        "Dialogue: 0,0:00:01.00,0:00:02.00,D,,0,0,0,,{\\p1}m 0 0 l 10 10\n"
        "Comment: 0,0:00:03.00,0:00:04.00,D,,0,0,0,,secret\n"
        "Dialogue: 0,nonsense,0:00:04.00,D,,0,0,0,,lost\n"
        "Dialogue: 0,0:00:05.00,0:00:06.00,D,,0,0,0,,好\n"
    )
    assert parse_captions(ass.encode("utf-16")) == (
        Cue(1000, 2500, "第一行\n第二行, 有逗号"),
        Cue(5000, 6000, "好"),
    )


def test_old_ssa_has_other_columns() -> None:
    ssa = (
        "[Script Info]\nScriptType: v4.00\n[Events]\n"
        "Format: Marked, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\n"
        "Dialogue: Marked=0,0:00:01.00,0:00:02.00,D,,0,0,0,,甲,乙\n"
    )
    assert texts(ssa.encode("gb18030"), "old.ssa") == ["甲,乙"]


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"", 415),
        (b"\x00" * 100, 422),
        (b"GIF89a\x01\x02\x80\xff\x00", 422),
        ("没有时间的文字".encode(), 415),
        (b"WEBVTT\n\nNOTE nothing\n", 422),
        (b"1\n00:00:01,000 --> 00:00:02,000\n\n", 422),
        (b"x" * (MAX_FILE_BYTES + 1), 413),
        (b"1\n900:00:01,000 --> 900:00:02,000\nfar\n", 422),
    ],
)
def test_what_is_no_subtitle_file_is_refused_in_a_sentence(data: bytes, status: int) -> None:
    with pytest.raises(InputError) as caught:
        parse_captions(data, "a.srt")
    assert caught.value.http_status == status
    assert any("\u4e00" <= char <= "\u9fff" for char in caught.value.title)
    assert caught.value.title != InputError.title_zh


def test_too_many_cues_are_refused() -> None:
    def srt(count: int) -> bytes:
        return b"".join(
            b"%d:%02d:%02d,000 --> %d:%02d:%02d,900\na\n\n"
            % (s // 3600, s // 60 % 60, s % 60, s // 3600, s // 60 % 60, s % 60)
            for s in range(count)
        )

    assert len(parse_captions(srt(MAX_CUES_COUNT))) == MAX_CUES_COUNT
    with pytest.raises(InputError) as caught:
        parse_captions(srt(MAX_CUES_COUNT + 1))
    assert caught.value.http_status == 413


def test_the_content_says_what_it_is_and_the_name_helps() -> None:
    assert recognise("\ufeffWEBVTT\n") == "vtt"
    assert recognise("[Script Info]\n", "a.srt") == "ass"
    assert recognise("00:01.000 --> 00:02.000\na", "a.VTT") == "vtt"
    assert recognise("00:00:01,000 --> 00:00:02,000\na", "a.txt") == "srt"
    assert recognise("plain text") is None


@pytest.mark.parametrize(
    ("name", "count", "first"),
    [
        ("ass_with_attached_fonts.ass", 1, "Test subtitle."),
        ("cycle-collector-talk.vtt", 15, "Not ready yet? Alright, I'll wait until the camera man"),
        ("itaccess_captions_en.vtt", 94, "We are committed to the notion\nthat everyone"),
        ("itaccess_subtitles_zh-cn.vtt", 76, "我们一直坚信每个人都应该有机会获得高等教育"),
        ("long_string_chinese.vtt", 1, "Payload"),
        ("wwa_captions_en.vtt", 15, "[ music ]"),
    ],
)
def test_files_of_others_are_read(name: str, count: int, first: str) -> None:
    path = require_media(f"subs/{name}")
    cues = parse_captions(path.read_bytes(), name)
    assert len(cues) == count
    assert cues[0].text.startswith(first)


@given(
    st.lists(
        st.tuples(
            st.integers(500, 4_000),
            st.integers(0, 3_000),
            st.text(alphabet="党员学习 abc,.!-", min_size=1, max_size=30).filter(str.strip),
        ),
        min_size=1,
        max_size=20,
    ),
    st.sampled_from(["srt", "vtt", "ass", "ssa"]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)
def test_what_another_program_writes_is_read(
    parts: list[tuple[int, int, str]], kind: str, encoding: str
) -> None:
    subs = pysubs2.SSAFile()
    expected: list[Cue] = []
    clock = 0
    for length, pause, text in parts:
        start, end = (clock + pause) // 10 * 10, (clock + pause + length) // 10 * 10
        subs.append(pysubs2.SSAEvent(start=start, end=end, text=text.strip()))
        expected.append(Cue(start, end, text.strip()))
        clock = end + 10
    data = subs.to_string(kind).encode(encoding)
    assert parse_captions(data, f"a.{kind}") == tuple(expected)
