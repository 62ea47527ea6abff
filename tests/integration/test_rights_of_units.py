"""Across units: every operation that names what belongs to a unit refuses the neighbour.

The operations are taken from the OpenAPI document, so a new one is asked as soon as it is there.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from typing import Any

from tests.integration.test_rights_table import LINK
from tests.support.centre import build_centre
from tests.support.vod import Vod, databases, sqlite_url, sqlite_vod
from vod.accounts.roles import Role
from vod.http.openapi import build_openapi

__all__ = ["databases", "sqlite_url", "sqlite_vod"]  # Fixtures.

# What an account or a unit is called in paths, queries and bodies.
NAMES = frozenset(
    {"account_id", "org_unit_id", "unit_id", "parent_id", "import_id", "menu_id", "entry_id"}
)
# Values that only their names tell: identifiers are their own names in capitals; a heading is
# the one kind of item that needs nothing else.
SAID = {**{name: name.upper() for name in NAMES}, "kind": "heading"}
REFUSED = {403, 404}
_numbers = itertools.count()


def iter_operations() -> Iterator[tuple[str, str, list[str], dict[str, Any] | None]]:
    """Yield method, path, the query parameters that name something, and a body that does."""
    document = build_openapi()
    schemas = document["components"]["schemas"]
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            queries = [
                parameter["name"]
                for parameter in operation.get("parameters", [])
                if parameter["in"] == "query" and parameter["name"] in NAMES
            ]
            content = operation.get("requestBody", {}).get("content", {})
            schema = content.get("application/json", {}).get("schema")
            body = make_example(schema, schemas) if schema else None
            is_named = any(f"{{{name}}}" in path for name in NAMES)
            if is_named or queries or (body is not None and names_one(body)):
                yield method.upper(), path, queries, body


def make_example(  # noqa: PLR0911 - one for each kind of schema
    schema: dict[str, Any], schemas: dict[str, Any]
) -> Any:
    """Make a value that a schema accepts; ``SAID`` goes first."""
    if "$ref" in schema:
        return make_example(schemas[schema["$ref"].rpartition("/")[2]], schemas)
    choices = schema.get("anyOf", schema.get("oneOf", []))
    if choices:
        is_optional = any(choice.get("type") == "null" for choice in choices)
        return None if is_optional else make_example(choices[0], schemas)
    if "const" in schema or "enum" in schema:
        return schema.get("const", schema.get("enum", [None])[0])
    kind = schema.get("type")
    if kind == "object":
        wanted = set(schema.get("required", [])) | (NAMES & schema.get("properties", {}).keys())
        return {
            name: _say(name, value) or make_example(value, schemas)
            for name, value in schema.get("properties", {}).items()
            if name in wanted
        }
    if kind == "array":
        return [make_example(schema["items"], schemas)] * max(1, schema.get("minItems", 0))
    if kind == "string":
        if schema.get("format") == "date-time":
            return "2030-01-01T00:00:00Z"
        texts = ["x1" * max(1, schema.get("minLength", 1)), "x1x1", "https://a.example/", "0" * 20]
        return next(text for text in texts if re.search(schema.get("pattern", ""), text))
    return {"integer": schema.get("minimum", 1), "number": 1, "boolean": True}.get(str(kind), {})


def _say(name: str, schema: dict[str, Any]) -> str | None:
    if name == "id" and schema.get("type") == "string":
        return f"x{next(_numbers):03d}"  # No two in one document are the same.
    said = SAID.get(name)
    return None if name == "kind" and said not in schema.get("enum", []) else said


def names_one(body: Any) -> bool:
    return any(f'"{name}": "{name.upper()}"' in json.dumps(body) for name in NAMES)


def fill(text: str, ids: dict[str, str]) -> str:
    for name in sorted(NAMES, key=len, reverse=True):
        text = text.replace(name.upper(), ids[name]).replace(f"{{{name}}}", ids[name])
    return text


async def make_west_things(vod: Vod, west_id: str) -> dict[str, str]:
    """A menu and a recommendation of the west."""
    menu = await vod.call(
        "POST", "/menus", role=Role.EDITOR, json={"title": "西", "unit_id": west_id}
    )
    body = {"place": "home", "item": LINK, "unit_id": west_id}
    entry = await vod.call("POST", "/recommendations/entries", role=Role.EDITOR, json=body)
    assert (menu.status, entry.status) == (201, 201), entry.body
    return {"menu_id": menu.body["id"], "entry_id": entry.body["id"]}


async def test_no_operation_reaches_from_one_sub_tree_into_another(sqlite_vod: Vod) -> None:
    centre = await build_centre(sqlite_vod)
    _, east = await centre.sign_in_admin("east.admin", "east")
    _, editor = await centre.sign_in_admin("east.editor", "east", role=Role.EDITOR, scope="editor")
    _, west = await centre.sign_in_admin("west.admin", "west")
    member = (await centre.add_member("西", "west branch")).body["id"]
    made = await sqlite_vod.call(
        "POST", "/roster-imports", token=west, params={"filename": "r.csv"}, data=b"x"
    )
    ids = {
        "account_id": member,
        "org_unit_id": centre.units["west branch"],
        "unit_id": centre.units["west"],
        "parent_id": centre.units["west"],
        "import_id": made.body["id"],
        **await make_west_things(sqlite_vod, centre.units["west"]),
    }
    asked, let_through = [], []
    for method, path, queries, body in iter_operations():
        options: dict[str, Any] = {"params": {name: ids[name] for name in queries}}
        if body is not None:
            options["json"] = json.loads(fill(json.dumps(body), ids))
        asked.append(path)
        for token in (east, editor):
            answer = await sqlite_vod.call(method, fill(path, ids), token=token, **options)
            if answer.status not in REFUSED:
                let_through.append((method, path, options, answer.status, answer.body))
    assert let_through == []
    assert {"/api/v1/members/{account_id}", "/api/v1/org-units", "/api/v1/roster"} <= set(asked)
    # The same with what is one's own works: the refusals are for the neighbour.
    own = (await centre.add_member("东", "east branch")).body["id"]
    for path in (f"/members/{own}", f"/members?unit_id={centre.units['east branch']}",
                 f"/org-units?parent_id={centre.units['east']}"):  # fmt: skip
        assert (await sqlite_vod.call("GET", path, token=east)).status == 200


async def test_what_a_unit_admin_lists_is_the_own_sub_tree_and_nothing_else(
    sqlite_vod: Vod,
) -> None:
    centre = await build_centre(sqlite_vod)
    _, east = await centre.sign_in_admin("east.admin", "east")
    for unit in ("city", "east", "east branch", "west", "west branch"):
        await centre.add_member(f"在{unit}", unit)
    everybody = await sqlite_vod.call("GET", "/members?page_size=100", role=Role.ADMIN)
    listed = (await sqlite_vod.call("GET", "/members?page_size=100", token=east)).body["items"]
    assert {item["display_name"] for item in listed} == {"在east", "在east branch"}
    assert everybody.body["total"] > len(listed)
    found = (await sqlite_vod.call("GET", "/org-units?q=branch", token=east)).body["items"]
    assert [item["name"] for item in found] == ["east branch"]
