"""Which assets channels still show. Conditions only, no I/O."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, exists
from sqlalchemy.orm import InstrumentedAttribute

from vod.channels.air import to_ticks
from vod.channels.models import ChannelRun

AFTER: Final = timedelta(hours=1)  # Longer than any playlist and a slow player together.


def is_on_air(
    asset_id: ColumnElement[Any] | InstrumentedAttribute[Any], now: datetime
) -> ColumnElement[bool]:
    """Build the question whether something of an asset is on air, or was within the hour."""
    return exists().where(
        ChannelRun.folder.like(asset_id + "/%"), ChannelRun.end_ticks > to_ticks(now - AFTER)
    )
