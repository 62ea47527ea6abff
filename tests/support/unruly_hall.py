"""A job in an unruly world: messages get lost, answers too, workers die or come back as ghosts.

vod's part is the real one (job service, outbox, sweeper, database); the workers keep to the same
protocol as ``transcode.work`` and leave real blobs in a real store, but make nothing.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from kernel.blobs import BlobStore
from kernel.errors import ConflictError, DependencyError, NotFoundError
from kernel.ids import new_id
from kernel.messages import (
    AssetReport,
    ClaimedUnit,
    RunUnit,
    UnitCompleted,
    UnitFailed,
    UnitHeartbeat,
    UnitReleased,
)
from tests.integration.vod_jobs_support import Hall, make_asset, make_plan
from vod.jobs.models import Job
from vod.jobs.outbox import OutboxRelay
from vod.jobs.policy import JobState
from vod.jobs.sweeper import Sweeper

Result = TypeVar("Result")
OVER = {JobState.DONE, JobState.FAILED, JobState.CANCELLED}


class UnrulyBroker:
    """Queues in memory that lose, double and shuffle messages while ``faults`` is above 0."""

    def __init__(self, chance: random.Random) -> None:
        self.queues: dict[str, list[str]] = {}
        self.chance = chance
        self.faults = 0.0

    async def send(self, queue: str, payload: str) -> None:
        if self.chance.random() < self.faults:
            if self.chance.random() < 0.3:
                raise DependencyError("the broker is away")
            if self.chance.random() < 0.5:
                return  # Lost.
            self.queues.setdefault(queue, []).append(payload)
        self.queues.setdefault(queue, []).append(payload)

    async def count_messages(self, queue: str) -> int:
        return len(self.queues.get(queue, []))

    def take(self) -> tuple[str, str] | None:
        filled = [name for name, messages in self.queues.items() if messages]
        if not filled:
            return None
        name = self.chance.choice(filled)
        messages = self.queues[name]
        at = self.chance.randrange(len(messages)) if self.faults else 0
        return name, messages.pop(at)


@dataclass
class Hand:
    """A worker with a unit. A ghost no longer tells that it lives, but goes on."""

    unit: ClaimedUnit
    queue: str
    payload: str
    is_ghost: bool = False


@dataclass
class UnrulyHall:
    """One job; ``act`` does one random thing, ``calm`` brings it to its end without faults."""

    hall: Hall
    blobs: BlobStore
    seed: int
    job_id: str = ""
    lecture_id: str = ""
    hands: list[Hand] = field(default_factory=list)
    done: list[str] = field(default_factory=list)
    history: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        self.broker = UnrulyBroker(self.chance)
        self.relay = OutboxRelay(self.hall.database, self.broker, self.hall.clock)
        self.sweeper = Sweeper(self.hall.database, self.hall.clock, self.broker)

    async def start(self, *, faults: float) -> None:
        self.lecture_id, self.job_id = await self.hall.start_job()
        self.broker.faults = faults

    async def find_job(self) -> Job:
        return await self.hall.find_job(self.job_id)

    async def act(self) -> None:
        """Do one thing that can happen at any time."""
        actions: list[tuple[float, Callable[[], Awaitable[None]]]] = [
            (4, self._relay),
            (5, self._take),
            (3, self._beat),
            (1.5, self._finish),
            (0.6, self._fail),
            (0.5, self._release),
            (0.8, self._die),
            (2, self._become_ghost),
            (2, self._wait),
            (3, self._sweep),
            (0.3, self._restart_vod),
            (0.3, self._flush_broker),
        ]
        [action] = self.chance.choices([a for _, a in actions], [w for w, _ in actions])
        self.history.append(action.__name__)  # type: ignore[attr-defined]
        await action()

    async def calm(self) -> JobState:
        """No more faults; whoever was a ghost speaks up once more, and everything settles."""
        self.broker.faults = 0.0
        for hand in list(self.hands):
            await self._deliver(hand)
        for _ in range(200):
            await self.relay.relay_once()
            while self.broker.queues and (taken := self.broker.take()) is not None:
                await self._claim(*taken)
                for hand in list(self.hands):
                    await self._deliver(hand)
            state = (await self.find_job()).state
            if state in OVER:
                return state
            self.hall.clock.advance(30)
            await self.sweeper.sweep_once()
        raise AssertionError(f"seed {self.seed} does not settle: {self.history[-60:]}")

    # ---- what can happen -----------------------------------------------------------------------

    async def _relay(self) -> None:
        try:
            await self.relay.relay_once()
        except DependencyError:
            self.history.append("broker away")

    async def _take(self) -> None:
        if len(self.hands) < 4 and (taken := self.broker.take()) is not None:
            await self._claim(*taken)

    async def _claim(self, queue: str, payload: str) -> None:
        message = RunUnit.model_validate_json(payload)
        claim_id = new_id()
        worker = f"w{self.chance.randrange(4)}"
        try:
            unit = await self._call(
                lambda: self.hall.jobs.claim(message.unit_id, worker=worker, claim_id=claim_id)
            )
        except (ConflictError, NotFoundError):
            return
        except DependencyError:  # The worker gave up: its message goes back.
            self.broker.queues.setdefault(queue, []).append(payload)
            return
        self.hands.append(Hand(unit, queue, payload))
        for name in ("a.mp4", "b.mp4"):
            await self._put(f"staging/{unit.unit_id}-{unit.fence}/{name}")

    async def _beat(self) -> None:
        hand = self._choose(lambda hand: not hand.is_ghost)
        if hand is None:
            return
        beat = UnitHeartbeat(fence=hand.unit.fence, progress=self.chance.random())
        try:
            await self._call(lambda: self.hall.jobs.heartbeat(hand.unit.unit_id, beat))
        except ConflictError:  # As transcode.work does: stop, remove one's own.
            self.hands.remove(hand)
            await self._remove(f"staging/{hand.unit.unit_id}-{hand.unit.fence}/")
        except DependencyError:
            self.history.append("beat lost")

    async def _finish(self) -> None:
        if (hand := self._choose(lambda _: True)) is not None:
            await self._deliver(hand)

    async def _deliver(self, hand: Hand) -> None:
        """Report the result, as often as it takes; a refusal is the end of it, too."""
        self.hands.remove(hand)
        unit = hand.unit
        report = UnitCompleted(fence=unit.fence, result=await self._make(unit))
        repeats = 1 + (self.chance.random() < self.broker.faults)
        try:
            for _ in range(repeats):
                await self._call(lambda: self.hall.jobs.complete(unit.unit_id, report))
        except ConflictError:
            return
        except DependencyError:  # Dead before it could tell.
            self.broker.queues.setdefault(hand.queue, []).append(hand.payload)
            return
        row = await self.hall.find_unit(self.job_id, unit.key)
        assert row.fence == unit.fence, "a result was taken from a worker that had lost the unit"
        self.done.append(unit.key)
        if unit.kind == "publish_asset":
            for result in unit.inputs.values():
                await self._remove(str(result["prefix"]))
            await self._remove(f"staging/{unit.unit_id}-{unit.fence}/")

    async def _make(self, unit: ClaimedUnit) -> dict[str, Any]:
        if unit.kind == "plan_recording":
            return make_plan().model_dump(mode="json")
        if unit.kind != "publish_asset":
            return {"prefix": f"staging/{unit.unit_id}-{unit.fence}/"}
        report = make_asset(unit.asset_id)
        for name in self.asset_names(report):
            await self._put(report.prefix + name)
        return report.model_dump(mode="json")

    @staticmethod
    def asset_names(report: AssetReport) -> list[str]:
        return [*(f"{made.name}.mp4" for made in report.renditions), "manifest.json"]

    async def _fail(self) -> None:
        hand = self._choose(lambda _: True)
        if hand is None:
            return
        self.hands.remove(hand)
        report = UnitFailed(
            fence=hand.unit.fence,
            reason="磁盘空间不足",
            is_permanent=self.chance.random() < 0.1,
            cause="disk",
        )
        try:
            await self._call(lambda: self.hall.jobs.fail(hand.unit.unit_id, report))
        except (ConflictError, DependencyError):
            return
        await self._remove(f"staging/{hand.unit.unit_id}-{hand.unit.fence}/")

    async def _release(self) -> None:
        hand = self._choose(lambda hand: not hand.is_ghost)
        if hand is None:
            return
        self.hands.remove(hand)
        body = UnitReleased(fence=hand.unit.fence)
        try:
            await self._call(lambda: self.hall.jobs.release(hand.unit.unit_id, body))
        except (ConflictError, DependencyError):
            self.history.append("release not heard")

    async def _die(self) -> None:
        """kill -9: nothing is reported, nothing removed; the broker gives the message out again."""
        hand = self._choose(lambda _: True)
        if hand is not None:
            self.hands.remove(hand)
            if self.chance.random() < 0.5:
                self.broker.queues.setdefault(hand.queue, []).append(hand.payload)

    async def _become_ghost(self) -> None:
        if (hand := self._choose(lambda hand: not hand.is_ghost)) is not None:
            hand.is_ghost = True

    async def _wait(self) -> None:
        self.hall.clock.advance(self.chance.choice([1, 5, 20, 61, 140]))

    async def _sweep(self) -> None:
        await self.sweeper.sweep_once()

    async def _restart_vod(self) -> None:
        """What it held in memory is gone; leases do not run while it was down."""
        self.relay = OutboxRelay(self.hall.database, self.broker, self.hall.clock)
        self.sweeper = Sweeper(self.hall.database, self.hall.clock, self.broker)
        await self.sweeper.grant_grace()

    async def _flush_broker(self) -> None:
        self.broker.queues.clear()

    # ---- tools ---------------------------------------------------------------------------------

    def _choose(self, may: Callable[[Hand], bool]) -> Hand | None:
        able = [hand for hand in self.hands if may(hand)]
        return self.chance.choice(able) if able else None

    async def _call(self, call: Callable[[], Awaitable[Result]]) -> Result:
        """Call vod: the request or its answer may get lost, and then it is repeated."""
        for _ in range(3):
            fate = self.chance.random()
            if fate < self.broker.faults / 2:
                continue  # vod was down: it never saw it.
            answer = await call()
            if fate < self.broker.faults:
                continue  # vod died after it had committed.
            return answer
        raise DependencyError("vod is away for too long")

    async def _put(self, key: str) -> None:
        await self.blobs.put_bytes(key, b"x", content_type="video/mp4")

    async def _remove(self, prefix: str) -> None:
        keys = [info.key async for info in self.blobs.list_keys(prefix)]
        for key in keys:
            await self.blobs.delete(key)
