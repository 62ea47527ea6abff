"""The one way to the database: ``open_database``, then ``read()`` or ``write()`` sessions.

On SQLite writers take turns in the program and start with BEGIN IMMEDIATE, so that none meets
"database is locked" in its middle; readers see a snapshot of the WAL and never wait. PostgreSQL
gets plain transactions. Services own transactions; a session is never shared between tasks.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import (
    AbstractAsyncContextManager,
    asynccontextmanager,
    contextmanager,
    nullcontext,
    suppress,
)
from typing import Any, Final

import structlog
from sqlalchemy import event, make_url
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import (
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)

from kernel.errors import DependencyError

BUSY_TIMEOUT_MS: Final = 10_000  # Another process (backup, `hall account create`) may be writing.
WAL_TRIES_COUNT: Final = 100  # Each waits its turn; far more than open one file at once.
POOL_COUNT: Final = 10  # Connections kept per process.
# PostgreSQL's serialization_failure and deadlock_detected: nothing happened, trying again helps.
RACE_STATES: Final = frozenset({"40001", "40P01"})
POOL_WAIT_S: Final = 10.0  # Waiting longer for one means overload: fail with a sentence.

log = structlog.get_logger(__name__)


class ClosingConnection(sqlite3.Connection):
    """Gives its locks back when it is closed.

    A cancelled task leaves a cursor to the collector. SQLite keeps a connection with such a
    cursor open after ``close()``, and with it the transaction that no other writer can pass.
    """

    def close(self) -> None:
        """Roll back, then close. Runs on: the connection's thread."""
        with suppress(sqlite3.ProgrammingError):  # It is closed already.
            self.rollback()
        super().close()


class Database:
    """Sessions over one database. Built by :func:`open_database`."""

    def __init__(self, reader: AsyncEngine, writer: AsyncEngine) -> None:
        self._read = async_sessionmaker(reader, expire_on_commit=False)
        self._write = async_sessionmaker(writer, expire_on_commit=False)
        self.engine = reader
        self.is_sqlite = reader.dialect.name == "sqlite"
        self._turn: AbstractAsyncContextManager[Any] = (
            asyncio.Lock() if self.is_sqlite else nullcontext()
        )

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncSession]:
        """Open a session for queries; whatever it changed is rolled back.

        Raises:
            DependencyError: The database is away or overloaded; retryable.
        """
        async with _translate_errors(), self._read() as session:
            yield session

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncSession]:
        """Open a transaction: committed at the end of the block, rolled back on any error.

        Do no network I/O inside: on SQLite all other writers wait.

        Raises:
            DependencyError: The database is away or overloaded; retryable.
        """
        async with _translate_errors(), self._turn, self._write() as session, session.begin():
            yield session


@asynccontextmanager
async def open_database(url: str) -> AsyncIterator[Database]:
    """Open ``sqlite+aiosqlite:///...`` or ``postgresql+asyncpg://...``; close its connections."""
    reader = build_engine(url)
    is_sqlite = reader.dialect.name == "sqlite"
    writer = build_engine(url, is_writer=True) if is_sqlite else reader
    try:
        yield Database(reader, writer)
    finally:
        await reader.dispose()
        if writer is not reader:
            await writer.dispose()


def migrate(url: str) -> None:
    """Bring the database at ``url`` to the newest schema; several at once take turns.

    Runs on: any thread without a running loop (it blocks).
    """
    from vod.db.migrate import run_migrations_blocking  # Alembic is for those who migrate only.

    run_migrations_blocking(url)


def build_engine(url: str, *, is_writer: bool = False) -> AsyncEngine:
    """Build an engine with our connection settings; ``is_writer`` matters on SQLite only."""
    if make_url(url).get_backend_name() != "sqlite":
        return create_async_engine(
            url, pool_size=POOL_COUNT, max_overflow=POOL_COUNT, pool_timeout=POOL_WAIT_S,
            pool_pre_ping=True,
        )  # fmt: skip
    engine = create_async_engine(
        url, pool_size=1 if is_writer else POOL_COUNT, max_overflow=0, pool_timeout=POOL_WAIT_S,
        connect_args={"factory": ClosingConnection},
    )  # fmt: skip
    event.listen(engine.sync_engine, "connect", _prepare_sqlite)
    begin = "BEGIN IMMEDIATE" if is_writer else "BEGIN"
    event.listen(engine.sync_engine, "begin", lambda connection: connection.exec_driver_sql(begin))
    return engine


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    # The driver must not start transactions on its own: we say BEGIN ourselves.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
    _change_to_wal(cursor)
    cursor.execute("PRAGMA synchronous=FULL")  # An event answered with 204 survives a power cut.
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _change_to_wal(cursor: Any) -> None:
    """Let readers and the writer work side by side; the file remembers it.

    Several that open a new file at once meet here. SQLite does not wait for the others with this
    change (two that wait for each other would wait for ever), so we take a turn as a writer first.
    """
    for _ in range(WAL_TRIES_COUNT - 1):
        with suppress(sqlite3.OperationalError):
            cursor.execute("PRAGMA journal_mode=WAL")
            return
        cursor.execute("BEGIN IMMEDIATE")  # Waits for the others, for as long as it may.
        cursor.execute("ROLLBACK")
    cursor.execute("PRAGMA journal_mode=WAL")


@contextmanager
def log_dependency(message: str) -> Iterator[None]:
    """Log that a neighbour failed, and go on: for what is given back while an error is under way.

    An error raised in a ``finally`` takes the place of what ended the block; of a cancellation
    nothing would be left, and whoever waits for the task would wait for ever.
    """
    try:
        yield
    except DependencyError as error:
        log.warning(message, detail=str(error))


@asynccontextmanager
async def _translate_errors() -> AsyncIterator[None]:
    try:
        yield
    except PoolTimeoutError as error:
        raise DependencyError(f"the database is overloaded: {error}") from error
    except (OperationalError, InterfaceError) as error:
        raise DependencyError(f"the database failed: {error.orig!r}") from error
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) in RACE_STATES:
            raise DependencyError(f"two changes met, try again: {error.orig!r}") from error
        if error.connection_invalidated:
            raise DependencyError(f"the database went away: {error.orig!r}") from error
        raise
    except OSError as error:
        raise DependencyError(f"the database cannot be reached: {error!r}") from error
