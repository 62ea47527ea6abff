"""Unit ``plan_upload``: look at the file, then plan its job or say why there is none."""

from __future__ import annotations

from dataclasses import replace

import structlog

from transcode.context import Outcome, UnitContext
from transcode.intake.look import Upload, inspect_upload
from transcode.plan.build_upload import build_upload_plan
from transcode.specs import Frozen, parse_spec
from transcode.subtitles.embedded import extract_embedded

log = structlog.get_logger(__name__)


class PlanUploadSpec(Frozen):
    upload: Upload


async def plan_upload(context: UnitContext) -> Outcome:
    """Probe the upload and build the plan.

    Raises:
        EncodeError: Permanent, with a sentence for editors: the file makes no lecture.
        DependencyError: The store is down.
    """
    upload = parse_spec(PlanUploadSpec, context.unit.spec).upload
    program = await context.ask_version()
    facts, container, media = await inspect_upload(context, upload)
    captions = await extract_embedded(
        context,
        media,
        container.texts,
        offset_ticks=facts.source.offset_ticks,
        duration_ticks=facts.duration_ticks,
    )
    facts = replace(facts, captions=captions)
    log.info(
        "upload_looked_at",
        container=facts.report.container,
        duration_s=facts.report.duration_s,
        video=facts.report.video_codec,
        audio=facts.report.audio_codec,
        notes_count=len(facts.report.notes),
    )
    return Outcome(build_upload_plan(facts, filename=upload.filename, program=program))
