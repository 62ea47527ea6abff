"""Try a few windows of an upload before its ladder is planned."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import structlog

from kernel.errors import EncodeError
from kernel.timing import TICKS_PER_S
from transcode.commands.base import MediaInput
from transcode.commands.capabilities import list_parts, parse_parts
from transcode.commands.trial import REFERENCE, compare_trial, encode_trial, trial_path
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
    parse_vmaf,
    plan_trial_windows,
)
from transcode.plan.ladder import STATION_NAME, build_ladder
from transcode.specs import EncodeVideoSpec, Grid, Rung

SHARE: Final = (0.8, 1.0)  # Of the plan unit's progress; looking at the file was the first part.

log = structlog.get_logger(__name__)


async def measure_content(
    context: UnitContext, media: MediaInput, facts: UploadFacts, *, is_copied: bool = False
) -> ContentFacts | None:
    """Encode some seconds of the largest rung that is encoded, at two qualities.

    A window that does not encode is left out; ``None`` without such a rung or when none did: then
    the ladder is the one for any content.

    Args:
        is_copied: The top rung is the source's own track: no quality has to be chosen for it.
    """
    rung = choose_tried(facts, is_copied=is_copied)
    if rung is None:
        return None
    has_vmaf = await _has_vmaf(context)
    windows = plan_trial_windows(facts.duration_ticks / TICKS_PER_S)
    tried: list[dict[int, Trial]] = []
    low, high = SHARE
    for number, window in enumerate(windows):
        part = (high - low) / len(windows)
        share = (low + part * number, low + part * (number + 1))
        try:
            tried.append(
                await _try_window(
                    context, media, facts, rung, window, share=share, has_vmaf=has_vmaf
                )
            )
        except EncodeError as error:
            log.info("window_not_tried", start_s=round(window[0], 2), detail=str(error))
    content = conclude_content(tried, pixels_count=rung.width_px * rung.height_px)
    if content is not None:
        log.info(
            "content_measured",
            kind=content.kind,
            windows_count=len(tried),
            vmaf=[content.trials[crf].vmaf for crf in TRIAL_CRFS],
        )
    return content


def choose_tried(facts: UploadFacts, *, is_copied: bool) -> Rung | None:
    """Choose the rung whose quality is the question: the largest that is encoded. Pure."""
    if facts.video is None:
        return None
    rungs = build_ladder(
        facts.video.shape, frame_rate=facts.video.frame_rate, source_bps=facts.video.bps
    ).rungs[1 if is_copied else 0 :]
    return next((rung for rung in rungs if rung.name != STATION_NAME), None)


async def _has_vmaf(context: UnitContext) -> bool:
    said = await context.ask(list_parts(context.programs.ffmpeg, "filters"))
    return "libvmaf" in parse_parts(said.decode("utf-8", "replace"))


async def _try_window(
    context: UnitContext,
    media: MediaInput,
    facts: UploadFacts,
    rung: Rung,
    window: tuple[float, float],
    *,
    share: tuple[float, float],
    has_vmaf: bool,
) -> dict[int, Trial]:
    start, end = (round(second * TICKS_PER_S) for second in window)
    length_s = window[1] - window[0]
    names = {crf: f"trial{crf}" for crf in TRIAL_CRFS}
    rungs = [rung.model_copy(update={"name": name, "crf": crf}) for crf, name in names.items()]
    if has_vmaf:
        rungs.append(rung.model_copy(update={"name": REFERENCE}))
    spec = _build_spec(facts, facts.video, tuple(rungs), start_ticks=start, end_ticks=end)
    entry = await choose_entry(context, media, facts.source, start_ticks=start)
    program, folder = context.programs.ffmpeg, context.folder if has_vmaf else None
    argv = encode_trial(program, spec, media=media, entry_ticks=entry, folder=folder)
    result = await context.encode(argv, media_s=length_s, share=share)
    trials = parse_trials(result.stderr_tail, TRIAL_CRFS)
    if folder is None:
        return trials
    for crf in trials:
        made, reference = (trial_path(folder, name) for name in (names[crf], REFERENCE))
        argv = compare_trial(program, made, reference)
        said = await context.encode(argv, media_s=length_s, share=(share[1], share[1]))
        trials[crf] = replace(trials[crf], vmaf=parse_vmaf(said.stderr_tail))
    return trials


def _build_spec(
    facts: UploadFacts,
    video: VideoFacts | None,
    rungs: tuple[Rung, ...],
    *,
    start_ticks: int,
    end_ticks: int,
) -> EncodeVideoSpec:
    assert video is not None  # noqa: S101 - only asked when there are pictures
    return EncodeVideoSpec(
        start_ticks=start_ticks,
        end_ticks=end_ticks,
        grid=Grid.regular(video.frame_rate).within(start_ticks, end_ticks),
        source=facts.source,
        decode=video.decode,
        shape=video.shape,
        rungs=rungs,
        colour=choose_colour(video),
        preset=UPLOAD_PRESET,
    )
