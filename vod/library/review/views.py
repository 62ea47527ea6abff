"""``/lectures/{id}/publication`` and ``/review`` of the API."""

from __future__ import annotations

from typing import Final

from aiohttp import web
from aiohttp_pydantic.oas.typing import r200

from kernel.errors import NotAllowedError
from vod.http.keys import CLOCK
from vod.http.pagination import PageQuery, page_members
from vod.http.view import ApiView, require_id, respond
from vod.lectures.service import load_lecture
from vod.library.models import ReviewPolicy
from vod.library.policy import LibraryAction, may_in_library
from vod.library.review import schemas, service
from vod.material.access import load_for_change


class _ReviewBase(ApiView):
    def require_right(self, action: LibraryAction) -> None:
        self.require_account()
        if not may_in_library(self.viewer, action):
            raise NotAllowedError("not for this account")


class PublicationView(_ReviewBase):
    async def get(self, lecture_id: str, /) -> r200[schemas.Standing]:
        """Show where a lecture is on its way to the members, and its history.

        Tags: review
        """
        require_id(lecture_id, "lecture")
        async with self.database.read() as session:
            await load_for_change(session, lecture_id, self.viewer)
        return await self._respond(lecture_id)

    async def post(self, lecture_id: str, /, body: schemas.WantedMove) -> r200[schemas.Standing]:
        """Hand in, approve, reject, retract, publish or withdraw.

        Tags: review
        Status Codes:
            200: Where it is now.
            409: From where it is there is no such way.
        """
        require_id(lecture_id, "lecture")
        async with self.database.read() as session:
            await load_for_change(session, lecture_id, self.viewer)
        await service.make_move(
            self.database,
            body,
            lecture_id=lecture_id,
            viewer=self.viewer,
            now=self.request.app[CLOCK].now(),
        )
        return await self._respond(lecture_id)

    async def _respond(self, lecture_id: str) -> web.Response:
        async with self.database.read() as session:
            lecture = await load_lecture(session, lecture_id, self.viewer)
            standings = await service.present_standings(session, [lecture], self.viewer)
        return respond(standings[0])


class QueueView(_ReviewBase):
    async def get(self, page: PageQuery) -> r200[schemas.QueuePage]:
        """List what waits for review, longest waiting first.

        Tags: review
        """
        self.require_right(LibraryAction.SEE_REVIEW)
        async with self.database.read() as session:
            items, total = await service.load_queue(session, page, self.viewer)
        return respond(schemas.QueuePage(items=items, **page_members(page, total)))


class PolicyView(_ReviewBase):
    async def get(self) -> r200[schemas.ReviewPolicy]:
        """Show the steps before anything is published.

        Tags: review
        """
        self.require_right(LibraryAction.SEE_REVIEW)
        async with self.database.read() as session:
            return respond(_present(await service.load_policy(session)))

    async def put(self, body: schemas.WantedPolicy) -> r200[schemas.ReviewPolicy]:
        """Set the steps before anything is published, none to three.

        Tags: review
        Status Codes:
            200: As they are now.
            409: Somebody else has changed them since.
        """
        self.require_right(LibraryAction.SET_REVIEW)
        row = await service.change_policy(
            self.database, body, viewer=self.viewer, now=self.request.app[CLOCK].now()
        )
        return respond(_present(row))


def _present(row: ReviewPolicy) -> schemas.ReviewPolicy:
    return schemas.ReviewPolicy(
        version=row.version,
        steps=[schemas.ReviewStep.model_validate(step) for step in row.steps],
        is_by_others=row.is_by_others,
    )


ROUTES: Final = (
    web.view("/api/v1/lectures/{lecture_id}/publication", PublicationView),
    web.view("/api/v1/review/queue", QueueView),
    web.view("/api/v1/review/policy", PolicyView),
)
