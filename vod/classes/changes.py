"""A bell that rings in this process when a class may have changed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable


class ClassChanges:
    """Lets a request wait a moment for an event instead of answering what is about to be old.

    Only a courtesy: with several vods the event may arrive at another one, and the wait runs out.
    """

    def __init__(self) -> None:
        self._bell = asyncio.Event()

    def ring(self) -> None:
        """Wake everybody who waits."""
        self._bell.set()
        self._bell = asyncio.Event()

    async def wait_until(
        self, condition: Callable[[], Awaitable[bool]], *, timeout_s: float
    ) -> bool:
        """Check ``condition`` now and at each ring; tell whether it came true in time."""
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    bell = self._bell  # Taken before the check, so no ring is missed.
                    if await condition():
                        return True
                    await bell.wait()
        except TimeoutError:
            return False
