"""Any order, loss, duplication and jump of packets: no crash, output in order, memory bounded."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from streamer.rtc.reorder import Lost, NackSchedule, ReorderBuffer

CAPACITY = 32


class ReorderMachine(RuleBasedStateMachine):
    """A sender with a counter; the network does what it likes with the packets."""

    def __init__(self) -> None:
        super().__init__()
        self.nacks = NackSchedule(max_tracked=64)
        self.buffer: ReorderBuffer[int] = ReorderBuffer(
            deadline_s=0.4, capacity=CAPACITY, nacks=self.nacks
        )
        self.now_s = 0.0
        self.sent = 65_500
        self.under_way: list[int] = []
        self.delivered: list[int] = []
        self.lost_count = 0
        self.jumped = False

    def take(self, output: list[int | Lost]) -> None:
        for item in output:
            if isinstance(item, Lost):
                assert item.count > 0
                self.lost_count += item.count
            else:
                self.delivered.append(item)

    @rule(count=st.integers(1, 12))
    def send(self, count: int) -> None:
        for _ in range(count):
            self.under_way.append(self.sent)
            self.sent += 1

    @rule(data=st.data())
    def arrive(self, data: st.DataObject) -> None:
        if self.under_way:
            index = data.draw(st.integers(0, min(len(self.under_way) - 1, 20)))
            number = self.under_way.pop(index)
            self.take(self.buffer.push(number % 65_536, number, self.now_s))

    @rule()
    def arrive_in_order(self) -> None:
        for number in self.under_way:
            self.take(self.buffer.push(number % 65_536, number, self.now_s))
        self.under_way.clear()

    @rule(data=st.data())
    def arrive_twice(self, data: st.DataObject) -> None:
        if self.under_way:
            number = data.draw(st.sampled_from(self.under_way))
            self.take(self.buffer.push(number % 65_536, number, self.now_s))

    @rule(data=st.data())
    def lose(self, data: st.DataObject) -> None:
        if self.under_way:
            self.under_way.pop(data.draw(st.integers(0, len(self.under_way) - 1)))

    @rule(milliseconds=st.integers(1, 500))
    def wait(self, milliseconds: int) -> None:
        self.now_s += milliseconds / 1000
        self.take(self.buffer.expire(self.now_s))
        due = self.nacks.take_due(self.now_s)
        assert due == sorted(set(due))
        assert all(0 <= seq < 65_536 for seq in due)

    @rule(seq=st.integers(0, 65_535))
    def forge(self, seq: int) -> None:
        """A packet from nowhere; two that agree may move the sequence, one may not."""
        number = -1
        self.jumped = True
        for item in self.buffer.push(seq, number, self.now_s):
            assert isinstance(item, Lost) or item == number or isinstance(item, int)

    @invariant()
    def output_is_in_order_and_never_doubled(self) -> None:
        if not self.jumped:
            assert self.delivered == sorted(set(self.delivered))

    @invariant()
    def memory_is_bounded(self) -> None:
        assert len(self.buffer._held) <= CAPACITY
        assert len(self.nacks) <= 64

    @invariant()
    def what_is_lost_is_counted(self) -> None:
        if not self.jumped and self.delivered:
            span = self.delivered[-1] - self.delivered[0] + 1
            assert len(self.delivered) + self.lost_count >= span
            assert self.buffer.lost_count == self.lost_count


TestReorder = ReorderMachine.TestCase
TestReorder.settings = settings(max_examples=60, stateful_step_count=60, deadline=None)
