"""The course list over HTTP: idempotent, a dry run that writes nothing, hostile files."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import pytest

from tests.integration.test_library_api import act, make
from tests.support.vod import Vod, database_url, databases, sqlite_url, sqlite_vod, vod
from vod.accounts.roles import Role
from vod.courselist.files import write_xlsx_blocking

__all__ = ["database_url", "databases", "sqlite_url", "sqlite_vod", "vod"]  # Fixtures.

LIST = """编号,标题,类型,网址,来源,许可,学时,标签,老师,专题,可见范围
G-1,党章第一讲,链接,https://www.example.org/1,共产党员网,仅供学习,0.5,党章、公开课,其其格,党史学习教育,公开
G-2,支部工作条例,资料,,市委组织部,,1,,,,
G-3,没有网址的链接,链接,,,,,,,,
G-4,老师不对,资料,,,,,,谁也不是,,
G-1,又是一号,资料,,,,,,,,
,没有编号,资料,,,,,,,,
"""


async def send(vod: Vod, data: bytes | str, *, dry_run: bool = False) -> dict[str, Any]:
    answer = await vod.call(
        "POST", "/course-list", role=Role.EDITOR,
        params={"dry_run": str(dry_run).lower()},
        data=data.encode() if isinstance(data, str) else data,
    )  # fmt: skip
    assert answer.status == 200, answer.body
    return dict(answer.body)


def count(outcome: dict[str, Any]) -> tuple[int, int, int, int]:
    names = ("inserted", "updated", "unchanged", "failed")
    one, two, three, four = (outcome[f"{name}_count"] for name in names)
    return one, two, three, four


async def find(vod: Vod, title: str) -> list[dict[str, Any]]:
    found = await vod.call("GET", "/lectures", role=Role.EDITOR, params={"q": title})
    return list(found.body["items"])


async def test_a_list_comes_in_once_however_often_it_is_sent(vod: Vod) -> None:
    await make(vod, "/instructors", {"name": "其其格"})
    await make(vod, "/series", {"title": "党史学习教育"})
    dry = await send(vod, LIST, dry_run=True)
    assert (count(dry), dry["is_dry_run"], dry["rows_count"]) == ((2, 0, 0, 4), True, 6)
    assert await find(vod, "党章第一讲") == []
    told = {(one["row"], one["column"]) for one in dry["errors"]}
    assert told == {(4, "网址"), (5, "老师"), (6, "编号"), (7, "编号")}

    assert count(await send(vod, LIST)) == (2, 0, 0, 4)
    assert count(await send(vod, LIST)) == (0, 0, 2, 4)
    (made,) = await find(vod, "党章第一讲")
    assert (made["kind"], made["publication"], made["visibility"]) == ("link", "draft", "public")
    assert (made["source_label"], made["licence"], made["hours"]) == ("共产党员网", "仅供学习", 0.5)
    assert sorted(made["tags"]) == ["党章", "公开课"]
    assert [one["name"] for one in made["instructors"]] == ["其其格"]
    assert [one["title"] for one in made["series"]] == ["党史学习教育"]

    changed = LIST.replace("党章第一讲", "党章第一讲（新）")
    assert count(await send(vod, changed)) == (0, 1, 1, 4)
    (after,) = await find(vod, "党章第一讲")
    assert (after["id"], after["title"]) == (made["id"], "党章第一讲（新）")
    assert after["version"] > made["version"]


@pytest.mark.parametrize("kind", ["xlsx", "csv", "json"])
async def test_what_is_exported_comes_back_unchanged(sqlite_vod: Vod, kind: str) -> None:
    vod = sqlite_vod
    await make(vod, "/instructors", {"name": "其其格"})
    await make(vod, "/series", {"title": "党史学习教育"})
    await send(vod, LIST)
    plain = await make(vod, "/lectures", {"title": "=没有编号的", "kind": "document"})
    assert (await act(vod, plain["id"], "publish")).status == 200
    exported = (
        await vod.call("GET", "/course-list", role=Role.EDITOR, params={"format": kind})
    ).body
    if kind == "json":
        exported = json.dumps(exported)
    assert count(await send(vod, exported)) == (0, 0, 3, 0)


@pytest.mark.parametrize("name", ["bomb", "broken", "binary", "rows", "empty-sheet", "deep"])
async def test_hostile_files_are_refused_in_words(sqlite_vod: Vod, name: str) -> None:
    bodies = {
        "bomb": _build_bomb(),
        "broken": write_xlsx_blocking([{"external_id": "1", "title": "a"}])[:-200],
        "binary": bytes(range(256)) * 64,
        "rows": ("编号,标题\n" + "1,a\n" * 5_000).encode(),
        "empty-sheet": write_xlsx_blocking([]),
        "deep": b"[" * 1_000_000,
    }
    answer = await sqlite_vod.call(
        "POST", "/course-list", role=Role.EDITOR, data=bodies[name], params={"dry_run": "false"}
    )
    assert answer.status == 422, answer.body
    assert any("\u4e00" <= char <= "\u9fff" for char in answer.body["title"])
    assert await find(sqlite_vod, "a") == []


async def test_html_and_formulas_in_cells_are_text(sqlite_vod: Vod) -> None:
    rows = [{
        "external_id": "=cmd()", "title": "<script>x</script>", "kind": "资料",
        "description": "<b>粗</b>",
    }]  # fmt: skip
    outcome = await send(sqlite_vod, json.dumps(rows))
    assert count(outcome) == (1, 0, 0, 0)
    (made,) = await find(sqlite_vod, "script")
    assert (made["external_id"], made["description"]) == ("=cmd()", "<b>粗</b>")


async def test_the_desk_says_what_is_to_do_and_nobody_elses(vod: Vod) -> None:
    await send(vod, "编号,标题,类型,复核日期\n1,要复核的,资料,2001-01-01\n2,草稿,资料,\n")
    (old,) = await find(vod, "要复核的")
    assert (await act(vod, old["id"], "publish")).status == 200
    answer = await vod.call("GET", "/desk/tasks", role=Role.EDITOR)
    tasks = {one["kind"]: one for one in answer.body["items"]}
    assert tasks["lectures_draft"]["count"] == 1
    assert [one["title"] for one in tasks["lectures_obsolete"]["first"]] == ["要复核的"]
    assert [one["title"] for one in tasks["lectures_bare"]["first"]] == ["要复核的"]
    assert "lectures_silent" not in tasks, "papers need no captions"
    assert "notices_draft" in tasks
    member = await vod.call("GET", "/desk/tasks", role=Role.MEMBER)
    assert member.body["items"] == []
    wish = await make(vod, "/orders", {"kind": "wish", "title": "宪法"})
    teacher_id = await vod.add_account("teacher", Role.INSTRUCTOR)
    for role, kind in ((Role.EDITOR, "orders_new"), (Role.ADMIN, "orders_new")):
        seen = (await vod.call("GET", "/desk/tasks", role=role)).body["items"]
        assert kind in {one["kind"] for one in seen}
    body = {"version": 1, "move": "assign", "assignee_id": teacher_id}
    moved = await vod.call("POST", f"/orders/{wish['id']}/moves", role=Role.EDITOR, json=body)
    assert moved.status == 200, moved.body
    token = (await vod.sign_in("teacher")).body["token"]
    mine = (await vod.call("GET", "/desk/tasks", token=token)).body["items"]
    assert [(one["kind"], one["count"]) for one in mine] == [("orders_assigned", 1)]


def _build_bomb() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        for number in range(9):
            archive.writestr(f"xl/{number}.xml", b"0" * (50 << 20))
    return out.getvalue()
