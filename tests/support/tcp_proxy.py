"""A line between us and a server that can be slow, break in the middle, or be dead."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

CHUNK_BYTES = 64 * 1024


@dataclass
class TcpProxy:
    """Passes bytes on; its members may be changed while it runs.

    Attributes:
        delay_s: Before each piece in either direction.
        cut_every: Each n-th connection breaks after ``cut_after_bytes``; 0: none does.
        is_dead: New connections are closed at once, open ones break at their next piece.
    """

    target_host: str
    target_port: int
    delay_s: float = 0.0
    cut_every: int = 0
    cut_after_bytes: int = 100_000
    is_dead: bool = False
    connections_count: int = 0
    cuts_count: int = 0
    port: int = 0
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections_count += 1
        budget = None
        if self.cut_every and self.connections_count % self.cut_every == 0:
            budget = self.cut_after_bytes
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            if self.is_dead:
                return
            there, back = await asyncio.open_connection(self.target_host, self.target_port)
            try:
                await self._join(reader, writer, there, back, budget)
            finally:
                back.close()
        except (OSError, asyncio.CancelledError):
            pass  # asyncio's own callback complains of a handler that was cancelled.
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _join(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        there: asyncio.StreamReader,
        back: asyncio.StreamWriter,
        budget: int | None,
    ) -> None:
        passed = 0

        async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            nonlocal passed
            while data := await source.read(CHUNK_BYTES):
                await asyncio.sleep(self.delay_s)
                passed += len(data)
                if self.is_dead or (budget is not None and passed > budget):
                    self.cuts_count += 1
                    return
                sink.write(data)
                await sink.drain()

        pumps = [asyncio.create_task(pump(reader, back)), asyncio.create_task(pump(there, writer))]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in pumps:
                task.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)

    @contextlib.asynccontextmanager
    async def run(self) -> AsyncIterator[TcpProxy]:
        """Listen on a free port of this machine."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for task in list(self._tasks):
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
