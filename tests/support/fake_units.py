"""A small real vod for workers: units in memory behind the private HTTP calls, with leases.

It queues what a plan asks for, hands inputs on, refuses old fences: enough of docs/contracts.md
"Jobs" to run whole jobs against real workers.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from kernel.errors import ConflictError, NotFoundError
from kernel.http import parse_body, problem_middleware
from kernel.ids import new_id
from kernel.messages import (
    ClaimedUnit,
    ClaimUnit,
    PlanReport,
    RunUnit,
    UnitCompleted,
    UnitFailed,
    UnitHeartbeat,
    UnitPlan,
    UnitReleased,
    WorkersSeen,
)

Send = Callable[[RunUnit, str], Awaitable[None]]


@dataclass
class FakeUnit:
    plan: UnitPlan
    unit_id: str = field(default_factory=new_id)
    state: str = "waiting"
    fence: int = 0
    worker: str = ""
    progress: float = 0.0
    beats_count: int = 0
    result: dict[str, Any] | None = None
    failure: UnitFailed | None = None
    completions_count: int = 0
    releases_count: int = 0
    refusals_count: int = 0
    claims: list[str] = field(default_factory=list)


class FakeUnits:
    """The job table and its HTTP face. ``send`` puts a message on the broker."""

    def __init__(self, send: Send | None = None) -> None:
        self.units: dict[str, FakeUnit] = {}
        self.asset_id = new_id()
        self.lecture_id = new_id()
        self.plan_hash: str | None = None
        self.is_down = False
        self.refused_count = 0
        self.seen: list[WorkersSeen] = []
        self._send = send

    def add(self, plan: UnitPlan) -> FakeUnit:
        unit = FakeUnit(plan)
        self.units[unit.unit_id] = unit
        return unit

    def restart(self) -> None:
        """Begin another job of the same lecture, with an asset of its own."""
        self.units.clear()
        self.asset_id = new_id()
        self.plan_hash = None

    def find(self, key: str) -> FakeUnit:
        return next(unit for unit in self.units.values() if unit.plan.key == key)

    async def queue_ready(self) -> None:
        """Queue every waiting unit whose predecessors are done."""
        done = {unit.plan.key for unit in self.units.values() if unit.state == "done"}
        for unit in self.units.values():
            if unit.state == "waiting" and set(unit.plan.after) <= done:
                unit.state = "queued"
                await self.send(unit)

    async def send(self, unit: FakeUnit) -> None:
        if self._send is not None:
            await self._send(RunUnit(unit_id=unit.unit_id), unit.plan.queue)

    async def expire(self, unit: FakeUnit) -> None:
        """What the sweeper does with a lease that ran out."""
        unit.state = "queued"
        await self.send(unit)

    def build_app(self) -> web.Application:
        @web.middleware
        async def may_be_down(request: web.Request, handler: Any) -> web.StreamResponse:
            if self.is_down:
                self.refused_count += 1
                return web.Response(status=502)
            answer: web.StreamResponse = await handler(request)
            return answer

        app = web.Application(
            middlewares=[may_be_down, problem_middleware], client_max_size=32 * 1024 * 1024
        )
        for verb, handler in (
            ("claim", self._claim),
            ("heartbeat", self._heartbeat),
            ("complete", self._complete),
            ("fail", self._fail),
            ("release", self._release),
        ):
            app.router.add_post(f"/internal/units/{{id}}/{verb}", handler)
        app.router.add_post("/internal/workers", self._workers)
        return app

    async def _claim(self, request: web.Request) -> web.Response:
        unit = self._get(request)
        body = await parse_body(request, ClaimUnit)
        if unit.state != "queued":
            raise ConflictError(f"the unit is {unit.state}")
        unit.state, unit.worker = "running", body.worker
        unit.fence += 1
        unit.claims.append(body.worker)
        claimed = ClaimedUnit(
            unit_id=unit.unit_id,
            job_id="job",
            key=unit.plan.key,
            kind=unit.plan.kind,
            fence=unit.fence,
            attempt=unit.fence,
            lease_s=60,
            lecture_id=self.lecture_id,
            asset_id=self.asset_id,
            plan_hash=self.plan_hash,
            spec=unit.plan.spec,
            inputs={key: self.find(key).result or {} for key in unit.plan.after},
        )
        return web.json_response(claimed.model_dump(mode="json"))

    async def _heartbeat(self, request: web.Request) -> web.Response:
        unit = self._get(request)
        body = await parse_body(request, UnitHeartbeat)
        self._check(unit, body.fence)
        unit.progress = body.progress
        unit.beats_count += 1
        return web.Response(status=204)

    async def _complete(self, request: web.Request) -> web.Response:
        unit = self._get(request)
        body = await parse_body(request, UnitCompleted)
        self._check(unit, body.fence)
        unit.state, unit.result = "done", body.result
        unit.completions_count += 1
        if unit.plan.kind.startswith("plan_"):
            report = PlanReport.model_validate(body.result)
            self.plan_hash = report.plan_hash
            for plan in report.units:
                self.add(plan)
        await self.queue_ready()
        return web.Response(status=204)

    async def _fail(self, request: web.Request) -> web.Response:
        unit = self._get(request)
        body = await parse_body(request, UnitFailed)
        self._check(unit, body.fence)
        unit.state, unit.failure = "failed", body
        return web.Response(status=204)

    async def _release(self, request: web.Request) -> web.Response:
        unit = self._get(request)
        body = await parse_body(request, UnitReleased)
        self._check(unit, body.fence)
        unit.releases_count += 1
        await self.expire(unit)
        return web.Response(status=204)

    async def _workers(self, request: web.Request) -> web.Response:
        self.seen.append(await parse_body(request, WorkersSeen))
        return web.Response(status=204)

    def _get(self, request: web.Request) -> FakeUnit:
        unit = self.units.get(request.match_info["id"])
        if unit is None:
            raise NotFoundError("no such unit")
        return unit

    def _check(self, unit: FakeUnit, fence: int) -> None:
        if unit.state != "running" or unit.fence != fence:
            unit.refusals_count += 1
            raise ConflictError(f"the unit is {unit.state}, fence {unit.fence}")
