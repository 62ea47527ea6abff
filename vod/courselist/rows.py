"""Rows of a course list: which column is what, what a row says, how cells are written. Pure.

An empty cell says nothing: a new entry has no such fact, a known one keeps theirs.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from kernel.errors import InputError

MAX_ROWS: Final = 2_000  # What one list may hold; more is sent in parts.
MAX_CELL_CHARS: Final = 20_000
MAX_HEADER_ROWS: Final = 10
# What a column is called; the first name is the template's. The last one is the key in JSON.
COLUMNS: Final[dict[str, tuple[str, ...]]] = {
    "external_id": ("编号", "外部编号", "课程编号", "external_id"),
    "id": ("系统编号", "id"),
    "title": ("标题", "课程名称", "名称", "title"),
    "kind": ("类型", "kind"),
    "external_url": ("网址", "链接", "地址", "external_url"),
    "source_label": ("来源", "source_label"),
    "licence": ("许可", "版权", "licence"),
    "description": ("简介", "description"),
    "form": ("形式", "form"),
    "hours": ("学时", "hours"),
    "tags": ("标签", "tags"),
    "instructors": ("老师", "讲师", "授课老师", "instructors"),
    "series": ("专题", "series"),
    "visibility": ("可见范围", "visibility"),
    "review_by": ("复核日期", "review_by"),
}
TITLES: Final = {field: names[0] for field, names in COLUMNS.items()}
LISTS: Final = frozenset({"tags", "instructors", "series"})
KINDS: Final = {"链接": "link", "资料": "document", "视听": "media"}
VISIBILITIES: Final = {"公开": "public", "仅学员": "members"}
_PARTS: Final = re.compile(r"[、,，;；\n]")
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class CourseRow:
    """What one row says: texts by field; lists for :data:`LISTS`."""

    number: int
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RowError:
    """What is wrong with a row: its number as the sheet shows it, the column, a sentence."""

    row: int
    column: str
    sentence: str


def read_table(rows: Sequence[Sequence[str]]) -> list[CourseRow]:
    """Read a sheet: the header is found among the first rows.

    Raises:
        InputError: 422 with a sentence: no header, a column twice, too many rows.
    """
    index, columns = _find_header(rows[:MAX_HEADER_ROWS])
    found = []
    for number, cells in enumerate(rows[index + 1 :], start=index + 2):
        values = {
            field: unguard(cells[place].strip()) if place < len(cells) else ""
            for field, place in columns.items()
        }
        if any(values.values()):
            found.append(CourseRow(number, _settle(values)))
    return _limit(found)


def read_json(data: bytes) -> list[CourseRow]:
    """Read a list of objects; their members are named as the last names of :data:`COLUMNS`.

    Raises:
        InputError: 422 with a sentence.
    """
    try:
        listed = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise _refuse(f"no JSON: {error}", "文件不是正确的 JSON") from error
    if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
        raise _refuse("no list of objects", "JSON 的最外层应当是课程的列表")
    found = []
    for number, one in enumerate(listed, start=1):
        if unknown := set(one) - set(COLUMNS):
            raise _refuse(
                f"{number}: {min(unknown)}", f"第 {number} 项里有不认识的“{min(unknown)}”"
            )
        found.append(CourseRow(number, _settle({key: _to_text(one[key]) for key in one})))
    return _limit(found)


def _to_text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return "、".join(_to_text(part) for part in value)
    return str(value).strip()


def _settle(values: Mapping[str, str]) -> dict[str, Any]:
    """Leave empty cells out, split lists."""
    return {
        field: [part.strip() for part in _PARTS.split(text) if part.strip()]
        if field in LISTS
        else text
        for field, text in values.items()
        if text
    }


def _limit(found: list[CourseRow]) -> list[CourseRow]:
    if len(found) > MAX_ROWS:
        raise _refuse(f"{len(found)} rows", f"一次最多 {MAX_ROWS} 行，请拆分后再上传")
    if not found:
        raise _refuse("no rows", "文件里没有课程")
    return found


def _find_header(rows: Sequence[Sequence[str]]) -> tuple[int, dict[str, int]]:
    for index, row in enumerate(rows):
        columns: dict[str, int] = {}
        for place, cell in enumerate(row):
            title = unicodedata.normalize("NFKC", cell).strip().lower().rstrip("*")
            for field, names in COLUMNS.items():
                if title in names:
                    if field in columns:
                        raise _refuse(f"{field} twice", f"表头里“{TITLES[field]}”出现了两次")
                    columns[field] = place
        if "title" in columns:
            if not columns.keys() & {"external_id", "id"}:
                raise _refuse("no id", "表头要有“编号”一列，用来认出同一门课")
            return index, columns
    raise _refuse(
        "no header", f"前 {MAX_HEADER_ROWS} 行里没有找到表头，表头要有“标题”一列，请使用模板"
    )


def _refuse(detail: str, title_zh: str) -> InputError:
    return InputError(detail, status=422, title_zh=title_zh)


def guard(text: str) -> str:
    """Write a csv cell that no spreadsheet takes for a formula (OWASP, CSV injection)."""
    return "'" + text if text.startswith(_FORMULA) else text


def unguard(text: str) -> str:
    """Read a cell that :func:`guard` wrote."""
    return text[1:] if text[:1] == "'" and text[1:].startswith(_FORMULA) else text


def join_cell(value: Any) -> str:
    """Write a value as a cell."""
    return "、".join(value) if isinstance(value, list) else str(value)


def is_equal(given: Any, present: Any) -> bool:
    """Tell whether a cell says what is there already; order counts for teachers only."""
    if isinstance(given, list):
        return sorted(given) == sorted(present or [])
    return str(given) == str(present or "")
