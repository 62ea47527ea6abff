"""Lectures as the API shows them. Pure."""

from __future__ import annotations

from kernel.messages import FileRole
from kernel.timing import to_seconds
from vod.accounts.roles import Viewer
from vod.assets.models import Asset
from vod.audience.rule import AudienceRule
from vod.captions.schemas import CaptionRef
from vod.chapters.policy import read_chapters
from vod.chapters.schemas import Chapter
from vod.lectures import schemas
from vod.lectures.extras import LectureExtras
from vod.lectures.models import Lecture, LectureState
from vod.lectures.policy import may_edit_lectures
from vod.library.parts import build_document, build_teacher
from vod.material.access import may_change_material
from vod.material.timeline import find_folder, find_timeline, map_chapters
from vod.playback.subtitles import build_caption_path
from vod.posters.choice import choose_poster, list_options
from vod.posters.schemas import PosterRef


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
    """Build the addresses of poster and storyboard; the latter comes with a finished set."""
    base, asset = f"{origin}/media/{lecture.id}/", extras.asset
    options = list_options(asset, extras.own_posters)
    poster = choose_poster(asset, extras.material, options)
    storyboard = asset.storyboard if asset else None
    return (
        base + poster if poster else None,
        base + find_folder(asset) + storyboard if asset and storyboard else None,
    )


def build_posters(lecture: Lecture, extras: LectureExtras, origin: str) -> list[PosterRef]:
    """Build the list of pictures to choose from."""
    base = f"{origin}/media/{lecture.id}/"
    options = list_options(extras.asset, extras.own_posters)
    return [PosterRef(name=option.name, url=base + option.path) for option in options]


def build_duration_s(lecture: Lecture, asset: Asset | None) -> float:
    """Length of what plays; of the uncut lecture before there is an asset."""
    return to_seconds(lecture.duration_ticks if asset is None else asset.duration_ticks)


def present_lecture(
    lecture: Lecture, extras: LectureExtras, *, viewer: Viewer, origin: str
) -> schemas.Lecture:
    """Build the answer."""
    asset = extras.asset
    poster_url, storyboard_url = build_image_urls(lecture, extras, origin)
    may_edit = may_change_material(viewer, extras.owner_ids)
    return schemas.Lecture(
        id=lecture.id,
        title=lecture.title,
        description=lecture.description,
        state=lecture.state,
        kind=lecture.kind,
        form=extras.catalogue.form,
        tags=extras.catalogue.tags,
        introduction=lecture.introduction,
        hours=lecture.hours,
        instructors=[build_teacher(row, origin) for row in extras.catalogue.instructors],
        documents=[build_document(row, origin) for row in extras.catalogue.documents],
        film=extras.catalogue.film,
        source_label=lecture.source_label,
        licence=lecture.licence,
        external_id=lecture.external_id,
        external_url=lecture.external_url,
        review_by=lecture.review_by,
        review_step=lecture.review_step,
        audience=AudienceRule.model_validate(lecture.audience or {})
        if may_edit_lectures(viewer)
        else None,
        is_featured=lecture.featured_at is not None,
        version=lecture.version,
        visibility=lecture.visibility,
        publication=lecture.publication,
        publish_at=lecture.publish_at,
        withdraw_at=lecture.withdraw_at,
        duration_s=build_duration_s(lecture, asset),
        series=extras.series,
        live_class_id=lecture.live_class_id,
        recorded_at=lecture.recorded_at,
        published_at=lecture.published_at,
        playback=build_playback(lecture, origin),
        poster_url=poster_url,
        storyboard_url=storyboard_url,
        renditions=extras.renditions,
        jobs=extras.jobs,
        captions=_build_captions(lecture, extras, origin),
        chapters=_build_chapters(lecture, extras),
        waveform_url=_build_extra_url(lecture, asset, "waveform", origin),
        audio_download_url=f"{origin}/media/{lecture.id}/audio.m4a"
        if find_extra(asset, "audio_download")
        else None,
        source=_build_source(lecture, extras) if may_edit else None,
        posters=build_posters(lecture, extras, origin),
        is_partial=asset is not None and asset.is_partial,
        edit=extras.edit,
        may_manage=may_edit_lectures(viewer),
        may_edit=may_edit,
    )


def find_extra(asset: Asset | None, role: FileRole) -> str | None:
    """Name of the asset's (first) file with that role."""
    names = asset.report.get("files", {}).get(role, ()) if asset is not None else ()
    return str(names[0]) if names else None


def _build_extra_url(
    lecture: Lecture, asset: Asset | None, role: FileRole, origin: str
) -> str | None:
    name = find_extra(asset, role)
    if asset is None or name is None:
        return None
    return f"{origin}/media/{lecture.id}/{find_folder(asset)}{name}"


def _build_captions(lecture: Lecture, extras: LectureExtras, origin: str) -> list[CaptionRef]:
    place = find_timeline(lecture, extras.asset).place
    base = f"{origin}/media/{lecture.id}/" if is_playable(lecture) else None
    return [
        CaptionRef(
            id=track.id,
            language=track.language,
            label=track.label,
            origin=track.origin,
            is_edited=track.is_edited,
            cues_count=track.cues_count,
            version=track.version,
            url=base and base + build_caption_path(track.id, track.version, place, "vtt"),
        )
        for track in extras.tracks
    ]


def _build_chapters(lecture: Lecture, extras: LectureExtras) -> list[Chapter]:
    if extras.material is None or not extras.material.chapters:
        return []
    mapped = map_chapters(
        read_chapters(extras.material.chapters), find_timeline(lecture, extras.asset)
    )
    return [Chapter(start_s=start / 1000, title=title) for start, _, title in mapped]


def _build_source(lecture: Lecture, extras: LectureExtras) -> schemas.LectureSource | None:
    if lecture.upload_id is None and lecture.recording_version is None:
        return None
    facts = extras.material.source if extras.material is not None else None
    return schemas.LectureSource(
        kind="recording" if lecture.upload_id is None else "upload",
        filename=extras.upload.filename if extras.upload else None,
        size_bytes=extras.upload.size_bytes if extras.upload else None,
        notes=[str(note) for note in (facts or {}).get("notes", ())],
    )
