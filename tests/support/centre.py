"""A small centre of the tests: a tree of units, members in it, admins of its sub-trees."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.support.vod import Answer, Vod
from vod.accounts.roles import Role


@dataclass
class Centre:
    """Units by name; ``city`` holds the banners ``east`` and ``west``, each a branch."""

    vod: Vod
    units: dict[str, str] = field(default_factory=dict)

    async def add_unit(self, name: str, parent: str | None, kind: str = "other") -> str:
        body = {"name": name, "kind": kind, "parent_id": self.units[parent] if parent else None}
        answer = await self.vod.call("POST", "/org-units", role=Role.ADMIN, json=body)
        assert answer.status == 201, answer.body
        self.units[name] = answer.body["id"]
        return str(answer.body["id"])

    async def add_member(self, name: str, unit: str, **facts: Any) -> Answer:
        body = {"display_name": name, "unit_id": self.units[unit], **facts}
        answer = await self.vod.call("POST", "/members", role=Role.ADMIN, json=body)
        assert answer.status == 201, answer.body
        return answer

    async def sign_in_admin(
        self, login: str, unit: str, *, role: Role = Role.UNIT_ADMIN, scope: str = "unit_admin"
    ) -> tuple[str, str]:
        """Make an account with a role in ``unit``; returns its identifier and a token."""
        account_id = await self.vod.add_account(login, role)
        body = {"scopes": [{"role": scope, "unit_id": self.units[unit]}]}
        path = f"/members/{account_id}/scopes"
        answer = await self.vod.call("PUT", path, role=Role.ADMIN, json=body)
        assert answer.status == 200, answer.body
        return account_id, (await self.vod.sign_in(login)).body["token"]


async def build_centre(vod: Vod) -> Centre:
    centre = Centre(vod)
    await centre.add_unit("city", None, "city")
    for name in ("east", "west"):
        await centre.add_unit(name, "city", "banner")
        await centre.add_unit(f"{name} branch", name, "branch")
    return centre
