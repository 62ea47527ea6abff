"""``GET /api/v1/audit``."""

from __future__ import annotations

from typing import Final

from aiohttp import web
from aiohttp_pydantic.oas.typing import r200

from kernel.errors import NotAllowedError
from vod.accounts.policy import may_manage_accounts
from vod.audit import schemas
from vod.audit.models import AuditEntry
from vod.audit.service import load_entries
from vod.http.pagination import PageQuery, page_members
from vod.http.view import ApiView, respond


class AuditView(ApiView):
    async def get(self, page: PageQuery) -> r200[schemas.AuditPage]:
        """List privileged changes, newest first.

        Tags: audit
        """
        self.require_account()
        if not may_manage_accounts(self.viewer):
            raise NotAllowedError("only administrators read the audit log")
        async with self.database.read() as session:
            entries, names, total = await load_entries(session, page)
        items = [_render(entry, names) for entry in entries]
        return respond(schemas.AuditPage(items=items, **page_members(page, total)))


def _render(entry: AuditEntry, names: dict[str, str]) -> schemas.AuditEntry:
    actor = None
    if entry.actor_id is not None:
        actor = schemas.AuditActor(
            id=entry.actor_id, display_name=names.get(entry.actor_id, entry.actor_id)
        )
    return schemas.AuditEntry(
        id=entry.id,
        at=entry.at,
        actor=actor,
        action=entry.action,
        object_type=entry.object_type,
        object_id=entry.object_id,
        detail=entry.detail,
    )


ROUTES: Final = (web.view("/api/v1/audit", AuditView),)
