"""One bounded thread pool per dependency, with deadlines: a store that hangs costs nobody else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from kernel.errors import DependencyError

Result = TypeVar("Result")


class BoundedExecutor:
    """Runs blocking calls on its own threads.

    Queue policy: at most ``max_pending`` calls wait or run; one more is refused with
    ``DependencyError`` at once. A call past its deadline is given up by its caller but keeps its
    place until the thread is free again, so a hanging dependency cannot pile up work.
    """

    def __init__(self, name: str, *, workers: int, max_pending: int) -> None:
        self._name = name
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix=name)
        self._max_pending = max_pending
        self._pending = 0

    @property
    def pending(self) -> int:
        """Calls that wait or run."""
        return self._pending

    async def run(
        self,
        function: Callable[[], Result],
        *,
        timeout_s: float,
        give_back: Callable[[Result], None] | None = None,
    ) -> Result:
        """Run ``function`` on a thread.

        ``give_back`` is called on the loop with a result whose caller is gone by the time it is
        there (cancelled, or past the deadline): whoever opens something closes it there.

        Raises:
            DependencyError: Too many calls are pending, or ``timeout_s`` passed; retryable.
        """
        if self._pending >= self._max_pending:
            raise DependencyError(f"{self._name}: {self._pending} calls are pending already")
        loop = asyncio.get_running_loop()
        try:
            future = loop.run_in_executor(self._pool, function)
        except RuntimeError as error:
            raise DependencyError(f"{self._name} is closed", retryable=False) from error
        self._pending += 1
        future.add_done_callback(self._finish)
        try:
            async with asyncio.timeout(timeout_s):
                return await asyncio.shield(future)
        except asyncio.CancelledError:
            _release(future, give_back)
            raise
        except TimeoutError as error:
            if future.done() and not future.cancelled() and future.exception() is error:
                raise  # The function's own, not our deadline.
            _release(future, give_back)
            raise DependencyError(f"{self._name}: no answer within {timeout_s:g} s") from error

    def _finish(self, future: asyncio.Future[Result]) -> None:
        self._pending -= 1
        if not future.cancelled():
            future.exception()  # Looked at: whoever gave up does not want to hear of it.

    async def close(self) -> None:
        """Refuse new calls; wait up to 5 s for running ones."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        for _ in range(100):
            if self._pending == 0:
                return
            await asyncio.sleep(0.05)


def _release(future: asyncio.Future[Result], give_back: Callable[[Result], None] | None) -> None:
    def on_done(done: asyncio.Future[Result]) -> None:
        if give_back is not None and not done.cancelled() and done.exception() is None:
            give_back(done.result())

    future.add_done_callback(on_done)
