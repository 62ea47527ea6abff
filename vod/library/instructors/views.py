"""``/instructors`` of the API."""

from __future__ import annotations

from typing import Annotated, Final

from aiohttp import web
from aiohttp_pydantic.oas.typing import r200, r201, r204
from pydantic import Field

from kernel.errors import NotAllowedError, NotFoundError
from vod.http.keys import CLOCK
from vod.http.origin import read_origin
from vod.http.pagination import PageQuery, page_members
from vod.http.types import SearchText
from vod.http.view import ApiView, require_id, respond, respond_empty
from vod.library.calendar import find_today
from vod.library.instructors import schemas, service
from vod.library.pictures import receive_picture, serve_picture
from vod.library.policy import LibraryAction, may_in_library
from vod.library.types import Tag


class _InstructorBase(ApiView):
    def require_editor(self) -> None:
        self.require_account()
        if not may_in_library(self.viewer, LibraryAction.CURATE):
            raise NotAllowedError("only editors and administrators change the pool of teachers")

    async def respond_one(self, instructor_id: str, *, status: int = 200) -> web.Response:
        today = find_today(self.request.app[CLOCK].now())
        async with self.database.read() as session:
            row = await service.load_instructor(session, instructor_id, self.viewer)
            shown = await service.present(
                session, [row], self.viewer, today=today, origin=read_origin(self.request)
            )
        return respond(shown[0], status=status)


class InstructorsView(_InstructorBase):
    async def get(
        self,
        page: PageQuery,
        q: SearchText = "",
        topic: Annotated[Tag | None, Field(description="Only with this topic")] = None,
        orderable: Annotated[  # noqa: FBT002 - a parameter of the query
            bool, Field(description="Only those who are appointed today, for ordering")
        ] = False,
    ) -> r200[schemas.InstructorPage]:
        """List teachers by pinyin; words find names, pinyin, initials and units.

        Tags: library
        """
        today = find_today(self.request.app[CLOCK].now())
        wanted = service.InstructorFilter(words=q, topic=topic, today=today if orderable else None)
        async with self.database.read() as session:
            rows, total = await service.load_instructors(session, page, wanted, self.viewer)
            items = await service.present(
                session, rows, self.viewer, today=today, origin=read_origin(self.request)
            )
        return respond(schemas.InstructorPage(items=items, **page_members(page, total)))

    async def post(self, body: schemas.NewInstructor) -> r201[schemas.Instructor]:
        """Add a teacher.

        Tags: library
        Status Codes:
            201: Added.
            409: The account is another teacher's.
        """
        self.require_editor()
        instructor_id = await service.save_instructor(
            self.database,
            body,
            instructor_id=None,
            viewer=self.viewer,
            now=self.request.app[CLOCK].now(),
        )
        return await self.respond_one(instructor_id, status=201)


class InstructorView(_InstructorBase):
    async def get(self, instructor_id: str, /) -> r200[schemas.Instructor]:
        """Show a teacher.

        Tags: library
        """
        return await self.respond_one(require_id(instructor_id, "instructor"))

    async def patch(
        self, instructor_id: str, /, body: schemas.InstructorChange
    ) -> r200[schemas.Instructor]:
        """Change a teacher. Members left out stay.

        Tags: library
        Status Codes:
            200: As they are now.
            409: The account is another teacher's.
        """
        self.require_editor()
        await service.save_instructor(
            self.database,
            body,
            instructor_id=require_id(instructor_id, "instructor"),
            viewer=self.viewer,
            now=self.request.app[CLOCK].now(),
        )
        return await self.respond_one(instructor_id)

    async def delete(self, instructor_id: str, /) -> r204:
        """Remove a teacher whom no lecture names.

        Tags: library
        Status Codes:
            204: Removed.
            409: Lectures name them.
        """
        self.require_editor()
        await service.delete_instructor(
            self.database,
            instructor_id=require_id(instructor_id, "instructor"),
            viewer=self.viewer,
            now=self.request.app[CLOCK].now(),
        )
        return respond_empty()


class InstructorClassesView(_InstructorBase):
    async def get(self, instructor_id: str, /) -> r200[schemas.TaughtClasses]:
        """List the latest live classes of a teacher.

        Tags: library
        """
        require_id(instructor_id, "instructor")
        async with self.database.read() as session:
            row = await service.load_instructor(session, instructor_id, self.viewer)
            return respond(await service.load_classes(session, row, self.viewer))


class PortraitView(_InstructorBase):
    async def get(self, instructor_id: str, /) -> r200:
        """Show the portrait of a teacher, a JPEG.

        Tags: library
        """
        require_id(instructor_id, "instructor")
        async with self.database.read() as session:
            row = await service.load_instructor(session, instructor_id, self.viewer)
        if row.portrait is None:
            raise NotFoundError("no portrait")
        return await serve_picture(self.request, "portraits", row.id, row.portrait)

    async def put(self, instructor_id: str, /) -> r200[schemas.Instructor]:
        """Send a portrait: a JPEG or PNG picture as it is.

        Tags: library
        Status Codes:
            200: It is shown from now on.
            413: More than 10 MB or 40 megapixels.
            415: Neither JPEG nor PNG.
            422: The picture is broken or too small.
        """
        self.require_editor()
        require_id(instructor_id, "instructor")
        async with self.database.read() as session:
            await service.load_instructor(session, instructor_id, self.viewer)
        name = await receive_picture(self.request, "portraits", instructor_id)
        async with self.database.write() as session:
            row = await service.load_instructor(session, instructor_id, self.viewer)
            row.portrait = name
            now = self.request.app[CLOCK].now()
            service.note(session, row.id, "instructor.portrait_changed", self.viewer, now)
        return await self.respond_one(instructor_id)


ROUTES: Final = (
    web.view("/api/v1/instructors", InstructorsView),
    web.view("/api/v1/instructors/{instructor_id}", InstructorView),
    web.view("/api/v1/instructors/{instructor_id}/classes", InstructorClassesView),
    web.view("/api/v1/instructors/{instructor_id}/portrait", PortraitView),
)
