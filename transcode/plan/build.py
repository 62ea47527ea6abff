"""Build the whole plan of a job from the index and what probing found. Pure."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

from kernel.errors import EncodeError
from kernel.messages import PlanReport, Queue, RenditionPlan, UnitPlan
from kernel.recording import RecordedEpoch, RecordedSegment, RecordingIndex
from kernel.timing import to_seconds
from transcode.plan.cuts import Range, Span, cut_ranges, select_segments, split_spans
from transcode.plan.ladder import Ladder, build_ladder
from transcode.plan.rates import LECTURE_RATES, choose_frame_rate
from transcode.plan.renditions import AUDIO_BPS, AUDIO_NAME, describe_renditions
from transcode.specs import (
    AudioSpan,
    ColourName,
    EncodeAudioSpec,
    EncodeVideoSpec,
    Grid,
    MakeImagesSpec,
    PublishSpec,
    RangeRef,
    Rung,
    Shape,
    Source,
    SourceSegment,
)

PIPELINE_VERSION: Final = 3  # Raise it when commands change: old and new ranges must not mix.
# Measured on 90 s of 720p30: 24 s of CPU for the ladder; "faster" takes 33 s to save 5 % of bytes.
PRESET: Final = "veryfast"
QUEUE: Final[Queue] = "live"
MAX_RANGES: Final = (
    1_900  # 63 h of lecture; vod takes plans of 2 000 units. A flapping link ends here.
)


@dataclass(frozen=True, slots=True)
class SourceFacts:
    """What probing one epoch found.

    Attributes:
        shape: ``None`` when the epoch has no decodable pictures.
        frame_rates: Frames per second in samples of it.
        colour: Matrix its pictures are tagged with, ``None`` when untagged.
    """

    shape: Shape | None
    frame_rates: tuple[Fraction, ...] = ()
    colour: ColourName | None = None


def build_plan(index: RecordingIndex, facts: dict[int, SourceFacts], *, program: str) -> PlanReport:
    """Plan every unit of the job.

    Args:
        index: Of the recording; its epochs are the keys of ``facts``.
        program: Version line of ffmpeg: another program makes other bytes.

    Raises:
        EncodeError: Permanent: nothing was recorded, or it is longer than any lecture.
    """
    if index.duration_ticks == 0:
        raise EncodeError("the recording is empty", permanent=True, title_zh="录制内容为空")
    spans = split_spans(index)
    main = _find_main_epoch(index, facts)
    colour: ColourName = "bt709"
    ladder = Ladder((), ())
    if main is not None:
        shape = facts[main.epoch].shape
        assert shape is not None  # noqa: S101 - _find_main_epoch only returns epochs with a shape
        rates = [rate for fact in facts.values() for rate in fact.frame_rates]
        colour = facts[main.epoch].colour or _guess_colour(shape)
        ladder = build_ladder(
            shape, frame_rate=choose_frame_rate(rates), source_bps=_measure_bps(main)
        )
    grid = Grid.regular(ladder.rungs[0].frame_rate if ladder.rungs else LECTURE_RATES[-1])
    video = _plan_video(index, spans, facts, ladder=ladder, grid=grid, colour=colour)
    if len(video) > MAX_RANGES:
        raise EncodeError(
            f"{len(video)} ranges, limit {MAX_RANGES}", permanent=True, title_zh="录制过长,无法转码"
        )
    units = [*video, _plan_audio(index, spans)]
    refs = tuple(_refer(unit) for unit in video)
    units.append(_plan_images(index, ladder, grid, refs))
    units.append(_plan_publish(index, ladder, grid, refs, units, colour=colour))
    renditions = _describe(ladder)
    return PlanReport(
        plan_hash=hash_plan(units, program=program), renditions=renditions, units=tuple(units)
    )


def hash_plan(units: list[UnitPlan], *, program: str) -> str:
    """Hash everything that decides the output bytes."""
    decisive: dict[str, Any] = {
        "pipeline": PIPELINE_VERSION,
        "program": program,
        "units": [[unit.key, unit.kind, unit.spec] for unit in units],
    }
    text = json.dumps(decisive, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _find_main_epoch(index: RecordingIndex, facts: dict[int, SourceFacts]) -> RecordedEpoch | None:
    seen = [epoch for epoch in index.epochs if _has_pictures(epoch, facts)]
    return max(seen, key=lambda epoch: epoch.duration_ticks, default=None)


def _has_pictures(epoch: RecordedEpoch, facts: dict[int, SourceFacts]) -> bool:
    return epoch.epoch in facts and facts[epoch.epoch].shape is not None


def _guess_colour(shape: Shape) -> ColourName:
    """Untagged pictures: what every decoder assumes, by size."""
    return "bt709" if min(shape.width_px, shape.height_px) >= 720 else "smpte170m"  # noqa: PLR2004 - HD begins there


def _measure_bps(epoch: RecordedEpoch) -> int | None:
    kept = [segment for segment in epoch.segments if not segment.is_gap]
    ticks = sum(segment.duration_ticks for segment in kept)
    size = sum(max(0, segment.av_bytes - segment.audio_bytes) for segment in kept)
    return int(size * 8 / to_seconds(ticks)) if ticks and size else None


def _plan_video(
    index: RecordingIndex,
    spans: tuple[Span, ...],
    facts: dict[int, SourceFacts],
    *,
    ladder: Ladder,
    grid: Grid,
    colour: ColourName,
) -> list[UnitPlan]:
    units: list[UnitPlan] = []
    for piece in cut_ranges(spans, grid=grid):
        rungs = tuple(rung for rung in ladder.rungs if _count_frames(rung, piece) > 0)
        if not rungs:
            continue
        spec = EncodeVideoSpec(
            start_ticks=piece.start_ticks,
            end_ticks=piece.end_ticks,
            grid=grid,
            source=_video_source(index, piece, facts),
            shape=facts[piece.span.epoch.epoch].shape
            if _has_pictures(piece.span.epoch, facts)
            else None,
            rungs=rungs,
            colour=colour,
            preset=PRESET,
        )
        units.append(
            UnitPlan(
                key=f"video-{len(units):04}",
                kind="encode_video",
                queue=QUEUE,
                spec=spec.model_dump(mode="json"),
                renditions=tuple(rung.name for rung in rungs),
                weight=to_seconds(piece.end_ticks - piece.start_ticks) + 1,
            )
        )
    return units


def _count_frames(rung: Rung, piece: Range) -> int:
    return rung.first_frame(piece.end_ticks) - rung.first_frame(piece.start_ticks)


def _video_source(
    index: RecordingIndex, piece: Range, facts: dict[int, SourceFacts]
) -> Source | None:
    epoch = piece.span.epoch
    if piece.span.is_gap or not _has_pictures(epoch, facts):
        return None
    return Source(
        broadcast_id=index.broadcast_id,
        epoch=epoch.epoch,
        init=epoch.av_init,
        segments=tuple(_refer_segment(item, "av") for item in select_segments(piece)),
    )


def _refer_segment(segment: RecordedSegment, rendition: str) -> SourceSegment:
    return SourceSegment(
        msn=segment.msn,
        start_ticks=segment.start_ticks,
        duration_ticks=segment.duration_ticks,
        size_bytes=segment.av_bytes if rendition == "av" else segment.audio_bytes,
    )


def _plan_audio(index: RecordingIndex, spans: tuple[Span, ...]) -> UnitPlan:
    spec = EncodeAudioSpec(
        spans=tuple(
            AudioSpan(
                start_ticks=span.start_ticks,
                end_ticks=span.end_ticks,
                source=None
                if span.is_gap
                else Source(
                    broadcast_id=index.broadcast_id,
                    epoch=span.epoch.epoch,
                    init=span.epoch.audio_init,
                    segments=tuple(_refer_segment(item, "audio") for item in span.segments),
                ),
            )
            for span in spans
        ),
        bitrate_bps=AUDIO_BPS,
    )
    return UnitPlan(
        key="audio",
        kind="encode_audio",
        queue=QUEUE,
        spec=spec.model_dump(mode="json"),
        renditions=(AUDIO_NAME,),
        weight=to_seconds(index.duration_ticks) / 20 + 1,
    )


def _refer(unit: UnitPlan) -> RangeRef:
    return RangeRef(
        key=unit.key,
        start_ticks=unit.spec["start_ticks"],
        end_ticks=unit.spec["end_ticks"],
        is_black=unit.spec["source"] is None,
    )


def _plan_images(
    index: RecordingIndex, ladder: Ladder, grid: Grid, refs: tuple[RangeRef, ...]
) -> UnitPlan:
    spec = MakeImagesSpec(
        duration_ticks=index.duration_ticks,
        grid=grid,
        ranges=refs,
        poster_rung=ladder.rungs[0] if refs else None,
        storyboard_rung=ladder.rungs[-1] if refs else None,
    )
    return UnitPlan(
        key="images",
        kind="make_images",
        queue=QUEUE,
        spec=spec.model_dump(mode="json"),
        after=tuple(ref.key for ref in refs),
        weight=to_seconds(index.duration_ticks) / 100 + 1,
    )


def _plan_publish(
    index: RecordingIndex,
    ladder: Ladder,
    grid: Grid,
    refs: tuple[RangeRef, ...],
    units: list[UnitPlan],
    *,
    colour: ColourName,
) -> UnitPlan:
    spec = PublishSpec(
        duration_ticks=index.duration_ticks,
        grid=grid,
        rungs=ladder.rungs,
        ranges=refs,
        audio_key="audio",
        images_key="images",
        colour=colour,
        preset=PRESET,
    )
    return UnitPlan(
        key="publish",
        kind="publish_asset",
        queue=QUEUE,
        spec=spec.model_dump(mode="json"),
        after=tuple(unit.key for unit in units),
        renditions=(*(rung.name for rung in ladder.rungs), AUDIO_NAME),
        weight=to_seconds(index.duration_ticks) / 20 + 1,
    )


def _describe(ladder: Ladder) -> tuple[RenditionPlan, ...]:
    note = f"({';'.join(ladder.skipped)})" if ladder.skipped else ""
    return describe_renditions(
        ladder.rungs, lambda rung: rung.reason + (note if rung is ladder.rungs[0] else "")
    )
