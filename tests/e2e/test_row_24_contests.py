"""Row 24, contests of films: prepared at the desk, scored blind, ranked, and shown one by one."""

from __future__ import annotations

import asyncio

import pytest
from playwright.async_api import Browser, Page, expect

from kernel.ids import new_id
from tests.e2e.player_pages import PLAYER_READY
from tests.e2e.test_pages import SHOTS, _judge, _recorded, _replay, _settle, _sign_in
from tests.e2e.test_rows_of_the_catalogue import PASSWORD, sign_in
from tests.support.browser import PageErrors
from tests.support.hall import Api, Hall
from tests.support.publisher import publish
from tests.support.waiting import eventually

pytestmark = [pytest.mark.timeout(300), pytest.mark.browser]
FILM_S = 3


async def test_row_24_films_scored_blind_and_shown_in_the_order_of_the_ranking(
    hall: Hall, browser: Browser
) -> None:
    admin = await hall.admin()
    mark = new_id()[-6:]
    titles, entrant = [f"草原红旗{mark}", f"沙海先锋{mark}"], f"东胜区{mark}"
    await asyncio.gather(*(_make_film(hall, admin, title) for title in titles))
    judges = [await _add_member(admin, f"judge{number}{mark}") for number in (1, 2)]
    desk = await browser.new_page(viewport={"width": 1280, "height": 860})
    errors = PageErrors(desk)
    await _sign_in(desk, hall)
    contest_id = await _prepare(desk, hall, titles, judges, entrant=entrant)

    # The other judge has scored already: nothing of it is on this one's page, nor who entered.
    await _score_by_api(hall, judges[1], contest_id, {titles[0]: 71, titles[1]: 93})
    page = await browser.new_page(viewport={"width": 360, "height": 780})
    await _score(page, hall, judges[0], titles, entrant=entrant)
    problems = await _look(page, "judging")

    await desk.reload()
    await expect(desk.get_by_text(f"会员judge1{mark}：已评 2 部")).to_be_visible()
    problems += await _look(desk, "desk-contest")
    await desk.get_by_role("button", name="结束并公布结果").click()
    await desk.get_by_role("button", name="结束并公布结果").click()
    results = desk.locator("section[aria-labelledby=contest-results] > ul > li")
    await expect(results).to_have_count(2)
    await expect(results.first).to_contain_text(titles[1])
    await expect(results.first).to_contain_text("得分 91.50")
    problems += await _look(desk, "desk-contest-results")

    await page.goto(hall.origin + "/contests")
    problems += await _look(page, "contests")
    await page.get_by_role("link", name=f"看展播：评比{mark}").click()
    await page.wait_for_url(f"**/exhibitions/{contest_id}")
    rows = page.locator("section[aria-labelledby=exhibition-list] > ul > li")
    await expect(rows).to_have_count(2)
    await expect(rows.nth(0)).to_contain_text(f"{titles[1]}")
    await expect(rows.nth(0)).to_contain_text("第 1 名")
    await page.locator(PLAYER_READY).wait_for()
    problems += await _look(page, "exhibition")
    assert problems == [], "\n".join(problems)
    # The first one plays to its end, and the second one begins by itself.
    await page.locator(PLAYER_READY).get_by_role("button", name="播放").first.click()
    await expect(rows.nth(1)).to_have_attribute("aria-current", "true", timeout=60_000)
    await expect(page.get_by_role("heading", level=2, name=titles[0])).to_be_visible()
    await page.wait_for_function(
        "() => document.querySelector('media-controller video')?.currentTime > 0.2", timeout=60_000
    )
    errors.check()


async def _make_film(hall: Hall, admin: Api, title: str) -> None:
    """A recorded lesson that is in the film library."""
    made = await admin.make_class(title, visibility="members")
    async with publish(f"{hall.rtmp}/{made['publish']['stream_key']}"):
        await admin.wait_for_state(made["id"], "live")
        await eventually(lambda: _recorded(admin, made["id"], FILM_S), timeout_s=60)
    await admin.post(f"/live-classes/{made['id']}/end")
    lecture_id = await eventually(lambda: _replay(admin, made["id"]), timeout_s=60)
    film = {"film": {"category": "微视频"}}
    status, answer = await admin.request("PATCH", f"/lectures/{lecture_id}", film)
    assert status == 200, answer


async def _add_member(admin: Api, login: str) -> str:
    body = {"login": login, "display_name": f"会员{login}", "role": "member", "password": PASSWORD}
    await admin.post("/accounts", body, expect=201)
    return login


async def _prepare(
    page: Page, hall: Hall, titles: list[str], judges: list[str], *, entrant: str
) -> str:
    await page.goto(hall.origin + "/desk/contests")
    await _settle(page)
    await page.get_by_role("link", name="新建评比").click()
    await page.get_by_label("评比名称").fill(f"评比{titles[0][-6:]}")
    await page.get_by_label("评分开始时间").fill("2020-01-01T08:00")
    await page.get_by_label("评分结束时间").fill("2099-01-01T08:00")
    await page.get_by_role("button", name="保存", exact=True).click()
    await page.wait_for_url(lambda url: "/desk/contests/" in url and not url.endswith("/new"))
    films = page.locator("section[aria-labelledby=contest-films]")
    for title in titles:
        await films.get_by_label("从片库找作品").fill(title)
        await films.get_by_role("button", name="搜索").click()
        await films.get_by_role("button", name=f"加入“{title}”").click()
        await films.get_by_label(f"“{title}”的报送单位").fill(entrant)
    # By keyboard: up and down again, the focus stays with the film.
    last = films.get_by_role("button", name=f"上移“{titles[1]}”")
    await last.focus()
    await page.keyboard.press("Enter")
    await expect(films.locator(".records > li .title").first).to_contain_text(titles[1])
    await expect(films.get_by_role("button", name=f"下移“{titles[1]}”")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(films.locator(".records > li .title").first).to_contain_text(titles[0])
    await films.get_by_role("button", name="保存作品").click()
    await expect(films.get_by_text("已保存")).to_be_visible()
    await page.get_by_label("评委的账号").fill("\n".join(judges))
    await page.get_by_role("button", name="保存评委").click()
    await expect(page.get_by_text(f"会员{judges[1]}：已评 0 部")).to_be_visible()
    await page.get_by_role("button", name="开始评比").click()
    await page.get_by_role("button", name="开始评比").click()
    await expect(page.get_by_text("正在评分")).to_be_visible()
    return page.url.rpartition("/")[2]


async def _score_by_api(hall: Hall, login: str, contest_id: str, points: dict[str, int]) -> None:
    judge = await hall.api().sign_in(login, PASSWORD)
    for film in (await judge.get(f"/judging/{contest_id}"))["films"]:
        body = {"points": {f"c{number}": points[film["title"]] for number in (1, 2, 3)}}
        path = f"/judging/{contest_id}/films/{film['id']}"
        status, answer = await judge.request("PUT", path, body)
        assert status == 200, answer


async def _score(page: Page, hall: Hall, login: str, titles: list[str], *, entrant: str) -> None:
    await sign_in(page, hall, login, then="/judging")
    await page.get_by_role("link", name="开始评分").click()
    points = page.get_by_label("主题内容")
    for number, (title, given) in enumerate(zip(titles, ("70", "90"), strict=True), start=1):
        await page.get_by_role("button", name=f"打分：{title}").click()
        await expect(page.get_by_role("heading", level=2, name=title)).to_be_focused()
        await expect(points).to_have_value("")  # Nobody else's points.
        for name in ("主题内容", "艺术表现", "制作水平"):
            await page.get_by_label(name).fill(given)
        await expect(page.get_by_text(f"合计 {given}.00 分")).to_be_visible()
        text = await page.locator("main").inner_text()
        assert not {"71", "93", entrant} & set(text.split()), text
        assert entrant not in await page.content()
        await page.get_by_role("button", name="保存打分").click()
        await expect(page.get_by_text(f"已评 {number} / 2")).to_be_visible()


async def _look(page: Page, name: str) -> list[str]:
    """The page as it is, normal and 长辈版, judged by axe."""
    SHOTS.mkdir(parents=True, exist_ok=True)
    found: list[str] = []
    await _settle(page)
    width = page.viewport_size["width"] if page.viewport_size else 0
    await page.screenshot(path=SHOTS / f"{name}-{width}.png", full_page=True)
    found += [f"{name}: {line}" for line in await _judge(page, is_elder=False)]
    await page.get_by_role("button", name="长辈版").first.click()
    await _settle(page)
    await page.screenshot(path=SHOTS / f"{name}-{width}-elder.png", full_page=True)
    found += [f"{name}-elder: {line}" for line in await _judge(page, is_elder=True)]
    await page.get_by_role("button", name="标准版").first.click()
    return found
