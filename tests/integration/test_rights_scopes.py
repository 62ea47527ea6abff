"""Roles in a sub-tree: every operation of the API, asked about the own and the neighbour's unit.

Whoever has a role in a sub-tree is a member everywhere else. So an operation that is not named
here has to answer them what it answers members (``TABLE`` of ``test_rights_table``), and a new
one that opens to them fails until it says here what it does about the neighbour.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from tests.integration.test_rights_table import (
    BODIES,
    LINK,
    MENU,
    RAW,
    SAFE,
    TABLE,
    WHO,
    _operations,
    _World,
)
from tests.support.centre import Centre, build_centre
from tests.support.vod import (
    PASSWORD,
    Vod,
    database_url,
    databases,
    sqlite_url,
    sqlite_vod,
    vod,
)
from vod.accounts.roles import Role

__all__ = ["database_url", "databases", "sqlite_url", "sqlite_vod", "vod"]  # Fixtures.

PLACES = ("east", "west")  # All of them belong to the east.
ADMIN, EDITOR, MEMBER = "admin of the east", "editor of the east", "member of the east"
AS_MEMBER = WHO.index(Role.MEMBER)
CLOSED = (403, 403)
# What each says of the own sub-tree and of the neighbour's: admin, editor, member.
SCOPED: dict[str, tuple[tuple[int, int], tuple[int, int], tuple[int, int]]] = {
    "getOrgUnits": ((200, 403), (200, 403), CLOSED),
    "postOrgUnits": ((201, 403), CLOSED, CLOSED),
    "getOrgUnitsByOrgUnitId": ((200, 403), (200, 403), CLOSED),
    "patchOrgUnitsByOrgUnitId": ((200, 403), CLOSED, CLOSED),
    "deleteOrgUnitsByOrgUnitId": ((204, 403), CLOSED, CLOSED),
    "getMembers": ((200, 403), CLOSED, CLOSED),
    "postMembers": ((201, 403), CLOSED, CLOSED),
    "getMembersByAccountId": ((200, 403), CLOSED, CLOSED),
    "patchMembersByAccountId": ((200, 403), CLOSED, CLOSED),
    "postMembersByAccountIdReset": ((200, 403), CLOSED, CLOSED),
    "putMembersByAccountIdScopes": (CLOSED, CLOSED, CLOSED),
    "getMemberLists": ((200, 200), (200, 200), CLOSED),  # Of the whole city.
    "getRoster": ((200, 403), CLOSED, CLOSED),
    "getRosterTemplate": ((200, 200), CLOSED, CLOSED),
    # Imports are seen by whoever sent them; each row is checked by itself.
    "getRosterImports": ((200, 200), CLOSED, CLOSED),
    "postRosterImports": ((201, 201), CLOSED, CLOSED),
    "getRosterImportsByImportId": ((200, 404), CLOSED, CLOSED),
    "deleteRosterImportsByImportId": ((204, 404), CLOSED, CLOSED),
    "postRosterImportsByImportIdConfirm": ((409, 404), CLOSED, CLOSED),
    "getRosterImportsByImportIdErrors": ((200, 404), CLOSED, CLOSED),
    # A rule may name any unit, counted are members of the own ones (below).
    "postAudiencePreview": ((200, 200), (200, 200), CLOSED),
    "getMenus": ((200, 200), (200, 200), (200, 200)),
    "postMenus": (CLOSED, (201, 403), CLOSED),
    "getMenusPreview": (CLOSED, (200, 403), CLOSED),
    "getMenusDrafts": (CLOSED, (200, 200), CLOSED),
    "getMenusBrokenLinks": (CLOSED, (200, 200), CLOSED),
    "getMenusByMenuId": ((200, 404), (200, 404), (200, 404)),
    "patchMenusByMenuId": (CLOSED, (200, 403), CLOSED),
    "deleteMenusByMenuId": (CLOSED, (204, 403), CLOSED),
    "getMenusByMenuIdDraft": (CLOSED, (200, 403), CLOSED),
    "putMenusByMenuIdDraft": (CLOSED, (200, 403), CLOSED),
    "postMenusByMenuIdMerge": (CLOSED, (200, 403), CLOSED),
    "postMenusByMenuIdPublish": (CLOSED, (201, 403), CLOSED),
    "postMenusByMenuIdRollback": (CLOSED, (201, 403), CLOSED),
    "getMenusByMenuIdVersions": (CLOSED, (200, 403), CLOSED),
    "getMenusByMenuIdVersionsByNumber": (CLOSED, (200, 403), CLOSED),
    "getMenusByMenuIdDiff": (CLOSED, (200, 403), CLOSED),
    "postOrders": ((201, 403), (201, 403), (201, 403)),
    "getOrdersDemand": ((200, 200), (200, 200), CLOSED),
    # Ordered for the branch: its members know of it.
    "getOrdersByOrderId": ((200, 404), (200, 404), (200, 404)),
    "postOrdersByOrderIdMoves": ((200, 404), (200, 404), (403, 404)),
    "getOrdersByOrderIdAssignees": ((200, 404), (200, 404), (403, 404)),
    "getRecommendationsEntries": (CLOSED, (200, 200), CLOSED),
    "postRecommendationsEntries": (CLOSED, (201, 403), CLOSED),
    "putRecommendationsEntriesByEntryId": (CLOSED, (200, 403), CLOSED),
    "deleteRecommendationsEntriesByEntryId": (CLOSED, (204, 403), CLOSED),
}
# What names the unit, where the path does not.
QUERIES = {
    "getOrgUnits": "parent_id", "getMembers": "unit_id", "getRoster": "unit_id",
    "getMenusPreview": "unit_id",
}  # fmt: skip


@dataclass
class Person:
    who: str
    login: str
    token: str


class ScopedWorld(_World):
    """Objects that belong to the sub-tree ``place``."""

    def __init__(self, vod: Vod, centre: Centre) -> None:
        super().__init__(vod)
        self.centre = centre
        self.place = PLACES[0]
        self.tokens: dict[str, str] = {}  # Of the admins of both sub-trees.

    @property
    def unit_id(self) -> str:
        return self.centre.units[f"{self.place} branch"]

    async def _find_plain(self, path: str) -> dict[str, Any] | None:
        if "{account_id}" in path:
            made = await self.centre.add_member("某人", f"{self.place} branch")
            return {"account_id": made.body["id"]}
        if "{import_id}" in path:
            sent = RAW["postRosterImports"]
            made = await self.vod.call(
                "POST", "/roster-imports", token=self.tokens[self.place], **sent
            )
            return {"import_id": made.body["id"]}
        if "{entry_id}" in path:
            body = {**BODIES["postRecommendationsEntries"], "unit_id": self.unit_id}
            made = await self.vod.call(
                "POST", "/recommendations/entries", role=Role.EDITOR, json=body
            )
            return {"entry_id": made.body["id"]}
        if "{order_id}" in path:
            body = {**BODIES["postOrders"], "unit_id": self.unit_id}
            made = await self.vod.call("POST", "/orders", role=Role.ADMIN, json=body)
            return {"order_id": made.body["id"]}
        return await super()._find_plain(path)

    async def add_unit(self) -> str:
        name = f"单位{next(self._numbers)}"
        return await self.centre.add_unit(name, f"{self.place} branch")

    async def _publish_menu(self) -> str:
        body = {"title": "菜单", "unit_id": self.unit_id}
        made = await self.vod.call("POST", "/menus", role=Role.EDITOR, json=body)
        path = f"/menus/{made.body['id']}"
        saved = {"version": 1, "content": MENU}
        await self.vod.call("PUT", f"{path}/draft", role=Role.EDITOR, json=saved)
        await self.vod.call("POST", f"{path}/publish", role=Role.EDITOR, json={"version": 2})
        return str(made.body["id"])

    def build_options(self, operation: str, person: Person) -> dict[str, Any]:
        """What is sent: about the sub-tree ``place`` wherever a unit can be named."""
        if operation in QUERIES:
            return {"params": {QUERIES[operation]: self.unit_id}}
        if operation in RAW:
            return RAW[operation]
        number = next(self._numbers)
        bodies = {
            "postOrgUnits": {"name": f"新{number}", "kind": "branch", "parent_id": self.unit_id},
            "postMembers": {"display_name": "新", "unit_id": self.unit_id},
            "postAccounts": {"login": f"n{number}", "display_name": "新", "role": "member"},
            "postMenus": {"title": "菜单", "unit_id": self.unit_id},
            "postOrders": {**BODIES["postOrders"], "unit_id": self.unit_id},
            "postAudiencePreview": {"rule": {"units": [self.unit_id]}},
            "postRecommendationsEntries": {
                "place": "home", "item": LINK, "unit_id": self.unit_id,
            },
            "postSession": {"login": person.login, "password": PASSWORD},
        }  # fmt: skip
        return {"json": bodies.get(operation, BODIES.get(operation))}


async def build_people(world: ScopedWorld) -> list[Person]:
    """Three of the east, all of whom belong to its branch, and an admin of the west."""
    people = []
    for who, login, role in (
        (ADMIN, "east-admin", "unit_admin"), (EDITOR, "east-editor", "editor"),
        (MEMBER, "east-member", None),
    ):  # fmt: skip
        account_id = await world.vod.add_account(login, Role(role or "member"))
        path = f"/members/{account_id}"
        change = {"unit_id": world.centre.units["east branch"]}
        await world.vod.call("PATCH", path, role=Role.ADMIN, json=change)
        scopes = [{"role": role, "unit_id": world.centre.units["east"]}] if role else []
        await world.vod.call("PUT", f"{path}/scopes", role=Role.ADMIN, json={"scopes": scopes})
        people.append(Person(who, login, (await world.vod.sign_in(login)).body["token"]))
    _, west = await world.centre.sign_in_admin("west-admin", "west")
    world.tokens = {"east": people[0].token, "west": west}
    return people


def find_wanted(operation: str, person: Person, place: str) -> int:
    if operation not in SCOPED:
        return TABLE[operation][AS_MEMBER]
    column = (ADMIN, EDITOR, MEMBER).index(person.who)
    return SCOPED[operation][column][PLACES.index(place)]


@pytest.mark.timeout(300)  # Some five hundred questions; a busy machine takes its time.
async def test_every_operation_keeps_a_role_to_its_sub_tree(sqlite_vod: Vod) -> None:
    operations = _operations()
    assert set(SCOPED) <= set(operations)
    world = ScopedWorld(sqlite_vod, await build_centre(sqlite_vod))
    people, wrong = await build_people(world), []
    for operation, (method, path) in operations.items():
        for world.place in PLACES if operation in SCOPED else PLACES[1:]:
            url = ""
            # What members are answered elsewhere is in the other table.
            for person in people if operation in SCOPED else people[:2]:
                wanted = find_wanted(operation, person, world.place)
                url = url or (await world.fill(path, operation, "public"))
                token = person.token
                if operation == "deleteSession":
                    token = (await sqlite_vod.sign_in(person.login)).body["token"]
                options = world.build_options(operation, person)
                answer = await sqlite_vod.call(
                    method, url.removeprefix("/api/v1"), token=token, **options
                )
                if answer.status != wanted:
                    wrong.append(
                        (operation, person.who, world.place, answer.status, wanted, answer.body)
                    )
                if operation == "postAudiencePreview" and answer.status < 400:
                    is_own = world.place == "east"
                    assert (answer.body["members_count"] > 0) is is_own, "counted across units"
                if answer.status < 400 and method not in SAFE:
                    url = ""
    assert not wrong, "\n".join(map(str, wrong))


async def test_what_an_editor_of_a_unit_lists_and_reads_is_of_that_unit(sqlite_vod: Vod) -> None:
    world = ScopedWorld(sqlite_vod, await build_centre(sqlite_vod))
    _, editor, member = await build_people(world)
    own: dict[str, set[str]] = {}
    for world.place in PLACES:
        menu = await world._publish_menu()
        entry = (await world._find_plain("{entry_id}") or {})["entry_id"]
        own[world.place] = {menu, entry}
    listed = set()
    for path in ("/menus/drafts", "/recommendations/entries"):
        rows = (await sqlite_vod.call("GET", path, token=editor.token)).body["items"]
        listed |= {row["id"] for row in rows}
    assert listed == own["east"]
    seen = (await sqlite_vod.call("GET", "/menus", token=member.token)).body["items"]
    assert {row["id"] for row in seen} <= own["east"]
    # What they may not know of has no title for them, though they point at it.
    secret = await sqlite_vod.call(
        "POST", "/lectures", role=Role.ADMIN, json={"title": "未发布的课", "kind": "document"}
    )
    item = {**LINK, "kind": "lecture", "target_id": secret.body["id"], "url": None, "title": ""}
    body = {"place": "home", "item": item, "unit_id": world.centre.units["east"]}
    for token, title in ((editor.token, ""), (None, "未发布的课")):
        made = await sqlite_vod.call(
            "POST", "/recommendations/entries", json=body,
            **({"token": token} if token else {"role": Role.ADMIN}),
        )  # fmt: skip
        assert (made.status, made.body["title"], made.body["state"]) == (201, title, "broken")


async def test_a_unit_stays_while_menus_or_recommendations_are_its_own(vod: Vod) -> None:
    world = ScopedWorld(vod, await build_centre(vod))
    world.centre.units["east branch"] = unit_id = await world.add_unit()
    menu = await world._publish_menu()
    entry = (await world._find_plain("{entry_id}") or {})["entry_id"]
    for path, word in ((f"/menus/{menu}", "菜单"), (f"/recommendations/entries/{entry}", "推荐")):
        refused = await vod.call("DELETE", f"/org-units/{unit_id}", role=Role.ADMIN)
        assert (refused.status, word in refused.body["title"]) == (409, True), refused.body
        assert (await vod.call("DELETE", path, role=Role.ADMIN)).status == 204
    gone = await vod.call("DELETE", f"/org-units/{unit_id}", role=Role.ADMIN)
    assert gone.status == 204, gone.body
