"""Replay playlists straight over the recorded live segments. Pure.

They are served at ``/media/{lecture}/recording/{version}/{rendition}.m3u8`` and
``/media/{lecture}/{index,audio}.m3u8``; every URI is relative, so that a ``/signed/{token}``
prefix survives.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from kernel.hls import (
    InitMap,
    MediaPlaylist,
    MultivariantPlaylist,
    Segment,
    Variant,
    render_media_playlist,
)
from kernel.layout import Rendition, init_key, segment_key
from kernel.recording import RecordedEpoch, RecordedSegment, RecordingIndex
from kernel.timing import TICKS_PER_S

FROM_RECORDING: Final = "../../../../"  # From /media/{lecture}/recording/{version}/ to the root.
FROM_LECTURE: Final = "../../"  # From /media/{lecture}/ to the root.
LIVE_TARGET_S: Final = 4  # DESIGN §4.3: TARGETDURATION is 4 for ever.


def render_recording(
    index: RecordingIndex, rendition: Rendition, *, root: str = FROM_RECORDING
) -> str:
    """Render one rendition of the recording as a VOD playlist.

    Args:
        root: Relative way from the playlist's own URL to the root of the site.
    """
    segments = tuple(_build_segments(index, rendition, root))
    longest = max((segment.duration_ticks for segment in segments), default=0)
    # rfc8216bis §4.4.3.1: EXTINF, rounded to the nearest integer, MUST be <= TARGETDURATION.
    target_s = max(LIVE_TARGET_S, (2 * longest + TICKS_PER_S) // (2 * TICKS_PER_S))
    return render_media_playlist(
        MediaPlaylist(
            target_duration_s=target_s,
            segments=segments,
            # The same numbers as in the live playlist, so that a position means the same.
            media_sequence=_find_first_msn(index),
            kind="VOD",
            is_ended=True,
        )
    )


def _find_first_msn(index: RecordingIndex) -> int:
    for epoch in index.epochs:
        for segment in epoch.segments:
            return segment.msn
    return 0


def _build_segments(index: RecordingIndex, rendition: Rendition, root: str) -> Iterator[Segment]:
    is_first = True
    for epoch in index.epochs:
        for position, segment in enumerate(epoch.segments):
            yield _build_segment(
                index.broadcast_id,
                epoch,
                segment,
                rendition,
                root,
                opens_epoch=position == 0,
                is_first=is_first,
            )
            is_first = False


def _build_segment(
    broadcast_id: str,
    epoch: RecordedEpoch,
    segment: RecordedSegment,
    rendition: Rendition,
    root: str,
    *,
    opens_epoch: bool,
    is_first: bool,
) -> Segment:
    init = program_date_time = None
    if opens_epoch:
        name = epoch.av_init if rendition == "av" else epoch.audio_init
        key = init_key(broadcast_id, epoch=epoch.epoch, rendition=rendition, name=name)
        init = InitMap(uri=root + key)
        program_date_time = epoch.program_date_time
    key = segment_key(broadcast_id, epoch=epoch.epoch, rendition=rendition, msn=segment.msn)
    return Segment(
        uri=root + key,
        duration_ticks=segment.duration_ticks,
        init=init,
        # §4.4.4.3: MUST be present where file format, tracks or time stamps change.
        is_discontinuity=opens_epoch and not is_first,
        program_date_time=program_date_time,
        is_gap=segment.is_gap,
    )


def build_recording_index(index: RecordingIndex, *, version: int) -> MultivariantPlaylist:
    """Build the multivariant playlist of a recording: with video if it has any, and audio only."""
    variants = []
    has_video = any(epoch.video_codec for epoch in index.epochs)
    audio_codecs = tuple(dict.fromkeys(epoch.audio_codec for epoch in index.epochs))
    if has_video:
        widths = [(e.height_px or 0, e.width_px or 0) for e in index.epochs if e.video_codec]
        height_px, width_px = max(widths)
        peak_bps, average_bps = measure_bandwidth(index, "av")
        video_codecs = dict.fromkeys(e.video_codec for e in index.epochs if e.video_codec)
        variants.append(
            Variant(
                uri=f"recording/{version}/av.m3u8",
                bandwidth_bps=peak_bps,
                average_bandwidth_bps=average_bps,
                codecs=(*video_codecs, *audio_codecs),
                width_px=width_px or None,
                height_px=height_px or None,
            )
        )
    peak_bps, average_bps = measure_bandwidth(index, "audio")
    variants.append(
        Variant(
            uri=f"recording/{version}/audio.m3u8",
            bandwidth_bps=peak_bps,
            average_bandwidth_bps=average_bps,
            codecs=audio_codecs,
        )
    )
    return MultivariantPlaylist(variants=tuple(variants))


def measure_bandwidth(index: RecordingIndex, rendition: Rendition) -> tuple[int, int]:
    """Measure (peak, average) bits per second over the recorded segments, both >= 1.

    Spec: rfc8216bis §4.4.6.2: BANDWIDTH is an upper bound of the peak segment bit rate.
    """
    peak_bps, total_bytes, total_ticks = 1, 0, 0
    for epoch in index.epochs:
        for segment in epoch.segments:
            if segment.is_gap:
                continue
            size_bytes = segment.av_bytes if rendition == "av" else segment.audio_bytes
            total_bytes += size_bytes
            total_ticks += segment.duration_ticks
            # Segments under half a target count with their neighbours (§4.4.6.2); close enough:
            rate_ticks = max(segment.duration_ticks, LIVE_TARGET_S * TICKS_PER_S // 2)
            peak_bps = max(peak_bps, -(-size_bytes * 8 * TICKS_PER_S // rate_ticks))
    average_bps = total_bytes * 8 * TICKS_PER_S // max(1, total_ticks)
    return max(peak_bps, average_bps), max(1, average_bps)
