"""Every page, filled with data, in both sizes and both versions: axe finds nothing, nothing breaks.

Screenshots go to ``test-results/pages`` for people to look at.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import pytest
from playwright.async_api import Browser, Page

from tests.support.browser import PageErrors
from tests.support.hall import ADMIN_PASSWORD, Api, Hall
from tests.support.publisher import Picture, publish
from tests.support.waiting import eventually

pytestmark = [pytest.mark.timeout(300), pytest.mark.browser]
ROOT = Path(__file__).parents[2]
AXE = ROOT / "player" / "node_modules" / "axe-core" / "axe.min.js"
SHOTS = ROOT / "test-results" / "pages"
SIZES = ((360, 780), (1280, 860))
AXE_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
MIN_TARGET_PX = {False: 44, True: 60}
MIN_BODY_PX = {False: 18, True: 24}

# Only what is wrong comes back: all that is right would be a megabyte per page.
RUN_AXE = """(tags) => axe.run(document, {
  runOnly: { type: 'tag', values: tags }, resultTypes: ['violations'],
}).then((result) => result.violations)"""

KEEP_CONTROLS = """() => document.querySelectorAll('media-controller').forEach((player) => {
  player.setAttribute('autohide', '-1');
  player.removeAttribute('userinactive');
})"""

SMALL_TARGETS = """(min) => [...document.querySelectorAll(
    'button, select, input:not([type=hidden]), a.btn, nav a')]
  .filter((el) => el.offsetParent !== null && !el.closest('media-controller'))
  .map((el) => { const box = (el.closest('label') || el).getBoundingClientRect();
    return { what: el.outerHTML.slice(0, 120), w: box.width, h: box.height }; })
  .filter((el) => el.w > 1 && (el.h < min - 0.5))"""


@dataclass
class Centre:
    """A filled hall: ids of what the pages show."""

    hall: Hall
    ended_id: str
    live_id: str
    planned_id: str
    lecture_id: str
    series_id: str
    notice_id: str


@dataclass
class Taught:
    """What the pages show besides the live class; made once per hall."""

    ended_id: str
    planned_id: str
    lecture_id: str
    series_id: str
    notice_id: str


_TAUGHT: WeakKeyDictionary[Hall, Taught] = WeakKeyDictionary()


async def _teach(hall: Hall, admin: Api) -> Taught:
    if hall in _TAUGHT:
        return _TAUGHT[hall]
    series = await admin.post(
        "/series", {"title": "党史学习教育", "description": "十二讲"}, expect=201
    )
    planned = await admin.make_class("基层党建实务答疑", starts_at="2030-07-01T07:00:00Z")
    ended = await admin.make_class("第一讲 星星之火", series_id=series["id"])
    async with publish(f"{hall.rtmp}/{ended['publish']['stream_key']}"):
        await admin.wait_for_state(ended["id"], "live")
        await eventually(lambda: _recorded(admin, ended["id"], 6), timeout_s=30)
    await admin.post(f"/live-classes/{ended['id']}/end")
    lecture_id = await eventually(lambda: _replay(admin, ended["id"]), timeout_s=15)
    notice = await admin.post("/notices", {"title": "本周新课", "body": "<p>三门</p>"}, expect=201)
    await admin.post(f"/notices/{notice['id']}/publish", {"version": notice["version"]})
    _TAUGHT[hall] = Taught(ended["id"], planned["id"], lecture_id, series["id"], notice["id"])
    return _TAUGHT[hall]


@pytest.fixture
async def centre(hall: Hall) -> AsyncIterator[Centre]:
    admin = await hall.admin()
    taught = await _teach(hall, admin)
    live = await admin.make_class("第二讲 草原上的党旗", series_id=taught.series_id)
    async with publish(f"{hall.rtmp}/{live['publish']['stream_key']}", Picture(fps=15)):
        await admin.wait_for_state(live["id"], "live")
        yield Centre(
            hall, taught.ended_id, live["id"], taught.planned_id, taught.lecture_id,
            taught.series_id, taught.notice_id,
        )  # fmt: skip
    await admin.post(f"/live-classes/{live['id']}/end")


async def _recorded(api: Any, class_id: str, seconds: float) -> bool:
    found = await api.get(f"/live-classes/{class_id}")
    return bool(found["recording"] and found["recording"]["recorded_s"] >= seconds)


async def _replay(api: Any, class_id: str) -> Any:
    found = await api.get(f"/live-classes/{class_id}")
    return found["replay"]["lecture_id"] if found["replay"] else None


def _pages(centre: Centre) -> dict[str, str]:
    return {
        "home": "/",
        "timetable": "/live",
        "class-planned": f"/classes/{centre.planned_id}",
        "class-live": f"/classes/{centre.live_id}",
        "class-replay": f"/classes/{centre.ended_id}",
        "library": "/lectures",
        "lecture": f"/lectures/{centre.lecture_id}",
        "series-list": "/series",
        "series": f"/series/{centre.series_id}",
        "signin": "/signin",
        "not-found": "/nowhere",
        "account": "/account",
        "studio-list": "/studio",
        "studio": f"/studio/{centre.planned_id}",
        "desk-classes": "/desk/classes",
        "desk-lectures": "/desk/lectures",
        "desk-lecture": f"/desk/lectures/{centre.lecture_id}",
        "accounts": "/admin/accounts",
        "channels": "/channels",
        "desk-channels": "/desk/channels",
        "instructors": "/instructors",
        "review": "/desk/review",
        "notices": "/notices",
        "notice": f"/notices/{centre.notice_id}",
        "venues": "/venues",
        "films": "/films",
        "desk-venues": "/desk/venues",
        "desk-venue-new": "/desk/venues/new",
        "desk-instructors": "/desk/instructors",
        "desk-instructor-new": "/desk/instructors/new",
        "desk-tasks": "/desk",
        "course-list": "/desk/course-list",
        "orders": "/orders",
        "order-new": "/orders/new",
        "desk-orders": "/desk/orders",
        "webhooks": "/admin/webhooks",
        "contests": "/contests",
        "desk-contests": "/desk/contests",
        "desk-notices": "/desk/notices",
        "desk-notice": f"/desk/notices/{centre.notice_id}",
        "desk-notice-new": "/desk/notices/new",
    }


PUBLIC = {
    "home", "timetable", "class-planned", "class-live", "class-replay", "library", "lecture",
    "series-list", "series", "signin", "not-found",
}  # fmt: skip


@pytest.mark.parametrize("is_elder", [False, True], ids=["standard", "elder"])
@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}px")
async def test_every_page_is_accessible_in_both_sizes_and_versions(
    centre: Centre, browser: Browser, size: tuple[int, int], *, is_elder: bool
) -> None:
    SHOTS.mkdir(parents=True, exist_ok=True)
    problems: list[str] = []
    width, height = size
    for is_signed_in in (False, True):
        context = await browser.new_context(viewport={"width": width, "height": height})
        page = await context.new_page()
        if is_signed_in:
            await _sign_in(page, centre.hall)
        for name, path in _pages(centre).items():
            if (name in PUBLIC) == is_signed_in:
                continue
            errors = PageErrors(page)
            await page.goto(f"{centre.hall.origin}{path}?elder={int(is_elder)}")
            await _settle(page)
            label = f"{name}-{width}{'-elder' if is_elder else ''}"
            await page.screenshot(path=SHOTS / f"{label}.png", full_page=True)
            problems += [f"{label}: {line}" for line in await _judge(page, is_elder=is_elder)]
            problems += [f"{label}: {line}" for line in errors.messages if "404" not in line]
        await context.close()
    assert problems == [], "\n".join(problems)


async def _sign_in(page: Page, hall: Hall) -> None:
    await page.goto(hall.origin + "/signin")
    await page.get_by_label("账号").fill("admin")
    await page.get_by_label("密码", exact=True).fill(ADMIN_PASSWORD)
    await page.locator("main").get_by_role("button", name="登录").click()
    await page.wait_for_url(hall.origin + "/")


async def _settle(page: Page) -> None:
    """The page has its heading and nothing loads any more."""
    await page.locator("h1").first.wait_for()

    async def is_loaded() -> bool:
        return await page.locator("[aria-busy=true], .skeleton").count() == 0

    await eventually(is_loaded, timeout_s=15, message=f"{page.url} keeps loading")
    # Half-faded controls have no contrast to judge: they stay, and nothing fades meanwhile.
    await page.add_style_tag(content="media-controller > * { transition: none !important; }")
    await page.evaluate(KEEP_CONTROLS)


async def _judge(page: Page, *, is_elder: bool) -> list[str]:
    found: list[str] = []
    await page.evaluate(AXE.read_text(encoding="utf-8"))
    for violation in await page.evaluate(RUN_AXE, AXE_TAGS):
        nodes = "; ".join(node["html"][:160] for node in violation["nodes"][:3])
        found.append(f"axe {violation['id']}: {violation['help']}: {nodes}")
    overflow = await page.evaluate(
        "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    if overflow > 0:
        found.append(f"scrolls sideways by {overflow} px")
    body = await page.evaluate("() => parseFloat(getComputedStyle(document.body).fontSize)")
    if body < MIN_BODY_PX[is_elder]:
        found.append(f"body text is {body} px")
    small = await page.evaluate(SMALL_TARGETS, MIN_TARGET_PX[is_elder])
    found += [f"target of {item['h']:.0f} px: {item['what']}" for item in small]
    return found


async def test_every_page_has_its_own_title_and_one_heading(
    centre: Centre, browser: Browser
) -> None:
    page = await browser.new_page()
    titles: dict[str, str] = {}
    for name, path in _pages(centre).items():
        if name not in PUBLIC:
            continue
        await page.goto(centre.hall.origin + path)
        await _settle(page)
        assert await page.locator("h1").count() == 1, name
        titles[name] = await page.title()
        assert re.search("云上讲堂", titles[name]), (name, titles[name])
    shared = {"class-replay", "lecture"}  # The same lesson under two addresses.
    distinct = {title for name, title in titles.items() if name not in shared}
    assert len(distinct) == len(titles) - len(shared)


async def test_a_member_can_do_it_all_by_keyboard(centre: Centre, browser: Browser) -> None:
    page = await browser.new_page()
    await page.goto(centre.hall.origin + "/")
    await _settle(page)
    await page.keyboard.press("Tab")
    skip = await page.evaluate("() => document.activeElement.textContent.trim()")
    assert "跳" in skip, "the first stop is the skip link"
    for _ in range(40):
        await page.keyboard.press("Tab")
        href = await page.evaluate("() => document.activeElement.getAttribute('href') || ''")
        if href == f"/classes/{centre.live_id}":
            break
    else:
        pytest.fail("the live class is not reachable by Tab")
    visible = await page.evaluate(
        "() => getComputedStyle(document.activeElement).outlineStyle !== 'none'"
    )
    assert visible, "focus is visible"
    await page.keyboard.press("Enter")
    await page.wait_for_url(f"**/classes/{centre.live_id}")
    await page.wait_for_function(
        "() => { const v = document.querySelector('video'); return v && v.readyState >= 2; }"
    )
    await page.locator("media-controller").focus()
    await page.keyboard.press("m")
    assert await page.evaluate("() => document.querySelector('video').muted") in (True, False)
