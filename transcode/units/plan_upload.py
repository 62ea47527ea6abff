"""Unit ``plan_upload``: look at the file, then plan its job or say why there is none."""

from __future__ import annotations

from dataclasses import replace

import structlog

from kernel.messages import SourceReport
from kernel.timing import to_seconds
from transcode.commands.base import MediaInput
from transcode.content import measure_content
from transcode.context import Outcome, UnitContext
from transcode.intake.conclude import MAX_NOTES
from transcode.intake.facts import UploadFacts
from transcode.intake.look import Upload, inspect_upload
from transcode.intake.scan import confirm_copy
from transcode.plan.build_upload import build_upload_plan, find_copy_grid
from transcode.specs import Frozen, Grid, parse_spec
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
    log.info(
        "upload_looked_at",
        container=facts.report.container,
        duration_s=facts.report.duration_s,
        video=facts.report.video_codec,
        audio=facts.report.audio_codec,
        notes_count=len(facts.report.notes),
    )
    grid, why = await _confirm_copy(context, media, facts)
    content = await measure_content(context, media, facts, is_copied=grid is not None)
    facts = replace(facts, content=content)
    captions = await extract_embedded(
        context,
        media,
        container.texts,
        offset_ticks=facts.sound_offset_ticks,
        duration_ticks=facts.duration_ticks,
    )
    facts = replace(
        facts,
        captions=captions,
        report=_tell_captions(facts, len(container.texts), len(captions)),
    )
    return Outcome(
        build_upload_plan(
            facts,
            filename=upload.filename,
            program=program,
            grid=grid,
            why=why,
            has_av1=context.programs.has_av1,
        )
    )


async def _confirm_copy(
    context: UnitContext, media: MediaInput, facts: UploadFacts
) -> tuple[Grid | None, str]:
    """Read the whole track once more where all that is known so far speaks for copying it."""
    grid, why = find_copy_grid(facts)
    if grid is None or facts.video is None or facts.source.video_index is None:
        return None, why
    why = await confirm_copy(
        context,
        media,
        video=facts.source.video_index,
        keyframes_count=len(facts.video.copy.keyframes),
        media_s=to_seconds(facts.duration_ticks),
    )
    return (None, why) if why else (grid, "")


def _tell_captions(facts: UploadFacts, tracks_count: int, kept_count: int) -> SourceReport:
    """Add what became of the subtitle tracks to the sentences."""
    if not tracks_count:
        return facts.report
    said = f"文件里的 {kept_count} 条字幕已导入" if kept_count else "文件里的字幕无法导入"
    if 0 < kept_count < tracks_count:
        said += f",另外 {tracks_count - kept_count} 条是图片或没有文字,没有导入"
    return facts.report.model_copy(update={"notes": (*facts.report.notes, said)[:MAX_NOTES]})
