"""Write course lists as xlsx, csv and JSON. Blocks; every cell is text, nothing is a formula."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import xlsxwriter  # type: ignore[import-untyped]  # The library ships no types.

from vod.courselist.rows import COLUMNS, KINDS, TITLES, VISIBILITIES, guard, join_cell
from vod.people.sheets import add_sheet

MAX_XLSX_CHARS: Final = 32_767  # Of a cell, says Excel.
WIDTHS: Final = {"title": 40, "external_url": 40, "description": 50, "id": 24}
MIMES: Final = {
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "csv": "text/csv; charset=utf-8",
    "json": "application/json; charset=utf-8",
}
_EXAMPLE: Final = {
    "external_id": "GCDY-0001",
    "title": "党章公开课第一讲",
    "kind": "链接",
    "external_url": "https://www.example.org/course/1",
    "source_label": "共产党员网",
    "licence": "仅供学习",
    "hours": "0.5",
    "tags": "党章、公开课",
    "visibility": "仅学员",
}


def write_xlsx_blocking(rows: Iterable[Mapping[str, Any]]) -> bytes:
    out = io.BytesIO()
    book = _open(out)
    sheet = add_sheet(book, "课程", tuple(TITLES.values()), _widths())
    for number, row in enumerate(rows, start=1):
        _fill(sheet, number, row)
    book.close()
    return out.getvalue()


def write_template_blocking(forms: Sequence[str]) -> bytes:
    """A header, one example, and what the columns mean."""
    out = io.BytesIO()
    book = _open(out)
    fields = [field for field in COLUMNS if field != "id"]
    widths = [WIDTHS.get(field, 14) for field in fields]
    sheet = add_sheet(book, "课程", [TITLES[field] for field in fields], widths)
    for place, field in enumerate(fields):
        sheet.write_string(1, place, _EXAMPLE.get(field, ""))
    notes = book.add_worksheet("填写说明")
    notes.set_column(0, 0, 100)
    for index, line in enumerate(
        (
            "每行一门课。“编号”用来认出同一门课：编号相同就更新，没有就新增；同一个文件导入两次，第二次不会有变化。",
            "空着的单元格不改动原有内容。新课程先是草稿，审核或发布后学员才看得到。",
            "类型：" + "、".join(KINDS) + "。视听课要先上传文件，这里只能改它的信息。",
            "可见范围：" + "、".join(VISIBILITIES),
            "形式：" + "、".join(forms),
            "标签、老师、专题可以有多个，用顿号分开；老师和专题要先在系统里建好。",
        )
    ):
        notes.write_string(index, 0, line)
    book.close()
    return out.getvalue()


def write_csv_blocking(rows: Iterable[Mapping[str, Any]]) -> bytes:
    """With a mark at the beginning, without which Excel does not take it for UTF-8."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(TITLES.values())
    for row in rows:
        writer.writerow([guard(join_cell(row.get(field, ""))) for field in COLUMNS])
    return ("\ufeff" + out.getvalue()).encode()


def write_json_blocking(rows: Iterable[Mapping[str, Any]]) -> bytes:
    return json.dumps(list(rows), ensure_ascii=False, indent=1).encode()


WRITERS: Final = {
    "xlsx": write_xlsx_blocking,
    "csv": write_csv_blocking,
    "json": write_json_blocking,
}


def _open(out: io.BytesIO) -> Any:
    return xlsxwriter.Workbook(
        out,
        {
            "in_memory": True,
            "strings_to_formulas": False,
            "strings_to_urls": False,
            "strings_to_numbers": False,
        },
    )


def _widths() -> tuple[int, ...]:
    return tuple(WIDTHS.get(field, 14) for field in COLUMNS)


def _fill(sheet: Any, number: int, row: Mapping[str, Any]) -> None:
    for place, field in enumerate(COLUMNS):
        sheet.write_string(number, place, join_cell(row.get(field, ""))[:MAX_XLSX_CHARS])
