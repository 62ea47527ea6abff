"""Wait for a condition with a deadline; tests never sleep for a guessed time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

Value = TypeVar("Value")
POLL_S = 0.02  # The first looks; what happens at once is seen at once.
LONGEST_POLL_S = 0.2  # Later ones: a look is a request, and the servers need the cores.
SLOWER = 1.15  # By how much each pause is longer than the one before.
PATIENCE = 3  # A busy machine is not a failure: a condition gets this many times its usual time.
CROWDING_CPU_S = 0.1  # Some turns of the scheduler.


async def eventually(
    condition: Callable[[], Value | Awaitable[Value]],
    *,
    timeout_s: float = 10.0,
    message: str = "the condition did not become true",
) -> Value:
    """Poll ``condition`` (plain or async) until it returns something true; return that.

    Args:
        timeout_s: How long it may take on a machine that has nothing else to do; it gets
            ``PATIENCE`` times as long. What must be quick is measured by the test itself.

    Raises:
        AssertionError: It took too long; carries the last value.
    """
    deadline = time.monotonic() + timeout_s * PATIENCE
    pause_s = POLL_S
    while True:
        value = condition()
        if isinstance(value, Awaitable):
            value = await value
        if value:
            return value
        if time.monotonic() >= deadline:
            raise AssertionError(_explain(message, timeout_s, value))
        await asyncio.sleep(pause_s)
        pause_s = min(pause_s * SLOWER, LONGEST_POLL_S)


def eventually_blocking(
    condition: Callable[[], Value],
    *,
    timeout_s: float = 10.0,
    message: str = "the condition did not become true",
) -> Value:
    """Do the same where no event loop runs."""
    deadline = time.monotonic() + timeout_s * PATIENCE
    pause_s = POLL_S
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= deadline:
            raise AssertionError(_explain(message, timeout_s, value))
        time.sleep(pause_s)
        pause_s = min(pause_s * SLOWER, LONGEST_POLL_S)


def _explain(message: str, timeout_s: float, value: object) -> str:
    return f"{message} within {timeout_s * PATIENCE:g} s (last value: {value!r})"


def measure_crowding_blocking() -> float:
    """How many times longer than on an idle machine work takes just now: wall over CPU time.

    Limits that are requirements ("within three seconds") hold for a machine that is there for us;
    a test multiplies them by this, so that they stay as strict as they are where it is 1.
    """
    wall_s, cpu_s = time.perf_counter(), time.thread_time()
    while time.thread_time() - cpu_s < CROWDING_CPU_S:
        pass
    return max(1.0, (time.perf_counter() - wall_s) / (time.thread_time() - cpu_s))
