"""``/lectures/{id}/edit`` of the API."""

from __future__ import annotations

from typing import Final

from aiohttp import web
from aiohttp_pydantic.oas.typing import r200

from kernel.timing import to_seconds
from vod.editing import schemas
from vod.editing.present import present_media
from vod.editing.service import EditFacts, EditService, load_edit
from vod.http.keys import CLOCK
from vod.http.origin import read_origin
from vod.http.view import ApiView, require_id, respond
from vod.lectures.service import load_lecture
from vod.material.access import require_change


class LectureEditView(ApiView):
    async def get(self, lecture_id: str, /) -> r200[schemas.Edit]:
        """Show what is kept of a lecture.

        Tags: editing
        """
        await self._require_right(lecture_id)
        return await self._respond_edit(lecture_id)

    async def put(self, lecture_id: str, /, body: schemas.EditChange) -> r200[schemas.Edit]:
        """Keep only these ranges of the uncut lecture; the cut is made in the background.

        Tags: editing
        Status Codes:
            200: The edit is in force; what plays now stays until the cut is finished.
            409: Somebody changed the edit meanwhile, or the lecture has no renditions yet.
            422: The ranges do not hold.
        """
        await self._require_right(lecture_id)
        await EditService(self.database).change(
            lecture_id,
            [(kept.start_s, kept.end_s) for kept in body.kept],
            version=body.version,
            actor_id=self.viewer.account_id,
            now=self.request.app[CLOCK].now(),
        )
        return await self._respond_edit(lecture_id)

    async def delete(self, lecture_id: str, /) -> r200[schemas.Edit]:
        """Bring the uncut lecture back, at once.

        Tags: editing
        """
        await self._require_right(lecture_id)
        await EditService(self.database).restore(
            lecture_id, actor_id=self.viewer.account_id, now=self.request.app[CLOCK].now()
        )
        return await self._respond_edit(lecture_id)

    async def _require_right(self, lecture_id: str) -> None:
        self.require_account()
        await require_change(self.database, require_id(lecture_id, "lecture"), self.viewer)

    async def _respond_edit(self, lecture_id: str) -> web.Response:
        async with self.database.read() as session:
            lecture = await load_lecture(session, lecture_id, self.viewer)
            facts = await load_edit(session, lecture)
        return respond(_present(facts, lecture_id, origin=read_origin(self.request)))


def _present(facts: EditFacts, lecture_id: str, *, origin: str) -> schemas.Edit:
    duration = facts.base.duration_ticks if facts.base is not None else 0
    kept = facts.kept or (((0, duration),) if duration else ())
    return schemas.Edit(
        version=facts.version,
        duration_s=to_seconds(duration),
        kept=[
            schemas.KeptRange(start_s=to_seconds(start), end_s=to_seconds(end))
            for start, end in kept
        ],
        state=facts.state,
        reason=facts.reason,
        job_id=facts.job_id,
        media=None
        if facts.base is None
        else present_media(facts.base, lecture_id=lecture_id, origin=origin),
    )


ROUTES: Final = (web.view("/api/v1/lectures/{lecture_id}/edit", LectureEditView),)
