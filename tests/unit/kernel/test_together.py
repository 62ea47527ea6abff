"""Several at once: results in order, one error as itself, nobody left running."""

from __future__ import annotations

import asyncio

import pytest

from kernel.errors import DependencyError
from kernel.together import run_together


async def test_results_come_in_order() -> None:
    first, second = asyncio.Event(), asyncio.Event()

    async def slow() -> str:
        second.set()
        await first.wait()
        return "slow"

    async def quick() -> str:
        await second.wait()
        first.set()
        return "quick"

    assert await run_together([slow(), quick()]) == ["slow", "quick"]
    assert await run_together([]) == []


async def test_the_first_error_is_raised_as_itself_and_ends_the_others() -> None:
    ended = asyncio.Event()

    async def wait() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async def fail() -> None:
        raise DependencyError("the store is away")

    with pytest.raises(DependencyError, match="the store is away"):
        await run_together([wait(), fail()])
    assert ended.is_set()


async def test_cancelling_cancels_all() -> None:
    started, ended = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    task = asyncio.create_task(run_together([wait()]))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended.is_set()


async def test_an_error_on_the_way_out_does_not_take_the_place_of_a_cancellation() -> None:
    started = asyncio.Event()

    async def fail_when_cancelled() -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            raise DependencyError("could not tidy up")

    task = asyncio.create_task(run_together([fail_when_cancelled()]))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
