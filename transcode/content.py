"""Try a few windows of an upload before its ladder is planned."""

from __future__ import annotations

from typing import Final

import structlog

from kernel.errors import EncodeError
from kernel.timing import TICKS_PER_S
from transcode.commands.base import MediaInput
from transcode.commands.trial import encode_trial
from transcode.context import UnitContext
from transcode.entry import choose_entry
from transcode.intake.facts import UploadFacts, VideoFacts
from transcode.plan.build_upload import UPLOAD_PRESET, choose_colour
from transcode.plan.content import (
    TRIAL_CRFS,
    ContentFacts,
    Trial,
    conclude_content,
    parse_trials,
    plan_trial_windows,
)
from transcode.plan.ladder import build_ladder
from transcode.specs import EncodeVideoSpec, Grid, Rung

SHARE: Final = (0.8, 1.0)  # Of the plan unit's progress; looking at the file was the first part.

log = structlog.get_logger(__name__)


async def measure_content(
    context: UnitContext, media: MediaInput, facts: UploadFacts
) -> ContentFacts | None:
    """Encode some seconds at two qualities and say what they showed.

    A window that does not encode is left out; ``None`` without pictures or when none did: then
    the ladder is the one for any content.
    """
    if facts.video is None:
        return None
    windows = plan_trial_windows(facts.duration_ticks / TICKS_PER_S)
    top = build_ladder(
        facts.video.shape, frame_rate=facts.video.frame_rate, source_bps=facts.video.bps
    ).rungs[0]
    tried: list[dict[int, Trial]] = []
    low, high = SHARE
    for number, window in enumerate(windows):
        part = (high - low) / len(windows)
        share = (low + part * number, low + part * (number + 1))
        try:
            tried.append(await _try_window(context, media, facts, top, window, share=share))
        except EncodeError as error:
            log.info("window_not_tried", start_s=round(window[0], 2), detail=str(error))
    content = conclude_content(tried, pixels_count=top.width_px * top.height_px)
    if content is not None:
        log.info("content_measured", kind=content.kind, windows_count=len(tried))
    return content


async def _try_window(
    context: UnitContext,
    media: MediaInput,
    facts: UploadFacts,
    top: Rung,
    window: tuple[float, float],
    *,
    share: tuple[float, float],
) -> dict[int, Trial]:
    start, end = (round(second * TICKS_PER_S) for second in window)
    spec = _build_spec(facts, facts.video, top, start_ticks=start, end_ticks=end)
    entry = await choose_entry(context, media, facts.source, start_ticks=start)
    argv = encode_trial(context.programs.ffmpeg, spec, media=media, entry_ticks=entry)
    result = await context.encode(argv, media_s=window[1] - window[0], share=share)
    return parse_trials(result.stderr_tail, TRIAL_CRFS)


def _build_spec(
    facts: UploadFacts, video: VideoFacts | None, top: Rung, *, start_ticks: int, end_ticks: int
) -> EncodeVideoSpec:
    assert video is not None  # noqa: S101 - only asked when there are pictures
    return EncodeVideoSpec(
        start_ticks=start_ticks,
        end_ticks=end_ticks,
        grid=Grid.regular(video.frame_rate).within(start_ticks, end_ticks),
        source=facts.source,
        decode=video.decode,
        shape=video.shape,
        rungs=tuple(
            top.model_copy(update={"name": f"trial{crf}", "crf": crf}) for crf in TRIAL_CRFS
        ),
        colour=choose_colour(video),
        preset=UPLOAD_PRESET,
    )
