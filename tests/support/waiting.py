"""Wait for a condition with a deadline; tests never sleep for a guessed time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

Value = TypeVar("Value")
POLL_S = 0.02  # Small against every deadline, large enough to leave the cores to the servers.


async def eventually(
    condition: Callable[[], Value | Awaitable[Value]],
    *,
    timeout_s: float = 10.0,
    message: str = "the condition did not become true",
) -> Value:
    """Poll ``condition`` (plain or async) until it returns something true; return that.

    Raises:
        AssertionError: ``timeout_s`` passed; carries the last value.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        value = condition()
        if isinstance(value, Awaitable):
            value = await value
        if value:
            return value
        if time.monotonic() >= deadline:
            raise AssertionError(f"{message} within {timeout_s} s (last value: {value!r})")
        await asyncio.sleep(POLL_S)


def eventually_blocking(
    condition: Callable[[], Value],
    *,
    timeout_s: float = 10.0,
    message: str = "the condition did not become true",
) -> Value:
    """Do the same where no event loop runs."""
    deadline = time.monotonic() + timeout_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= deadline:
            raise AssertionError(f"{message} within {timeout_s} s (last value: {value!r})")
        time.sleep(POLL_S)
