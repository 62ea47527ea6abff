"""``/lectures/{id}/captions`` of the API."""

from __future__ import annotations

from typing import Annotated, ClassVar, Final

from aiohttp import web
from aiohttp_pydantic.oas.typing import r200, r201, r202, r204
from pydantic import Field

from kernel.captions import MAX_FILE_BYTES
from kernel.errors import ConflictError, NotAllowedError
from kernel.http import build_problem
from vod.captions import schemas, service
from vod.captions.models import MAX_LABEL_CHARS, MAX_LANGUAGE_CHARS
from vod.captions.transcription import start_transcription
from vod.http.bodies import read_body
from vod.http.keys import CLOCK, SETTINGS
from vod.http.view import ApiView, require_id, respond, respond_empty
from vod.jobs.schemas import Accepted
from vod.lectures.policy import may_edit_lectures
from vod.material.access import require_change

# 20 000 cues as JSON with their times; every Chinese character may be an escape of six bytes.
MAX_CAPTIONS_BYTES: Final = 8 * 1024 * 1024
MAX_FILENAME_CHARS: Final = 255


class CaptionTracksView(ApiView):
    async def post(
        self,
        lecture_id: str,
        /,
        language: Annotated[str, Field(max_length=MAX_LANGUAGE_CHARS)] = "zh-CN",
        label: Annotated[str, Field(max_length=MAX_LABEL_CHARS)] = "",
        filename: Annotated[str, Field(max_length=MAX_FILENAME_CHARS)] = "",
    ) -> r201[schemas.Captions]:
        """Add captions from a file: the body is an srt, vtt or ass file as it is.

        Tags: captions
        Status Codes:
            201: The track, as it was understood.
            409: The lecture has too many tracks already.
            413: Larger than 5 MB.
            415: No subtitle file.
            422: A subtitle file without a usable cue.
        """
        require_id(lecture_id, "lecture")
        await require_change(self.database, lecture_id, self.viewer)
        data = await read_body(
            self.request, limit_bytes=MAX_FILE_BYTES, title_zh="字幕文件太大,最大 5 MB"
        )
        added = await service.upload_track(
            self.database,
            data,
            lecture_id=lecture_id,
            filename=filename,
            language=language,
            label=label,
            viewer=self.viewer,
            now=self.request.app[CLOCK].now(),
        )
        return respond(added, status=201)


class CaptionTrackView(ApiView):
    max_body_bytes: ClassVar[int | None] = MAX_CAPTIONS_BYTES

    async def get(self, lecture_id: str, caption_id: str, /) -> r200[schemas.Captions]:
        """Show a caption track with its cues, in the lecture's uncut time.

        Tags: captions
        """
        require_id(lecture_id, "lecture")
        require_id(caption_id, "captions")
        return respond(await service.read_track(self.database, lecture_id, caption_id, self.viewer))

    async def put(
        self, lecture_id: str, caption_id: str, /, body: schemas.CaptionsChange
    ) -> r200[schemas.Captions]:
        """Save edited captions. Somebody else's change is never written over.

        Tags: captions
        Status Codes:
            200: Saved; the answer has the next version.
            409: Somebody saved meanwhile; ``current`` is the track as it is now.
        """
        require_id(lecture_id, "lecture")
        require_id(caption_id, "captions")
        self.require_account()
        saved = await service.change_track(
            self.database,
            body,
            lecture_id=lecture_id,
            caption_id=caption_id,
            viewer=self.viewer,
            now=self.request.app[CLOCK].now(),
        )
        if saved.is_saved:
            return respond(saved.captions)
        return build_problem(
            kind=ConflictError.kind,
            status=ConflictError.status,
            title="字幕已被别人改过,请核对后再保存",
            detail=f"the captions are at version {saved.captions.version}, not {body.version}",
            current=saved.captions.model_dump(mode="json"),
        )

    async def delete(self, lecture_id: str, caption_id: str, /) -> r204:
        """Delete a caption track.

        Tags: captions
        Status Codes:
            204: Deleted.
        """
        require_id(lecture_id, "lecture")
        require_id(caption_id, "captions")
        await service.delete_track(
            self.database,
            lecture_id=lecture_id,
            caption_id=caption_id,
            viewer=self.viewer,
            now=self.request.app[CLOCK].now(),
        )
        return respond_empty()


class TranscriptionView(ApiView):
    async def post(self, lecture_id: str, /) -> r202[Accepted]:
        """Have captions written by the speech model that is set up.

        Tags: captions
        Status Codes:
            202: A job was started; its track appears among the captions.
            409: No model is set up, the lecture is not finished, or it is being done already.
        """
        require_id(lecture_id, "lecture")
        self.require_account()
        if not may_edit_lectures(self.viewer):
            raise NotAllowedError("only editors and administrators start transcriptions")
        job_id = await start_transcription(
            self.database,
            self.request.app[SETTINGS],
            lecture_id=lecture_id,
            viewer=self.viewer,
            now=self.request.app[CLOCK].now(),
        )
        return respond(Accepted(id=job_id), status=202)


ROUTES: Final = (
    web.view("/api/v1/lectures/{lecture_id}/captions", CaptionTracksView),
    web.view("/api/v1/lectures/{lecture_id}/captions/{caption_id}", CaptionTrackView),
    web.view("/api/v1/lectures/{lecture_id}/transcription", TranscriptionView),
)
