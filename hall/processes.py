"""What it takes to end a child process for certain."""

from __future__ import annotations

import asyncio


async def ends_within(process: asyncio.subprocess.Process, deadline_s: float) -> bool:
    """Wait for the end; also in a task that is being cancelled.

    ``asyncio.timeout`` before Python 3.11.3 lets the cancellation through there.
    """
    waiting = asyncio.ensure_future(process.wait())
    done, _ = await asyncio.wait({waiting}, timeout=deadline_s)
    if not done:
        waiting.cancel()
    return bool(done)
