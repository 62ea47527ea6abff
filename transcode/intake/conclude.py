"""Put together what was seen of a file: the facts that planning needs, or a refusal. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from kernel.messages import SourceReport
from kernel.timing import TICKS_PER_S, format_clock, from_seconds, to_seconds
from transcode.intake import notes as say
from transcode.intake.chapters import map_chapters
from transcode.intake.containers import refusal
from transcode.intake.copying import judge_track
from transcode.intake.facts import UploadFacts, VideoFacts
from transcode.intake.measure import MeasuredAudio, MeasuredVideo
from transcode.intake.pictures import FrameSample, PictureFacts, describe_pictures
from transcode.intake.refusals import BrokenClockError
from transcode.intake.streams import Container
from transcode.intake.timing import (
    MAX_LECTURE_S,
    LectureClock,
    build_clock,
    find_holes,
    measure_bps,
)
from transcode.specs import FileSource

MIN_LECTURE_S: Final = Fraction(1, 5)  # Less is a mistake, not a lecture.
MAX_HOLES_S: Final = 600.0  # More missing than ten minutes: times that cannot be believed.
MAX_NOTES: Final = 40
MAX_CHANNELS: Final = 64  # The resampler's limit.


@dataclass(frozen=True, slots=True)
class Looked:
    """The tracks that decode, and what was noticed while looking for them."""

    video: MeasuredVideo | None
    sample: FrameSample | None
    audio: MeasuredAudio | None
    notes: tuple[str, ...]
    is_damaged: bool


def conclude(looked: Looked, container: Container, *, key: str, size_bytes: int) -> UploadFacts:
    """Build the facts.

    Raises:
        EncodeError: Permanent: nothing decodes, too short, too long, times in disorder.
    """
    video, audio = looked.video, looked.audio
    if video is None and audio is None:
        raise refusal("no track decodes", _describe_empty(container))
    holes = _check_times(video, audio)
    delay_s = video.delay_s if video else Fraction(0)
    clock = build_clock(
        video.extent.shift(-delay_s) if video else None,
        audio.extent if audio else None,
        video.rate if video else None,
    )
    _check_length(clock)
    pictures: PictureFacts | None = None
    if video is not None:
        pictures = describe_pictures(
            video.stream,
            looked.sample,
            field_order=video.field_order,
            frame_rate=video.constant_rate,
        )
    offset_s = clock.offset_ticks / TICKS_PER_S
    shown_holes = [(start - offset_s, end - offset_s) for start, end in holes]
    notes = (
        *looked.notes,
        *say.tell_times(container, video, audio, clock, shown_holes),
        *say.tell_tracks(container, video, audio),
        *(pictures.notes if pictures else ()),
        *(say.tell_rate(video) if video else ()),
    )
    return UploadFacts(
        source=FileSource(
            key=key,
            size_bytes=size_bytes,
            demuxer=container.demuxer,
            video_index=video.stream.index if video else None,
            audio_index=audio.stream.index if audio else None,
            offset_ticks=clock.offset_ticks + from_seconds(delay_s),
        ),
        sound_offset_ticks=clock.offset_ticks,
        duration_ticks=clock.duration_ticks,
        video=_video_facts(video, pictures, clock, is_damaged=looked.is_damaged)
        if video and pictures
        else None,
        has_audio=audio is not None,
        report=SourceReport(
            kind="video" if video else "audio",
            container=container.demuxer,
            duration_s=to_seconds(clock.duration_ticks),
            width_px=pictures.shape.width_px if pictures else None,
            height_px=pictures.shape.height_px if pictures else None,
            frame_rate=str(video.rate) if video else None,
            video_codec=video.stream.codec[:32] if video else None,
            audio_codec=audio.stream.codec[:32] if audio else None,
            notes=notes[:MAX_NOTES],
        ),
        chapters=map_chapters(
            container.chapters,
            offset_ticks=clock.offset_ticks,
            duration_ticks=clock.duration_ticks,
        ),
    )


def _describe_empty(container: Container) -> str:
    many = max((item.channels_count for item in container.audios), default=0)
    if many > MAX_CHANNELS and not container.videos:
        return f"声音有 {many} 个声道,超过了 {MAX_CHANNELS} 个的上限"
    what = "画面和声音都" if container.videos and container.audios else "画面"
    what = what if container.videos else "声音"
    if container.claimed_s is not None and 1 <= container.claimed_s <= MAX_LECTURE_S:
        said = format_clock(float(container.claimed_s))
        return f"文件里的{what}无法解码:文件头写着 {said},内容却已经缺失、损坏,或编码方式不支持"
    return f"文件里的{what}无法解码:内容是空的、已经损坏,或者编码方式不支持"


def _check_times(
    video: MeasuredVideo | None, audio: MeasuredAudio | None
) -> list[tuple[float, float]]:
    """Find holes; refuse a file whose clock cannot be followed."""
    tracks = [(item.packets.pts, item.stream.time_base) for item in (video, audio) if item]
    holes = find_holes(tracks)
    missing_s = sum(end - start for start, end in holes)
    jumps = max(item.packets.jumps_count for item in (video, audio) if item)
    if missing_s > MAX_HOLES_S or jumps:
        raise BrokenClockError(
            f"{len(holes)} holes of {missing_s:.0f} s together, the clock goes back {jumps} times",
            permanent=True,
            title_zh="文件的时间信息混乱(可能由几段录像直接拼接而成),无法转码。"
            "请用剪辑软件重新导出后再上传",
        )
    return holes


def _check_length(clock: LectureClock) -> None:
    length = Fraction(clock.duration_ticks, TICKS_PER_S)
    if length > MAX_LECTURE_S:
        raise refusal(
            f"{float(length):.0f} s, limit {MAX_LECTURE_S} s",
            f"文件的时长({format_clock(float(length))})超过了 {MAX_LECTURE_S // 3600} 小时的上限",
        )
    if length < MIN_LECTURE_S:
        raise refusal(
            f"{float(length):.3f} s, at least {float(MIN_LECTURE_S)} s",
            f"文件的内容只有 {float(length):.2f} 秒,太短,做不成课程",
        )


def _video_facts(
    video: MeasuredVideo, pictures: PictureFacts, clock: LectureClock, *, is_damaged: bool
) -> VideoFacts:
    return VideoFacts(
        shape=pictures.shape,
        decode=pictures.decode,
        frame_rate=video.rate,
        frames_count=len(video.ticks),
        bps=measure_bps(video.packets, video.extent),
        copy=judge_track(
            video.stream,
            video.packets,
            video.fit,
            clock,
            decode=pictures.decode,
            shape=pictures.shape,
            rate=video.rate,
            is_damaged=is_damaged,
        ),
    )
