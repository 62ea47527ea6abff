"""Carry roster imports out: the dry run, and after its confirmation the import itself.

An import is claimed for a while and the claim renewed with every batch, so that after a crash
somebody goes on. Rows are written 500 at a time, each batch in one transaction with the count of
rows done: an import that is taken up again goes on behind the last batch and writes none twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import structlog
from sqlalchemy import CursorResult, and_, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.blobs.port import BlobStore
from kernel.clock import Clock
from kernel.errors import BlobMissingError, ConflictError, DependencyError, HallError, InputError
from vod.accounts.models import Account
from vod.accounts.rights import Action, may_anywhere
from vod.accounts.roles import Viewer
from vod.accounts.sessions import MEMBER_OPTIONS, describe_account
from vod.audit.service import record
from vod.db.engine import Database
from vod.people.batches import Outcome, load_matcher, match_batch, write_batch
from vod.people.child import Item, read_roster
from vod.people.imports import forget_file
from vod.people.matching import Matcher
from vod.people.models import ImportState, RosterImport
from vod.people.roster import RowError

CLAIM: Final = timedelta(minutes=5)  # The longest silence: opening a workbook on a slow machine.
POLL_S: Final = 1.0
MAX_ERRORS_KEPT: Final = 1000  # Who has more, has another problem; all are counted.
KEPT: Final = timedelta(days=7)  # An import that nobody confirms, and its file.
WORKING: Final = {
    ImportState.UPLOADED: ImportState.CHECKING,
    ImportState.CHECKING: ImportState.CHECKING,
    ImportState.CONFIRMED: ImportState.APPLYING,
    ImportState.APPLYING: ImportState.APPLYING,
}
log = structlog.get_logger(__name__)


class ClaimLostError(HallError):
    """The import was cancelled, or another process took it up."""


class ImportRunner:
    """Takes imports up, one after the other. ``run()`` until cancelled."""

    def __init__(self, database: Database, blobs: BlobStore, clock: Clock, folder: Path) -> None:
        """``folder`` is where files lie while they are read."""
        self._database, self._blobs, self._clock = database, blobs, clock
        self._folder = folder

    async def run(self) -> None:
        """Look for work every second."""
        while True:
            try:
                while await self.run_once():
                    pass
                await self.forget_old()
            except DependencyError as error:
                log.warning("imports_postponed", reason=str(error))
            await asyncio.sleep(POLL_S)

    async def run_once(self) -> bool:
        """Carry out one step of one import, if any waits; tell whether one did."""
        row = await self._claim()
        if row is None:
            return False
        log.info("import_begun", id=row.id, state=row.state.value)
        try:
            async with self._fetch(row) as path:
                await self._carry_out(row, path)
        except ClaimLostError:
            log.info("import_given_up", id=row.id)
        except InputError as error:
            await self._finish(row, ImportState.FAILED, reason=error.title)
        except (ConflictError, BlobMissingError) as error:
            log.warning("import_failed", id=row.id, reason=str(error))
            await self._finish(row, ImportState.FAILED, reason="导入没有完成:" + error.title)
        return True

    async def forget_old(self) -> None:
        """Give up imports that nobody confirmed."""
        before = self._clock.now() - KEPT
        async with self._database.read() as session:
            rows = (
                await session.scalars(
                    select(RosterImport).where(
                        RosterImport.state == ImportState.CHECKED,
                        RosterImport.created_at < before,
                    )
                )
            ).all()
        for row in rows:
            await self._finish(row, ImportState.CANCELLED, reason="超过 7 天没有确认")

    async def _carry_out(self, row: RosterImport, path: Path) -> None:
        async with self._database.read() as session:
            viewer = await _load_importer(session, row.created_by)
            matcher = await load_matcher(session, viewer)
        is_applying = row.state is ImportState.APPLYING
        counts = dict(row.counts) if is_applying else {}
        errors = list(row.errors) if is_applying else []
        skip, done = (row.rows_done, 0) if is_applying else (0, 0)
        async for total, items in read_roster(path):
            if done < skip:  # Written before a crash; only what it said is remembered.
                async with self._database.read() as session:
                    await match_batch(session, items, matcher, viewer)
                done += len(items)
                continue
            done += len(items)
            progress = _Progress(total, done, counts, errors)
            await self._do_batch(row, items, progress, matcher=matcher, viewer=viewer)
            counts, errors = progress.counts, progress.errors
        await self._finish(row, ImportState.DONE if is_applying else ImportState.CHECKED)

    async def _do_batch(
        self,
        row: RosterImport,
        items: list[Item],
        progress: _Progress,
        *,
        matcher: Matcher,
        viewer: Viewer,
    ) -> None:
        if row.state is ImportState.CHECKING:
            async with self._database.read() as session:
                outcome = await match_batch(session, items, matcher, viewer)
            progress.add(outcome)
            async with self._database.write() as session:
                await self._save(session, row, progress)
            return
        try:
            async with self._database.write() as session:
                outcome = await match_batch(session, items, matcher, viewer)
                progress.add(outcome)
                await self._save(session, row, progress)
                await write_batch(
                    session, outcome, import_id=row.id, actor_id=viewer.account_id or "",
                    now=self._clock.now(),
                )  # fmt: skip
        except IntegrityError as error:
            raise ConflictError(
                f"somebody changed the same members: {error.orig!r}",
                title_zh="有人同时修改了同一批学员,请重新上传",
            ) from error

    async def _claim(self) -> RosterImport | None:
        now = self._clock.now()
        is_free = or_(RosterImport.claimed_until.is_(None), RosterImport.claimed_until < now)
        is_waiting = or_(
            RosterImport.state.in_((ImportState.UPLOADED, ImportState.CONFIRMED)),
            and_(RosterImport.state.in_((ImportState.CHECKING, ImportState.APPLYING)), is_free),
        )
        async with self._database.read() as session:
            row = await session.scalar(
                select(RosterImport).where(is_waiting).order_by(RosterImport.created_at).limit(1)
            )
        if row is None:
            return None
        async with self._database.write() as session:
            values: dict[str, Any] = {
                "state": WORKING[row.state], "fence": row.fence + 1, "claimed_until": now + CLAIM,
            }  # fmt: skip
            if row.state is not ImportState.APPLYING:
                values |= {"rows_done": 0, "counts": {}, "errors": []}
            result = await session.execute(
                update(RosterImport)
                .where(RosterImport.id == row.id, RosterImport.fence == row.fence,
                       RosterImport.state == row.state)
                .values(**values)
                .execution_options(synchronize_session=False)
            )  # fmt: skip
            if not isinstance(result, CursorResult) or result.rowcount != 1:
                return None
            return await session.get_one(RosterImport, row.id)

    async def _save(self, session: AsyncSession, row: RosterImport, progress: _Progress) -> None:
        await self._write(
            session,
            row,
            rows_count=progress.total,
            rows_done=progress.done,
            counts=progress.counts,
            errors=progress.errors,
            claimed_until=self._clock.now() + CLAIM,
        )

    async def _write(self, session: AsyncSession, row: RosterImport, **values: Any) -> None:
        result = await session.execute(
            update(RosterImport)
            .where(RosterImport.id == row.id, RosterImport.fence == row.fence,
                   RosterImport.state == row.state)
            .values(**values)
            .execution_options(synchronize_session=False)
        )  # fmt: skip
        if not isinstance(result, CursorResult) or result.rowcount != 1:
            raise ClaimLostError("somebody else holds the import")

    async def _finish(
        self, row: RosterImport, state: ImportState, *, reason: str | None = None
    ) -> None:
        now, is_over = self._clock.now(), state is not ImportState.CHECKED
        try:
            async with self._database.write() as session:
                await self._write(
                    session, row, state=state, reason=reason, claimed_until=None,
                    finished_at=now if is_over else None,
                )  # fmt: skip
                current = await session.get_one(RosterImport, row.id, populate_existing=True)
                record(
                    session, now=now, actor_id=row.created_by, action=f"roster.{state.value}",
                    object_type="roster_import", object_id=row.id, **current.counts,
                )  # fmt: skip
        except ClaimLostError:
            return  # Cancelled in the very last moment.
        if is_over:
            await forget_file(self._blobs, row.blob_key)
        log.info("import_ended", id=row.id, state=state.value, **current.counts)

    @asynccontextmanager
    async def _fetch(self, row: RosterImport) -> AsyncIterator[Path]:
        folder = await asyncio.to_thread(
            TemporaryDirectory, prefix="roster-", dir=self._folder, ignore_cleanup_errors=True
        )
        try:
            path = Path(folder.name) / "roster"
            await self._blobs.download(row.blob_key, path)
            yield path
        finally:
            await asyncio.to_thread(folder.cleanup)


class _Progress:
    """Counts and the first errors after a batch."""

    def __init__(self, total: int, done: int, counts: dict[str, Any], errors: list[Any]) -> None:
        self.total, self.done = total, done
        self.counts, self.errors = dict(counts), list(errors)

    def add(self, outcome: Outcome) -> None:
        for name, count in outcome.count().items():
            self.counts[name] = self.counts.get(name, 0) + count
        room = MAX_ERRORS_KEPT - len(self.errors)
        self.errors += [_list(error) for error in outcome.errors[:room]]


def _list(error: RowError) -> list[Any]:
    return [error.row, error.column, error.sentence]


async def _load_importer(session: AsyncSession, account_id: str | None) -> Viewer:
    """Load whoever uploaded the file, with the rights they have now.

    Raises:
        InputError: They have none any more.
    """
    account = (
        (
            await session.scalars(
                select(Account)
                .where(Account.id == account_id, Account.is_disabled.is_(False))
                .options(*MEMBER_OPTIONS)
            )
        )
        .unique()
        .one_or_none()
    )
    viewer = describe_account(account) if account else None
    if viewer is None or not may_anywhere(viewer, Action.IMPORT_MEMBERS):
        raise InputError("no right to import", status=422, title_zh="上传人已没有导入的权限")
    return viewer
