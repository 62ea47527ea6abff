"""``POST /lectures/{id}/signed-url``: playable addresses for players without cookies."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from aiohttp import web
from aiohttp_pydantic.oas.typing import r200
from sqlalchemy import select

from kernel.errors import NotFoundError
from vod.classes.models import LiveClass
from vod.http.keys import CLOCK, SECRET
from vod.http.origin import read_origin
from vod.http.types import Moment, View
from vod.http.view import ApiView, require_id, respond
from vod.lectures.present import is_playable
from vod.lectures.service import load_lecture
from vod.playback.signing import SignedPath, sign_path

LIFETIME: Final = timedelta(hours=4)


class SignedUrls(View):
    """Addresses that carry their own right; do not pass them on."""

    hls_url: str
    audio_url: str
    expires_at: Moment


class SignedUrlView(ApiView):
    async def post(self, lecture_id: str, /) -> r200[SignedUrls]:
        """Make addresses for casting or podcast apps, bound to the account, for 4 hours.

        Tags: lectures
        Status Codes:
            200: The addresses.
            404: No such lecture, or nothing to play yet.
        """
        require_id(lecture_id, "lecture")
        async with self.database.read() as session:
            lecture = await load_lecture(session, lecture_id, self.viewer)
            broadcast_id = await session.scalar(
                select(LiveClass.broadcast_id).where(LiveClass.id == lecture.live_class_id)
            )
        if not is_playable(lecture):
            raise NotFoundError("there is nothing to play yet")
        now = self.request.app[CLOCK].now().replace(microsecond=0)
        path = SignedPath(lecture_id, broadcast_id, self.viewer.account_id, now + LIFETIME)
        token = sign_path(self.request.app[SECRET], path, now=now)
        base = f"{read_origin(self.request)}/signed/{token}/media/{lecture_id}"
        return respond(
            SignedUrls(
                hls_url=f"{base}/index.m3u8",
                audio_url=f"{base}/audio.m3u8",
                expires_at=path.expires_at,
            )
        )


ROUTES: Final = (web.view("/api/v1/lectures/{lecture_id}/signed-url", SignedUrlView),)
