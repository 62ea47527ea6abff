"""Jobs over HTTP: the desk's buttons (``/api/v1``), the workers' reports (``/internal``)."""

from __future__ import annotations

from typing import Final

from aiohttp import web
from aiohttp_pydantic.oas.typing import r200, r202

from kernel.errors import NotAllowedError, NotFoundError
from kernel.http import parse_body
from kernel.ids import is_id
from kernel.messages import (
    ClaimUnit,
    UnitCompleted,
    UnitFailed,
    UnitHeartbeat,
    UnitReleased,
    WorkersSeen,
)
from vod.http.keys import CLOCK, DATABASE
from vod.http.view import require_id, respond
from vod.jobs import schemas
from vod.jobs.desk import load_instructor_id, load_jobs
from vod.jobs.desk_views import ROUTES as DESK_ROUTES
from vod.jobs.desk_views import DeskView
from vod.jobs.service import JobService
from vod.jobs.workers import note_workers
from vod.lectures.policy import may_see_jobs


def _service(request: web.Request) -> JobService:
    return JobService(request.app[DATABASE], request.app[CLOCK])


class LectureJobsView(DeskView):
    async def get(self, lecture_id: str, /) -> r200[schemas.JobList]:
        """List the jobs of a lecture with their units, newest first.

        Tags: jobs
        """
        self.require_account()
        require_id(lecture_id, "lecture")
        async with self.database.read() as session:
            instructor_id = await load_instructor_id(session, lecture_id)
            if not may_see_jobs(self.viewer, instructor_id):
                raise NotAllowedError("only editors and whoever taught it see the jobs")
            return respond(await load_jobs(session, lecture_id))


class TranscodeView(DeskView):
    async def post(self, lecture_id: str, /) -> r202[schemas.Accepted]:
        """Make the renditions of a lecture once more; the published ones stay until then.

        Tags: jobs
        Status Codes:
            202: A new job was started.
            409: The recording is not stored yet, or no longer there.
        """
        self.require_editor()
        require_id(lecture_id, "lecture")
        job_id = await self.jobs.transcode_again(lecture_id)
        await self.note("lecture.transcoded", "lecture", lecture_id)
        return respond(schemas.Accepted(id=job_id), status=202)


class UnitRetryView(DeskView):
    async def post(self, unit_id: str, /) -> r202[schemas.Accepted]:
        """Try a failed unit again.

        Tags: jobs
        Status Codes:
            202: It is queued.
            409: It has not failed, or its job was replaced.
        """
        self.require_editor()
        require_id(unit_id, "unit")
        await self.jobs.retry(unit_id)
        await self.note("unit.retried", "unit", unit_id)
        return respond(schemas.Accepted(id=unit_id), status=202)


def _read_unit_id(request: web.Request) -> str:
    unit_id = request.match_info["unit_id"]
    if not is_id(unit_id):
        raise NotFoundError("no such unit")
    return unit_id


async def post_claim(request: web.Request) -> web.Response:
    """``ClaimUnit`` -> 200 ``ClaimedUnit``; 409 drop the message."""
    unit_id, wanted = _read_unit_id(request), await parse_body(request, ClaimUnit)
    claimed = await _service(request).claim(unit_id, worker=wanted.worker, claim_id=wanted.claim_id)
    return respond(claimed)


async def post_heartbeat(request: web.Request) -> web.Response:
    """``UnitHeartbeat`` -> 204; 409 stop at once."""
    unit_id, beat = _read_unit_id(request), await parse_body(request, UnitHeartbeat)
    await _service(request).heartbeat(unit_id, beat)
    return web.Response(status=204)


async def post_complete(request: web.Request) -> web.Response:
    """``UnitCompleted`` -> 204; 409 the result is not wanted."""
    unit_id, report = _read_unit_id(request), await parse_body(request, UnitCompleted)
    await _service(request).complete(unit_id, report)
    return web.Response(status=204)


async def post_fail(request: web.Request) -> web.Response:
    """``UnitFailed`` -> 204; 409 somebody else has it."""
    unit_id, report = _read_unit_id(request), await parse_body(request, UnitFailed)
    await _service(request).fail(unit_id, report)
    return web.Response(status=204)


async def post_release(request: web.Request) -> web.Response:
    """``UnitReleased`` -> 204; 409 somebody else has it."""
    unit_id, report = _read_unit_id(request), await parse_body(request, UnitReleased)
    await _service(request).release(unit_id, report)
    return web.Response(status=204)


async def post_workers(request: web.Request) -> web.Response:
    """``WorkersSeen`` -> 204."""
    seen = await parse_body(request, WorkersSeen)
    async with request.app[DATABASE].write() as session:
        await note_workers(session, seen, now=request.app[CLOCK].now())
    return web.Response(status=204)


ROUTES: Final = (
    *DESK_ROUTES,
    web.view("/api/v1/lectures/{lecture_id}/jobs", LectureJobsView),
    web.view("/api/v1/lectures/{lecture_id}/transcode", TranscodeView),
    web.view("/api/v1/units/{unit_id}/retry", UnitRetryView),
)
INTERNAL_ROUTES: Final = (
    *DESK_ROUTES,
    web.post("/internal/units/{unit_id}/claim", post_claim),
    web.post("/internal/units/{unit_id}/heartbeat", post_heartbeat),
    web.post("/internal/units/{unit_id}/complete", post_complete),
    web.post("/internal/units/{unit_id}/fail", post_fail),
    web.post("/internal/units/{unit_id}/release", post_release),
    web.post("/internal/workers", post_workers),
)
