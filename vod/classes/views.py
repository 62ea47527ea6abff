"""``/live-classes`` of the API."""

from __future__ import annotations

from typing import Annotated, Final

from aiohttp import web
from aiohttp_pydantic.oas.typing import r200, r201, r204
from pydantic import Field

from kernel.errors import ConflictError, NotFoundError
from vod.assets.retention import require_segments
from vod.classes import schemas, service
from vod.classes.endings import tell_streamer
from vod.classes.models import LiveClass
from vod.classes.present import ClassPresenter
from vod.classes.queries import ClassFilter, load_class, load_classes
from vod.classes.revocation import revoke_credentials
from vod.classes.states import ClassState
from vod.http.keys import CHANGES, CLOCK, SECRET, SETTINGS, STATUSES, STREAMER
from vod.http.origin import read_origin
from vod.http.pagination import PageQuery, page_members
from vod.http.types import Identifier, SearchText
from vod.http.view import ApiView, require_id, respond, respond_empty

END_WAIT_S: Final = 1.5  # Streamer usually closes a broadcast in well under a second.


def build_presenter(view: ApiView) -> ClassPresenter:
    """Build the presenter of one request."""
    app = view.request.app
    return ClassPresenter(
        database=view.database,
        statuses=app[STATUSES],
        settings=app[SETTINGS],
        secret=app[SECRET],
        viewer=view.viewer,
        origin=read_origin(view.request),
    )


class _ClassBase(ApiView):
    async def load(self, class_id: str) -> LiveClass:
        async with self.database.read() as session:
            return await load_class(session, require_id(class_id, "class"), self.viewer)

    async def load_managed(self, class_id: str) -> LiveClass:
        self.require_account()
        async with self.database.read() as session:
            return await service.load_managed(session, require_id(class_id, "class"), self.viewer)

    async def respond_class(self, class_id: str) -> web.Response:
        row = await self.load(class_id)
        return respond((await build_presenter(self).present([row]))[0])


class LiveClassesView(_ClassBase):
    async def get(
        self,
        page: PageQuery,
        q: SearchText = "",
        state: Annotated[ClassState | None, Field(description="Only in this state")] = None,
        series_id: Annotated[Identifier | None, Field(description="Only of this series")] = None,
        mine: Annotated[bool, Field(description="Only classes one teaches oneself")] = False,  # noqa: FBT002 - a query parameter
    ) -> r200[schemas.LiveClassPage]:
        """List classes that whoever asks may see, latest start first.

        Tags: classes
        """
        if mine:
            self.require_account()
        wanted = ClassFilter(words=q, state=state, series_id=series_id, is_mine=mine)
        async with self.database.read() as session:
            rows, total = await load_classes(session, page, wanted, self.viewer)
        items = await build_presenter(self).present(rows)
        return respond(schemas.LiveClassPage(items=items, **page_members(page, total)))

    async def post(self, body: schemas.NewLiveClass) -> r201[schemas.CreatedLiveClass]:
        """Create a class; the answer holds what an encoder needs.

        Tags: classes
        Status Codes:
            201: Created.
        """
        self.require_account()
        now = self.request.app[CLOCK].now()
        class_id = await service.create_class(self.database, body, viewer=self.viewer, now=now)
        row = await self.load(class_id)
        presenter = build_presenter(self)
        shown = (await presenter.present([row]))[0]
        created = schemas.CreatedLiveClass(**dict(shown), publish=presenter.build_publish(row))
        return respond(created, status=201)


class LiveClassView(_ClassBase):
    async def get(self, class_id: str, /) -> r200[schemas.LiveClass]:
        """Show a class.

        Tags: classes
        """
        return await self.respond_class(class_id)

    async def patch(
        self, class_id: str, /, body: schemas.LiveClassChange
    ) -> r200[schemas.LiveClass]:
        """Change a class. Members left out stay.

        Tags: classes
        """
        self.require_account()
        await service.change_class(
            self.database,
            body,
            live_class_id=require_id(class_id, "class"),
            viewer=self.viewer,
            now=self.request.app[CLOCK].now(),
        )
        return await self.respond_class(class_id)

    async def delete(self, class_id: str, /) -> r204:
        """Delete a class that was never live.

        Tags: classes
        Status Codes:
            204: Deleted.
            409: It was live.
        """
        self.require_account()
        await service.delete_class(
            self.database,
            live_class_id=require_id(class_id, "class"),
            viewer=self.viewer,
            now=self.request.app[CLOCK].now(),
        )
        return respond_empty()


class PublishView(_ClassBase):
    async def get(self, class_id: str, /) -> r200[schemas.PublishInfo]:
        """Show what an encoder needs to publish. Secret.

        Tags: classes
        """
        row = await self.load_managed(class_id)
        return respond(build_presenter(self).build_publish(row))


class RotateKeyView(_ClassBase):
    async def post(self, class_id: str, /) -> r200[schemas.PublishInfo]:
        """Replace stream key and token.

        Tags: classes
        """
        self.require_account()
        await service.rotate_key(
            self.database,
            live_class_id=require_id(class_id, "class"),
            viewer=self.viewer,
            now=self.request.app[CLOCK].now(),
        )
        row = await self.load_managed(class_id)
        await revoke_credentials(self.request.app[STREAMER], row)
        return respond(build_presenter(self).build_publish(row))


class EndView(_ClassBase):
    async def post(self, class_id: str, /) -> r200[schemas.LiveClass]:
        """End a class. When streaming is away for the moment, the class ends once it is back.

        Tags: classes
        """
        self.require_account()
        app = self.request.app
        now = app[CLOCK].now()
        row = await service.request_end(
            self.database, live_class_id=require_id(class_id, "class"), viewer=self.viewer, now=now
        )
        if row.end_requested_at is not None:
            is_told = await tell_streamer(self.database, app[STREAMER], row, now=now)
            if is_told:
                await app[CHANGES].wait_until(
                    lambda: self._has_ended(class_id), timeout_s=END_WAIT_S
                )
        return await self.respond_class(class_id)

    async def _has_ended(self, class_id: str) -> bool:
        state = await service.load_class_state(self.database, class_id)
        return state is ClassState.ENDED


class ReopenView(_ClassBase):
    async def post(self, class_id: str, /) -> r200[schemas.LiveClass]:
        """Let an ended class go on; what follows is added to the same lecture.

        Tags: classes
        Status Codes:
            200: Open again.
            409: It has not ended, or its recording is closed for good.
        """
        row = await self.load_managed(class_id)
        if row.state is not ClassState.ENDED:
            raise ConflictError("the class has not ended", title_zh="这堂课还没有结束")
        app = self.request.app
        if row.started_at is not None:
            await require_segments(self.database, row.broadcast_id)
            path = f"/internal/broadcasts/{row.broadcast_id}/reopen"
            try:
                await app[STREAMER].call("POST", path)
            except NotFoundError as error:
                raise ConflictError(
                    "streamer no longer has this broadcast", title_zh="这堂课已无法继续直播"
                ) from error
        await service.note_reopened(
            self.database, live_class_id=row.id, viewer=self.viewer, now=app[CLOCK].now()
        )
        return await self.respond_class(class_id)


ROUTES: Final = (
    web.view("/api/v1/live-classes", LiveClassesView),
    web.view("/api/v1/live-classes/{class_id}", LiveClassView),
    web.view("/api/v1/live-classes/{class_id}/publish", PublishView),
    web.view("/api/v1/live-classes/{class_id}/rotate-key", RotateKeyView),
    web.view("/api/v1/live-classes/{class_id}/end", EndView),
    web.view("/api/v1/live-classes/{class_id}/reopen", ReopenView),
)
