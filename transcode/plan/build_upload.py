"""Build the plan of an uploaded file's job from what looking at it found. Pure.

```
first-0000 ...  (lowest useful rung)  --+
audio  ---------------------------------+--> publish-first --+
video-0000 ...  (all other rungs)  --+--> images ------------+--> publish
copy  (source rung, when it fits)  --'
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
from transcode.intake.facts import UploadFacts, VideoFacts
from transcode.plan.build import AUDIO_BPS, AUDIO_NAME, MAX_RANGES, PRESET, hash_plan
from transcode.plan.cuts import cut_file_ranges
from transcode.plan.ladder import STATION_NAME, Ladder, build_ladder
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
)

LONG_TICKS: Final = 15 * 60 * TICKS_PER_S  # From here on video waits in the queue ``long``.
FIRST_TICKS: Final = 20 * TICKS_PER_S  # A shorter lecture is whole as soon as a part of it.
STATION_FIRST_TICKS: Final = 300 * TICKS_PER_S  # Then even the station rung is worth watching.
SOUND_GRID_RATE: Final = Fraction(
    25
)  # Of a lecture without pictures: its segments still are 4 s long.
FIRST_KEY: Final = "publish-first"


@dataclass(frozen=True, slots=True)
class _Work:
    """What all units of the plan share."""

    facts: UploadFacts
    ladder: Ladder
    grid: Grid
    colour: ColourName
    title: str

    @property
    def video(self) -> VideoFacts:
        assert self.facts.video is not None  # noqa: S101 - only asked where there are rungs
        return self.facts.video

    @property
    def queue(self) -> Queue:
        return "long" if self.facts.duration_ticks >= LONG_TICKS else "short"


def build_upload_plan(facts: UploadFacts, *, filename: str, program: str) -> PlanReport:
    """Plan every unit of the job.

    Args:
        filename: As the uploader called it; its stem is the title of the sound for download.
        program: Version line of ffmpeg: another program makes other bytes.

    Raises:
        EncodeError: Permanent: more ranges than any lecture has.
    """
    work = _prepare(facts, filename)
    first = choose_first_rung(work.ladder, duration_ticks=facts.duration_ticks)
    first_units = _plan_ranges(work, (first,), "first", "short") if first else []
    rest = tuple(rung for rung in work.ladder.rungs if rung is not first)
    rest_units = _plan_ranges(work, rest, "video", work.queue) if rest else []
    if len(first_units) + len(rest_units) > MAX_RANGES:
        raise EncodeError("too many ranges", permanent=True, title_zh="文件过长,无法转码")
    audio = _plan_audio(work)
    units = [*first_units, audio]
    if first is not None:
        refs = tuple(_refer(unit) for unit in first_units)
        units.append(_plan_publish(work, (first,), refs, units, is_partial=True))
    units += rest_units
    refs = tuple(_refer(unit) for unit in (*first_units, *rest_units))
    units.append(_plan_images(work, refs))
    units.append(_plan_publish(work, work.ladder.rungs, refs, units, is_partial=False))
    return PlanReport(
        plan_hash=hash_plan(units, program=program),
        renditions=_describe(work),
        units=tuple(units),
        source=facts.report,
        chapters=facts.chapters,
        captions=facts.captions,
    )


def choose_first_rung(ladder: Ladder, *, duration_ticks: int) -> Rung | None:
    """The rung that is published alone, before the others: the smallest that is good to watch.

    ``None`` when waiting for the whole set costs nothing: a short lecture, or a single rung.
    """
    if duration_ticks < FIRST_TICKS or len(ladder.rungs) <= 1:
        return None
    good = [rung for rung in ladder.rungs if rung.name != STATION_NAME]
    if len(good) > 1:
        return good[-1]
    return ladder.rungs[-1] if duration_ticks >= STATION_FIRST_TICKS else None


def _prepare(facts: UploadFacts, filename: str) -> _Work:
    title = PurePath(filename).stem.strip()[:200] or filename[:200]
    if facts.video is None:
        grid = Grid.regular(SOUND_GRID_RATE)
        return _Work(facts, Ladder((), ()), grid, "bt709", title)
    video = facts.video
    ladder = build_ladder(video.shape, frame_rate=video.frame_rate, source_bps=video.bps)
    return _Work(facts, ladder, Grid.regular(video.frame_rate), choose_colour(video), title)


def choose_colour(video: VideoFacts) -> ColourName:
    """Matrix of the outputs: pictures of the old matrix keep it, all others become BT.709."""
    decode = video.decode
    is_old = decode.matrix in {"smpte170m", "fcc"} and decode.transfer == "sdr"
    return "smpte170m" if is_old else "bt709"


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
            preset=PRESET,
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
    spec = EncodeAudioSpec(
        spans=(
            AudioSpan(
                start_ticks=0,
                end_ticks=facts.duration_ticks,
                source=facts.source if facts.has_audio else None,
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
        start_ticks=unit.spec["start_ticks"],
        end_ticks=unit.spec["end_ticks"],
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
        preset=PRESET,
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


def _describe(work: _Work) -> tuple[RenditionPlan, ...]:
    skipped = work.ladder.skipped
    note = f"({';'.join(skipped)})" if skipped else ""
    video = [
        RenditionPlan(
            name=rung.name,
            kind="video",
            width_px=rung.width_px,
            height_px=rung.height_px,
            codec="h264",
            bitrate_bps=rung.maxrate_bps,
            reason=(rung.reason + (note if number == 0 else ""))[:500],
        )
        for number, rung in enumerate(work.ladder.rungs)
    ]
    said = "所有清晰度共用的声音,也可单独收听(有声党课)"
    if not work.facts.has_audio:
        said = "原文件没有声音,放一条无声的音轨,播放器才能正常工作"
    audio = RenditionPlan(
        name=AUDIO_NAME, kind="audio", codec="aac", bitrate_bps=AUDIO_BPS, reason=said
    )
    return (*video, audio)
