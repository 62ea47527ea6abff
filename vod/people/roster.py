"""Rows of a roster: which column is what, and what a row says. Pure.

An empty cell says nothing: a new member has no such fact, a known one keeps theirs.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from kernel.errors import InputError
from vod.accounts.names import NameKeys, build_name_keys
from vod.people.masking import settle_phone
from vod.units.tree import split_full_name

MAX_HEADER_ROWS: Final = 10  # Titles and notes above the header.
MAX_NAME_CHARS: Final = 64
MAX_CELL_CHARS: Final = 1000
# What a column is called; the first name is the template's.
COLUMNS: Final[dict[str, tuple[str, ...]]] = {
    "name": ("姓名", "学员姓名", "党员姓名", "name"),
    "staff_no": ("工号", "职工号", "编号", "staff_no"),
    "phone": ("手机号", "手机号码", "手机", "联系电话", "phone"),
    "unit": ("所在党组织", "所在党组织(全称)", "党组织", "组织", "单位", "所在单位", "unit"),
    "category": ("人员类别", "类别", "category"),
    "level": ("职务层级", "层级", "level"),
}
TITLES: Final = {field: names[0] for field, names in COLUMNS.items()}
_STAFF_NO: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,31}")


@dataclass(frozen=True, slots=True)
class RowError:
    """What is wrong with a row: the sheet's row number, the column's title, a sentence."""

    row: int
    column: str
    sentence: str


@dataclass(frozen=True, slots=True)
class RosterRow:
    """One row that makes sense by itself; units and lists are looked up later."""

    row: int
    name: str
    keys: NameKeys
    staff_no: str | None = None
    phone: str | None = None
    unit: tuple[str, ...] = ()
    category: str | None = None
    level: str | None = None


def find_header(rows: Sequence[Sequence[str]]) -> tuple[int, dict[str, int]]:
    """Find the header among the first rows.

    Returns:
        Its index, and the index of each known column.

    Raises:
        InputError: There is none, a column is there twice, or people cannot be told apart.
    """
    for index, row in enumerate(rows[:MAX_HEADER_ROWS]):
        columns = _read_header(row)
        if "name" in columns:
            if not columns.keys() & {"staff_no", "phone"}:
                raise InputError(
                    "neither staff_no nor phone", title_zh="表头要有“工号”或“手机号”一列"
                )
            return index, columns
    raise InputError(
        "no header with a name",
        title_zh=f"前 {MAX_HEADER_ROWS} 行里没有找到表头,表头要有“姓名”一列,请使用模板",
    )


def _read_header(row: Sequence[str]) -> dict[str, int]:
    columns: dict[str, int] = {}
    for index, cell in enumerate(row):
        title = unicodedata.normalize("NFKC", cell).strip().lower().rstrip("*")
        for field, names in COLUMNS.items():
            if title in {unicodedata.normalize("NFKC", name) for name in names}:
                if field in columns:
                    raise InputError(
                        f"{field} twice", title_zh=f"表头里“{TITLES[field]}”出现了两次"
                    )
                columns[field] = index
    return columns


def read_row(number: int, cells: Sequence[str], columns: dict[str, int]) -> RosterRow | RowError:
    """Read one row; the first thing that is wrong with it is the answer."""
    values = {
        field: cells[index].strip() if index < len(cells) else ""
        for field, index in columns.items()
    }
    for field, value in values.items():
        if len(value) > MAX_CELL_CHARS:
            return RowError(number, TITLES[field], "内容太长")
    name = " ".join(unicodedata.normalize("NFKC", values["name"]).split())
    if sentence := _judge_name(name):
        return RowError(number, TITLES["name"], sentence)
    staff_no, phone = values.get("staff_no", ""), values.get("phone", "")
    if not staff_no and not phone:
        return RowError(number, TITLES["staff_no"], "工号和手机号不能都为空")
    if staff_no and not _STAFF_NO.fullmatch(staff_no):
        return RowError(
            number,
            TITLES["staff_no"],
            "工号只能由字母、数字和 . _ - 组成,最多 32 位;长数字请设为文本格式",
        )
    settled = settle_phone(phone) if phone else None
    if phone and settled is None:
        return RowError(number, TITLES["phone"], "手机号格式不对")
    return RosterRow(
        row=number,
        name=name,
        keys=build_name_keys(name),
        staff_no=staff_no or None,
        phone=settled,
        unit=split_full_name(values.get("unit", "")),
        category=values.get("category") or None,
        level=values.get("level") or None,
    )


def _judge_name(name: str) -> str | None:
    if not name:
        return "姓名不能为空"
    if len(name) > MAX_NAME_CHARS:
        return f"姓名最多 {MAX_NAME_CHARS} 个字"
    if name[0] in "=+-@" or any(unicodedata.category(sign).startswith("C") for sign in name):
        return "姓名里有不能使用的字符"
    if not any(sign.isalpha() for sign in name):
        return "姓名里没有文字"
    return None
