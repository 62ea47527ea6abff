"""Write rosters as xlsx: the template, and members as they are. Blocks; one thread of its own.

Every cell is text, so no number loses digits and nothing that somebody is called is a formula.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import xlsxwriter  # type: ignore[import-untyped]  # The library ships no types.

from vod.people.roster import TITLES

TEMPLATE_COLUMNS: Final = tuple(TITLES.values())
EXPORT_COLUMNS: Final = (
    "序号", "姓名", "工号", "手机号(脱敏)", "所在党组织(全称)", "人员类别", "职务层级", "状态",
)  # fmt: skip
WIDTHS: Final = (8, 14, 16, 16, 60, 14, 14, 10)
MIME: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


class RosterSheet:
    """An xlsx that is written row by row; at most one row is in memory."""

    def __init__(self, path: Path, notes: Sequence[str]) -> None:
        """``notes`` are the lines of the sheet that says who exported what, and when."""
        self._book = xlsxwriter.Workbook(
            str(path),
            {
                "constant_memory": True,
                "strings_to_formulas": False,
                "strings_to_urls": False,
                "strings_to_numbers": False,
                "tmpdir": str(path.parent),
            },
        )
        self._bold = self._book.add_format({"bold": True})
        self._text = self._book.add_format({"num_format": "@"})
        note_sheet = self._book.add_worksheet("导出说明")
        note_sheet.set_column(0, 0, 80)
        for index, line in enumerate(notes):
            note_sheet.write_string(index, 0, line)
        self._sheet = self._add_sheet("学员", EXPORT_COLUMNS, WIDTHS)
        self._rows_count = 0

    def add_blocking(self, rows: Iterable[Sequence[str]]) -> None:
        """Write rows without their running number."""
        for row in rows:
            self._rows_count += 1
            for column, cell in enumerate((str(self._rows_count), *row)):
                self._sheet.write_string(self._rows_count, column, cell, self._text)

    def close_blocking(self) -> None:
        """Write the row of totals and the file."""
        last = self._rows_count + 1
        self._sheet.write_string(last, 0, "合计", self._bold)
        self._sheet.write_string(last, 1, f"{self._rows_count} 人", self._bold)
        self._book.close()

    def _add_sheet(self, name: str, titles: Sequence[str], widths: Sequence[int]) -> Any:
        return add_sheet(self._book, name, titles, widths)


def add_sheet(book: Any, name: str, titles: Sequence[str], widths: Sequence[int]) -> Any:
    """Add a sheet with a bold header that stays when one scrolls; columns are text."""
    sheet = book.add_worksheet(name)
    bold, text = book.add_format({"bold": True}), book.add_format({"num_format": "@"})
    sheet.freeze_panes(1, 0)
    for column, (title, width) in enumerate(zip(titles, widths, strict=True)):
        sheet.set_column(column, column, width, text)
        sheet.write_string(0, column, title, bold)
    return sheet


def write_template_blocking(
    path: Path, *, categories: Sequence[str], levels: Sequence[str], example_unit: str
) -> None:
    """Write the template: a header, one example, and what the columns mean."""
    book = xlsxwriter.Workbook(
        str(path), {"strings_to_formulas": False, "tmpdir": str(path.parent)}
    )
    sheet = add_sheet(book, "学员", TEMPLATE_COLUMNS, (14, 16, 16, 60, 14, 14))
    for column, names in ((4, categories), (5, levels)):
        # Excel takes lists of at most 255 characters here; longer ones are on the second sheet.
        if names and len(",".join(names)) <= 255:  # noqa: PLR2004 - said above
            sheet.data_validation(
                1, column, 200_000, column, {"validate": "list", "source": list(names)}
            )
    notes = book.add_worksheet("填写说明")
    notes.set_column(0, 0, 100)
    lines = (
        "每行一位学员。“姓名”必填;“工号”和“手机号”至少填一项,系统先按工号、再按手机号认人。",
        "已有的学员会更新,没有的会新增;空着的单元格不改动原有内容。新学员必须填写“所在党组织”。",
        f"“所在党组织”写全称,从上级到下级用 / 分开,例如:{example_unit}",
        "人员类别:" + "、".join(categories),
        "职务层级:" + "、".join(levels),
        "新学员没有密码:由管理员发放一次性登录码,首次登录时设置密码。",
    )
    for index, line in enumerate(lines):
        notes.write_string(index, 0, line)
    book.close()
