"""Typed application state: what handlers take from ``request.app``. Filled by ``vod.app``."""

from __future__ import annotations

from typing import Final

from aiohttp import web
from redis.asyncio import Redis

from kernel.blobs.port import BlobStore
from kernel.clock import Clock
from kernel.config import Settings
from kernel.http import InternalClient
from vod.accounts.passwords import Passwords
from vod.accounts.roles import Viewer
from vod.classes.changes import ClassChanges
from vod.classes.status import LiveStatuses
from vod.db.engine import Database
from vod.uploads.service import Uploads

SETTINGS: Final = web.AppKey("settings", Settings)
DATABASE: Final = web.AppKey("database", Database)
CLOCK: Final = web.AppKey("clock", Clock)
BLOBS: Final = web.AppKey("blobs", BlobStore)
STREAMER: Final = web.AppKey("streamer", InternalClient)
SECRET: Final = web.AppKey("secret", bytes)
"""Signs stream keys and media paths (``HALL_SECRET`` or the data folder's ``secret``)."""
BROKER: Final = web.AppKey("broker", Redis)
"""For health only; messages go through the outbox."""
PASSWORDS: Final = web.AppKey("passwords", Passwords)
STATUSES: Final = web.AppKey("statuses", LiveStatuses)
CHANGES: Final = web.AppKey("changes", ClassChanges)
UPLOADS: Final = web.AppKey("uploads", Uploads)

VIEWER: Final = web.RequestKey("viewer", Viewer)
"""Who is asking; set by the session middleware on every ``/api/v1`` request."""
