"""Look at one upload until it is known what lecture it makes, or why it makes none."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import structlog

from kernel.errors import EncodeError
from transcode import commands
from transcode.commands.base import MediaInput
from transcode.context import UnitContext
from transcode.intake import notes as say
from transcode.intake.choose import rank_audios, rank_videos
from transcode.intake.conclude import MAX_CHANNELS, MAX_NOTES, Looked, conclude
from transcode.intake.containers import refusal, refuse_by_head
from transcode.intake.facts import UploadFacts
from transcode.intake.measure import MeasuredAudio, MeasuredVideo, measure_audio, measure_video
from transcode.intake.packets import TrackPackets
from transcode.intake.pictures import FrameSample, check_size
from transcode.intake.refusals import BrokenClockError, explain_probe_failure
from transcode.intake.scan import (
    decode_windows,
    probe_container,
    read_head,
    sample_frames,
    scan_packets,
)
from transcode.intake.streams import AudioStream, Container, VideoStream
from transcode.intake.timing import MAX_LECTURE_S
from transcode.intake.windows import Window, WindowPlan, plan_windows
from transcode.sources import open_key
from transcode.specs import Frozen

MAX_CANDIDATES: Final = 3  # Tracks of a kind that are tried before it is given up.

Tracks = dict[int, TrackPackets]

log = structlog.get_logger(__name__)


class Upload(Frozen):
    """What the spec of ``plan_upload`` names."""

    key: str
    size_bytes: int
    filename: str


@dataclass(frozen=True, slots=True)
class _Seen:
    video: MeasuredVideo | None
    sample: FrameSample | None
    windows: list[Window]
    plan: WindowPlan


async def inspect_upload(
    context: UnitContext, upload: Upload
) -> tuple[UploadFacts, Container, MediaInput]:
    """Probe, scan and sample an upload.

    A file whose clock leaps is laid out anew once; the lecture is made from that copy, which lies
    in the unit's staging.

    Raises:
        EncodeError: Permanent, with a sentence, when no lecture can be made of it.
        DependencyError: The store is down.
    """
    try:
        return await _inspect(context, upload)
    except BrokenClockError as error:
        log.info("clock_leaps", detail=str(error))
        copy = await _lay_out_anew(context, upload, error)
    facts, container, media = await _inspect(context, copy)
    notes = (say.LAID_OUT_ANEW, *facts.report.notes)[:MAX_NOTES]
    return (
        replace(facts, report=facts.report.model_copy(update={"notes": notes})),
        container,
        media,
    )


async def _inspect(
    context: UnitContext, upload: Upload
) -> tuple[UploadFacts, Container, MediaInput]:
    media, container = await _open(context, upload)
    tracks = await scan_packets(context, media, _list_candidates(container))
    context.progress.report(0.4)
    looked = await _choose(context, media, container, tracks)
    context.progress.report(0.8)
    facts = await asyncio.to_thread(
        conclude, looked, container, key=upload.key, size_bytes=upload.size_bytes
    )
    return facts, container, media


async def _open(context: UnitContext, upload: Upload) -> tuple[MediaInput, Container]:
    head = await read_head(context, upload.key, size_bytes=upload.size_bytes)
    refuse_by_head(head, size_bytes=upload.size_bytes)
    media = await open_key(context, upload.key, size_bytes=upload.size_bytes, demuxer=None)
    container, media = await probe_container(context, media, head=head)
    _refuse_hopeless(container)
    return media, container


def _list_candidates(container: Container) -> tuple[VideoStream | AudioStream, ...]:
    return (
        *rank_videos(container)[:MAX_CANDIDATES],
        *rank_audios(container)[:MAX_CANDIDATES],
    )


async def _lay_out_anew(context: UnitContext, upload: Upload, reason: BrokenClockError) -> Upload:
    """Copy the candidate tracks into a file of their own, into the unit's staging.

    Raises:
        BrokenClockError: ``reason``: the tracks cannot be copied either.
    """
    media, container = await _open(context, upload)
    path = context.folder / "anew.mkv"
    argv = commands.lay_out_anew(
        context.programs.ffmpeg,
        media,
        tracks=tuple(track.index for track in _list_candidates(container)),
        output=path,
    )
    length_s = float(min(container.claimed_s or MAX_LECTURE_S, MAX_LECTURE_S))
    try:
        await context.encode(argv, media_s=length_s, share=(0.4, 0.5))
    except EncodeError as error:
        problem = explain_probe_failure(error, is_local=media.is_local)
        if problem is error or not isinstance(problem, EncodeError):
            raise problem from error
        raise reason from error
    info = await context.store.put_file(
        context.staging + path.name, path, content_type="video/x-matroska"
    )
    await asyncio.to_thread(path.unlink)
    return Upload(key=info.key, size_bytes=info.size_bytes, filename=upload.filename)


def _refuse_hopeless(container: Container) -> None:
    tracks: tuple[VideoStream | AudioStream, ...] = (
        *rank_videos(container),
        *container.audios,
    )
    if any(track.is_encrypted for track in tracks):
        raise refusal(
            "an encrypted track", "文件是加密的(受版权保护),无法转码。请上传没有加密的版本"
        )
    if not tracks:
        raise refusal("no picture and no sound track", "文件里没有画面,也没有声音")


async def _choose(
    context: UnitContext, media: MediaInput, container: Container, tracks: Tracks
) -> Looked:
    """Take the best picture and the best sound track that decode."""
    videos = [item for item in rank_videos(container) if _has_packets(tracks, item)]
    audios = [
        item
        for item in rank_audios(container)
        if _has_packets(tracks, item)
        and item.sample_rate_hz
        and 0 < item.channels_count <= MAX_CHANNELS
    ]
    notes: list[str] = []
    sound: MeasuredAudio | None = None
    seen: _Seen | None = None
    for video in videos:
        seen = await _look_at(context, media, video, audios[0] if audios else None, tracks)
        if sound is None and audios:
            sound = measure_audio(
                audios[0],
                tracks[audios[0].index],
                seen.windows,
                is_whole=seen.plan.is_whole,
            )
        if any(window.is_unsupported for window in seen.windows) and seen.video is None:
            name = video.codec.upper()
            raise refusal(
                f"no decoder for {video.codec}",
                f"画面的编码({name})在这台服务器上无法解码,请转换为 H.264 后再上传",
            )
        if seen.video is not None:
            notes += say.tell_damage(seen.windows, tracks[video.index])
            break
        notes.append(say.VIDEO_PASSED_OVER)
    tried = bool(videos)
    for audio in audios[1:] if tried and sound is None else audios if sound is None else ():
        sound = await _listen(context, media, audio, tracks[audio.index])
        if sound is not None:
            break
    measured = seen.video if seen is not None else None
    if measured is None and rank_videos(container):
        notes = [say.VIDEO_UNREADABLE]
    if sound is None and rank_audios(container):
        notes.append(say.AUDIO_UNREADABLE)
    return Looked(
        measured,
        seen.sample if seen else None,
        sound,
        tuple(dict.fromkeys(notes)),
        is_damaged=any(window.is_damaged for window in seen.windows) if seen else False,
    )


def _has_packets(tracks: Tracks, stream: VideoStream | AudioStream) -> bool:
    return stream.index in tracks and len(tracks[stream.index]) > 0


async def _look_at(
    context: UnitContext,
    media: MediaInput,
    video: VideoStream,
    audio: AudioStream | None,
    tracks: Tracks,
) -> _Seen:
    """Decode pictures (and the sound beside them) in a few places."""
    packets = tracks[video.index]
    sample = await sample_frames(context, media, video)
    width, height = (
        (sample.width_px, sample.height_px) if sample else (video.width_px, video.height_px)
    )
    if width and height:
        check_size(width, height)
    plan = _plan(packets, float(video.time_base), pixels=max(1, width * height))
    windows = await decode_windows(
        context, media, plan, video=video.index, audio=audio.index if audio else None
    )
    if sample is None and not video.pixel_format:
        # Neither header nor decoder knows what the pictures are.
        return _Seen(None, None, [Window(audio_s=item.audio_s) for item in windows], plan)
    measured = await asyncio.to_thread(
        measure_video, video, packets, windows, is_whole=plan.is_whole, height_px=height
    )
    return _Seen(measured, sample, windows, plan)


async def _listen(
    context: UnitContext, media: MediaInput, audio: AudioStream, packets: TrackPackets
) -> MeasuredAudio | None:
    plan = _plan(packets, float(audio.time_base), pixels=1)
    windows = await decode_windows(context, media, plan, video=None, audio=audio.index)
    return measure_audio(audio, packets, windows, is_whole=plan.is_whole)


def _plan(packets: TrackPackets, tick_s: float, *, pixels: int) -> WindowPlan:
    times: Sequence[int] = packets.pts
    first = min(times)
    span_s = min((max(times) - first) * tick_s, float(MAX_LECTURE_S))
    rate = len(times) / span_s if span_s > 0 else 1.0
    keys = [(time - first) * tick_s for time, key in zip(times, packets.is_key, strict=True) if key]
    return plan_windows(duration_s=span_s, pixels=pixels, rate=rate, keyframes_s=sorted(keys))
