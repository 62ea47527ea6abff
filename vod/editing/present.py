"""Addresses of the uncut lecture. Pure."""

from __future__ import annotations

from kernel.layout import asset_prefix
from kernel.messages import INDEX_NAME
from vod.assets.models import Asset
from vod.editing import schemas


def present_media(base: Asset, *, lecture_id: str, origin: str) -> schemas.UncutMedia:
    """Build what the editing page plays and draws; older sets have no waveform."""
    folder = asset_prefix(base.id, plan_hash=base.plan_hash, is_partial=base.is_partial)
    root = f"{origin}/media/{lecture_id}/{folder}"
    waveform = (base.report.get("files") or {}).get("waveform") or []
    rates = [item.get("frame_rate") for item in base.report.get("renditions", ())]
    known = [float(rate) for rate in rates if rate]
    return schemas.UncutMedia(
        hls_url=f"{root}{base.report.get('index', INDEX_NAME)}",
        waveform_url=f"{root}{waveform[0]}" if waveform else None,
        storyboard_url=f"{root}{base.storyboard}" if base.storyboard else None,
        frame_rate=max(known, default=None),
    )
