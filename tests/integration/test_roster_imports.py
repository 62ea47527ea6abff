"""Rosters: dry run, errors per row, confirmation, rights, crash, hostile files, export."""

from __future__ import annotations

import io
import struct
import zipfile
from typing import Any

import pytest
import python_calamine
import xlsxwriter

from tests.support.centre import build_centre
from tests.support.vod import Answer, Vod, database_url, databases, sqlite_url, sqlite_vod, vod
from vod.accounts.roles import Role
from vod.people import runner as runner_module
from vod.people.runner import ImportRunner

__all__ = ["database_url", "databases", "sqlite_url", "sqlite_vod", "vod"]  # Fixtures.

HEADER = ["姓名", "工号", "手机号", "所在党组织", "人员类别", "职务层级"]


def make_xlsx(rows: list[list[Any]], *, header: list[str] | None = None) -> bytes:
    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer, {"in_memory": True}) as book:
        sheet = book.add_worksheet()
        for number, row in enumerate([header or HEADER, *rows]):
            sheet.write_row(number, 0, row)
    return buffer.getvalue()


def make_runner(vod: Vod) -> ImportRunner:
    services = vod.services
    return ImportRunner(services.database, services.blobs, services.clock, services.settings.data)


async def upload(
    vod: Vod, data: bytes, *, token: str | None = None, name: str = "r.xlsx"
) -> Answer:
    return await vod.call(
        "POST",
        "/roster-imports",
        token=token or await vod.token_of(Role.ADMIN),
        params={"filename": name},
        data=io.BytesIO(data),
    )


async def check(vod: Vod, data: bytes, *, token: str | None = None) -> dict[str, Any]:
    """Upload and dry-run a roster; returns the import as it is then."""
    token = token or await vod.token_of(Role.ADMIN)
    made = await upload(vod, data, token=token)
    assert made.status == 201, made.body
    assert await make_runner(vod).run_once()
    shown = await vod.call("GET", f"/roster-imports/{made.body['id']}", token=token)
    body: dict[str, Any] = shown.body
    return body


async def list_errors(vod: Vod, import_id: str, token: str) -> list[tuple[int, str, str]]:
    answer = await vod.call("GET", f"/roster-imports/{import_id}/errors", token=token)
    return [(item["row"], item["column"], item["sentence"]) for item in answer.body["items"]]


async def test_a_roster_is_tried_then_inserts_updates_and_leaves_out_errors(vod: Vod) -> None:
    centre, token = await build_centre(vod), await vod.token_of(Role.ADMIN)
    known = (
        await centre.add_member("旧名", "west branch", staff_no="E1", phone="13800000001")
    ).body
    by_phone = (await centre.add_member("手机识别", "east", phone="13800000002")).body
    rows = [
        ["新名", "E1", "", "", "", "支部书记"],
        ["手机识别", "E2", "13800000002", "", "", ""],
        ["张三丰", 1003, 13800000003.0, "city/east/east branch", "农牧民", ""],
        ["单雄信", "E4", "", " city > west ", "", ""],
        ["", "E5", "", "east", "", ""],
        ["无号", "", "", "east", "", ""],
        ["坏手机", "E6", "12", "east", "", ""],
        ["坏单位", "E7", "", "city/nowhere", "", ""],
        ["坏类别", "E8", "", "east", "什么", ""],
        ["重复", "E4", "", "east", "", ""],
        ["新来的", "E9", "", "", "", ""],
        ["=HYPERLINK(1)", "E10", "", "east", "", ""],
        [],
        ["旧", "E11", "", "east branch", "", ""],
    ]
    checked = await check(vod, make_xlsx(rows))
    assert (checked["state"], checked["rows_count"], checked["rows_done"]) == ("checked", 13, 13)
    assert checked["counts"] == {"inserted": 3, "updated": 2, "unchanged": 0, "failed": 8}
    errors = await list_errors(vod, checked["id"], token)
    assert [(row, column) for row, column, _ in errors] == [
        (6, "姓名"), (7, "工号"), (8, "手机号"), (9, "所在党组织"), (10, "人员类别"),
        (11, "工号"), (12, "所在党组织"), (13, "姓名"),
    ]  # fmt: skip
    assert errors[5][2] == "与第 5 行重复"
    before = await vod.call("GET", "/members", token=token)
    confirmed = await vod.call("POST", f"/roster-imports/{checked['id']}/confirm", token=token)
    assert confirmed.body["state"] == "confirmed"
    again = await vod.call("POST", f"/roster-imports/{checked['id']}/confirm", token=token)
    assert again.status == 409
    assert await make_runner(vod).run_once()
    done = (await vod.call("GET", f"/roster-imports/{checked['id']}", token=token)).body
    assert (done["state"], done["counts"]) == ("done", checked["counts"])
    after = await vod.call("GET", "/members", token=token)
    assert after.body["total"] == before.body["total"] + 3
    first = (await vod.call("GET", f"/members/{known['id']}", token=token)).body
    assert (first["display_name"], first["level"], first["phone"], first["unit"]["name"]) == (
        "新名", "branch_secretary", "13800000001", "west branch",
    )  # fmt: skip
    second = (await vod.call("GET", f"/members/{by_phone['id']}", token=token)).body
    assert second["staff_no"] == "E2"
    new = (await vod.call("GET", "/members?q=zsf", token=token)).body["items"][0]
    assert (new["staff_no"], new["phone"], new["is_activated"]) == ("1003", "138****0003", False)
    # The same file once more changes nothing, and its own file is gone.
    assert (await check(vod, make_xlsx(rows)))["counts"]["unchanged"] == 5
    audit = (await vod.call("GET", "/audit?page_size=100", token=token)).body["items"]
    traces = [item for item in audit if item["action"] in {"member.imported", "member.changed"}]
    assert len(traces) == 5
    assert {item["detail"]["import_id"] for item in traces} == {checked["id"]}


async def test_a_unit_admin_imports_into_the_own_sub_tree_only(sqlite_vod: Vod) -> None:
    centre = await build_centre(sqlite_vod)
    _, east = await centre.sign_in_admin("east.admin", "east")
    await centre.add_member("西边的", "west", staff_no="W1")
    rows = [
        ["东", "N1", "", "east branch", "", ""],
        ["西", "N2", "", "west branch", "", ""],
        ["抢", "W1", "", "east branch", "", ""],
    ]
    checked = await check(sqlite_vod, make_xlsx(rows), token=east)
    assert checked["counts"] == {"inserted": 1, "updated": 0, "unchanged": 0, "failed": 2}
    errors = await list_errors(sqlite_vod, checked["id"], east)
    assert [sentence for _, _, sentence in errors] == [
        "这个党组织不归您管理", "这位学员不属于您管理的组织,不能修改",
    ]  # fmt: skip
    _, west = await centre.sign_in_admin("west.admin", "west")
    for method, path in (
        ("GET", ""), ("GET", "/errors"), ("POST", "/confirm"), ("DELETE", ""),
    ):  # fmt: skip
        url = f"/roster-imports/{checked['id']}{path}"
        assert (await sqlite_vod.call(method, url, token=west)).status == 404
    assert (await sqlite_vod.call("GET", "/roster-imports", token=west)).body["total"] == 0
    # Rights are those of the moment: whoever lost them imports nothing any more.
    confirm = f"/roster-imports/{checked['id']}/confirm"
    assert (await sqlite_vod.call("POST", confirm, token=east)).status == 200
    path = f"/accounts/{checked['created_by']}"
    await sqlite_vod.call("PATCH", path, role=Role.ADMIN, json={"is_disabled": True})
    assert await make_runner(sqlite_vod).run_once()
    path = f"/roster-imports/{checked['id']}"
    failed = (await sqlite_vod.call("GET", path, role=Role.ADMIN)).body
    assert (failed["state"], failed["reason"]) == ("failed", "上传人已没有导入的权限")
    assert (await sqlite_vod.call("GET", "/members?q=N1", role=Role.ADMIN)).body["total"] == 0


async def test_an_import_that_breaks_off_goes_on_behind_its_last_batch(
    sqlite_vod: Vod, monkeypatch: pytest.MonkeyPatch
) -> None:
    await build_centre(sqlite_vod)
    rows = [["员", f"E{index}", "", "east", "", ""] for index in range(1200)]
    checked = await check(sqlite_vod, make_xlsx(rows))
    path = f"/roster-imports/{checked['id']}"
    await sqlite_vod.call("POST", f"{path}/confirm", role=Role.ADMIN)
    written, write = [], runner_module.write_batch

    async def write_two(*arguments: Any, **options: Any) -> None:
        if len(written) == 2:
            raise KeyboardInterrupt
        written.append(1)
        await write(*arguments, **options)

    monkeypatch.setattr(runner_module, "write_batch", write_two)
    with pytest.raises(KeyboardInterrupt):
        await make_runner(sqlite_vod).run_once()
    monkeypatch.undo()
    half = (await sqlite_vod.call("GET", path, role=Role.ADMIN)).body
    assert (half["state"], half["rows_done"]) == ("applying", 1000)
    assert (await sqlite_vod.call("DELETE", path, role=Role.ADMIN)).status == 409
    assert not await make_runner(sqlite_vod).run_once()  # Still claimed by the dead one.
    sqlite_vod.clock.advance(400)
    assert await make_runner(sqlite_vod).run_once()
    done = (await sqlite_vod.call("GET", path, role=Role.ADMIN)).body
    assert (done["state"], done["counts"]["inserted"]) == ("done", 1200)
    listed = await sqlite_vod.call("GET", "/members?q=E", role=Role.ADMIN)
    assert listed.body["total"] >= 1200


def make_bomb() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<x/>")
        with archive.open("xl/worksheets/sheet1.xml", "w") as entry:
            for _ in range(450):
                entry.write(b" " * (1 << 20))
    return buffer.getvalue()


def make_liar() -> bytes:
    """A zip whose folder says 100 bytes where megabytes come out."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", b" " * (8 << 20))
    data = bytearray(buffer.getvalue())
    at = data.rindex(b"PK\x01\x02") + 24
    data[at : at + 4] = struct.pack("<I", 100)
    return bytes(data)


def make_far_cell() -> bytes:
    """Two cells, a world apart: read as a table they are 17 thousand million cells."""
    source = make_xlsx([["甲", "E1", "", "", "", ""]])
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(source)) as old, zipfile.ZipFile(buffer, "w") as new:
        for entry in old.infolist():
            data = old.read(entry)
            if entry.filename.endswith("sheet1.xml"):
                far = b'<row r="1048576"><c r="XFD1048576"><v>1</v></c></row></sheetData>'
                data = data.replace(b"</sheetData>", far)
            new.writestr(entry.filename, data)
    return buffer.getvalue()


HOSTILE = {
    "bomb": (make_bomb, "表格解压后太大,请拆分后再上传"),
    "liar": (make_liar, "xlsx 文件已损坏,请重新保存后上传"),
    "far cell": (make_far_cell, "文件无法读取:行列范围过大,或文件已损坏"),
    "a zip": (lambda: b"PK\x03\x04" + b"x" * 500, "xlsx 文件已损坏,请重新保存后上传"),
    "old xls": (
        lambda: bytes.fromhex("d0cf11e0a1b11ae1") + b"\0" * 600,
        "不支持旧版 xls 或加密的表格,请另存为 xlsx 再上传",
    ),
    "binary": (
        lambda: bytes(range(256)) * 9,
        "文件不是 xlsx 表格,也不是 UTF-8 或 GB18030 编码的 csv",
    ),
    "a million rows": (
        ("姓名,工号\n" + "甲,1\n" * 1_000_000).encode,
        "表格超过 200000 行,请拆分后再上传",
    ),
    "no header": (
        lambda: make_xlsx([["甲"]], header=["列一", "列二"]),
        "前 10 行里没有找到表头,表头要有“姓名”一列,请使用模板",
    ),
    "no key": (lambda: make_xlsx([], header=["姓名"]), "表头要有“工号”或“手机号”一列"),
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_a_hostile_file_fails_with_a_sentence(sqlite_vod: Vod, name: str) -> None:
    make, sentence = HOSTILE[name]
    failed = await check(sqlite_vod, make())
    assert (failed["state"], failed["reason"]) == ("failed", sentence)
    assert [blob.key async for blob in sqlite_vod.services.blobs.list_keys("rosters/")] == []


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
async def test_csv_is_read_in_every_encoding(sqlite_vod: Vod, encoding: str) -> None:
    await build_centre(sqlite_vod)
    text = "全市党员花名册\n姓名,工号,所在党组织\n镕基𠮷,E1,city/east\n"
    if encoding == "utf-8":
        text = text.replace(",", "\t")
    checked = await check(sqlite_vod, text.encode(encoding))
    assert (checked["state"], checked["counts"]["inserted"]) == ("checked", 1), checked
    assert (await sqlite_vod.call(
        "DELETE", f"/roster-imports/{checked['id']}", role=Role.ADMIN
    )).status == 204  # fmt: skip


async def test_an_export_is_masked_text_and_says_who_made_it(sqlite_vod: Vod) -> None:
    vod, centre = sqlite_vod, await build_centre(sqlite_vod)
    _, east = await centre.sign_in_admin("east.admin", "east")
    await centre.add_member("张三丰", "east branch", staff_no="00123456789012345678",
                            phone="13812345678", category="herdsmen")  # fmt: skip
    await centre.add_member("@SUM(1+1)", "east")
    await centre.add_member("别处", "west")
    answer = await vod.call("GET", "/roster", token=east)
    assert answer.status == 200
    assert answer.headers["Content-Type"].endswith("spreadsheetml.sheet")
    book = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(answer.body))
    rows = book.get_sheet_by_name("学员").to_python()
    assert [row[1:6] for row in rows[1:-1]] == [
        ["@SUM(1+1)", "", "", "city / east", ""],
        ["张三丰", "00123456789012345678", "138****5678", "city / east / east branch", "农牧民"],
    ]
    assert rows[-1][:2] == ["合计", "2 人"]
    assert book.get_sheet_by_name("导出说明").to_python()[0] == ["导出人:East.Admin"]
    with zipfile.ZipFile(io.BytesIO(answer.body)) as archive:
        sheet = archive.read("xl/worksheets/sheet2.xml").decode()
    assert "<f>" not in sheet
    assert 'state="frozen"' in sheet
    refused = await vod.call("GET", f"/roster?unit_id={centre.units['west']}", token=east)
    assert refused.status == 403
    template = await vod.call("GET", "/roster/template", token=east)
    book = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(template.body))
    assert book.get_sheet_by_name("学员").to_python()[0] == HEADER
    audit = (await vod.call("GET", "/audit", role=Role.ADMIN)).body["items"]
    noted = next(item for item in audit if item["action"] == "roster.exported")
    assert (noted["detail"]["count"], noted["actor"]["display_name"]) == (2, "East.Admin")
