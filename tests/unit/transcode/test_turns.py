"""In which order a worker asks its queues."""

from __future__ import annotations

from transcode.turns import EVERY, MostlyInOrder


def take(cycle: MostlyInOrder, waiting: dict[str, int], count: int) -> list[str]:
    """Take messages as a broker hands them out: from the first queue that has one."""
    taken = []
    for _ in range(count):
        name = next(name for name in cycle.consume(9) if waiting.get(name))
        waiting[name] -= 1
        cycle.rotate(name)
        taken.append(name)
    return taken


def test_queues_are_asked_in_the_order_given_not_in_that_of_the_broker() -> None:
    cycle = MostlyInOrder(("live", "short", "long"), ["long", "live", "short"])
    assert cycle.consume(3) == ["live", "short", "long"]
    assert cycle.consume(2) == ["live", "short"]
    cycle.update(["long", "live"])
    assert cycle.consume(3) == ["live", "long"]


def test_replays_go_first_and_yet_the_last_queue_is_not_starved() -> None:
    cycle = MostlyInOrder(("live", "short", "long"), ["live", "short", "long"])
    taken = take(cycle, {"live": 1000, "short": 1000, "long": 1000}, EVERY * 10)
    assert taken.count("long") == 10
    assert taken.count("live") == EVERY * 10 - 10
    assert taken[:3] == ["live"] * 3
