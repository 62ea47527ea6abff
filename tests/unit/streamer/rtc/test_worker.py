from __future__ import annotations

from collections.abc import Callable

from streamer.rtc.worker import MediaThread
from tests.support.waiting import eventually


async def test_what_one_item_breaks_is_counted_and_the_next_one_gets_a_new_converter() -> None:
    results: list[tuple[int, float]] = []
    built: list[int] = []

    def build() -> Callable[[int], tuple[int, float]]:
        number = len(built)
        built.append(number)
        return lambda item: (number, 12 / item)

    thread = MediaThread("test", build=build, on_result=results.append, capacity=10)
    async with thread:
        for item in (4, 0, 3):
            thread.write(item)
        await eventually(lambda: len(results) == 2)
    assert results == [(0, 3.0), (1, 4.0)]
    assert thread.dropped_count == 1
