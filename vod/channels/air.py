"""The live playlist of a channel at a moment: a pure function of its runs and the time.

Spec: draft-pantos-hls-rfc8216bis §6.2.2 (live playlists), §4.4.3.2-3 (sequence numbers).

A segment is in the playlist from ``LEAD`` before its end until ``window`` after it. Players stay
``LEAD`` behind the end of the playlist (HOLD-BACK), so they show what is due now. All depends on
the time only, so sequence numbers grow and are the same for everybody.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from kernel.hls import (
    InitMap,
    MediaPlaylist,
    MultivariantPlaylist,
    RenditionMedia,
    Segment,
    ServerControl,
    Variant,
)
from kernel.timing import TICKS_PER_S
from vod.channels.plan import Run, list_audio_bounds, list_bounds
from vod.channels.track import Media, Track, choose_rung

TARGET_S: Final = 6  # The longest segment that transcoding makes.
LEAD: Final = 3 * TARGET_S * TICKS_PER_S
WINDOW: Final = 600 * TICKS_PER_S
SHORT_WINDOW: Final = 3 * TARGET_S * TICKS_PER_S  # Of channels without seeking; §6.2.2 wants it.
MARGIN: Final = 12 * TICKS_PER_S  # What must be committed beyond LEAD: the end of a run's sound.
AUDIO: Final = "audio"
AUDIO_BPS: Final = 160_000
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class ChannelRung:
    """A variant of every channel; each asset gives its rung nearest to it."""

    name: str
    width_px: int
    height_px: int
    bandwidth_bps: int


RUNGS: Final = (
    ChannelRung("1080p", 1920, 1080, 6_000_000),
    ChannelRung("720p", 1280, 720, 3_000_000),
    ChannelRung("480p", 854, 480, 1_500_000),
    ChannelRung("240p", 426, 240, 600_000),
)
BY_NAME: Final = {rung.name: rung for rung in RUNGS}


def to_ticks(moment: datetime) -> int:
    """Ticks since 1970, exact to a microsecond."""
    return (moment - EPOCH) // timedelta(microseconds=1) * 9 // 100


def to_moment(ticks: int) -> datetime:
    return EPOCH + timedelta(microseconds=ticks * 100 // 9)


def build_index() -> MultivariantPlaylist:
    """Build the playlist of variants, the same for every channel and for ever."""
    variants = [
        Variant(
            uri=f"{rung.name}.m3u8",
            bandwidth_bps=rung.bandwidth_bps,
            codecs=("avc1.640028", "mp4a.40.2"),
            width_px=rung.width_px,
            height_px=rung.height_px,
            audio_group=AUDIO,
        )
        for rung in RUNGS
    ]
    alone = Variant(
        uri=f"{AUDIO}.m3u8", bandwidth_bps=AUDIO_BPS, codecs=("mp4a.40.2",), audio_group=AUDIO
    )
    sound = RenditionMedia(
        kind="AUDIO", group_id=AUDIO, name=AUDIO, uri=f"{AUDIO}.m3u8",
        is_default=True, is_autoselect=True, channels="2",
    )  # fmt: skip
    return MultivariantPlaylist(
        variants=(*variants, alone), media=(sound,), version=7, has_independent_segments=True
    )


@dataclass(frozen=True, slots=True)
class _Place:
    """Segment ``index`` of a run, counted from its first, in time."""

    run: Run
    index: int
    start: int
    end: int
    from_ticks: int


def build_playlist(
    runs: Sequence[Run], media: Mapping[str, Media], *, name: str, now: int, window: int
) -> MediaPlaylist:
    """Build the playlist ``name`` (a rung's or ``audio``) at ``now``.

    Args:
        runs: Without holes, from before ``now - window`` to ``now + LEAD + MARGIN``.
        media: Of the runs, by folder.
    """
    is_audio = name == AUDIO
    shown = _choose(_iter_places(runs, media, is_audio=is_audio), now=now, window=window)
    segments: list[Segment] = []
    for place in shown:
        is_new = not segments or place.index == 0
        segment = _build_segment(place, media.get(place.run.folder), name=name)
        if is_new:
            segment = _mark(segment, place, media.get(place.run.folder), name=name)
        segments.append(segment)
    first = shown[0] if shown else None
    return MediaPlaylist(
        target_duration_s=TARGET_S,
        segments=tuple(segments),
        version=7,
        media_sequence=_number(first, is_audio=is_audio) if first else 0,
        # A tag before the first segment counts once it has gone, not before.
        discontinuity_sequence=first.run.number - (first.index == 0) if first else 0,
        server_control=ServerControl(hold_back_ticks=LEAD),
        has_independent_segments=True,
    )


def _number(place: _Place, *, is_audio: bool) -> int:
    return (place.run.audio_msn if is_audio else place.run.msn) + place.index


def _iter_places(
    runs: Sequence[Run], media: Mapping[str, Media], *, is_audio: bool
) -> Iterator[_Place]:
    for run in runs:
        own = media.get(run.folder)
        bounds = list_audio_bounds(run, own) if is_audio else list_bounds(run, own)
        # Sound begins with the segment that holds the picture's first moment.
        zero = run.start - list_bounds(run, own)[0]
        for index in range(len(bounds) - 1):
            start, end = bounds[index], bounds[index + 1]
            yield _Place(run, index, zero + start, zero + end, start)


def _choose(places: Iterator[_Place], *, now: int, window: int) -> list[_Place]:
    shown: list[_Place] = []
    for place in places:
        if place.end > now + LEAD:
            break
        if shown or place.end > now - window:
            shown.append(place)
    return shown


def _find_track(media: Media, name: str) -> Track | None:
    return media.audio if name == AUDIO else choose_rung(media, BY_NAME[name].height_px)


def _build_segment(place: _Place, media: Media | None, *, name: str) -> Segment:
    ticks = place.end - place.start
    track = _find_track(media, name) if media is not None else None
    if media is None or track is None:
        still = "quiet" if name == AUDIO else "black"
        return Segment(uri=f"{still}/{place.from_ticks}-{ticks}.m4s", duration_ticks=ticks)
    first = place.run.audio_first if name == AUDIO and media.video else place.run.first
    return Segment(
        uri=f"assets/{media.folder}/{track.name}.mp4",
        duration_ticks=ticks,
        byte_range=track.ranges[first + place.index],
    )


def _mark(segment: Segment, place: _Place, media: Media | None, *, name: str) -> Segment:
    track = _find_track(media, name) if media is not None else None
    if media is None or track is None:
        init = InitMap(f"{'quiet' if name == AUDIO else 'black'}/init.mp4")
    else:
        init = InitMap(f"assets/{media.folder}/{track.name}.mp4", track.init)
    return Segment(
        uri=segment.uri,
        duration_ticks=segment.duration_ticks,
        byte_range=segment.byte_range,
        init=init,
        is_discontinuity=place.index == 0,
        program_date_time=to_moment(place.start),
    )
