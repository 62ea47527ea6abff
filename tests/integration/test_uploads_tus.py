"""tus 1.0 at the wire: core, creation, creation-with-upload, expiration, checksum, termination."""

from __future__ import annotations

from datetime import timedelta
from email.utils import parsedate_to_datetime

import pytest

from kernel.layout import upload_key
from tests.support.tus_client import (
    OCTETS,
    TUS,
    checksum,
    create,
    encode_metadata,
    head,
    make_bytes,
    offset_of,
    patch,
    start,
    upload_whole,
)
from tests.support.vod import Vod, database_url, databases, sqlite_url, sqlite_vod, vod
from vod.accounts.roles import Role
from vod.uploads.digest import PART_BYTES
from vod.uploads.sweep import UploadSweeper

__all__ = ["database_url", "databases", "sqlite_url", "sqlite_vod", "vod"]  # Fixtures.


def id_of(path: str) -> str:
    return path.rpartition("/")[2]


async def stored_keys(vod: Vod) -> set[str]:
    return {info.key async for info in vod.services.blobs.list_keys("uploads/")}


async def count_multiparts(vod: Vod) -> int:
    return len([found async for found in vod.services.blobs.list_multiparts("uploads/")])


async def test_a_file_in_one_piece_becomes_a_lecture_with_a_job(vod: Vod) -> None:
    data = make_bytes(300_000)
    shown = await upload_whole(vod, data, filename="党课_第一讲.mp4")
    assert (shown["state"], shown["received_bytes"]) == ("done", len(data))
    assert await vod.services.blobs.get_bytes(upload_key(shown["id"])) == data
    lecture = await vod.call("GET", f"/lectures/{shown['lecture_id']}", role=Role.EDITOR)
    assert lecture.body["title"] == "党课 第一讲"
    assert (lecture.body["state"], lecture.body["visibility"]) == ("processing", "members")
    assert [job["kind"] for job in lecture.body["jobs"]] == ["transcode_upload"]
    jobs = await vod.call("GET", f"/lectures/{shown['lecture_id']}/jobs", role=Role.EDITOR)
    assert [unit["kind"] for unit in jobs.body["items"][0]["units"]] == ["plan_upload"]
    assert await count_multiparts(vod) == 0


async def test_metadata_says_what_the_lecture_is(sqlite_vod: Vod) -> None:
    series = await sqlite_vod.call(
        "POST", "/series", role=Role.EDITOR, json={"title": "党史", "description": ""}
    )
    shown = await upload_whole(
        sqlite_vod, make_bytes(10), filename=r"C:\录像\a.mp4", title="第二讲",
        visibility="public", series_id=series.body["id"], filetype="video/mp4",
    )  # fmt: skip
    assert shown["filename"] == "a.mp4"
    lecture = await sqlite_vod.call("GET", f"/lectures/{shown['lecture_id']}")
    assert lecture.body["title"] == "第二讲"
    assert [series["title"] for series in lecture.body["series"]] == ["党史"]


async def test_options_says_what_the_server_can_do(sqlite_vod: Vod) -> None:
    for path in ("/uploads", "/uploads/00000000000000000000"):
        answer = await sqlite_vod.call("OPTIONS", path)
        assert answer.status == 204
        assert answer.headers["Tus-Version"] == "1.0.0"
        assert set(answer.headers["Tus-Extension"].split(",")) == {
            "creation", "creation-with-upload", "expiration", "checksum", "termination",
        }  # fmt: skip
        assert answer.headers["Tus-Max-Size"] == str(16 * 2**30)
        assert answer.headers["Tus-Checksum-Algorithm"] == "sha1,sha256"


async def test_every_answer_names_the_protocol_and_others_are_refused(sqlite_vod: Vod) -> None:
    path = await start(sqlite_vod, 10)
    for method, place in (("POST", "/uploads"), ("HEAD", path), ("PATCH", path), ("DELETE", path)):
        for version in ({}, {"Tus-Resumable": "0.2.2"}):
            answer = await sqlite_vod.call(method, place, role=Role.EDITOR, headers=version)
            assert answer.status == 412, (method, place)
            assert answer.headers["Tus-Resumable"] == "1.0.0"
            assert answer.headers["Tus-Version"] == "1.0.0"
    for answer in (
        await sqlite_vod.call("POST", "/uploads", headers=TUS),
        await sqlite_vod.call("PATCH", "/uploads/nowhere", role=Role.EDITOR, headers=TUS),
        await sqlite_vod.call("POST", "/uploads", role=Role.MEMBER, headers=TUS),
        await sqlite_vod.call("TRACE", "/uploads", role=Role.EDITOR, headers=TUS),
        await sqlite_vod.call("POST", "/uploads", token="forged", headers=TUS),
    ):
        assert answer.status >= 400
        assert answer.headers["Tus-Resumable"] == "1.0.0"


async def test_head_tells_the_offset_and_is_never_cached(sqlite_vod: Vod) -> None:
    path = await start(sqlite_vod, 100, filename="讲.mp4", custom="x")
    await patch(sqlite_vod, path, 0, make_bytes(30))
    answer = await head(sqlite_vod, path)
    assert answer.status == 200
    assert (answer.headers["Upload-Offset"], answer.headers["Upload-Length"]) == ("30", "100")
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Upload-Metadata"] == encode_metadata(filename="讲.mp4", custom="x")
    expires = parsedate_to_datetime(answer.headers["Upload-Expires"])
    assert expires == sqlite_vod.clock.now().replace(microsecond=0) + timedelta(hours=48)
    assert (await head(sqlite_vod, "/uploads/" + "0" * 20)).status == 404


async def test_pieces_of_any_size_make_the_same_file(vod: Vod) -> None:
    """Across parts, tails and merged tails; the object is what was sent."""
    data = make_bytes(PART_BYTES + 700_000, seed=3)
    path, offset = await start(vod, len(data)), 0
    sizes = [1, 65_537, 0, *[20_000] * 20, PART_BYTES - 400_000, 300_000]
    for size_bytes in sizes:
        piece = data[offset : offset + size_bytes]
        answer = await patch(vod, path, offset, piece)
        assert answer.status == 204, answer.body
        offset += len(piece)
        assert int(answer.headers["Upload-Offset"]) == offset == await offset_of(vod, path)
    answer = await patch(vod, path, offset, data[offset:])
    assert answer.status == 204
    assert await vod.services.blobs.get_bytes(upload_key(id_of(path))) == data
    assert await stored_keys(vod) == {upload_key(id_of(path))}  # No tail stays behind.


async def test_a_wrong_offset_is_409_and_changes_nothing(sqlite_vod: Vod) -> None:
    path = await start(sqlite_vod, 100)
    await patch(sqlite_vod, path, 0, make_bytes(40))
    for wrong in (0, 39, 41, 100):
        answer = await patch(sqlite_vod, path, wrong, b"x")
        assert answer.status == 409
    assert await offset_of(sqlite_vod, path) == 40
    assert (await patch(sqlite_vod, path, 40, make_bytes(60))).status == 204
    assert (await patch(sqlite_vod, path, 100, b"")).status == 409  # It is a lecture by now.


@pytest.mark.parametrize("offset", ["", "-1", "x", "1.5", "9" * 30])
async def test_an_offset_that_is_no_number_is_400(sqlite_vod: Vod, offset: str) -> None:
    path = await start(sqlite_vod, 10)
    answer = await patch(sqlite_vod, path, 0, b"x", Upload_Offset=offset)
    assert answer.status == 400


async def test_more_than_the_file_has_is_413(sqlite_vod: Vod) -> None:
    path = await start(sqlite_vod, 10)
    assert (await patch(sqlite_vod, path, 0, b"x" * 11)).status == 413

    async def unknown_length():
        for _ in range(20):
            yield b"x"

    assert (await patch(sqlite_vod, path, 0, unknown_length())).status == 413
    assert await offset_of(sqlite_vod, path) == 0


async def test_the_body_must_be_of_its_type(sqlite_vod: Vod) -> None:
    path = await start(sqlite_vod, 10)
    answer = await patch(sqlite_vod, path, 0, b"x", Content_Type="application/octet-stream")
    assert answer.status == 415


@pytest.mark.parametrize(
    ("headers", "status", "title"),
    [
        ({"Upload-Length": ""}, 400, "有误"),
        ({"Upload-Length": "-5"}, 400, "有误"),
        ({"Upload-Length": "0"}, 400, "文件是空的"),
        ({"Upload-Length": str(16 * 2**30 + 1)}, 413, "最大可上传 16 GB"),
        ({"Upload-Metadata": ""}, 400, "有误"),
        ({"Upload-Metadata": "filename !!!"}, 400, "有误"),
        ({"Upload-Metadata": "filename YQ==,filename Yg=="}, 400, "有误"),
        ({"Upload-Metadata": "filename /w=="}, 400, "有误"),
        ({"Upload-Metadata": encode_metadata(filename="a", visibility="all")}, 400, "有误"),
        ({"Upload-Metadata": encode_metadata(filename="a", series_id="0" * 20)}, 422, "有误"),
        ({"Upload-Metadata": encode_metadata(filename="a", lecture_id="0" * 20)}, 404, "没有"),
    ],
)
async def test_a_bad_request_makes_nothing(
    sqlite_vod: Vod, headers: dict[str, str], status: int, title: str
) -> None:
    answer = await create(sqlite_vod, 10, headers=headers)
    assert (answer.status, title in answer.body["title"]) == (status, True), answer.body
    assert await count_multiparts(sqlite_vod) == 0
    listed = await sqlite_vod.call("GET", "/uploads", role=Role.EDITOR)
    assert listed.body["total"] == 0


async def test_the_first_bytes_may_come_with_the_creation(sqlite_vod: Vod) -> None:
    data = make_bytes(50)
    answer = await create(sqlite_vod, 50, body=data[:20])
    assert (answer.status, answer.headers["Upload-Offset"]) == (201, "20")
    path = answer.headers["Location"]
    assert (await patch(sqlite_vod, path, 20, data[20:])).status == 204
    assert await sqlite_vod.services.blobs.get_bytes(upload_key(id_of(path))) == data
    whole = await create(sqlite_vod, 5, body=b"whole", filename="b")
    assert (whole.status, whole.headers["Upload-Offset"]) == (201, "5")


@pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
async def test_a_checksum_that_fits_passes(sqlite_vod: Vod, algorithm: str) -> None:
    data = make_bytes(1000)
    path = await start(sqlite_vod, len(data))
    answer = await patch(sqlite_vod, path, 0, data, Upload_Checksum=checksum(data, algorithm))
    assert answer.status == 204


async def test_of_a_body_with_a_wrong_checksum_nothing_is_kept(vod: Vod) -> None:
    data = make_bytes(PART_BYTES + 1000)  # A part was stored already when the mismatch is seen.
    path = await start(vod, len(data) + 500)
    await patch(vod, path, 0, b"x" * 500)
    broken = bytearray(data)
    broken[100] ^= 1
    answer = await patch(vod, path, 500, bytes(broken), Upload_Checksum=checksum(data))
    assert (answer.status, answer.headers["Tus-Resumable"]) == (460, "1.0.0")
    assert await offset_of(vod, path) == 500
    answer = await patch(vod, path, 500, data, Upload_Checksum=checksum(data))
    assert answer.status == 204
    assert await vod.services.blobs.get_bytes(upload_key(id_of(path))) == b"x" * 500 + data


@pytest.mark.parametrize("value", ["md5 AAAA", "sha256", "sha256 !!", "sha1 AAAA", ""])
async def test_a_checksum_we_cannot_read_is_400(sqlite_vod: Vod, value: str) -> None:
    path = await start(sqlite_vod, 10)
    assert (await patch(sqlite_vod, path, 0, b"x", Upload_Checksum=value)).status == 400
    assert await offset_of(sqlite_vod, path) == 0


async def test_what_is_cancelled_is_gone(vod: Vod) -> None:
    path = await start(vod, PART_BYTES + 100)
    await patch(vod, path, 0, make_bytes(PART_BYTES + 50))
    assert await count_multiparts(vod) == 1
    answer = await vod.call("DELETE", path, role=Role.EDITOR, headers=TUS)
    assert answer.status == 204
    assert (await head(vod, path)).status == 404
    assert (await patch(vod, path, PART_BYTES + 50, b"x")).status == 404
    assert (await stored_keys(vod), await count_multiparts(vod)) == (set(), 0)


async def test_a_lecture_s_file_cannot_be_cancelled(sqlite_vod: Vod) -> None:
    shown = await upload_whole(sqlite_vod, make_bytes(10))
    path = f"/uploads/{shown['id']}"
    answer = await sqlite_vod.call("DELETE", path, role=Role.EDITOR, headers=TUS)
    assert answer.status == 409
    assert await sqlite_vod.services.blobs.get_bytes(upload_key(shown["id"])) == make_bytes(10)


async def test_an_abandoned_upload_expires_and_leaves_nothing(vod: Vod) -> None:
    sweeper = UploadSweeper(vod.services.uploads)
    path = await start(vod, PART_BYTES + 100)
    await patch(vod, path, 0, make_bytes(PART_BYTES + 50))
    vod.clock.advance(47 * 3600)
    await sweeper.sweep_once()
    await patch(vod, path, PART_BYTES + 50, b"x")  # Whoever goes on has all the time again.
    vod.clock.advance(47 * 3600)
    await sweeper.sweep_once()
    assert await offset_of(vod, path) == PART_BYTES + 51
    vod.clock.advance(2 * 3600)
    await sweeper.sweep_once()
    assert (await head(vod, path)).status == 410
    assert (await patch(vod, path, PART_BYTES + 51, b"x")).status == 410
    assert (await stored_keys(vod), await count_multiparts(vod)) == (set(), 0)
    shown = (await vod.call("GET", path, role=Role.EDITOR)).body
    assert (shown["state"], "48 小时" in shown["reason"]) == ("expired", True)
    vod.clock.advance(31 * 24 * 3600)
    await sweeper.sweep_once()
    token = (await vod.sign_in("editor")).body["token"]  # Even the session is over by now.
    assert (await vod.call("GET", path, token=token)).status == 404


async def test_others_do_not_see_an_upload_but_administrators_do(sqlite_vod: Vod) -> None:
    path = await start(sqlite_vod, 10, role=Role.INSTRUCTOR)
    assert (await head(sqlite_vod, path)).status == 404
    assert (await patch(sqlite_vod, path, 0, b"x")).status == 404
    assert (await sqlite_vod.call("DELETE", path, role=Role.EDITOR, headers=TUS)).status == 404
    listed = await sqlite_vod.call("GET", "/uploads", role=Role.EDITOR)
    assert listed.body["total"] == 0
    listed = await sqlite_vod.call("GET", "/uploads?state=receiving", role=Role.ADMIN)
    assert [row["id"] for row in listed.body["items"]] == [id_of(path)]
    for role, status in ((None, 401), (Role.MEMBER, 403), (Role.UNIT_ADMIN, 403)):
        assert (await create(sqlite_vod, 10, role=role)).status == status
        assert (await sqlite_vod.call("GET", "/uploads", role=role)).status == status
        assert (await sqlite_vod.call("GET", "/uploads/limits", role=role)).status == status


async def test_a_cookie_needs_its_csrf_token(sqlite_vod: Vod) -> None:
    await sqlite_vod.add_account("ed", Role.EDITOR)
    signed_in = await sqlite_vod.sign_in("ed")
    cookie = {"Cookie": f"hall_session={signed_in.cookies['hall_session'].value}"}
    assert (await create(sqlite_vod, 10, role=None, headers=cookie)).status == 403
    both = {**cookie, "X-CSRF-Token": signed_in.body["csrf_token"]}
    assert (await create(sqlite_vod, 10, role=None, headers=both)).status == 201


async def test_other_methods_may_be_written_into_a_header(sqlite_vod: Vod) -> None:
    path = await start(sqlite_vod, 10)
    sent = {
        **TUS, "X-HTTP-Method-Override": "PATCH", "Content-Type": OCTETS, "Upload-Offset": "0",
    }  # fmt: skip
    answer = await sqlite_vod.call("POST", path, role=Role.EDITOR, headers=sent, data=b"12345")
    assert (answer.status, answer.headers["Upload-Offset"]) == (204, "5")
    sent["X-HTTP-Method-Override"] = "DELETE"
    assert (await sqlite_vod.call("POST", path, role=Role.EDITOR, headers=sent)).status == 204
    assert (await sqlite_vod.call("POST", path, role=Role.EDITOR, headers=TUS)).status == 405
