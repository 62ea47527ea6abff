"""The sample centre of `make demo`: filled through the public API, once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import aiohttp
import pytest

from hall.api import HallApi
from hall.demo.centre import furnish
from hall.demo.menus import TOLD_COUNT
from hall.demo.orders import ORDERS
from hall.demo.people import add_accounts
from hall.demo.script import BANNERS, BRANCHES, LESSONS, NAMES, TEACHERS
from hall.sending import Sender
from kernel.config import load_settings
from tests.support.hall import Api, Hall
from tests.support.waiting import eventually
from transcode.settings import find_programs

pytestmark = pytest.mark.timeout(420)


async def test_the_sample_centre_is_believable_and_filled_once(tmp_path: Path) -> None:
    async with Hall(tmp_path) as hall, aiohttp.ClientSession() as session:
        admin = await hall.admin()
        assert admin.token is not None
        api = HallApi(session, hall.origin, token=admin.token)
        passwords = {login: made[1] for login, made in (await add_accounts(api)).items()}
        series = await admin.post("/series", {"title": "党史学习教育"}, expect=201)
        said: list[str] = []
        sender = Sender(session, hall.origin, token=admin.token)

        async def fill() -> None:
            await furnish(
                api,
                sender,
                series_id=series["id"],
                ffmpeg=find_programs(load_settings()).ffmpeg,
                act_as=lambda login: api.act_as(login, passwords[login]),
                say=said.append,
            )

        await fill()
        before = await _count(admin, series["id"])
        assert before["members"] == len(NAMES) + 3  # Three of those who sign in have a unit.
        assert before["branches"] == len(BANNERS) * len(BRANCHES)
        assert before["lectures"] == len(LESSONS) + 1
        assert before["teachers"] == len(TEACHERS)
        assert before["orderable"] == len(TEACHERS) - 1, "one appointment has ended"
        assert before["notices"] == TOLD_COUNT
        assert sorted(before["orders"]) == sorted(state for *_, state in ORDERS)
        await _see_two_menus(admin, passwords)
        await _find_the_moment(admin)
        await _watch_the_channel(admin)
        await fill()
        assert await _count(admin, series["id"]) == before


async def _count(admin: Api, series_id: str) -> dict[str, Any]:
    top = (await admin.get("/org-units"))["items"][0]
    banners = (await admin.get(f"/org-units?parent_id={top['id']}&page_size=100"))["items"]
    branches = 0
    for banner in banners:
        below = (await admin.get(f"/org-units?parent_id={banner['id']}"))["items"]
        branches += sum(committee["children_count"] for committee in below)
    order = (await admin.get(f"/series/{series_id}/lectures"))["lectures"]
    return {
        "members": top["members_count"],
        "branches": branches,
        "lectures": len(order),
        "required": sum(entry["is_required"] for entry in order),
        "teachers": (await admin.get("/instructors"))["total"],
        "orderable": (await admin.get("/instructors?orderable=true"))["total"],
        "venues": (await admin.get("/venues"))["total"],
        "menus": (await admin.get("/menus/drafts"))["total"],
        "notices": (await admin.get("/notices"))["week_count"],
        "slots": (await admin.get("/recommendations/entries?place=home"))["total"],
        "orders": [one["state"] for one in (await admin.get("/orders?scope=desk"))["items"]],
        "channels": len((await admin.get("/channels"))["items"]),
    }


async def _see_two_menus(admin: Api, passwords: dict[str, str]) -> None:
    seen = {}
    for login in ("dangyuan", "tuixiu"):
        member = await admin.sign_in(login, passwords[login])
        seen[login] = {menu["title"] for menu in (await member.get("/menus"))["items"]}
    assert seen == {"dangyuan": {"新党员入门菜单"}, "tuixiu": {"老党员学习菜单"}}
    manager = await admin.sign_in("qiguan", passwords["qiguan"])
    tops = (await manager.get("/org-units"))["items"]
    assert [unit["name"] for unit in tops] == ["准格尔旗"], "a banner sees itself"


async def _find_the_moment(admin: Api) -> None:
    async def find() -> Any:
        found = await admin.get("/search?q=红船精神")
        return [hit for hit in found["items"] if LESSONS[0].title in str(hit)] or None

    await eventually(find, timeout_s=60, message="the captions are not searched")


async def _watch_the_channel(admin: Api) -> None:
    channel = (await admin.get("/channels"))["items"][0]
    status, master = await admin.fetch(channel["playback"]["hls_url"])
    assert status == 200
    names = [line for line in master.decode().splitlines() if line and line[0] != "#"]
    media = channel["playback"]["hls_url"].rpartition("/")[0] + "/" + names[0]
    status, playlist = await admin.fetch(media)
    assert status == 200
    assert "assets/" in playlist.decode(), "between programmes the first lesson runs"
