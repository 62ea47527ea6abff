"""What the API says about the audit log."""

from __future__ import annotations

from typing import Any

from vod.http.pagination import Page
from vod.http.types import Moment, View


class AuditActor(View):
    id: str
    display_name: str


class AuditEntry(View):
    """One privileged change; ``actor`` is null when the system itself acted."""

    id: str
    at: Moment
    actor: AuditActor | None
    action: str
    object_type: str
    object_id: str
    detail: dict[str, Any]


class AuditPage(Page):
    items: list[AuditEntry]
