"""``/lectures/{id}/poster`` of the API."""

from __future__ import annotations

from typing import Final

from aiohttp import web
from aiohttp_pydantic.oas.typing import r200

from kernel.errors import InputError
from kernel.http import parse_body
from vod.http.bodies import read_body
from vod.http.keys import BLOBS, CLOCK
from vod.http.origin import read_origin
from vod.http.view import ApiView, require_id, respond
from vod.lectures.extras import load_extras
from vod.lectures.present import build_image_urls, build_posters
from vod.lectures.service import load_lecture
from vod.material.access import require_change
from vod.posters import schemas, service
from vod.posters.keys import DECODER
from vod.posters.picture import MAX_PICTURE_BYTES

PICTURE_TYPES: Final = frozenset({"image/jpeg", "image/png"})


class PosterView(ApiView):
    async def put(self, lecture_id: str, /) -> r200[schemas.Posters]:
        """Choose a poster: the body is ``{"name"}`` as JSON, or a JPEG or PNG picture as it is.

        Tags: lectures
        Status Codes:
            200: It is shown from now on.
            404: No such lecture, or no such candidate any more.
            413: More than 10 MB or 40 megapixels.
            415: Neither JSON nor JPEG nor PNG.
            422: The picture is broken or too small.
        """
        require_id(lecture_id, "lecture")
        await require_change(self.database, lecture_id, self.viewer)
        kind, now = self.request.content_type, self.request.app[CLOCK].now()
        if kind == "application/json":
            wanted = await parse_body(self.request, schemas.PosterChoice)
            await service.choose_candidate(
                self.database, wanted.name, lecture_id=lecture_id, viewer=self.viewer, now=now
            )
        elif kind in PICTURE_TYPES:
            data = await read_body(
                self.request, limit_bytes=MAX_PICTURE_BYTES, title_zh="图片太大,最大 10 MB"
            )
            await service.upload_poster(
                self.database,
                self.request.app[BLOBS],
                await self.request.app[DECODER].clean(data),
                lecture_id=lecture_id,
                viewer=self.viewer,
                now=now,
            )
        else:
            raise InputError(
                "the body must be application/json, image/jpeg or image/png",
                status=415,
                title_zh="请上传 JPEG 或 PNG 图片",
            )
        return await self._respond_posters(lecture_id)

    async def _respond_posters(self, lecture_id: str) -> web.Response:
        async with self.database.read() as session:
            lecture = await load_lecture(session, lecture_id, self.viewer)
            extras = (await load_extras(session, [lecture]))[lecture_id]
        origin = read_origin(self.request)
        return respond(
            schemas.Posters(
                poster_url=build_image_urls(lecture, extras, origin)[0],
                posters=build_posters(lecture, extras, origin),
            )
        )


ROUTES: Final = (web.view("/api/v1/lectures/{lecture_id}/poster", PosterView),)
