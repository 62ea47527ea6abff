"""``/lectures`` of the API."""

from __future__ import annotations

from typing import Annotated, Final

from aiohttp import web
from aiohttp_pydantic.oas.typing import r200, r204
from pydantic import Field

from kernel.errors import NotAllowedError
from vod.http.keys import CLOCK
from vod.http.origin import read_origin
from vod.http.pagination import PageQuery, page_members
from vod.http.types import Identifier, SearchText
from vod.http.view import ApiView, require_id, respond, respond_empty
from vod.lectures import schemas, service
from vod.lectures.extras import load_extras
from vod.lectures.models import LectureState
from vod.lectures.policy import may_edit_lectures
from vod.lectures.present import present_lecture


class LecturesView(ApiView):
    async def get(
        self,
        page: PageQuery,
        q: SearchText = "",
        series_id: Annotated[Identifier | None, Field(description="Only of this series")] = None,
        state: Annotated[LectureState | None, Field(description="Only in this state")] = None,
    ) -> r200[schemas.LecturePage]:
        """List lectures that whoever asks may see, newest first; of a series by position.

        Tags: lectures
        """
        wanted = service.LectureFilter(words=q, series_id=series_id, state=state)
        async with self.database.read() as session:
            rows, total = await service.load_lectures(session, page, wanted, self.viewer)
            extras = await load_extras(session, rows)
        origin = read_origin(self.request)
        items = [
            present_lecture(row, extras[row.id], viewer=self.viewer, origin=origin) for row in rows
        ]
        return respond(schemas.LecturePage(items=items, **page_members(page, total)))


class LectureView(ApiView):
    async def get(self, lecture_id: str, /) -> r200[schemas.Lecture]:
        """Show a lecture.

        Tags: lectures
        """
        return await self._respond_lecture(require_id(lecture_id, "lecture"))

    async def patch(self, lecture_id: str, /, body: schemas.LectureChange) -> r200[schemas.Lecture]:
        """Change a lecture. Members left out stay.

        Tags: lectures
        """
        self._require_editor()
        await service.change_lecture(
            self.database,
            body,
            lecture_id=require_id(lecture_id, "lecture"),
            viewer=self.viewer,
            now=self.request.app[CLOCK].now(),
        )
        return await self._respond_lecture(lecture_id)

    async def delete(self, lecture_id: str, /) -> r204:
        """Delete a lecture.

        Tags: lectures
        Status Codes:
            204: Deleted.
        """
        self._require_editor()
        await service.delete_lecture(
            self.database,
            lecture_id=require_id(lecture_id, "lecture"),
            viewer=self.viewer,
            now=self.request.app[CLOCK].now(),
        )
        return respond_empty()

    def _require_editor(self) -> None:
        self.require_account()
        if not may_edit_lectures(self.viewer):
            raise NotAllowedError("only editors and administrators change lectures")

    async def _respond_lecture(self, lecture_id: str) -> web.Response:
        async with self.database.read() as session:
            lecture = await service.load_lecture(session, lecture_id, self.viewer)
            extras = await load_extras(session, [lecture])
        origin = read_origin(self.request)
        return respond(
            present_lecture(lecture, extras[lecture.id], viewer=self.viewer, origin=origin)
        )


ROUTES: Final = (
    web.view("/api/v1/lectures", LecturesView),
    web.view("/api/v1/lectures/{lecture_id}", LectureView),
)
