"""``/lectures`` of the API."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Final, Literal

from aiohttp import web
from aiohttp_pydantic.oas.typing import r200, r201, r204
from pydantic import Field

from kernel.errors import NotAllowedError
from vod.http.keys import CLOCK, SETTINGS
from vod.http.origin import read_origin
from vod.http.pagination import PageQuery, page_members
from vod.http.types import Identifier, SearchText
from vod.http.view import ApiView, require_id, respond, respond_empty
from vod.lectures import schemas, service
from vod.lectures.extras import load_extras
from vod.lectures.models import LectureState
from vod.lectures.policy import may_edit_lectures
from vod.lectures.present import present_lecture
from vod.lectures.publication import LectureKind, Publication
from vod.lectures.restoring import restore_lecture
from vod.library.types import Day, FormKey, Tag
from vod.settings import read_grace


class _LectureBase(ApiView):
    def require_editor(self) -> None:
        self.require_account()
        if not may_edit_lectures(self.viewer):
            raise NotAllowedError("only editors and administrators change lectures")

    async def respond_lecture(self, lecture_id: str, *, status: int = 200) -> web.Response:
        async with self.database.read() as session:
            lecture = await service.load_lecture(session, lecture_id, self.viewer)
            extras = await load_extras(session, [lecture])
        origin = read_origin(self.request)
        return respond(
            present_lecture(lecture, extras[lecture.id], viewer=self.viewer, origin=origin),
            status=status,
        )


class LecturesView(_LectureBase):
    async def get(  # noqa: PLR0917 - each is a parameter of the query
        self,
        page: PageQuery,
        q: SearchText = "",
        series_id: Annotated[Identifier | None, Field(description="Only of this series")] = None,
        state: Annotated[
            LectureState | Literal["deleted"] | None,
            Field(description="Only in this state; editors also see what was deleted lately"),
        ] = None,
        publication: Annotated[
            Publication | None, Field(description="Only so far on the way to the members")
        ] = None,
        kind: Annotated[
            LectureKind | None, Field(description="Only media, papers or links")
        ] = None,
        form: Annotated[FormKey | None, Field(description="Only of this form")] = None,
        tag: Annotated[Tag | None, Field(description="Only with this tag")] = None,
        instructor_id: Annotated[
            Identifier | None, Field(description="Only where this instructor teaches")
        ] = None,
        review_until: Annotated[
            Day | None, Field(description="Only those to look through by that day, soonest first")
        ] = None,
        featured: Annotated[
            bool | None, Field(description="Only featured ones 精品, or only the others")
        ] = None,
    ) -> r200[schemas.LecturePage]:
        """List lectures that whoever asks may see, newest first; of a series by position.

        Tags: lectures
        """
        wanted = replace(
            self._read_filter(q, series_id, state),
            publication=publication,
            kind=kind,
            form=form,
            tag=tag,
            instructor_id=instructor_id,
            review_until=review_until,
            is_featured=featured,
        )
        async with self.database.read() as session:
            rows, total = await service.load_lectures(session, page, wanted, self.viewer)
            extras = await load_extras(session, rows)
        origin = read_origin(self.request)
        items = [
            present_lecture(row, extras[row.id], viewer=self.viewer, origin=origin) for row in rows
        ]
        return respond(schemas.LecturePage(items=items, **page_members(page, total)))

    async def post(self, body: schemas.NewLecture) -> r201[schemas.Lecture]:
        """Make a draft of papers to read or a page elsewhere.

        Tags: lectures
        Status Codes:
            201: A draft; publish it when it is complete.
            409: Another lecture has its external id.
        """
        self.require_editor()
        lecture_id = await service.create_lecture(
            self.database, body, viewer=self.viewer, now=self.request.app[CLOCK].now()
        )
        return await self.respond_lecture(lecture_id, status=201)

    def _read_filter(
        self, words: str, series_id: str | None, state: LectureState | Literal["deleted"] | None
    ) -> service.LectureFilter:
        if state != "deleted":
            return service.LectureFilter(words=words, series_id=series_id, state=state)
        self.require_account()
        if not may_edit_lectures(self.viewer):
            raise NotAllowedError("only editors and administrators see what was deleted")
        since = self.request.app[CLOCK].now() - read_grace(self.request.app[SETTINGS])
        return service.LectureFilter(words=words, series_id=series_id, deleted_after=since)


class LectureView(_LectureBase):
    async def get(self, lecture_id: str, /) -> r200[schemas.Lecture]:
        """Show a lecture.

        Tags: lectures
        """
        return await self.respond_lecture(require_id(lecture_id, "lecture"))

    async def patch(self, lecture_id: str, /, body: schemas.LectureChange) -> r200[schemas.Lecture]:
        """Change a lecture. Members left out stay.

        Tags: lectures
        Status Codes:
            200: As it is now.
            409: Somebody else has changed it since, or another lecture has its external id.
        """
        self.require_editor()
        await service.change_lecture(
            self.database,
            body,
            lecture_id=require_id(lecture_id, "lecture"),
            viewer=self.viewer,
            now=self.request.app[CLOCK].now(),
        )
        return await self.respond_lecture(lecture_id)

    async def delete(self, lecture_id: str, /) -> r204:
        """Delete a lecture.

        Tags: lectures
        Status Codes:
            204: Deleted.
        """
        self.require_editor()
        await service.delete_lecture(
            self.database,
            lecture_id=require_id(lecture_id, "lecture"),
            viewer=self.viewer,
            now=self.request.app[CLOCK].now(),
        )
        return respond_empty()


class BulkView(_LectureBase):
    async def post(self, body: schemas.BulkChange) -> r200[schemas.BulkAnswer]:
        """Change many lectures the same way, all of them or none.

        Tags: lectures
        Status Codes:
            200: How many there were.
            404: One of them does not exist (any more); none was changed.
        """
        self.require_editor()
        count = await service.change_many(
            self.database, body, viewer=self.viewer, now=self.request.app[CLOCK].now()
        )
        return respond(schemas.BulkAnswer(changed_count=count))


class LectureRestoreView(_LectureBase):
    async def post(self, lecture_id: str, /) -> r200[schemas.Lecture]:
        """Bring a deleted lecture back, with its address and records.

        Tags: lectures
        Status Codes:
            200: It is there again; what was being made of it is made again.
            409: It was not deleted.
            410: It was deleted too long ago.
        """
        self.require_editor()
        app = self.request.app
        await restore_lecture(
            self.database,
            lecture_id=require_id(lecture_id, "lecture"),
            viewer=self.viewer,
            now=app[CLOCK].now(),
            grace=read_grace(app[SETTINGS]),
        )
        return await self.respond_lecture(lecture_id)


ROUTES: Final = (
    web.view("/api/v1/lectures", LecturesView),
    web.view("/api/v1/lectures/bulk", BulkView),
    web.view("/api/v1/lectures/{lecture_id}", LectureView),
    web.view("/api/v1/lectures/{lecture_id}/restore", LectureRestoreView),
)
