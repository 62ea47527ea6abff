"""What an epoch's tracks are: checked configurations, init segments and fragments. Pure."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from fractions import Fraction

from kernel.aac import SAMPLES_PER_FRAME, parse_asc
from kernel.errors import BitstreamError
from kernel.fmp4 import AudioTrack, Sample, TrackRun, VideoTrack, build_fragment, build_init
from kernel.h264 import Sps, parse_sps
from kernel.layout import Rendition
from kernel.timing import TICKS_PER_S
from streamer.media import AudioConfig, VideoConfig
from streamer.packager.segmenter import CutPart

VIDEO_TRACK_ID = 1
AUDIO_TRACK_ID = 2


@dataclass(frozen=True, slots=True)
class VideoFormat:
    """A video configuration that parsed."""

    config: VideoConfig
    sps: Sps


@dataclass(frozen=True, slots=True)
class AudioFormat:
    """An audio configuration that parsed."""

    config: AudioConfig
    codec: str


def check_video(config: VideoConfig) -> VideoFormat:
    """Parse what a player will be told.

    Raises:
        BitstreamError: No SPS or PPS, or a broken one.
    """
    if not config.sps or not config.pps:
        raise BitstreamError("a video configuration needs an SPS and a PPS")
    return VideoFormat(config, parse_sps(config.sps[0]))


def check_audio(config: AudioConfig) -> AudioFormat:
    """Parse what a player will be told.

    Raises:
        BitstreamError: Not AAC with 1024 samples per frame.
    """
    asc = parse_asc(config.asc)
    if asc.samples_per_frame != SAMPLES_PER_FRAME:
        raise BitstreamError(f"AAC frames of {asc.samples_per_frame} samples are not supported")
    if asc.sample_rate_hz != config.sample_rate_hz:
        raise BitstreamError(
            f"the config says {asc.sample_rate_hz} Hz, the source {config.sample_rate_hz} Hz"
        )
    return AudioFormat(config, asc.codec)


def build_inits(
    video: VideoFormat | None, audio: AudioFormat
) -> dict[Rendition, tuple[str, bytes]]:
    """Build both renditions' init segments under names that say their content."""
    sound = AudioTrack(
        track_id=AUDIO_TRACK_ID,
        timescale_hz=audio.config.sample_rate_hz,
        asc=audio.config.asc,
        sample_rate_hz=audio.config.sample_rate_hz,
        channels_count=audio.config.channels_count,
    )
    alone = build_init([sound])
    both = alone
    if video is not None:
        picture = VideoTrack(
            track_id=VIDEO_TRACK_ID,
            timescale_hz=TICKS_PER_S,
            sps=video.config.sps,
            pps=video.config.pps,
            width_px=video.sps.width_px,
            height_px=video.sps.height_px,
        )
        both = build_init([picture, sound])
    return {"av": _named(both), "audio": _named(alone)}


def _named(init: bytes) -> tuple[str, bytes]:
    return f"init-{hashlib.sha256(init).hexdigest()[:12]}.mp4", init


def build_media(sequence: int, part: CutPart) -> dict[Rendition, bytes]:
    """Build both renditions' bytes of a part: one moof + mdat each."""
    sound = TrackRun(
        track_id=AUDIO_TRACK_ID,
        decode_ticks=part.audio[0].position,
        samples=[Sample(frame.data, SAMPLES_PER_FRAME) for frame in part.audio],
    )
    alone = build_fragment(sequence, [sound])
    if not part.video:
        return {"av": alone, "audio": alone}
    picture = TrackRun(
        track_id=VIDEO_TRACK_ID,
        decode_ticks=part.video[0].frame.dts,
        samples=[
            Sample(
                timed.frame.data,
                timed.duration_ticks,
                offset_ticks=timed.frame.pts - timed.frame.dts,
                is_sync=timed.frame.is_idr,
            )
            for timed in part.video
        ],
    )
    return {"av": build_fragment(sequence, [picture, sound]), "audio": alone}


def guess_frame_rate(video: VideoFormat, dts: list[int]) -> float | None:
    """Frames per second from the parameter set, else from the first frames' times."""
    if video.sps.frame_rate is not None:
        return float(video.sps.frame_rate)
    if len(dts) < 10 or dts[-1] <= dts[0]:  # noqa: PLR2004 - fewer frames say little.
        return None
    return round(float(Fraction((len(dts) - 1) * TICKS_PER_S, dts[-1] - dts[0])), 3)
