"""``/lectures/{id}/clips`` of the API."""

from __future__ import annotations

from typing import Final

from aiohttp import hdrs, web
from aiohttp_pydantic.oas.typing import r200, r201, r204

from kernel.errors import NotFoundError
from kernel.timing import to_seconds
from vod.clips import schemas, service
from vod.clips.policy import BYTES_PER_MB, KEPT_FOR, name_range
from vod.http.keys import CLOCK
from vod.http.origin import read_origin
from vod.http.view import ApiView, require_id, respond, respond_empty
from vod.jobs.policy import JobState
from vod.material.access import require_change
from vod.playback.answers import serve_file
from vod.playback.extras import build_disposition


class ClipsView(ApiView):
    async def get(self, lecture_id: str, /) -> r200[schemas.ClipList]:
        """List the clips of a lecture and how far they are, the newest first.

        Tags: clips
        """
        self.require_account()
        require_id(lecture_id, "lecture")
        found = await service.list_clips(self.database, lecture_id, self.viewer)
        origin = read_origin(self.request)
        return respond(schemas.ClipList(items=[_present(facts, origin) for facts in found]))

    async def post(self, lecture_id: str, /, body: schemas.NewClip) -> r201[schemas.Clip]:
        """Cut a range out of a lecture as one MP4; it is made in the background.

        Tags: clips
        Status Codes:
            201: It is queued.
            409: The lecture is not finished or has no picture, or there are too many clips.
            422: The range, the size or the captions do not hold.
        """
        self.require_account()
        require_id(lecture_id, "lecture")
        await require_change(self.database, lecture_id, self.viewer)
        facts = await service.start_clip(
            self.database,
            body,
            lecture_id=lecture_id,
            viewer=self.viewer,
            now=self.request.app[CLOCK].now(),
        )
        return respond(_present(facts, read_origin(self.request)), status=201)


class ClipView(ApiView):
    async def delete(self, lecture_id: str, clip_id: str, /) -> r204[None]:
        """Delete a clip, or stop making it.

        Tags: clips
        """
        self.require_account()
        require_id(lecture_id, "lecture")
        await require_change(self.database, lecture_id, self.viewer)
        await service.drop_clip(
            self.database,
            lecture_id=lecture_id,
            clip_id=require_id(clip_id, "clip"),
            viewer=self.viewer,
            now=self.request.app[CLOCK].now(),
        )
        return respond_empty()


class ClipFileView(ApiView):
    async def get(self, lecture_id: str, clip_id: str, /) -> r200:
        """Download a finished clip; its name is that of the lecture and the range.

        Tags: clips
        """
        self.require_account()
        require_id(lecture_id, "lecture")
        lecture, clip = await service.find_clip(self.database, lecture_id, clip_id, self.viewer)
        if clip.key is None:
            raise NotFoundError("the clip is not finished", title_zh="短片还没有做好")
        suffix = f" {name_range(clip.start_ticks, clip.end_ticks)}.mp4"
        return await serve_file(
            self.request,
            clip.key,
            content_type="video/mp4",
            cache_control="private, no-cache",
            headers={hdrs.CONTENT_DISPOSITION: build_disposition(lecture.title, suffix)},
        )


def _present(facts: service.ClipFacts, origin: str) -> schemas.Clip:
    clip = facts.clip
    is_done = facts.state is JobState.DONE and clip.key is not None
    path = f"/api/v1/lectures/{clip.lecture_id}/clips/{clip.id}/file"
    return schemas.Clip(
        id=clip.id,
        start_s=to_seconds(clip.start_ticks),
        end_s=to_seconds(clip.end_ticks),
        shape=clip.shape,
        crop_percent=clip.crop_percent,
        language=clip.language,
        limit_mb=clip.limit_bytes // BYTES_PER_MB,
        state=facts.state,
        progress=facts.progress,
        reason=facts.reason,
        job_id=clip.job_id,
        size_bytes=clip.size_bytes,
        width_px=clip.width_px,
        height_px=clip.height_px,
        file_url=origin + path if is_done else None,
        created_at=clip.created_at,
        expires_at=clip.created_at + KEPT_FOR,
    )


ROUTES: Final = (
    web.view("/api/v1/lectures/{lecture_id}/clips", ClipsView),
    web.view("/api/v1/lectures/{lecture_id}/clips/{clip_id}", ClipView),
    web.view("/api/v1/lectures/{lecture_id}/clips/{clip_id}/file", ClipFileView),
)
