"""Read a roster in a child process: bounded memory and time, whatever the file is.

``python -m vod.people.child FILE`` writes JSON lines: ``["total", n]``, then per row ``["row",
...]`` or ``["error", row, column, sentence]``, then ``["end"]``; or ``["refused", sentence]``.
A file that makes the reader abort leaves no ``end``.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from kernel.errors import InputError
from vod.accounts.names import NameKeys
from vod.people.reading import read_rows_blocking
from vod.people.roster import MAX_HEADER_ROWS, RosterRow, RowError, find_header, read_row

MEMORY_BYTES: Final = 1536 * 1024 * 1024  # 120 000 rows take 250 MB.
CPU_S: Final = 120  # 120 000 rows take 10 s.
SILENCE_S: Final = 180.0  # Nothing is written while a workbook is opened; machines may be slow.
LINE_BYTES: Final = 64 * 1024  # Cells are at most 1000 characters.
BATCH_COUNT: Final = 500
BROKEN: Final = "文件无法读取:行列范围过大,或文件已损坏"

Item = RosterRow | RowError


async def read_roster(path: Path) -> AsyncIterator[tuple[int, list[Item]]]:
    """Yield the number of rows and batches of at most ``BATCH_COUNT``, in order.

    Raises:
        InputError: 422 with a sentence: the file was refused or broke its reader.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "vod.people.child", str(path),
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL, limit=LINE_BYTES * 4, start_new_session=True,
    )  # fmt: skip
    try:
        if process.stdout is None:
            raise InputError("no output", status=422, title_zh=BROKEN)
        async for found in _read_batches(process.stdout):
            yield found
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _read_batches(output: asyncio.StreamReader) -> AsyncIterator[tuple[int, list[Item]]]:
    total, batch = 0, list[Item]()
    while True:
        try:
            async with asyncio.timeout(SILENCE_S):
                line = await output.readline()
        except (TimeoutError, ValueError) as error:
            raise InputError(f"the reader hangs: {error}", status=422, title_zh=BROKEN) from error
        if not line:
            raise InputError("the reader died", status=422, title_zh=BROKEN)
        kind, *values = json.loads(line)
        if kind == "refused":
            raise InputError("the file was refused", status=422, title_zh=values[0])
        if kind == "total":
            total = values[0]
        elif kind == "end":
            yield total, batch
            return
        else:
            batch.append(_parse_item(kind, values))
            if len(batch) == BATCH_COUNT:
                yield total, batch
                batch = []


def _parse_item(kind: str, values: list[Any]) -> Item:
    if kind == "error":
        return RowError(*values)
    members = values[0]
    return RosterRow(
        **{**members, "keys": NameKeys(**members["keys"]), "unit": tuple(members["unit"])}
    )


def write_lines_blocking(path: Path) -> Iterator[list[Any]]:
    """Yield what the child writes."""
    try:
        rows = list(read_rows_blocking(path))
        index, columns = find_header(rows[:MAX_HEADER_ROWS])
    except InputError as error:
        yield ["refused", error.title]
        return
    except MemoryError:
        yield ["refused", BROKEN]
        return
    filled = [
        (number, row)
        for number, row in enumerate(rows[index + 1 :], start=index + 2)
        if any(cell.strip() for cell in row)
    ]
    yield ["total", len(filled)]
    for number, row in filled:
        item = read_row(number, row, columns)
        if isinstance(item, RowError):
            yield ["error", item.row, item.column, item.sentence]
        else:
            yield ["row", asdict(item)]
    yield ["end"]


def main() -> None:
    """Run as the child."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for line in write_lines_blocking(Path(sys.argv[1])):
        sys.stdout.write(json.dumps(line, ensure_ascii=False) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
