"""Sign-in through a real provider process, in the browser: link, see, unlink, go without."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from playwright.async_api import Browser, Page, expect

from tests.e2e.test_pages import _judge, _settle
from tests.support.hall import Hall, run_hall
from tests.support.ports import find_free_port
from tests.support.waiting import eventually

pytestmark = [pytest.mark.timeout(300), pytest.mark.browser]
LABEL = "政务统一认证"
BUTTON = f"使用{LABEL}登录"
STOP_S = 20


@contextlib.asynccontextmanager
async def _run_provider(port: int, folder: Path) -> AsyncIterator[subprocess.Popen[bytes]]:
    users = [
        {"sub": "u-batu", "name": "巴图", "employee_number": "A1001"},
        {"sub": "u-stranger", "name": "生人", "employee_number": "Z9"},
    ]
    arguments = [sys.executable, "-m", "oidc_provider_mock", "--port", str(port)]
    for user in users:
        arguments += ["--user-claims", json.dumps(user)]
    arguments += ["--require-nonce", "true"]
    with (folder / "provider.log").open("wb") as output:
        process = await asyncio.to_thread(
            subprocess.Popen, arguments, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
    try:
        await eventually(lambda: _answers(port), timeout_s=30, message="no provider")
        yield process
    finally:
        process.kill()
        await asyncio.to_thread(process.wait, STOP_S)


async def _answers(port: int) -> bool:
    url = f"http://localhost:{port}/.well-known/openid-configuration"
    with contextlib.suppress(aiohttp.ClientError):
        async with aiohttp.ClientSession() as session, session.get(url) as response:
            return response.status == 200
    return False


async def test_members_sign_in_through_the_provider(tmp_path: Path, browser: Browser) -> None:
    port = find_free_port()
    settings = {
        "HALL_OIDC_ISSUER": f"http://localhost:{port}",
        "HALL_OIDC_CLIENT_ID": "hall",
        "HALL_OIDC_CLIENT_SECRET": "a secret",
        "HALL_OIDC_LABEL": LABEL,
    }
    async with (
        _run_provider(port, tmp_path) as provider,
        run_hall(tmp_path / "hall", **settings) as hall,
    ):
        admin = await hall.admin()
        member = {"display_name": "巴图", "staff_no": "A1001"}
        unit = await admin.post("/org-units", {"name": "支部", "kind": "branch"}, expect=201)
        await admin.post("/members", {**member, "unit_id": unit["id"]}, expect=201)
        context = await browser.new_context(viewport={"width": 360, "height": 780})
        page = await context.new_page()
        await _refuse_a_stranger(page, hall)
        await _sign_in(page, hall)
        await _see_and_unlink(page, hall)
        await context.clear_cookies()
        provider.kill()
        await asyncio.to_thread(provider.wait, STOP_S)
        await _go_without(page, hall)
        await context.close()


async def _refuse_a_stranger(page: Page, hall: Hall) -> None:
    await page.goto(hall.origin + "/signin?next=/learning")
    await page.get_by_role("link", name=BUTTON).click()
    await page.get_by_role("button", name="u-stranger", exact=True).click()
    await page.wait_for_url("**/signin?oidc=unknown&**")
    await expect(page.get_by_role("alert")).to_contain_text("没有找到与您身份对应的学员账号")
    await _settle(page)
    problems = await _judge(page, is_elder=False)
    assert problems == [], "\n".join(problems)


async def _sign_in(page: Page, hall: Hall) -> None:
    await page.get_by_role("link", name=BUTTON).click()
    await page.get_by_role("button", name="u-batu", exact=True).click()
    await page.wait_for_url(hall.origin + "/learning")
    await _settle(page)


async def _see_and_unlink(page: Page, hall: Hall) -> None:
    """Nobody asks for a password: the member never had one."""
    await page.goto(hall.origin + "/account")
    region = page.get_by_role("region", name="统一登录")
    await expect(region.get_by_text(LABEL)).to_be_visible()
    await _settle(page)
    problems = await _judge(page, is_elder=False)
    assert problems == [], "\n".join(problems)
    await region.get_by_role("button", name="解除关联").click()
    await region.get_by_role("group").get_by_role("button", name="解除关联").click()
    await expect(region).to_have_count(0)


async def _go_without(page: Page, hall: Hall) -> None:
    """The provider is gone: whoever starts comes back with a sentence; passwords open."""
    await page.goto(hall.origin + "/signin?oidc=down")
    await expect(page.get_by_role("alert")).to_contain_text("暂时连不上")
    await page.get_by_label("账号").fill("admin")
    await page.get_by_label("密码", exact=True).fill("correct horse battery")
    await page.locator("main").get_by_role("button", name="登录", exact=True).click()
    await page.wait_for_url(hall.origin + "/")
