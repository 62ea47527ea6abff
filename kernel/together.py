"""Several coroutines at once, as one call: all results, or the first error itself."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

Result = TypeVar("Result")


async def run_together(work: Iterable[Coroutine[Any, Any, Result]]) -> list[Result]:
    """Run all of ``work`` and return the results in its order.

    The first error cancels the others and is raised as it is, not inside a group: callers tell
    errors apart by their type.
    """
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(each) for each in work]
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return [task.result() for task in tasks]
