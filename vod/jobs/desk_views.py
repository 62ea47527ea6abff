"""The transcoding page's API: all jobs, one job, one unit, queues and workers."""

from __future__ import annotations

from typing import Annotated, Final

from aiohttp import web
from aiohttp_pydantic.oas.typing import r200
from pydantic import Field, StringConstraints

from kernel.errors import NotAllowedError
from vod.audit.service import record
from vod.http.keys import CLOCK, DATABASE
from vod.http.pagination import PageQuery, page_members
from vod.http.types import SearchText
from vod.http.view import ApiView, require_id, respond
from vod.jobs import desk, schemas
from vod.jobs.policy import JobState
from vod.jobs.service import JobService
from vod.jobs.summary import load_summary
from vod.lectures.policy import may_edit_lectures, may_see_jobs

CANCELLED_BY_PERSON: Final = "已由编辑取消"
JobKind = Annotated[str, StringConstraints(pattern=r"^[a-z_]{0,32}$")]


class DeskView(ApiView):
    """Base: who may press a button, and what is noted about it."""

    @property
    def jobs(self) -> JobService:
        return JobService(self.request.app[DATABASE], self.request.app[CLOCK])

    def require_editor(self) -> str:
        account_id = self.require_account()
        if not may_edit_lectures(self.viewer):
            raise NotAllowedError("only editors and administrators manage jobs")
        return account_id

    async def note(self, action: str, object_type: str, object_id: str, **detail: str) -> None:
        async with self.database.write() as session:
            record(
                session,
                now=self.request.app[CLOCK].now(),
                actor_id=self.viewer.account_id,
                action=action,
                object_type=object_type,
                object_id=object_id,
                **detail,
            )

    async def respond_job(self, job_id: str) -> web.Response:
        async with self.database.read() as session:
            now = self.request.app[CLOCK].now()
            return respond(await desk.load_job(session, job_id, now=now))


class JobsView(DeskView):
    async def get(
        self,
        page: PageQuery,
        q: SearchText = "",
        state: Annotated[JobState | None, Field(description="Only in this state")] = None,
        kind: Annotated[JobKind, Field(description="Only of this kind")] = "",
    ) -> r200[schemas.JobPage]:
        """List jobs of all lectures, newest first.

        Tags: jobs
        """
        self.require_editor()
        wanted = desk.JobFilter(state=state, kind=kind, words=q)
        async with self.database.read() as session:
            now = self.request.app[CLOCK].now()
            items, total = await desk.load_job_rows(session, page, wanted, now=now)
        return respond(schemas.JobPage(items=items, **page_members(page, total)))


class JobView(DeskView):
    async def get(self, job_id: str, /) -> r200[schemas.JobDetail]:
        """Show a job with its units and renditions.

        Tags: jobs
        """
        self.require_account()
        require_id(job_id, "job")
        async with self.database.read() as session:
            job = await desk.load_job(session, job_id, now=self.request.app[CLOCK].now())
            instructor_id = await desk.load_instructor_id(session, job.lecture.id)
        if not may_see_jobs(self.viewer, instructor_id):
            raise NotAllowedError("only editors and whoever taught it see the jobs")
        return respond(job)

    async def patch(self, job_id: str, /, body: schemas.JobChange) -> r200[schemas.JobDetail]:
        """Change a job's priority.

        Tags: jobs
        Status Codes:
            409: The job is over.
        """
        self.require_editor()
        await self.jobs.set_priority(require_id(job_id, "job"), body.priority)
        await self.note("job.prioritised", "job", job_id, priority=body.priority.value)
        return await self.respond_job(job_id)


class JobCancelView(DeskView):
    async def post(self, job_id: str, /) -> r200[schemas.JobDetail]:
        """Cancel a job; what was published before stays.

        Tags: jobs
        Status Codes:
            409: The job is done.
        """
        self.require_editor()
        await self.jobs.cancel(require_id(job_id, "job"), reason=CANCELLED_BY_PERSON)
        await self.note("job.cancelled", "job", job_id)
        return await self.respond_job(job_id)


class JobRetryView(DeskView):
    async def post(self, job_id: str, /) -> r200[schemas.JobDetail]:
        """Try again whatever failed in a job.

        Tags: jobs
        Status Codes:
            409: It has not failed, or what it had made was removed.
        """
        self.require_editor()
        await self.jobs.retry_job(require_id(job_id, "job"))
        await self.note("job.retried", "job", job_id)
        return await self.respond_job(job_id)


class JobsSummaryView(DeskView):
    async def get(self) -> r200[schemas.Summary]:
        """Show queues, workers and how many units failed for good.

        Tags: jobs
        """
        self.require_editor()
        async with self.database.read() as session:
            return respond(await load_summary(session, now=self.request.app[CLOCK].now()))


class UnitView(DeskView):
    async def get(self, unit_id: str, /) -> r200[schemas.UnitDetail]:
        """Show a unit with its log, command lines and attempts.

        Tags: jobs
        """
        self.require_editor()
        async with self.database.read() as session:
            return respond(await desk.load_unit_detail(session, require_id(unit_id, "unit")))


class FailedUnitsView(DeskView):
    async def get(self, page: PageQuery) -> r200[schemas.FailedUnitPage]:
        """List the units that failed for good and wait for a person, newest first.

        Tags: jobs
        """
        self.require_editor()
        async with self.database.read() as session:
            items, total = await desk.load_failed_units(session, page)
        return respond(schemas.FailedUnitPage(items=items, **page_members(page, total)))


ROUTES: Final = (
    web.view("/api/v1/jobs", JobsView),
    web.view("/api/v1/jobs/summary", JobsSummaryView),
    web.view("/api/v1/jobs/{job_id}", JobView),
    web.view("/api/v1/jobs/{job_id}/cancel", JobCancelView),
    web.view("/api/v1/jobs/{job_id}/retry", JobRetryView),
    web.view("/api/v1/units/failed", FailedUnitsView),
    web.view("/api/v1/units/{unit_id}", UnitView),
)
