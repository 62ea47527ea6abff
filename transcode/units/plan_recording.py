"""Unit ``plan_recording``: look into each epoch, then plan the job."""

from __future__ import annotations

import asyncio
from fractions import Fraction
from typing import Final

import structlog

from kernel.errors import BoxError, EncodeError
from kernel.fmp4.init_reader import parse_init
from kernel.fmp4.reader import index_bytes
from kernel.recording import RecordedEpoch, RecordingIndex
from transcode import commands
from transcode.context import Outcome, UnitContext
from transcode.plan import SourceFacts, build_plan
from transcode.probe import VideoFacts, parse_probe
from transcode.sources import fetch_init, fetch_segment, measure_video
from transcode.specs import Frozen, Source, SourceSegment, parse_spec

SAMPLE_SEGMENTS: Final = 2  # From the start, the middle and the end of an epoch.

log = structlog.get_logger(__name__)


class PlanSpec(Frozen):
    index: RecordingIndex


async def plan_recording(context: UnitContext) -> Outcome:
    """Probe every epoch with pictures and build the plan.

    Raises:
        EncodeError: Permanent when pictures were announced and none can be decoded.
    """
    index = parse_spec(PlanSpec, context.unit.spec).index
    program = await context.ask_version()
    facts: dict[int, SourceFacts] = {}
    failures: list[str] = []
    for number, epoch in enumerate(index.epochs):
        try:
            facts[epoch.epoch] = await _probe_epoch(context, index.broadcast_id, epoch)
        except (BoxError, EncodeError) as error:
            if isinstance(error, EncodeError) and not error.permanent:
                raise
            log.warning("epoch_not_readable", epoch=epoch.epoch, detail=str(error))
            failures.append(f"epoch {epoch.epoch}: {error}")
            facts[epoch.epoch] = SourceFacts(shape=None)
        context.progress.report((number + 1) / len(index.epochs))
    if failures and all(fact.shape is None for fact in facts.values()):
        raise EncodeError(
            "no epoch can be decoded: " + "; ".join(failures)[:1500],
            permanent=True,
            title_zh="录制的画面无法解码",
        )
    return Outcome(build_plan(index, facts, program=program))


async def _probe_epoch(
    context: UnitContext, broadcast_id: str, epoch: RecordedEpoch
) -> SourceFacts:
    kept = [segment for segment in epoch.segments if not segment.is_gap]
    if epoch.video_codec is None or not kept:
        return SourceFacts(shape=None)
    middle = max(0, len(kept) // 2 - 1)
    chosen = {
        segment.msn: segment
        for segment in (
            *kept[:SAMPLE_SEGMENTS],
            *kept[middle : middle + SAMPLE_SEGMENTS],
            *kept[-SAMPLE_SEGMENTS:],
        )
    }
    source = Source(
        broadcast_id=broadcast_id,
        epoch=epoch.epoch,
        init=epoch.av_init,
        segments=tuple(
            SourceSegment(
                msn=segment.msn,
                start_ticks=segment.start_ticks,
                duration_ticks=segment.duration_ticks,
                size_bytes=segment.av_bytes,
            )
            for segment in chosen.values()
        ),
    )
    init = await fetch_init(context.store, source, "av")
    info = parse_init(init)
    track = info.find("vide")
    if track is None:
        return SourceFacts(shape=None)
    rates: list[Fraction] = []
    video: VideoFacts | None = None
    for number, segment in enumerate(source.segments):
        data = await fetch_segment(context.store, source, "av", segment)
        frames, ticks = measure_video(index_bytes(data, init=info), track.track_id)
        if ticks:
            rates.append(Fraction(frames * track.timescale_hz, ticks))
        if number == 0:
            video = await _probe_pictures(context, init + data, epoch.epoch)
    log.debug("epoch_probed", epoch=epoch.epoch, rates=[round(float(rate), 2) for rate in rates])
    if video is None:
        return SourceFacts(shape=None)
    return SourceFacts(shape=video.shape, frame_rates=tuple(rates), colour=video.colour)


async def _probe_pictures(context: UnitContext, data: bytes, epoch: int) -> VideoFacts | None:
    path = context.folder / f"epoch-{epoch}.mp4"
    await asyncio.to_thread(path.write_bytes, data)
    facts = parse_probe(await context.ask(commands.probe(context.programs.ffprobe, path)))
    await asyncio.to_thread(path.unlink)
    return facts.video
