from __future__ import annotations

from streamer.rtc.reorder import Lost, NackSchedule, ReorderBuffer


def build(**options: float) -> ReorderBuffer[int]:
    return ReorderBuffer(deadline_s=0.4, **options)  # type: ignore[arg-type]


def test_packets_in_order_pass_at_once() -> None:
    buffer = build()
    assert [buffer.push(seq % 65536, seq, 0.0) for seq in range(65_530, 65_545)] == [
        [seq] for seq in range(65_530, 65_545)
    ]
    assert not buffer.has_gap


def test_a_late_packet_closes_the_gap() -> None:
    buffer = build()
    buffer.push(10, 10, 0.0)
    assert buffer.push(12, 12, 0.01) == []
    assert buffer.has_gap
    assert buffer.push(11, 11, 0.02) == [11, 12]


def test_doubles_are_dropped_and_counted() -> None:
    buffer = build()
    buffer.push(1, 1, 0.0)
    assert buffer.push(1, 1, 0.0) == []
    buffer.push(3, 3, 0.0)
    assert buffer.push(3, 3, 0.0) == []
    assert buffer.late_count == 2


def test_a_gap_is_given_up_after_the_deadline_and_not_before() -> None:
    buffer = build()
    buffer.push(1, 1, 0.0)
    buffer.push(4, 4, 1.0)
    assert buffer.expire(1.39) == []
    assert buffer.expire(1.41) == [Lost(2), 4]
    assert buffer.push(2, 2, 1.5) == []
    assert buffer.lost_count == 2


def test_each_gap_has_its_own_deadline() -> None:
    buffer = build()
    buffer.push(1, 1, 0.0)
    buffer.push(3, 3, 0.0)
    buffer.push(5, 5, 0.3)
    assert buffer.expire(0.45) == [Lost(1), 3]
    assert buffer.expire(0.69) == []
    assert buffer.expire(0.71) == [Lost(1), 5]


def test_a_full_buffer_gives_up_the_oldest_gap() -> None:
    buffer = build(capacity=3)
    buffer.push(0, 0, 0.0)
    assert buffer.push(2, 2, 0.0) == []
    assert buffer.push(3, 3, 0.0) == []
    assert buffer.push(4, 4, 0.0) == [Lost(1), 2, 3, 4]


def test_a_new_sequence_is_taken_when_two_packets_agree() -> None:
    buffer = build()
    buffer.push(100, 1, 0.0)
    assert buffer.push(30_000, 2, 0.0) == []
    assert buffer.push(101, 3, 0.0) == [3]
    assert buffer.push(30_000, 4, 0.0) == []
    assert buffer.push(30_001, 5, 0.0) == [Lost(1), 5]
    assert buffer.push(30_002, 6, 0.0) == [6]


def test_missing_packets_are_asked_for_at_once_then_about_every_repair_time() -> None:
    nacks = NackSchedule(max_tries=3, retry_s=0.1)
    nacks.add([70_000, 65_535], 0.0)
    assert nacks.is_urgent
    assert nacks.take_due(0.0) == [70_000 % 65_536, 65_535]
    assert not nacks.is_urgent
    assert nacks.take_due(0.05) == []
    assert nacks.take_due(0.13) != []
    assert nacks.take_due(0.26) != []
    assert nacks.take_due(1.0) == []
    assert len(nacks) == 0


def test_the_repair_time_is_learned() -> None:
    nacks = NackSchedule(retry_s=0.2)
    for number in range(20):
        nacks.add([number], number * 1.0)
        nacks.take_due(number * 1.0)
        nacks.arrived(number, number + 0.04)
    assert 0.03 <= nacks.retry_s < 0.08


def test_the_schedule_is_bounded() -> None:
    nacks = NackSchedule(max_tracked=10)
    nacks.add(range(1000), 0.0)
    assert len(nacks) == 10
    nacks.discard_below(8)
    assert nacks.take_due(0.0) == [8, 9]
