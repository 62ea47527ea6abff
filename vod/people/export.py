"""Members as an xlsx file, in a thread of its own; one export at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.errors import CapacityError
from vod.accounts.models import Account
from vod.accounts.roles import Viewer
from vod.audit.service import record
from vod.db.engine import Database
from vod.people.lists import MemberList, load_entries
from vod.people.masking import mask_phone
from vod.people.queries import MemberFilter, build_members
from vod.people.sheets import RosterSheet, write_template_blocking
from vod.units.models import OrgUnit
from vod.units.queries import FULL_NAME_SEPARATOR
from vod.units.tree import build_full_names

ROWS_COUNT: Final = 1000  # Fetched and written at a time.
BEIJING: Final = ZoneInfo("Asia/Shanghai")
EXAMPLE_UNIT: Final = "某某市 / 某某旗 / 某某党委 / 某某党支部"


class RosterExporter:
    """Writes exports. Its one thread is the bound: a second export is refused meanwhile."""

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="xlsx")
        self._is_busy = False

    def close(self) -> None:
        self._executor.shutdown(wait=False, cancel_futures=True)

    @asynccontextmanager
    async def write_members(
        self, database: Database, wanted: MemberFilter, *, notes: Sequence[str]
    ) -> AsyncIterator[tuple[Path, int]]:
        """Yield an xlsx of the members a list shows, and how many; it is gone afterwards.

        Raises:
            CapacityError: Another export is being written.
        """
        async with self._open_folder() as folder:
            path = folder / "roster.xlsx"
            sheet = await self._run(partial(RosterSheet, path, notes))
            count = 0
            async with database.read() as session:
                names = await _load_names(session)
                async for rows in _stream(session, wanted):
                    count += len(rows)
                    cells = [_render(row, names) for row in rows]
                    await self._run(partial(sheet.add_blocking, cells))
            await self._run(sheet.close_blocking)
            yield path, count

    @asynccontextmanager
    async def write_template(self, database: Database) -> AsyncIterator[Path]:
        """Yield the template of rosters; it is gone afterwards.

        Raises:
            CapacityError: An export is being written.
        """
        async with database.read() as session:
            words = {
                which: [entry.name for entry in await load_entries(session, which)]
                for which in MemberList
            }
        async with self._open_folder() as folder:
            path = folder / "template.xlsx"
            await self._run(
                partial(
                    write_template_blocking,
                    path,
                    categories=words[MemberList.CATEGORIES],
                    levels=words[MemberList.LEVELS],
                    example_unit=EXAMPLE_UNIT,
                )
            )
            yield path

    @asynccontextmanager
    async def _open_folder(self) -> AsyncIterator[Path]:
        if self._is_busy:
            raise CapacityError("another export is being written", retry_after_s=10)
        self._is_busy = True
        try:
            folder = await self._run(partial(TemporaryDirectory, prefix="export-"))
            try:
                yield Path(folder.name)
            finally:
                await self._run(folder.cleanup)
        finally:
            self._is_busy = False

    async def _run(self, work: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)


async def note_export(
    database: Database, viewer: Viewer, *, count: int, wanted: MemberFilter, now: datetime
) -> None:
    """Write into the audit log who exported what."""
    async with database.write() as session:
        record(
            session,
            now=now,
            actor_id=viewer.account_id,
            action="roster.exported",
            object_type="roster",
            object_id=viewer.account_id or "",
            count=count,
            reach=list(wanted.reach),
            category=wanted.category,
            level=wanted.level,
            state=wanted.state.value if wanted.state else None,
        )


def build_notes(name: str, unit: str, now: datetime) -> tuple[str, ...]:
    """Say who exported what, when, and what the figures mean."""
    return (
        f"导出人:{name}",
        f"导出时间:{now.astimezone(BEIJING):%Y-%m-%d %H:%M}(北京时间)",
        f"范围:{unit}",
        "口径:按导出时的组织机构和筛选条件;手机号已脱敏;按姓名拼音排序。",
    )


async def _stream(session: AsyncSession, wanted: MemberFilter) -> AsyncIterator[Sequence[Any]]:
    columns = (
        Account.display_name, Account.staff_no, Account.phone, Account.unit_id, Account.category,
        Account.level, Account.is_disabled, Account.password_hash,
    )  # fmt: skip
    result = await session.stream(build_members(wanted).with_only_columns(*columns))
    async for rows in result.partitions(ROWS_COUNT):
        yield rows


async def _load_names(session: AsyncSession) -> dict[str, str]:
    """Load what keys are called: full names of units, names of categories and levels."""
    rows = await session.execute(select(OrgUnit.id, OrgUnit.parent_id, OrgUnit.name))
    names = {
        unit_id: FULL_NAME_SEPARATOR.join(parts)
        for unit_id, parts in build_full_names(rows.tuples()).items()
    }
    for which in MemberList:
        for entry in await load_entries(session, which):
            names[f"{which.value} {entry.key}"] = entry.name
    return names


def _render(row: Any, names: dict[str, str]) -> tuple[str, ...]:
    state = "未激活" if row.password_hash == "" else "正常"
    return (
        row.display_name,
        row.staff_no or "",
        mask_phone(row.phone) or "",
        names.get(row.unit_id or "", ""),
        names.get(f"{MemberList.CATEGORIES.value} {row.category}", ""),
        names.get(f"{MemberList.LEVELS.value} {row.level}", ""),
        "停用" if row.is_disabled else state,
    )
