"""A stranger's xlsx or csv -> rows of text. Blocks; runs in a child with limits of its own.

Everything is measured before it is read: the folder of the zip, then what really comes out of
it, then rows and columns. What lies about all of that meets the child's memory limit.
"""

from __future__ import annotations

import csv
import datetime as dt
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook, SheetTypeEnum

from kernel.errors import InputError

MAX_FILE_BYTES: Final = 32 * 1024 * 1024  # 120 000 rows are 6 MB.
MAX_INFLATED_BYTES: Final = 400 * 1024 * 1024  # 120 000 rows are 60 MB of XML.
MAX_ENTRIES_COUNT: Final = 500
MAX_ROWS_COUNT: Final = 200_000  # 120 000 members, with room.
MAX_COLUMNS_COUNT: Final = 200
MAX_EXACT: Final = 10**15  # Larger numbers have lost digits in the spreadsheet already.
READ_BYTES: Final = 256 * 1024
ZIP_MAGIC: Final = b"PK\x03\x04"
OLE_MAGIC: Final = bytes.fromhex("d0cf11e0a1b11ae1")  # xls, or an xlsx with a password.


def read_rows_blocking(path: Path) -> Iterator[list[str]]:
    """Yield the rows of a roster, header included, cells as text.

    Raises:
        InputError: 422 with a sentence: neither xlsx nor csv, too large, broken.
    """
    if path.stat().st_size > MAX_FILE_BYTES:
        raise _refuse("the file is too large", f"文件太大,最多 {MAX_FILE_BYTES >> 20} MB")
    with path.open("rb") as file:
        magic = file.read(8)
    if magic.startswith(OLE_MAGIC):
        raise _refuse("xls or encrypted", "不支持旧版 xls 或加密的表格,请另存为 xlsx 再上传")
    if magic.startswith(ZIP_MAGIC):
        check_zip_blocking(path)
        return _read_sheet(path)
    return _read_csv(decode_text(path.read_bytes()))


def check_zip_blocking(path: Path) -> None:
    """Measure what a zip inflates to, without keeping it.

    Raises:
        InputError: It is broken, no workbook, or inflates to more than we read.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            if len(entries) > MAX_ENTRIES_COUNT:
                raise _refuse("too many entries", "压缩包里的文件太多,不是正常的表格")
            if sum(entry.file_size for entry in entries) > MAX_INFLATED_BYTES:
                raise _refuse("inflates to too much", "表格解压后太大,请拆分后再上传")
            names = [entry.filename for entry in entries]
            if "[Content_Types].xml" not in names or len(set(names)) < len(names):
                raise _refuse("not a workbook", "文件不是 xlsx 表格,请使用模板")
            for entry in entries:
                _inflate(archive, entry)
    # What zipfile answers to broken, encrypted, or exotic archives; RuntimeError has a kind of its
    # own for ways of packing that are not known.
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError) as error:
        raise _refuse(f"broken zip: {error}", "xlsx 文件已损坏,请重新保存后上传") from error


def _inflate(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> None:
    """Read an entry to its end: a size that is a lie is found as a wrong checksum."""
    with archive.open(entry) as stream:
        while stream.read(READ_BYTES):
            pass


def _read_sheet(path: Path) -> Iterator[list[str]]:
    try:
        workbook = CalamineWorkbook.from_path(str(path))
        named = [
            sheet.name for sheet in workbook.sheets_metadata if sheet.typ is SheetTypeEnum.WorkSheet
        ]
        if not named:
            raise _refuse("no sheet", "表格里没有工作表")
        sheet = workbook.get_sheet_by_name(named[0])
    except CalamineError as error:
        raise _refuse(f"not readable: {error}", "xlsx 文件无法读取,请重新保存后上传") from error
    _check_size(sheet)
    skipped = sheet.start[0] if sheet.start else 0  # Row numbers as the spreadsheet shows them.
    for _ in range(skipped):
        yield []
    for row in sheet.iter_rows():
        yield [render_cell(cell) for cell in row]


def _check_size(sheet: CalamineSheet) -> None:
    if sheet.total_height > MAX_ROWS_COUNT + 1:
        raise _refuse(
            f"{sheet.total_height} rows", f"表格有 {sheet.total_height} 行,最多 {MAX_ROWS_COUNT} 行"
        )
    if sheet.total_width > MAX_COLUMNS_COUNT:
        raise _refuse(
            f"{sheet.total_width} columns",
            f"表格有 {sheet.total_width} 列,最多 {MAX_COLUMNS_COUNT} 列",
        )


def render_cell(cell: object) -> str:
    """Write a cell as text: whole numbers without a point; formulas are their last value."""
    if isinstance(cell, float):
        if cell.is_integer() and abs(cell) < MAX_EXACT:
            return str(int(cell))
        return repr(cell)
    if isinstance(cell, dt.datetime):
        return cell.date().isoformat()
    return str(cell)


def decode_text(data: bytes) -> str:
    """Decode UTF-8 with or without a mark, UTF-16 with one, else GB18030.

    Raises:
        InputError: It is none of them, or no text at all.
    """
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        encodings = ["utf-16"]
    else:
        encodings = ["utf-8-sig", "gb18030"]
    for encoding in encodings:
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\x00" in text:
            break
        return text
    raise _refuse("no text", "文件不是 xlsx 表格,也不是 UTF-8 或 GB18030 编码的 csv")


def _read_csv(text: str) -> Iterator[list[str]]:
    head = text[:4096]
    delimiter = max(",;\t", key=head.count)
    lines = (line + "\n" for line in text.splitlines())
    try:
        for count, row in enumerate(csv.reader(lines, delimiter=delimiter)):
            if count > MAX_ROWS_COUNT:
                raise _refuse("too many rows", f"表格超过 {MAX_ROWS_COUNT} 行,请拆分后再上传")
            yield row[:MAX_COLUMNS_COUNT]
    except csv.Error as error:
        raise _refuse(f"broken csv: {error}", "csv 文件的格式有误") from error


def _refuse(detail: str, title_zh: str) -> InputError:
    return InputError(detail, status=422, title_zh=title_zh)
