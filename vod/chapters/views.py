"""``/lectures/{id}/chapters`` of the API."""

from __future__ import annotations

from typing import Final

from aiohttp import web
from aiohttp_pydantic.oas.typing import r200

from kernel.errors import ConflictError
from kernel.http import build_problem
from vod.chapters import schemas, service
from vod.http.keys import BLOBS, CLOCK
from vod.http.view import ApiView, require_id, respond


class ChaptersView(ApiView):
    async def get(self, lecture_id: str, /) -> r200[schemas.Chapters]:
        """Show the chapters in uncut time; editors also get suggestions from slide changes.

        Tags: chapters
        """
        require_id(lecture_id, "lecture")
        shown = await service.read_for_viewer(
            self.database,
            self.request.app[BLOBS],
            lecture_id=lecture_id,
            viewer=self.viewer,
        )
        return respond(shown)

    async def put(self, lecture_id: str, /, body: schemas.ChaptersChange) -> r200[schemas.Chapters]:
        """Save all chapters. Somebody else's change is never written over.

        Tags: chapters
        Status Codes:
            200: Saved; the answer has the next version.
            409: Somebody saved meanwhile; ``current`` are the chapters as they are now.
        """
        require_id(lecture_id, "lecture")
        self.require_account()
        saved = await service.change_chapters(
            self.database,
            body,
            lecture_id=lecture_id,
            viewer=self.viewer,
            now=self.request.app[CLOCK].now(),
        )
        if saved.is_saved:
            return respond(saved.chapters)
        return build_problem(
            kind=ConflictError.kind,
            status=ConflictError.status,
            title="章节已被别人改过,请核对后再保存",
            detail=f"the chapters are at version {saved.chapters.version}, not {body.version}",
            current=saved.chapters.model_dump(mode="json"),
        )


ROUTES: Final = (web.view("/api/v1/lectures/{lecture_id}/chapters", ChaptersView),)
