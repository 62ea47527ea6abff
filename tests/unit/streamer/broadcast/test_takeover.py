from __future__ import annotations

from streamer.broadcast.takeover import TakeoverGuard


def test_the_fourth_takeover_within_a_minute_is_refused_for_a_minute() -> None:
    guard = TakeoverGuard()
    assert [guard.may_take_over(second) for second in (0.0, 10.0, 20.0)] == [True] * 3
    assert not guard.is_contested(20.0)
    assert not guard.may_take_over(30.0)
    assert guard.is_contested(30.0)
    assert not guard.may_take_over(89.9)
    assert guard.may_take_over(90.0)
    assert not guard.is_contested(90.0)


def test_slow_takeovers_are_never_refused() -> None:
    guard = TakeoverGuard()
    assert all(guard.may_take_over(second * 20.1) for second in range(50))
