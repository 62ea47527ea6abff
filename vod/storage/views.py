"""``/storage`` of the API, for administrators."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from typing import Final

from aiohttp import web
from aiohttp_pydantic.oas.typing import r200

from kernel.errors import NotAllowedError
from vod.accounts.roles import Role
from vod.audit.service import record
from vod.http.keys import BLOBS, CLOCK, DATABASE, SETTINGS
from vod.http.view import ApiView, respond
from vod.storage import schemas
from vod.storage.orphans import Orphans

AT_MOST_S: Final = 20.0  # The gate waits for a minute.


class _StorageView(ApiView):
    def require_admin(self) -> None:
        self.require_account()
        if self.viewer.role is not Role.ADMIN:
            raise NotAllowedError("only administrators look into the storage")

    @property
    def orphans(self) -> Orphans:
        app = self.request.app
        keep = timedelta(days=app[SETTINGS].live_retention_days)
        return Orphans(app[DATABASE], app[BLOBS], app[CLOCK], keep=keep)


class OrphansView(_StorageView):
    async def get(self) -> r200[schemas.OrphanList]:
        """List blobs that nobody owns; deletes nothing.

        Tags: storage
        """
        self.require_admin()
        found = await self.orphans.find(at_most_s=AT_MOST_S)
        prefixes = [
            schemas.OrphanPrefix.model_validate(item, from_attributes=True)
            for item in found.orphans
        ]
        return respond(
            schemas.OrphanList(
                prefixes=prefixes,
                objects_count=sum(item.objects_count for item in found.orphans),
                size_bytes=sum(item.size_bytes for item in found.orphans),
                is_complete=found.is_complete,
                token=found.token,
            )
        )


class OrphansDeleteView(_StorageView):
    async def post(self, body: schemas.OrphanChoice) -> r200[schemas.OrphansDeleted]:
        """Delete exactly what a dry run listed, as far as it is still nobody's.

        Tags: storage
        Status Codes:
            409: No such dry run, or it is older than an hour.
        """
        self.require_admin()
        gone = await self.orphans.delete(body.token, at_most_s=AT_MOST_S)
        async with self.database.write() as session:
            record(
                session,
                now=self.request.app[CLOCK].now(),
                actor_id=self.viewer.account_id,
                action="storage.orphans-deleted",
                object_type="storage",
                object_id=body.token,
                **asdict(gone),
            )
        return respond(schemas.OrphansDeleted.model_validate(gone, from_attributes=True))


ROUTES: Final = (
    web.view("/api/v1/storage/orphans", OrphansView),
    web.view("/api/v1/storage/orphans/delete", OrphansDeleteView),
)
