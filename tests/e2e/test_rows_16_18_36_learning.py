"""Rows 1, 16, 18, 29 and 36: learning on one's own, in a real browser, on two devices."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from kernel.ids import new_id
from tests.e2e.player_pages import PLAYER_READY
from tests.e2e.test_pages import SHOTS, Centre, _judge, _settle, centre
from tests.e2e.test_rows_of_the_catalogue import PASSWORD, add_account, add_paper
from tests.support.browser import PageErrors
from tests.support.hall import Api, Hall
from tests.support.waiting import eventually

__all__ = ["centre"]  # Fixture.

pytestmark = [pytest.mark.timeout(300), pytest.mark.browser]
DESKTOP, PHONE = {"width": 1280, "height": 860}, {"width": 360, "height": 780}
PLAYED_S = 2.5
PLAY = "() => { const v = document.querySelector('video'); v.muted = true; return v.play(); }"
PAUSE = "() => document.querySelector('video').pause()"
IS_PAST = "(at) => document.querySelector('video').currentTime > at"


async def test_rows_16_18_36_a_member_learns_on_two_devices(
    centre: Centre, browser: Browser
) -> None:
    hall, admin, mark = centre.hall, await centre.hall.admin(), new_id()[-6:]
    await add_account(admin, f"m{mark}", "member")
    paper = f"学习资料{mark}"
    await add_paper(admin, paper, series_ids=[centre.series_id])
    slots = [
        await _recommend(admin, centre.lecture_id, place) for place in ("home", "library", "menus")
    ]
    member = await Api(admin.session, hall.origin).sign_in(f"m{mark}", PASSWORD)
    page = await _sign_in(browser, hall, f"m{mark}", DESKTOP)
    errors = PageErrors(page)
    await _watch_by_three_links(page, centre, member)
    phone = await _sign_in(browser, hall, f"m{mark}", PHONE)
    await _go_on_elsewhere(phone, centre, member)
    await _see_first_screen(page, centre)
    for path in ("/lectures", "/menus"):
        await page.goto(hall.origin + path)
        await expect(page.get_by_role("heading", name="为您推荐")).to_be_visible()
    await _finish_series(page, centre, member, paper)
    problems = [
        f"{label}: {line}"
        for one, is_elder, label in ((page, False, "1280"), (phone, True, "360"))
        for line in await _judge_pages(one, centre, label, is_elder=is_elder)
    ]
    assert problems == [], "\n".join(problems)
    await _forget(page, hall, member)
    assert errors.messages == []
    for slot in slots:
        await admin.request("DELETE", f"/recommendations/entries/{slot}")
    await page.context.close()
    await phone.context.close()


async def _recommend(admin: Api, lecture_id: str, place: str) -> str:
    item = {
        "id": "k001", "kind": "lecture", "title": "", "note": "", "url": None, "audience": {},
        "target_id": lecture_id, "is_required": False, "shows_from": None,
        "shows_until": "2090-01-01T00:00:00Z",
    }  # fmt: skip
    made = await admin.post("/recommendations/entries", {"place": place, "item": item}, expect=201)
    return str(made["id"])


async def _sign_in(browser: Browser, hall: Hall, login: str, viewport: Any) -> Page:
    context = await browser.new_context(viewport=viewport)
    page = await context.new_page()
    await page.goto(hall.origin + "/signin")
    await page.get_by_label("账号").fill(login)
    await page.get_by_label("密码", exact=True).fill(PASSWORD)
    await page.locator("main").get_by_role("button", name="登录").click()
    await page.wait_for_url(hall.origin + "/")
    return page


async def _watch_by_three_links(page: Page, centre: Centre, member: Api) -> None:
    """The same seconds by three links are one record and count once."""
    base = f"{centre.hall.origin}/lectures/{centre.lecture_id}?t=0"
    state: dict[str, Any] = {"updated_at": None}
    for url in (base, f"{base}&series={centre.series_id}", f"{base}&from=share"):
        await page.goto(url)
        await page.locator(PLAYER_READY).wait_for()
        await page.evaluate(PLAY)
        await page.wait_for_function(IS_PAST, arg=PLAYED_S)
        await page.evaluate(PAUSE)

        state = await _wait_for_report(member, centre.lecture_id, state["updated_at"])
    assert state["ranges"][0][0] == 0
    assert 2 <= state["watched_s"] <= state["furthest_s"] <= state["duration_s"]
    assert 2 <= state["position_s"] <= state["duration_s"]
    listed = await member.get("/watching")
    assert listed["total"] == 1


async def _wait_for_report(member: Api, lecture_id: str, seen: str | None) -> dict[str, Any]:
    async def look() -> Any:
        found = await member.get(f"/watching/{lecture_id}")
        return found if found["updated_at"] != seen else None

    state: dict[str, Any] = await eventually(look, timeout_s=30, message="nothing was reported")
    return state


async def _go_on_elsewhere(phone: Page, centre: Centre, member: Api) -> None:
    state = await member.get(f"/watching/{centre.lecture_id}")
    await phone.goto(f"{centre.hall.origin}/lectures/{centre.lecture_id}")
    await expect(phone.get_by_text("从上次看到的")).to_be_visible()
    await phone.wait_for_function(IS_PAST, arg=state["position_s"] - 1)
    keep = phone.get_by_role("button", name="收藏")
    await keep.click()
    await expect(phone.get_by_role("button", name="已收藏")).to_have_attribute(
        "aria-pressed", "true"
    )
    await phone.goto(centre.hall.origin + "/account")
    await phone.get_by_role("link", name="我的收藏").click()
    await expect(phone.locator(".card")).to_have_count(1)


async def _see_first_screen(page: Page, centre: Centre) -> None:
    """What is live, what to go on with and what is due, before anybody scrolls."""
    await page.goto(centre.hall.origin + "/")
    await _settle(page)
    SHOTS.mkdir(parents=True, exist_ok=True)
    await page.screenshot(path=SHOTS / "home-member-1280.png")
    live = page.locator(f"main a[href='/classes/{centre.live_id}']").first
    going_on = page.get_by_role("region", name="继续学习")
    required = page.get_by_role("region", name="必修未完成")
    for what in (live, going_on.get_by_role("link").last, required.get_by_role("heading")):
        await expect(what).to_be_in_viewport()
    await expect(page.get_by_role("region", name="为您推荐")).to_be_attached()
    row = going_on.locator(f"a[href='/lectures/{centre.lecture_id}']")
    await expect(row).to_contain_text("看到")


async def _finish_series(page: Page, centre: Centre, member: Api, paper: str) -> None:
    """The number grows by what was finished; the button leads to what is not."""
    url = f"/watching/series/{centre.series_id}"
    total = (await member.get(url))["lectures_count"]
    await page.goto(f"{centre.hall.origin}/series/{centre.series_id}")
    await expect(page.get_by_text(f"已学 0 / {total} 讲")).to_be_visible()
    body = {"ranges": [[0, 3600]]}
    status, answer = await member.request("PUT", f"/watching/{centre.lecture_id}", body)
    assert (status, answer["finished_at"] is None) == (200, False), answer
    await page.reload()
    await expect(page.get_by_text(f"已学 1 / {total} 讲")).to_be_visible()
    card = page.locator(f".card[href='/lectures/{centre.lecture_id}']")
    await expect(card.get_by_text("已学完")).to_be_visible()
    following = (await member.get(url))["next"]["title"]
    await page.get_by_role("link", name=f"继续：{following}").click()
    await page.wait_for_url("**/lectures/*")
    opened = next(
        one["lecture_id"] for one in (await member.get(url))["episodes"] if one["title"] == paper
    )
    await page.goto(f"{centre.hall.origin}/lectures/{opened}")
    await expect(page.get_by_text("已学完")).to_be_visible()
    assert (await member.get(url))["finished_count"] >= 2


async def _judge_pages(page: Page, centre: Centre, label: str, *, is_elder: bool) -> list[str]:
    found: list[str] = []
    # The others are judged in test_pages.py; without a member's own they look the same.
    both = ["/", "/learning?tab=required", f"/series/{centre.series_id}"]
    more = ["/learning", "/learning?tab=kept", f"/lectures/{centre.lecture_id}", "/menus"]
    for path in [*both, *(more if is_elder else [])]:
        mark = "&" if "?" in path else "?"
        await page.goto(f"{centre.hall.origin}{path}{mark}elder={int(is_elder)}")
        await _settle(page)
        name = path.strip("/").partition("/")[0].replace("?tab=", "-") or "home"
        await page.screenshot(path=SHOTS / f"learning-{name}-{label}.png", full_page=True)
        found += [f"{path}: {line}" for line in await _judge(page, is_elder=is_elder)]
    return found


async def _forget(page: Page, hall: Hall, member: Api) -> None:
    """By keyboard: the record goes when it was asked twice."""
    await page.goto(hall.origin + "/learning?elder=0")
    await _settle(page)
    await page.get_by_role("button", name="清除全部学习记录").focus()
    await page.keyboard.press("Enter")
    sure = page.get_by_role("button", name="确定清除")
    await sure.focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("没有学到一半的课")).to_be_visible()

    async def is_forgotten() -> Any:
        return (await member.get("/watching"))["total"] == 0 or None

    await eventually(is_forgotten, timeout_s=15, message="the record stays")
    assert (await member.get("/favourites"))["total"] == 1
