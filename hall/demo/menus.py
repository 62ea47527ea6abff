"""Two menus for two groups, the slot of the home page, a channel that runs, and notices."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from hall.api import HallApi
from hall.demo.people import load_categories
from hall.demo.script import CHANNEL, LESSONS
from hall.demo.slides import SHANGHAI
from kernel.ids import new_id

ALWAYS: Final[dict[str, Any]] = {"audience": {}, "shows_from": None, "shows_until": None}
EVENING_HOUR: Final = 20
TOLD_COUNT: Final = 2  # Lessons with a notice; the drafts of the others wait at the desk.


async def publish_menus(
    api: HallApi, *, series_id: str, link_id: str, lessons: dict[str, str]
) -> dict[str, str]:
    """One menu for new members and one for retired ones; identifiers by title."""
    categories = await load_categories(api)
    founding, turning, staged, audio = (lessons[lesson.title] for lesson in LESSONS)
    plan = {
        "新党员入门菜单": (
            "新党员",
            "从一堂党史课开始",
            (
                (
                    "必修",
                    (_item("series", series_id, is_required=True), _item("lecture", founding)),
                ),
                ("延伸学习", (_item("lecture", turning), _item("lecture", link_id))),
            ),
        ),
        "老党员学习菜单": (
            "退休党员",
            "可以看 也可以只听",
            (
                ("听一听", (_item("lecture", audio, note="不用看屏幕"),)),
                ("看一看", (_item("lecture", staged), _item("lecture", founding))),
            ),
        ),
    }
    ids = {}
    for title, (category, note, sections) in plan.items():
        menu, is_new = await _ensure_menu(api, title)
        ids[title] = str(menu["id"])
        if is_new or menu["state"] == "draft":
            content = {
                **ALWAYS,
                "audience": {"categories": [categories[category]]},
                "title": title,
                "note": note,
                "sections": [_section(name, items) for name, items in sections],
            }
            await _publish(api, ids[title], content)
    return ids


async def _ensure_menu(api: HallApi, title: str) -> tuple[Any, bool]:
    found = await api.call("GET", "/menus/drafts?page_size=100")
    for row in found["items"]:
        if row["title"] == title:
            return row, False
    return await api.call("POST", "/menus", {"title": title}), True


async def _publish(api: HallApi, menu_id: str, content: dict[str, Any]) -> None:
    draft = await api.call("GET", f"/menus/{menu_id}/draft")
    body = {"version": draft["version"], "content": content}
    saved = await api.call("PUT", f"/menus/{menu_id}/draft", body)
    await api.call("POST", f"/menus/{menu_id}/publish", {"version": saved["version"]})


def _section(title: str, items: tuple[dict[str, Any], ...]) -> dict[str, Any]:
    return {**ALWAYS, "id": new_id()[-8:], "title": title, "note": "", "items": list(items)}


def _item(
    kind: str, target_id: str, *, note: str = "", is_required: bool = False
) -> dict[str, Any]:
    return {
        **ALWAYS,
        "id": new_id()[-8:],
        "kind": kind,
        "title": "",
        "note": note,
        "target_id": target_id,
        "url": None,
        "is_required": is_required,
    }


async def recommend(api: HallApi, lecture_id: str, *, now: datetime) -> None:
    """Put a lecture into the slot of the home page, for the next thirty days."""
    found = await api.call("GET", "/recommendations/entries?place=home&page_size=100")
    if any(row["item"]["target_id"] == lecture_id for row in found["items"]):
        return
    until = {"shows_until": (now + timedelta(days=30)).isoformat()}
    item = {**_item("lecture", lecture_id, note="本月推荐"), **until}
    await api.call("POST", "/recommendations/entries", {"place": "home", "item": item})


async def open_channel(api: HallApi, lessons: dict[str, str], *, now: datetime) -> str:
    """A public channel: programmes every evening, the first lesson in between."""
    found = await api.call("GET", "/channels")
    for row in found["items"]:
        if row["title"] == CHANNEL:
            return str(row["id"])
    films = [lessons[lesson.title] for lesson in LESSONS if lesson.slides]
    body = {
        "title": CHANNEL,
        "description": "每晚八点播出党史课 其余时间循环播放第一讲",
        "visibility": "public",
        "filler_id": films[0],
    }
    channel_id = str((await api.call("POST", "/channels", body))["id"])
    evening = now.astimezone(SHANGHAI).replace(hour=EVENING_HOUR, minute=0, second=0, microsecond=0)
    for number, lecture_id in enumerate(films):
        programme = {
            "lecture_id": lecture_id,
            "starts_at": (evening + timedelta(minutes=number)).isoformat(),
            "weekdays": list(range(7)),
        }
        await api.call("POST", f"/channels/{channel_id}/programmes", programme)
    return channel_id


async def publish_notices(api: HallApi, lessons: dict[str, str]) -> None:
    """Send the notices that publishing the first lessons drafted, unless some are out already."""
    published = await api.call("GET", "/notices/drafts?standing=published")
    if published["total"]:
        return
    told = {lessons[lesson.title] for lesson in LESSONS[:TOLD_COUNT]}
    drafts = await api.call("GET", "/notices/drafts?standing=draft&page_size=100")
    for row in drafts["items"]:
        if row["about"] and row["about"]["id"] in told:
            body = {"version": row["version"]}
            await api.call("POST", f"/notices/{row['id']}/publish", body)
