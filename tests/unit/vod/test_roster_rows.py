"""Rows of rosters, names, masks, tree arithmetic: the pure parts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.errors import ConflictError, InputError
from vod.accounts.codes import generate_code, hash_code
from vod.accounts.names import build_name_keys
from vod.people.masking import mask_phone, settle_phone
from vod.people.matching import Insert, Known, Matcher, Unchanged, Update, build_unit_index
from vod.people.reading import decode_text, render_cell
from vod.people.roster import RosterRow, RowError, find_header, read_row
from vod.units.tree import (
    build_full_names,
    check_move,
    check_place,
    measure_height,
    place,
    sum_subtrees,
)

COLUMNS = {"name": 0, "staff_no": 1, "phone": 2, "unit": 3}
UNITS = build_unit_index(
    [("c", ("市",)), ("e", ("市", "东")), ("eb", ("市", "东", "一支部")),
     ("wb", ("市", "西", "一支部"))]
)  # fmt: skip


def make_row(number: int = 2, **values: object) -> RosterRow:
    base = {"name": "甲", "keys": build_name_keys("甲"), "staff_no": "E1"}
    return RosterRow(number, **{**base, **values})  # type: ignore[arg-type]


def make_matcher() -> Matcher:
    return Matcher(UNITS, frozenset({"c", "e", "eb"}), {"农牧民": "herdsmen"}, {})


def make_known(**values: object) -> Known:
    base = {
        "id": "k", "display_name": "甲", "staff_no": "E1", "phone": None, "unit_id": "e",
        "category": None, "level": None, "is_changeable": True,
    }  # fmt: skip
    return Known(**{**base, **values})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "pinyin", "initials"),
    [
        ("张三丰", "zhang san feng", "zsf"), ("单雄信", "shan xiong xin", "sxx"),
        ("买买提·艾力", "mai mai ti ai li", "mmtal"), ("Tom  Smith", "tom smith", "ts"),
        ("吕布", "lv bu", "lb"), ("", "", ""), ("😀", "", ""),
    ],
)  # fmt: skip
def test_names_are_spelled(name: str, pinyin: str, initials: str) -> None:
    keys = build_name_keys(name)
    assert (keys.pinyin, keys.initials) == (pinyin, initials)
    assert keys.joined == pinyin.replace(" ", "")


@given(st.text(max_size=64))
def test_keys_of_any_name_are_plain(name: str) -> None:
    keys = build_name_keys(name)
    assert keys.pinyin.isascii()
    assert keys.joined.isascii()


def test_a_row_is_read_and_units_are_found_by_full_name_or_a_unique_ending() -> None:
    row = read_row(2, ["甲", "E1", "+86 138-0000-0001", "市/东 > 一支部"], COLUMNS)
    assert isinstance(row, RosterRow)
    assert (row.phone, row.unit) == ("13800000001", ("市", "东", "一支部"))
    assert make_matcher().match(row, {}, {}) == Insert(
        {"display_name": "甲", "staff_no": "E1", "phone": "13800000001", "unit_id": "eb"}
    )
    ambiguous = make_matcher().match(make_row(unit=("一支部",)), {}, {})
    assert isinstance(ambiguous, RowError)
    assert ambiguous.sentence == "有几个同名的党组织,请写全称"
    beyond = make_matcher().match(make_row(unit=("西", "一支部")), {}, {})
    assert isinstance(beyond, RowError)
    assert beyond.sentence == "这个党组织不归您管理"


@pytest.mark.parametrize(
    "cells",
    [["", "E1"], ["甲", "", ""], ["甲", "有 空格"], ["甲", "E1", "abc"], ["=1+1", "E1"],
     ["12345", "E1"], ["甲" * 65, "E1"], ["甲\x07", "E1"], ["甲", "E1", "", "x" * 1001]],
)  # fmt: skip
def test_a_row_that_makes_no_sense_is_an_error_with_its_number(cells: list[str]) -> None:
    error = read_row(7, cells, COLUMNS)
    assert isinstance(error, RowError)
    assert error.row == 7


def test_a_known_member_is_updated_left_alone_or_out_of_reach() -> None:
    by_no = {"E1": make_known()}
    assert make_matcher().match(make_row(), by_no, {}) == Unchanged("k")
    changed = make_matcher().match(make_row(category="农牧民"), by_no, {})
    assert changed == Update("k", {"category": "herdsmen"})
    refused = make_matcher().match(make_row(), {"E1": make_known(is_changeable=False)}, {})
    assert isinstance(refused, RowError)
    by_phone = {"13800000001": [make_known(staff_no=None), make_known(id="other")]}
    joined = make_matcher().match(make_row(staff_no="E9", phone="13800000001"), {}, by_phone)
    assert isinstance(joined, Update)
    assert joined.changes["staff_no"] == "E9"
    only = make_matcher().match(make_row(staff_no=None, phone="13800000001"), {}, by_phone)
    assert isinstance(only, RowError)


def test_rows_that_may_mean_the_same_person_are_refused_in_any_order() -> None:
    numbered = make_row(2, phone="13800000001", unit=("市",))
    only_phone = make_row(3, staff_no=None, phone="13800000001", unit=("市",))
    for rows in ((numbered, only_phone), (only_phone, numbered)):
        matcher = make_matcher()
        first, second = (matcher.match(row, {}, {}) for row in rows)
        assert isinstance(first, Insert)
        assert isinstance(second, RowError)
    matcher = make_matcher()
    assert isinstance(matcher.match(numbered, {}, {}), Insert)
    shared = make_row(4, staff_no="E2", phone="13800000001", unit=("市",))
    assert isinstance(matcher.match(shared, {}, {}), Insert)  # Two people, one telephone.


def test_the_header_is_found_below_a_title() -> None:
    index, columns = find_header([["花名册"], [], ["序号", "姓名*", "手机号码"]])
    assert (index, columns) == (2, {"name": 1, "phone": 2})
    for rows in ([["姓名"]], [["工号"]], [["姓名", "工号", "职工号"]], []):
        with pytest.raises(InputError):
            find_header(rows)


def test_cells_and_texts_are_read_without_losing_digits() -> None:
    assert [render_cell(cell) for cell in (1003.0, 13800000001.0, 1.5, "x", True)] == [
        "1003", "13800000001", "1.5", "x", "True",
    ]  # fmt: skip
    for encoding in ("utf-8", "utf-8-sig", "gb18030", "utf-16"):
        assert decode_text("姓名𠮷".encode(encoding)) == "姓名𠮷"
    with pytest.raises(InputError):
        decode_text(b"\x00\x01\x02")


@given(st.text(max_size=30))
def test_a_mask_shows_at_most_seven_digits(text: str) -> None:
    phone = settle_phone(text)
    masked = mask_phone(phone)
    if phone and masked:
        assert sum(sign != "*" for sign in masked) <= 7
        assert len(masked) == len(phone)
    assert mask_phone("13812345678") == "138****5678"


def test_a_tree_never_bites_its_tail_and_sums_up() -> None:
    with pytest.raises(ConflictError):
        check_move("/a/b/", "/a/b/c/")
    check_move("/a/b/", "/a/bb/")
    check_place("/a/" + "b/" * 18, height=1)
    with pytest.raises(ConflictError):
        check_place("/a/" + "b/" * 18, height=2)
    assert measure_height("/a/", ["/a/", "/a/b/c/", "/a/d/"]) == 3
    assert sum_subtrees({"/a/": 1, "/a/b/": 2, "/a/b/c/": 4}) == {"a": 7, "b": 6, "c": 4}
    assert place(["a", "b", "c"], "c", 0) == ["c", "a", "b"]
    assert place(["a", "b"], "n", None) == ["a", "b", "n"]
    assert build_full_names([("b", "a", "乙"), ("a", None, "甲")])["b"] == ("甲", "乙")


def test_a_code_is_typed_in_any_way_and_belongs_to_one_account() -> None:
    code = generate_code()
    assert len(code) == 14
    spoken = code.upper().replace("-", " ")
    assert hash_code(b"k", "a", code) == hash_code(b"k", "a", spoken)
    assert hash_code(b"k", "a", code) != hash_code(b"k", "b", code)
