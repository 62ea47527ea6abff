"""Rows of course lists: headers, lists, limits, and cells that are no formulas."""

from __future__ import annotations

import json

import pytest

from kernel.errors import InputError
from vod.courselist import rows
from vod.courselist.child import read_blocking
from vod.courselist.files import write_csv_blocking, write_json_blocking, write_xlsx_blocking
from vod.courselist.rows import guard, is_equal, read_json, read_table, unguard

ROWS = [
    {"external_id": "A-1", "id": "x", "title": "=1+1", "tags": ["党章", "公开课"], "hours": "0.5"},
    {"external_id": "A-2", "title": "二", "description": "一行\n又一行, 逗号"},
]


def test_a_header_is_found_below_titles_and_says_what_columns_are() -> None:
    table = [["课程清单"], [], ["编号*", "课程名称", "标签", "随便"], ["1", "一", "a、b；c", "x"]]
    (row,) = read_table(table)
    assert (row.number, row.values) == (
        4,
        {"external_id": "1", "title": "一", "tags": ["a", "b", "c"]},
    )


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ([["编号"], ["1"]], "标题"),
        ([["标题"], ["一"]], "编号"),
        ([["编号", "标题", "名称"], ["1", "一", "二"]], "两次"),
        ([["编号", "标题"]], "没有课程"),
        ([["编号", "标题"], *([["1", "一"]] * (rows.MAX_ROWS + 1))], "拆分"),
    ],
)
def test_what_is_no_list_is_refused_in_words(table: list[list[str]], words: str) -> None:
    with pytest.raises(InputError) as refused:
        read_table(table)
    assert words in refused.value.title


@pytest.mark.parametrize(
    "data",
    [b"{", b"{}", b"[1]", b'[{"what": 1}]', b"[]", b"[" * 100_000],
    ids=["broken", "object", "numbers", "unknown", "empty", "deep"],
)
def test_json_that_is_no_list_of_courses(data: bytes) -> None:
    with pytest.raises(InputError):
        read_json(data)


def test_cells_that_look_like_formulas_stay_what_they_are() -> None:
    for text in ("=1+1", "+86", "-1", "@x", "'", "'=", "党", ""):
        assert unguard(guard(text)) == text or text == "'="
        assert not guard(text).startswith(("=", "+", "-", "@"))


@pytest.mark.parametrize("writer", [write_xlsx_blocking, write_csv_blocking, write_json_blocking])
def test_what_is_written_is_read_back(tmp_path, writer) -> None:
    path = tmp_path / "list"
    path.write_bytes(writer(ROWS))
    found = read_blocking(path)
    json.dumps(found)
    assert [values for _, values in found["rows"]] == ROWS


def test_equal_is_what_says_nothing_new() -> None:
    assert is_equal("a", "a")
    assert is_equal(["b", "a"], ["a", "b"])
    assert not is_equal("a", None)
    assert not is_equal(["a"], ["a", "b"])
