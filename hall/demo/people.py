"""The tree of units, and the people in it."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from hall.api import HallApi
from hall.demo.script import BANNERS, BRANCHES, CATEGORIES, CITY, NAMES, PEOPLE, Person


@dataclass(frozen=True, slots=True)
class Units:
    """Identifiers of the units by name; branches in the order of the tree."""

    city: str
    banners: dict[str, str]
    branches: tuple[str, ...]


async def ensure_one(
    api: HallApi, path: str, name: str, body: dict[str, Any], *, key: str = "title", query: str = ""
) -> tuple[Any, bool]:
    """Find the entry of that name in a list, or make it.

    Returns:
        The entry, and whether it is new.
    """
    found = await api.call("GET", f"{path}?q={quote(name)}&page_size=100{query}")
    for row in found["items"]:
        if row[key] == name:
            return row, False
    return await api.call("POST", path, {key: name, **body}), True


async def add_accounts(api: HallApi) -> dict[str, tuple[str, str]]:
    """Accounts of those who can sign in: identifier and new password by login."""
    made = {}
    for person in PEOPLE:
        password = secrets.token_urlsafe(9)
        body = {
            "login": person.login, "display_name": person.name, "role": person.role,
            "password": password,
        }  # fmt: skip
        made[person.login] = (str((await api.call("POST", "/accounts", body))["id"]), password)
    return made


async def build_units(api: HallApi) -> Units:
    """The tree 市 -> 旗区 -> 党委 -> 支部."""
    city = await _ensure_unit(api, None, CITY, "city")
    banners, branches = {}, []
    for banner, committee in BANNERS:
        banners[banner] = await _ensure_unit(api, city, banner, "banner")
        above = await _ensure_unit(api, banners[banner], committee, "committee")
        branches += [await _ensure_unit(api, above, name, "branch") for name in BRANCHES]
    return Units(city, banners, tuple(branches))


async def _ensure_unit(api: HallApi, parent_id: str | None, name: str, kind: str) -> str:
    below = f"&parent_id={parent_id}" if parent_id else ""
    found = await api.call("GET", f"/org-units?page_size=100{below}")
    for row in found["items"]:
        if row["name"] == name:
            return str(row["id"])
    body = {"name": name, "kind": kind, "parent_id": parent_id}
    return str((await api.call("POST", "/org-units", body))["id"])


async def add_members(api: HallApi, units: Units) -> int:
    """People of the branches, who have not signed in yet; tell how many are new."""
    categories = await load_categories(api)
    new_count = 0
    for number, name in enumerate(NAMES, start=1):
        staff_no = f"ED{number:05}"
        found = await api.call("GET", f"/members?q={staff_no}")
        if found["items"]:
            continue
        body = {
            "display_name": name,
            "staff_no": staff_no,
            "unit_id": units.branches[number % len(units.branches)],
            "category": categories[CATEGORIES[number % len(CATEGORIES)]],
        }
        await api.call("POST", "/members", body)
        new_count += 1
    return new_count


async def place_people(api: HallApi, units: Units) -> None:
    """Give those who can sign in their units, categories and scopes."""
    categories = await load_categories(api)
    for person in PEOPLE:
        account_id = await _find_account(api, person)
        if person.banner is None or account_id is None:
            continue
        if (await api.call("GET", f"/members/{account_id}"))["unit"] is not None:
            continue  # Placed before, perhaps moved by somebody since.
        unit_id = units.banners[person.banner]
        change = {"unit_id": unit_id}
        if person.category:
            change["category"] = categories[person.category]
        await api.call("PATCH", f"/members/{account_id}", change)
        if person.scope_role:
            scopes = {"scopes": [{"role": person.scope_role, "unit_id": unit_id}]}
            await api.call("PUT", f"/members/{account_id}/scopes", scopes)


async def _find_account(api: HallApi, person: Person) -> str | None:
    found = await api.call("GET", f"/accounts?q={person.login}&page_size=100")
    return next((str(row["id"]) for row in found["items"] if row["login"] == person.login), None)


async def load_categories(api: HallApi) -> dict[str, str]:
    """Keys of the members' categories by name."""
    lists = await api.call("GET", "/member-lists")
    return {row["name"]: row["key"] for row in lists["categories"]}
