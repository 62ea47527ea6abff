"""Playlists of a finished asset. Pure.

Spec: draft-pantos-hls-rfc8216bis §4.4.4.2 (EXT-X-BYTERANGE), §4.4.4.5 (EXT-X-MAP), §4.4.6
(multivariant tags).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from kernel.hls import (
    ByteRange,
    InitMap,
    MediaPlaylist,
    MultivariantPlaylist,
    RenditionMedia,
    Segment,
    Variant,
    render_media_playlist,
    render_multivariant_playlist,
)
from kernel.timing import TICKS_PER_S
from transcode.joins import JoinedFile
from transcode.specs import KEYFRAME_GRID_S, Rung

HLS_VERSION: Final = 7  # EXT-X-MAP in playlists that are not I-frame only needs 6, fMP4 says 7.
AUDIO_GROUP: Final = "audio"
MIN_PEAK_TICKS: Final = KEYFRAME_GRID_S * TICKS_PER_S // 2


def build_media_playlist(joined: JoinedFile, *, file_name: str) -> str:
    """Render the media playlist of one rendition file."""
    longest = max(segment.duration_ticks for segment in joined.segments)
    segments = tuple(
        Segment(
            uri=file_name,
            duration_ticks=segment.duration_ticks,
            byte_range=ByteRange(segment.size_bytes, segment.offset_bytes),
            init=InitMap(file_name, ByteRange(joined.init_bytes, 0)) if number == 0 else None,
        )
        for number, segment in enumerate(joined.segments)
    )
    return render_media_playlist(
        MediaPlaylist(
            # §4.4.3.1: EXTINF rounded to the nearest second MUST NOT exceed it.
            target_duration_s=max(KEYFRAME_GRID_S, (longest + TICKS_PER_S // 2) // TICKS_PER_S),
            segments=segments,
            version=HLS_VERSION,
            kind="VOD",
            is_ended=True,
            has_independent_segments=True,
        )
    )


def measure_average_bps(joined: JoinedFile) -> int:
    """Average over the whole rendition."""
    return joined.size_bytes * 8 * TICKS_PER_S // joined.duration_ticks


def measure_peak_bps(joined: JoinedFile) -> int:
    """Largest segment bit rate; short last segments are not peaks (§4.4.6.2 BANDWIDTH)."""
    average = measure_average_bps(joined)
    rates = [
        segment.size_bytes * 8 * TICKS_PER_S // segment.duration_ticks
        for segment in joined.segments
        if segment.duration_ticks >= MIN_PEAK_TICKS
    ]
    # The average counts the init segment, too: a peak below it would contradict it.
    return max([average, *rates])


def build_multivariant(
    rungs: Sequence[tuple[Rung, JoinedFile]], audio: JoinedFile, *, audio_uri: str
) -> str:
    """Render the multivariant playlist: the largest rung first, the audio-only variant last."""
    audio_peak, audio_average = measure_peak_bps(audio), measure_average_bps(audio)
    variants = [
        Variant(
            uri=f"{rung.name}.m3u8",
            bandwidth_bps=measure_peak_bps(joined) + audio_peak,
            average_bandwidth_bps=measure_average_bps(joined) + audio_average,
            codecs=(joined.codec, audio.codec),
            width_px=rung.width_px,
            height_px=rung.height_px,
            frame_rate=rung.frame_rate,
            audio_group=AUDIO_GROUP,
        )
        for rung, joined in rungs
    ]
    variants.append(
        Variant(
            uri=audio_uri,
            bandwidth_bps=audio_peak,
            average_bandwidth_bps=audio_average,
            codecs=(audio.codec,),
            audio_group=AUDIO_GROUP,
        )
    )
    media = RenditionMedia(
        kind="AUDIO",
        group_id=AUDIO_GROUP,
        name="audio",
        uri=audio_uri,
        is_default=True,
        is_autoselect=True,
        channels="2",
    )
    return render_multivariant_playlist(
        MultivariantPlaylist(
            variants=tuple(variants),
            media=(media,),
            version=HLS_VERSION,
            has_independent_segments=True,
        )
    )
