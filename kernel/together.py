"""Several coroutines at once, as one call: all results, or the first error itself."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

Result = TypeVar("Result")


async def run_together(work: Iterable[Coroutine[Any, Any, Result]]) -> list[Result]:
    """Run all of ``work`` and return the results in its order.

    The first error cancels the others and is raised as it is, not inside a group: callers tell
    errors apart by their type. A cancellation of the caller is never replaced by an error that one
    of them raises on its way out, as a ``TaskGroup`` would.
    """
    tasks = [asyncio.ensure_future(each) for each in work]
    if not tasks:
        return []
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        failed = next((task for task in tasks if task in done and not _is_fine(task)), None)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    if failed is not None:
        failed.result()
    return [task.result() for task in tasks]


def _is_fine(task: asyncio.Task[Any]) -> bool:
    return not task.cancelled() and task.exception() is None
