"""Calls on threads whose caller is gone before they end."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest

from kernel.blobs.executor import BoundedExecutor
from kernel.errors import DependencyError


class Opened:
    def __init__(self) -> None:
        self.is_closed = asyncio.Event()

    def close(self) -> None:
        self.is_closed.set()


def open_when(gate: threading.Event, opened: Opened) -> Callable[[], Opened]:
    def open_blocking() -> Opened:
        assert gate.wait(10)
        return opened

    return open_blocking


async def test_what_is_opened_for_a_caller_that_was_cancelled_is_closed() -> None:
    executor = BoundedExecutor("t", workers=1, max_pending=1)
    gate, opened = threading.Event(), Opened()
    call = asyncio.ensure_future(
        executor.run(open_when(gate, opened), timeout_s=10, give_back=Opened.close)
    )
    await asyncio.sleep(0)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    gate.set()
    await asyncio.wait_for(opened.is_closed.wait(), 10)
    await executor.close()


async def test_what_is_opened_past_the_deadline_is_closed() -> None:
    executor = BoundedExecutor("t", workers=1, max_pending=1)
    gate, opened = threading.Event(), Opened()
    with pytest.raises(DependencyError, match="no answer within"):
        await executor.run(open_when(gate, opened), timeout_s=0.01, give_back=Opened.close)
    gate.set()
    await asyncio.wait_for(opened.is_closed.wait(), 10)
    await executor.close()


async def test_a_caller_that_is_there_keeps_what_it_opened() -> None:
    executor = BoundedExecutor("t", workers=1, max_pending=1)
    gate, opened = threading.Event(), Opened()
    gate.set()
    result = await executor.run(open_when(gate, opened), timeout_s=10, give_back=Opened.close)
    await executor.close()
    assert result is opened
    assert not opened.is_closed.is_set()
