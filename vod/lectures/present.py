"""Lectures as the API shows them. Pure."""

from __future__ import annotations

from kernel.layout import asset_prefix
from kernel.timing import to_seconds
from vod.accounts.roles import Viewer
from vod.lectures import schemas
from vod.lectures.extras import LectureExtras
from vod.lectures.models import Lecture, LectureState
from vod.lectures.policy import may_edit_lectures
from vod.series.schemas import SeriesRef


def is_playable(lecture: Lecture) -> bool:
    """There is something to play: the recording or a finished set of renditions."""
    has_media = lecture.recording_version is not None or lecture.asset_id is not None
    return has_media and lecture.state in {LectureState.PLAYABLE, LectureState.READY}


def build_playback(lecture: Lecture, origin: str) -> schemas.ReplayPlayback | None:
    """Build the addresses to play from; the gate decides on each request."""
    if not is_playable(lecture):
        return None
    base = f"{origin}/media/{lecture.id}"
    return schemas.ReplayPlayback(hls_url=f"{base}/index.m3u8", audio_url=f"{base}/audio.m3u8")


def build_image_urls(
    lecture: Lecture, extras: LectureExtras, origin: str
) -> tuple[str | None, str | None]:
    """Build the addresses of poster and storyboard; they come with a finished set."""
    if extras.asset is None:
        return None, None
    prefix = asset_prefix(extras.asset.id, plan_hash=extras.asset.plan_hash)
    base = f"{origin}/media/{lecture.id}/{prefix}"
    poster, storyboard = extras.asset.poster, extras.asset.storyboard
    return (base + poster if poster else None, base + storyboard if storyboard else None)


def present_lecture(
    lecture: Lecture, extras: LectureExtras, *, viewer: Viewer, origin: str
) -> schemas.Lecture:
    """Build the answer; ``lecture.series`` must be loaded."""
    series = lecture.series
    poster_url, storyboard_url = build_image_urls(lecture, extras, origin)
    return schemas.Lecture(
        id=lecture.id,
        title=lecture.title,
        description=lecture.description,
        state=lecture.state,
        visibility=lecture.visibility,
        duration_s=to_seconds(lecture.duration_ticks),
        series=SeriesRef(id=series.id, title=series.title) if series else None,
        live_class_id=lecture.live_class_id,
        position=lecture.position,
        recorded_at=lecture.recorded_at,
        published_at=lecture.published_at,
        playback=build_playback(lecture, origin),
        poster_url=poster_url,
        storyboard_url=storyboard_url,
        renditions=extras.renditions,
        jobs=extras.jobs,
        may_manage=may_edit_lectures(viewer),
    )
