"""Tell streamer that the keys of a class were replaced."""

from __future__ import annotations

import structlog

from kernel.errors import HallError, NotFoundError
from kernel.http import InternalClient
from vod.classes.models import LiveClass

log = structlog.get_logger(__name__)


async def revoke_credentials(streamer: InternalClient, row: LiveClass) -> None:
    """Have whoever publishes ``row`` with an old key put out.

    Called after the new key is committed. A streamer that is away is only a warning: it has cut
    the publisher off by being away, and it asks vod about everybody who comes back.
    """
    path = f"/internal/broadcasts/{row.broadcast_id}/revoke-credentials"
    try:
        await streamer.call("POST", path)
    except NotFoundError:
        log.debug("nobody_to_revoke", live_class_id=row.id)
    except HallError as error:
        log.warning("publisher_not_put_out", live_class_id=row.id, detail=str(error))
