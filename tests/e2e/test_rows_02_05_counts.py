"""Rows 2 and 5 in numbers: the own sub-tree exported, the city the sum, a rule previewed."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, expect
from python_calamine import CalamineWorkbook

from kernel.ids import new_id
from tests.e2e.test_pages import _settle
from tests.e2e.test_rows_of_the_catalogue import add_account, sign_in
from tests.support.browser import PageErrors
from tests.support.hall import Api, Hall

pytestmark = [pytest.mark.timeout(300), pytest.mark.browser]


async def test_rows_02_05_export_of_the_own_sub_tree_and_the_members_a_rule_means(
    hall: Hall, browser: Browser
) -> None:
    admin = await hall.admin()
    mark = new_id()[-6:]
    city = await _add_unit(admin, f"市{mark}", "city", None)
    east = await _add_unit(admin, f"东旗{mark}", "banner", city)
    west = await _add_unit(admin, f"西旗{mark}", "banner", city)
    people: dict[str, str] = {}
    for name, unit, category in (
        ("东一", east, "retired"), ("东二", east, "retired"), ("东三", east, "herdsmen"),
        ("西一", west, "retired"), ("市一", city, "retired"),
    ):  # fmt: skip
        body = {"display_name": name + mark, "unit_id": unit, "category": category}
        people[name] = (await admin.post("/members", body, expect=201))["id"]
    head = await add_account(admin, f"h{mark}", "member")
    await _change(admin, "PATCH", f"/members/{head}", {"unit_id": east})
    scopes = {"scopes": [{"role": "unit_admin", "unit_id": east}]}
    await _change(admin, "PUT", f"/members/{head}/scopes", scopes)

    page = await browser.new_page(viewport={"width": 1280, "height": 860})
    errors = PageErrors(page)
    await sign_in(page, hall, f"h{mark}")
    await page.goto(hall.origin + "/admin/members")
    await _settle(page)
    await expect(page.get_by_text("共 4 人")).to_be_visible()
    async with page.expect_download() as started:
        await page.get_by_role("link", name="导出表格").click()
    sheet = await _read(await (await started.value).path())
    assert {name for name in people if name + mark in sheet} == {"东一", "东二", "东三"}
    # Asked for the other banner by address, there is nobody.
    own = await hall.api().sign_in(f"h{mark}", "correct horse battery")
    assert (await own.request("GET", f"/members?unit_id={west}"))[0] in {403, 404}

    counts = {unit: await admin.get(f"/org-units/{unit}") for unit in (city, east, west)}
    below = counts[east]["members_count"] + counts[west]["members_count"]
    assert counts[city]["members_count"] == below + counts[city]["own_members_count"] == 6

    # Row 5: the preview, the list that people look at, and one who moves away.
    rule = {"rule": {"units": [east], "categories": ["retired"]}}
    for wanted in (2, 1):
        assert (await admin.post("/audience/preview", rule))["members_count"] == wanted
        await page.goto(f"{hall.origin}/admin/members?category=retired")
        await _settle(page)
        await expect(page.get_by_text(f"共 {wanted} 人")).to_be_visible()
        await _change(admin, "PATCH", f"/members/{people['东二']}", {"unit_id": west})
    errors.check()


async def _add_unit(admin: Api, name: str, kind: str, parent_id: str | None) -> str:
    body = {"name": name, "kind": kind, **({"parent_id": parent_id} if parent_id else {})}
    return str((await admin.post("/org-units", body, expect=201))["id"])


async def _change(admin: Api, method: str, path: str, body: dict[str, Any]) -> None:
    status, answer = await admin.request(method, path, body)
    assert status == 200, answer


async def _read(path: Path) -> str:
    """All that the workbook says, as text."""
    book = await asyncio.to_thread(CalamineWorkbook.from_path, str(path))
    return "\n".join(str(book.get_sheet_by_name(name).to_python()) for name in book.sheet_names)
