"""Read a course list in a child process: bounded memory and time, whatever the file is.

``python -m vod.courselist.child FILE`` writes one JSON document: ``{"rows": [[number, values]]}``
or ``{"refused": sentence}``. A file that makes the reader abort leaves nothing.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from kernel.errors import InputError
from vod.courselist.rows import CourseRow, read_json, read_table
from vod.people.reading import read_rows_blocking

MEMORY_BYTES: Final = 1536 * 1024 * 1024
CPU_S: Final = 60
DEADLINE_S: Final = 120.0
BROKEN: Final = "文件无法读取：行列范围过大，或文件已损坏"


async def read_course_list(path: Path) -> list[CourseRow]:
    """Read xlsx, csv or JSON, told apart by what is in it.

    Raises:
        InputError: 422 with a sentence: the file was refused or broke its reader.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "vod.courselist.child", str(path),
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        async with asyncio.timeout(DEADLINE_S):
            output, _ = await process.communicate()
    except TimeoutError as error:
        raise InputError("the reader hangs", status=422, title_zh=BROKEN) from error
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
    if not output:
        raise InputError("the reader died", status=422, title_zh=BROKEN)
    found = json.loads(output)
    if "refused" in found:
        raise InputError("the file was refused", status=422, title_zh=found["refused"])
    return [CourseRow(number, values) for number, values in found["rows"]]


def read_blocking(path: Path) -> dict[str, Any]:
    """What the child writes."""
    try:
        with path.open("rb") as file:
            head = file.read(64).lstrip(b"\xef\xbb\xbf \t\r\n")
        if head[:1] in {b"[", b"{"}:
            rows = read_json(path.read_bytes().removeprefix(b"\xef\xbb\xbf"))
        else:
            rows = read_table(list(read_rows_blocking(path)))
    except InputError as error:
        return {"refused": error.title}
    except MemoryError:
        return {"refused": BROKEN}
    return {"rows": [[row.number, row.values] for row in rows]}


def main() -> None:
    """Run as the child."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    json.dump(read_blocking(Path(sys.argv[1])), sys.stdout, ensure_ascii=True)
    sys.stdout.flush()


if __name__ == "__main__":
    main()
