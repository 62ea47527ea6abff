"""Build the plan of an uploaded file's job from what looking at it found. Pure.

```
audio  --------------------------------------------------------------------+
first-0000 ...  (station rung, or the source's own track as ``copy``)  -----+--> publish-first
video-0000 ...  (all other rungs)  --> images --> publish  (waits for everything)
```
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import PurePath
from typing import Final

from kernel.errors import EncodeError
from kernel.messages import PlanReport, Queue, RenditionPlan, UnitPlan
from kernel.timing import TICKS_PER_S, to_seconds
from transcode.av1.family import RANGE_NAME, build_family, follow_publishing
from transcode.intake.copying import find_obstacle
from transcode.intake.facts import UploadFacts, VideoFacts
from transcode.plan.build import MAX_RANGES, hash_plan
from transcode.plan.cuts import MAX_SEGMENT_S, cut_file_ranges, grid_of_keyframes
from transcode.plan.ladder import STATION_NAME, Ladder, build_ladder
from transcode.plan.renditions import (
    AUDIO_BPS,
    AUDIO_NAME,
    SHARED_SOUND,
    describe_renditions,
)
from transcode.specs import (
    AudioSpan,
    ColourName,
    CopyVideoSpec,
    EncodeAudioSpec,
    EncodeVideoSpec,
    Grid,
    MakeImagesSpec,
    PublishSpec,
    RangeRef,
    Rung,
)

LONG_TICKS: Final = 15 * 60 * TICKS_PER_S  # From here on video waits in the queue ``long``.
FIRST_TICKS: Final = 20 * TICKS_PER_S  # A shorter lecture is whole as soon as a part of it.
SOUND_GRID_RATE: Final = Fraction(
    25
)  # Of a lecture without pictures: its segments still are 4 s long.
FIRST_KEY: Final = "publish-first"
FIRST_NAME: Final = "first"
REST_NAME: Final = "video"
NO_SOUND: Final = "原文件没有声音,放一条无声的音轨,播放器才能正常工作"
# Measured on 720p lectures: a fifth fewer bytes than "veryfast" at the same VMAF, for 1.6 x its
# time. A recording of a class is wanted sooner and keeps the quicker one.
UPLOAD_PRESET: Final = "fast"


@dataclass(frozen=True, slots=True)
class _Work:
    """What all units of the plan share."""

    facts: UploadFacts
    ladder: Ladder
    grid: Grid
    colour: ColourName
    title: str
    copied: Rung | None = None

    @property
    def video(self) -> VideoFacts:
        assert self.facts.video is not None  # noqa: S101 - only asked where there are rungs
        return self.facts.video

    @property
    def queue(self) -> Queue:
        return "long" if self.facts.duration_ticks >= LONG_TICKS else "short"


def find_copy_grid(facts: UploadFacts) -> tuple[Grid | None, str]:
    """Choose the segments of a job that publishes the source's own track as its top rung.

    Returns:
        The grid, or ``None`` and why the track has to be encoded.
    """
    video = facts.video
    if video is None:
        return None, ""
    rungs = _build_ladder(facts, video).rungs
    obstacle = find_obstacle(video.copy, rungs[0], video.shape, bps=video.bps)
    if obstacle:
        return None, obstacle
    grid = grid_of_keyframes(
        video.copy.keyframes,
        frame_rate=video.frame_rate,
        slowest_rate=min(rung.frame_rate for rung in rungs),
    )
    limit = MAX_SEGMENT_S * TICKS_PER_S
    if grid is None or facts.duration_ticks - grid.boundaries[-1] > limit:
        return None, "关键帧间隔过长"
    return grid, ""


def build_upload_plan(
    facts: UploadFacts,
    *,
    filename: str,
    program: str,
    grid: Grid | None = None,
    why: str = "",
    has_av1: bool = False,
) -> PlanReport:
    """Plan every unit of the job.

    Args:
        filename: As the uploader called it; its stem is the title of the sound for download.
        program: Version line of ffmpeg: another program makes other bytes.
        grid: Of ``find_copy_grid``, when the track was confirmed; the top rung is copied then.
        why: Why it is not, for editors.
        has_av1: Add a family of AV1 rungs afterwards; not beside a copied track, which is small.

    Raises:
        EncodeError: Permanent: more ranges than any lecture has.
    """
    work = _prepare(facts, filename, grid)
    first = choose_first_rung(work.ladder, work.copied, duration_ticks=facts.duration_ticks)
    first_units = _plan_rung(work, first) if first else []
    rest = tuple(rung for rung in work.ladder.rungs if rung is not first)
    rest_units = []
    if work.copied is not None and first is not work.copied:
        rest_units = _plan_rung(work, work.copied)
        rest = tuple(rung for rung in rest if rung is not work.copied)
    rest_units += _plan_ranges(work, rest, REST_NAME, work.queue) if rest else []
    if len(first_units) + len(rest_units) > MAX_RANGES:
        raise EncodeError("too many ranges", permanent=True, title_zh="文件过长,无法转码")
    audio = _plan_audio(work)
    # The sound is one long unit: whoever starts with it waits for nobody at the end.
    units = [audio, *first_units]
    if first is not None:
        refs = tuple(_refer(unit) for unit in first_units)
        units.append(_plan_publish(work, (first,), refs, units, is_partial=True))
    units += rest_units
    refs = tuple(_refer(unit) for unit in (*first_units, *rest_units))
    units.append(_plan_images(work, refs))
    units.append(_plan_publish(work, work.ladder.rungs, refs, units, is_partial=False))
    family = build_family(work.ladder.rungs) if has_av1 and work.copied is None else ()
    ranges = _plan_ranges(work, family, RANGE_NAME, "long") if family else []
    if len(first_units) + len(rest_units) + len(ranges) > MAX_RANGES:
        family = ()  # A lecture of two days does without the second family.
    if family:
        added = follow_publishing(ranges, family, after=units[-1].key, grid=work.grid)
        units += [*added.ranges, added.publish]
    return PlanReport(
        plan_hash=hash_plan(units, program=program),
        renditions=_describe(work, why, family),
        units=tuple(units),
        source=facts.report,
        chapters=facts.chapters,
        captions=facts.captions,
    )


def choose_first_rung(ladder: Ladder, copied: Rung | None, *, duration_ticks: int) -> Rung | None:
    """The rung that is published alone, before the others.

    The copied one, since it is there at once, else the station rung: it takes a quarter of the
    work of 360p. ``None`` when waiting for the whole set costs nothing: a very short lecture, or a
    single rung.
    """
    if duration_ticks < FIRST_TICKS or len(ladder.rungs) <= 1:
        return None
    if copied is not None:
        return copied
    return next((rung for rung in ladder.rungs if rung.name == STATION_NAME), None)


def _build_ladder(facts: UploadFacts, video: VideoFacts) -> Ladder:
    return build_ladder(
        video.shape, frame_rate=video.frame_rate, source_bps=video.bps, content=facts.content
    )


def _prepare(facts: UploadFacts, filename: str, grid: Grid | None) -> _Work:
    title = PurePath(filename).stem.strip()[:200] or filename[:200]
    if facts.video is None:
        return _Work(facts, Ladder((), ()), Grid.regular(SOUND_GRID_RATE), "bt709", title)
    ladder = _build_ladder(facts, facts.video)
    colour = choose_colour(facts.video)
    if grid is None:
        return _Work(facts, ladder, Grid.regular(facts.video.frame_rate), colour, title)
    return _Work(facts, ladder, grid, colour, title, copied=ladder.rungs[0])


def choose_colour(video: VideoFacts) -> ColourName:
    """Matrix of the outputs: pictures of the old matrix keep it, all others become BT.709."""
    decode = video.decode
    is_old = decode.matrix in {"smpte170m", "fcc"} and decode.transfer == "sdr"
    return "smpte170m" if is_old else "bt709"


def _plan_rung(work: _Work, rung: Rung) -> list[UnitPlan]:
    """Plan the units of one rung that has them to itself."""
    if rung is not work.copied:
        return _plan_ranges(work, (rung,), FIRST_NAME, "short")
    spec = CopyVideoSpec(
        source=work.facts.source,
        duration_ticks=work.facts.duration_ticks,
        grid=work.grid,
        rung=rung,
    )
    unit = UnitPlan(
        key="copy",
        kind="copy_video",
        queue="short",
        spec=spec.model_dump(mode="json"),
        renditions=(rung.name,),
        weight=to_seconds(work.facts.duration_ticks) / 50 + 1,
    )
    return [unit]


def _plan_ranges(work: _Work, rungs: tuple[Rung, ...], name: str, queue: Queue) -> list[UnitPlan]:
    units: list[UnitPlan] = []
    for start, end in cut_file_ranges(work.facts.duration_ticks, grid=work.grid):
        spec = EncodeVideoSpec(
            start_ticks=start,
            end_ticks=end,
            grid=work.grid.within(start, end),
            source=work.facts.source,
            decode=work.video.decode,
            shape=work.video.shape,
            rungs=rungs,
            colour=work.colour,
            preset=UPLOAD_PRESET,
            is_patient=name == REST_NAME and work.facts.duration_ticks >= FIRST_TICKS,
        )
        units.append(
            UnitPlan(
                key=f"{name}-{len(units):04}",
                kind="encode_video",
                queue=queue,
                spec=spec.model_dump(mode="json"),
                renditions=tuple(rung.name for rung in rungs),
                weight=_weigh(rungs) * to_seconds(end - start) + 1,
            )
        )
    return units


def _weigh(rungs: tuple[Rung, ...]) -> float:
    """Work per second of media, in that of 720p at 30 frames/s; decoding counts as a quarter."""
    pixels = sum(rung.width_px * rung.height_px * float(rung.frame_rate) for rung in rungs)
    return round(0.25 + pixels / (1280 * 720 * 30), 3)


def _plan_audio(work: _Work) -> UnitPlan:
    facts = work.facts
    source = facts.source.model_copy(update={"offset_ticks": facts.sound_offset_ticks})
    spec = EncodeAudioSpec(
        spans=(
            AudioSpan(
                start_ticks=0,
                end_ticks=facts.duration_ticks,
                source=source if facts.has_audio else None,
            ),
        ),
        bitrate_bps=AUDIO_BPS,
        title=work.title,
    )
    return UnitPlan(
        key="audio",
        kind="encode_audio",
        queue="short",
        spec=spec.model_dump(mode="json"),
        renditions=(AUDIO_NAME,),
        weight=to_seconds(facts.duration_ticks) / 20 + 1,
    )


def _refer(unit: UnitPlan) -> RangeRef:
    return RangeRef(
        key=unit.key,
        start_ticks=unit.spec.get("start_ticks", 0),
        end_ticks=unit.spec.get("end_ticks", unit.spec.get("duration_ticks", 0)),
        is_black=False,
        rungs=unit.renditions,
    )


def _plan_images(work: _Work, refs: tuple[RangeRef, ...]) -> UnitPlan:
    rungs = work.ladder.rungs
    poster, board = (rungs[0], rungs[-1]) if rungs else (None, None)
    wanted = {rung.name for rung in (poster, board) if rung is not None}
    needed = tuple(ref for ref in refs if ref.rungs is None or wanted & set(ref.rungs))
    spec = MakeImagesSpec(
        duration_ticks=work.facts.duration_ticks,
        grid=work.grid,
        ranges=needed,
        poster_rung=poster,
        storyboard_rung=board,
    )
    return UnitPlan(
        key="images",
        kind="make_images",
        queue="short",
        spec=spec.model_dump(mode="json"),
        after=tuple(ref.key for ref in needed),
        weight=to_seconds(work.facts.duration_ticks) / 100 + 1,
    )


def _plan_publish(
    work: _Work,
    rungs: tuple[Rung, ...],
    refs: tuple[RangeRef, ...],
    before: list[UnitPlan],
    *,
    is_partial: bool,
) -> UnitPlan:
    spec = PublishSpec(
        duration_ticks=work.facts.duration_ticks,
        grid=work.grid,
        rungs=rungs,
        ranges=refs,
        audio_key="audio",
        images_key=None if is_partial else "images",
        is_partial=is_partial,
        colour=work.colour,
        preset=UPLOAD_PRESET,
    )
    return UnitPlan(
        key=FIRST_KEY if is_partial else "publish",
        kind="publish_asset",
        queue="short",
        spec=spec.model_dump(mode="json"),
        after=tuple(unit.key for unit in before),
        renditions=(*(rung.name for rung in rungs), AUDIO_NAME),
        weight=to_seconds(work.facts.duration_ticks) / 20 + 1,
    )


def _describe(work: _Work, why: str, family: tuple[Rung, ...]) -> tuple[RenditionPlan, ...]:
    return describe_renditions(
        (*work.ladder.rungs, *family),
        lambda rung: _explain(work, rung, why)[:500],
        sound=SHARED_SOUND if work.facts.has_audio else NO_SOUND,
    )


def _explain(work: _Work, rung: Rung, why: str) -> str:
    """Say why a rung is as it is; the top one also speaks for what is not made."""
    if rung is not work.ladder.rungs[0]:
        return rung.reason
    if rung is work.copied:
        said = f"{rung.reason};原画面直接使用,不重新编码"
    else:
        said = f"{rung.reason};重新编码,因为{why}" if why else rung.reason
    return said + (f"({';'.join(work.ladder.skipped)})" if work.ladder.skipped else "")
