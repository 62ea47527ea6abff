"""Sentences about a file for editors: what was repaired, left out, and why. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Final

from kernel.timing import TICKS_PER_S, format_clock
from transcode.intake.choose import rank_audios, rank_videos
from transcode.intake.measure import MeasuredAudio, MeasuredVideo
from transcode.intake.packets import TrackPackets
from transcode.intake.streams import Container
from transcode.intake.timing import HEAD_SLACK_S, LectureClock
from transcode.intake.windows import Window

VIDEO_UNREADABLE: Final = "文件里的画面无法解码,只保留了声音"
VIDEO_PASSED_OVER: Final = "有一条画面轨道无法解码,使用了另一条"
LAID_OUT_ANEW: Final = "文件由几段拼接而成,时间前后不连续,已按播放顺序重新排列"
AUDIO_UNREADABLE: Final = "文件里的声音无法解码,课程没有声音"
MISSING_S: Final = 2  # Claimed and real lengths differ by less in many good files.
MISSING_SHARE: Final = Fraction(1, 50)
MAX_LISTED: Final = 3
MANY_HELD_SHARE: Final = Fraction(1, 4)  # Screen recorders leave out what did not change.
STEREO_COUNT: Final = 2


def format_rate(rate: Fraction) -> str:
    """``25`` or ``29.97``: as people write it."""
    return f"{float(rate):.2f}".rstrip("0").rstrip(".")


def tell_damage(windows: Sequence[Window], packets: TrackPackets) -> list[str]:
    """Say that decoders complained."""
    if packets.corrupt_count or any(window.is_damaged for window in windows):
        return ["画面数据有损坏的地方,已尽量保留能解码的部分"]
    return []


def tell_tracks(
    container: Container, video: MeasuredVideo | None, audio: MeasuredAudio | None
) -> list[str]:
    """Say which tracks were chosen and which were left out."""
    notes: list[str] = []
    videos, audios = rank_videos(container), rank_audios(container)
    if video is not None and len(videos) > 1:
        size = f"{video.stream.width_px}×{video.stream.height_px}"
        notes.append(f"文件里有 {len(videos)} 条画面轨道,使用了其中 {size} 的一条")
    if audio is not None and len(audios) > 1:
        notes.append(f"文件里有 {len(audios)} 条声音轨道,使用了第 {_place(audios, audio) + 1} 条")
    if any(item.is_still for item in container.videos):
        notes.append("文件里附带的封面图片没有使用")
    if container.others:
        notes.append("时间码、定位等附加数据轨道没有使用")
    if container.has_private_tags:
        notes.append("文件里的拍摄地点、设备、作者等信息不会出现在课程里")
    if video is None:
        notes.append("文件里没有画面,做成只有声音的课程(有声党课)")
    elif not audios:
        notes.append("文件里没有声音,课程是无声的")
    if audio is not None:
        notes += _tell_channels(audio.stream.channels_count)
    return notes


def _place(audios: Sequence[object], audio: MeasuredAudio) -> int:
    order = sorted(item.index for item in audios if hasattr(item, "index"))
    return order.index(audio.stream.index)


def _tell_channels(count: int) -> list[str]:
    if count == 1:
        return ["单声道的声音在左右两边同时播放"]
    return [f"{count} 个声道已混合为立体声"] if count > STEREO_COUNT else []


def tell_rate(video: MeasuredVideo) -> list[str]:
    """Say what happens to the frame rate."""
    fit, rate = video.fit, video.rate
    shown = format_rate(rate)
    if fit.rate is None:
        return [f"画面的帧率不固定,已转换为每秒 {shown} 帧"]
    if rate != fit.rate and fit.rate > rate:
        return [f"原画面每秒 {format_rate(fit.rate)} 帧,讲课用每秒 {shown} 帧已足够流畅"]
    if fit.held_count > fit.frames_count * MANY_HELD_SHARE:
        return [f"画面的帧率不固定,已按每秒 {shown} 帧补齐,没有丢掉任何一帧"]
    if fit.held_count:
        return [f"缺少 {fit.held_count} 帧画面,由前一帧停留补齐"]
    return []


def tell_times(
    container: Container,
    video: MeasuredVideo | None,
    audio: MeasuredAudio | None,
    clock: LectureClock,
    holes: Sequence[tuple[float, float]],
) -> list[str]:
    """Say what was wrong with lengths and times, and how it was repaired."""
    notes = _tell_length(container, video, audio, clock.duration_ticks / TICKS_PER_S)
    if video is not None and video.lead_s > HEAD_SLACK_S:
        notes.append(f"开头 {float(video.lead_s):.1f} 秒的画面缺少关键帧,无法显示,已略去")
    if clock.head_hold_s:
        held = float(clock.head_hold_s)
        notes.append(f"声音比画面早 {held:.1f} 秒开始,这段时间停留在第一幅画面")
    if clock.tail_hold_s:
        held = float(clock.tail_hold_s)
        notes.append(f"声音比画面晚 {held:.1f} 秒结束,这段时间停留在最后一幅画面")
    if clock.silence_s > 1:
        notes.append(f"最后 {float(clock.silence_s):.1f} 秒没有声音")
    if holes:
        places = "、".join(
            f"{format_clock(start)} 处约 {end - start:.0f} 秒" for start, end in holes[:MAX_LISTED]
        )
        more = "等" if len(holes) > MAX_LISTED else ""
        notes.append(f"文件中间有缺失({places}{more}),按原来的时间保留,画面停留、没有声音")
    return notes


def _tell_length(
    container: Container,
    video: MeasuredVideo | None,
    audio: MeasuredAudio | None,
    real_s: float,
) -> list[str]:
    streams = [item.stream.claimed_s for item in (video, audio) if item is not None]
    claims = [value for value in (container.claimed_s, *streams) if value is not None and value > 0]
    if not claims:
        return ["文件头没有写明时长,已按实际内容测量"]
    claimed: Fraction = max(claims)
    slack = max(Fraction(MISSING_S), claimed * MISSING_SHARE)
    if claimed - Fraction(real_s) > slack:
        said = format_clock(min(float(claimed), 1e9))
        real = format_clock(real_s)
        return [f"文件不完整:文件头写着 {said},实际只能读到 {real},后面的内容已经缺失"]
    if Fraction(real_s) - claimed > slack:
        return [f"文件头写的时长({format_clock(float(claimed))})有误,已按实际内容测量"]
    return []
