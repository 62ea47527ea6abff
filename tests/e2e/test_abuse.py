"""Strangers and careless people against a running hall: a clear answer, nothing lost, nobody in."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import sys
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import m3u8
import pytest

from kernel.ids import new_id
from tests.support import rtmp_client as wire
from tests.support.hall import ADMIN_PASSWORD, Api, Hall
from tests.support.publisher import publish
from tests.support.raw_http import build_request, send_raw
from tests.support.rtmp_client import RtmpClient
from tests.support.shared_hall import SharedHall
from tests.support.waiting import eventually, measure_crowding_blocking
from vod.playback.signing import SignedPath, sign_path

pytestmark = [pytest.mark.timeout(240)]
PASSWORD = "a long enough password"
API = b"/api/v1"
MEMORY_GROWTH_BYTES = 40 * 1024 * 1024
GUESSES = 10_000
HARMLESS = ("query", "classes", "octal", "forged", "long header", "host", "method b'OPTIONS'")


@pytest.fixture(scope="module")
def besieged_halls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SharedHall]:
    shared = SharedHall(tmp_path_factory.mktemp("besieged"))
    yield shared
    shared.close_blocking()


@pytest.fixture
async def besieged(besieged_halls: SharedHall) -> AsyncIterator[tuple[Hall, Api]]:
    """A hall that nobody else sees, where the administrator stays signed in whatever happens."""
    async with besieged_halls.lend() as hall:
        token = besieged_halls.notes.get("token") or (await hall.admin()).token
        besieged_halls.notes["token"] = token
        yield hall, hall.api(token)


async def _recorded_s(api: Api, class_id: str) -> float:
    found = await api.get(f"/live-classes/{class_id}")
    assert found["state"] == "live", "the class went on"
    return float(found["recording"]["recorded_s"]) if found["recording"] else 0.0


async def _wait_recorded(api: Api, class_id: str, seconds: float) -> None:
    async def is_enough() -> bool:
        return await _recorded_s(api, class_id) >= seconds

    await eventually(is_enough, timeout_s=40, message=f"not {seconds} s recorded")


async def _with_replay(api: Api, class_id: str) -> Any:
    found = await api.get(f"/live-classes/{class_id}")
    return found if found["replay"] and found["replay"]["playback"] else None


async def _end(api: Api, class_id: str) -> Any:
    await api.post(f"/live-classes/{class_id}/end")
    return await eventually(lambda: _with_replay(api, class_id), timeout_s=60)


async def _lecture_in(api: Api, lecture_id: str, state: str) -> Any:
    found = await api.get(f"/lectures/{lecture_id}")
    assert found["state"] != "failed", found
    return found if found["state"] == state else None


async def _playlist(api: Api, url: str) -> m3u8.M3U8:
    status, body = await api.fetch(url)
    assert status == 200, url
    return m3u8.loads(body.decode(), uri=url)


async def _account(hall: Hall, admin: Api, login: str, role: str) -> tuple[str, Api]:
    body = {"login": login, "display_name": login, "role": role, "password": PASSWORD}
    made = await admin.post("/accounts", body, expect=201)
    return made["id"], await hall.api().sign_in(login, PASSWORD)


# -- Requests that are none --------------------------------------------------------------------


def _bad_requests(class_id: bytes, admin: bytes, whip: bytes) -> dict[str, bytes]:
    """Name -> bytes. Every one must be answered with a 4xx, or with 200 where it does no harm."""
    mine = b"Authorization: Bearer " + admin + b"\r\n"
    token = b"Authorization: Bearer " + whip + b"\r\n"
    sign_in, one = API + b"/session", API + b"/live-classes/" + class_id
    offer, sdp = b"/whip/" + class_id, b"application/sdp"

    def post(path: bytes, body: bytes, **options: Any) -> bytes:
        return build_request(b"POST", path, body, **options)

    def get(path: bytes, **options: Any) -> bytes:
        return build_request(b"GET", path, **options)

    def patch(body: bytes) -> bytes:
        return build_request(b"PATCH", one, body, more=mine)

    bodies = {
        "deep list": b"[" * 100_000,
        "deep value": b'{"login":' + b"[" * 50_000 + b"]" * 50_000 + b"}",
        "not utf-8": b'{"login":"\xff\xfe","password":"x"}',
        "nul": b'{"login":"\\u0000","password":"\\u0000xx"}',
        "lone surrogate": b'{"login":"admin","password":"\\ud800xxxx"}',
        "300 kB": b'{"login":"' + b"a" * 300_000 + b'"}',
        "2 MB": b'{"login":"' + b"a" * 2_000_000 + b'"}',
        "nothing": b"",
    }
    made = {f"body: {name}": post(sign_in, body) for name, body in bodies.items()}
    for name in (b"gzip", b"deflate", b"br", b"zstd", b"nonsense"):
        coding = b"Content-Encoding: " + name + b"\r\n"
        made[f"body: {name.decode()}"] = post(sign_in, b"not that", more=coding)
        made[f"offer: {name.decode()}"] = post(
            offer, b"not that", content_type=sdp, more=token + coding
        )
    changes = [
        b"null", b"[]", b'{"title":' + b"9" * 5000 + b"}", b'{"title":NaN}',
        b'{"title":"a\\u0000"}',
        b'{"starts_at":1e300}', b'{"starts_at":"9999-12-31T23:59:59-23:59"}',
        b'{"series_id":"%b"}' % (b"0" * 20), b'{"instructor_id":"%b"}' % (b"0" * 20),
        b'{"title":"\\udfff"}', b'{"unknown":1}',
    ]  # fmt: skip
    made |= {f"change {number}": patch(body) for number, body in enumerate(changes)}
    queries = [
        b"page=" + b"9" * 30, b"page=-1", b"page=0", b"page=nan", b"page=%D9%A1", b"page_size=1000",
        b"page=100000&page_size=100", b"q=" + b"a" * 7000, b"q=" + b"a" * 100_000, b"q=a&" * 2000,
        b"q=%FF%FE", b"q=%00", b"q=%ZZ%", b"q=\xff\xfe", b"q=%25%5F%5C", b"q=%ED%A0%80",
        b"series_id=%ED%A0%80", b"state=zzz",
    ]  # fmt: skip
    made |= {f"query {q[:20]!r}": get(API + b"/lectures?" + q) for q in queries}
    made |= {f"classes {q[:20]!r}": get(API + b"/live-classes?" + q) for q in queries}
    names = [
        b"-1", b"%00", b"%FF", b"a" * 5000, b"0" * 20 + b"%0A", b"\xff\xfe", b"..%2f", b"%2e%2e",
        "\u0661".encode() * 20, b"%D9%A1" * 20, b"'%20or%201=1--", b"%ED%A0%80", b"0" * 20,
    ]  # fmt: skip
    for place in (b"/lectures/", b"/live-classes/", b"/series/", b"/accounts/"):
        made |= {f"{place!r}{n[:9]!r}": get(API + place + n, more=mine) for n in names}
    for place in (b"/live/", b"/media/", b"/whep/", b"/signed/"):
        made |= {f"{place!r}{n[:9]!r}": get(place + n + b"/index.m3u8") for n in names}
    made |= {f"whip {n[:9]!r}": post(b"/whip/" + n, b"v=0", content_type=sdp) for n in names}
    made |= {
        f"path {path!r}": get(path)
        for path in (
            b"/internal/ready", b"//internal/ready", b"/api/../internal/ready", b"/_auth",
            b"/api/..%2finternal/authorize", b"/live/../internal/ready", b"/whip/../internal/ready",
            b"/whip/..%2f..%2finternal/ready", b"/metrics", b"/../../etc/passwd",
            b"/%2e%2e/%2e%2e/etc/passwd", b"/assets/..%2f..%2fpackage.json", b"/%00",
            b"/live/a/../../internal/ready", b"/media/a/assets/%2e%2e/x", b"/api/v2/home",
        )
    }  # fmt: skip
    headers = {
        "huge header": b"X-A: " + b"a" * 20_000, "long header": b"X-A: " + b"a" * 8100,
        "long cookie": b"Cookie: hall_session=" + b"a" * 9000,
        "many headers": b"\r\n".join(b"X-%d: a" % number for number in range(300)),
        "cookie junk": b'Cookie: hall_session="\\303"; =; ;;\x01; hall_viewer=\xff\xfe',
        "octal cookie": b'Cookie: hall_viewer="\\000\\012"',
        "8 bit bearer": b"Authorization: Bearer \xff\xfe", "no bearer": b"Authorization: Bearer",
        "forged host": b"X-Forwarded-Host: evil.example\r\nX-Forwarded-Proto: javascript",
    }  # fmt: skip
    made |= {name: get(API + b"/session", more=line + b"\r\n") for name, line in headers.items()}
    for host in (b"[::::]:1", b"[12:34.5]", b'a"<b>', b"a:99999", b""):
        made[f"host {host!r}"] = get(one + b"/publish", host=host, more=mine)
    for method in (b"FOO", b"TRACE", b"CONNECT", b"OPTIONS", b"PUT", b"PROPFIND", b"get"):
        made[f"method {method!r}"] = build_request(method, API + b"/home")
        made[f"method {method!r} of whip"] = build_request(method, offer)
    offers = [
        b"\xff\xfe\x00", b"v=0\r\n", b"v=0\r\no=\x00\r\nm=video\r\n", b"",
        b"v=0\r\n" + b"a=x:" * 50_000,
        b"v=0\r\n" + b"m=video 9 UDP/TLS/RTP/SAVPF 96\r\n" * 3000, b"v=0\r\na=x:" + b"y" * 300_000,
        b"v=0\r\no=- 1 1 IN IP4 0\r\ns=-\r\nm=video " + b"9" * 20 + b" UDP/TLS/RTP/SAVPF 96\r\n",
    ]  # fmt: skip
    made |= {
        f"offer {number}": post(offer, body, content_type=sdp, more=token)
        for number, body in enumerate(offers)
    }
    made["offer: text"] = post(offer, b"v=0\r\n", content_type=b"text/plain", more=token)
    made["garbage"] = b"\x00\xff\xfe garbage\r\n\r\n"
    made["tls"] = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"a" * 100 + b"\r\n\r\n"
    made["bad chunk"] = (
        b"POST /api/v1/session HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
        b"Content-Type: application/json\r\nConnection: close\r\n\r\nZZ\r\n\r\n"
    )
    made["two lengths"] = (
        b"POST /api/v1/session HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
        b"Content-Length: 5\r\nConnection: close\r\n\r\n0\r\n\r\n"
    )
    return made


async def test_bad_requests_are_refused_in_words_and_leave_no_traceback(hall: Hall) -> None:
    logged_count = len(hall.log_path.read_text(encoding="utf-8"))
    admin = await hall.admin()
    made = await admin.make_class()
    token = admin.headers["Authorization"].split()[1]
    whip = made["publish"]["whip_token"]
    wrong = {}
    for name, data in _bad_requests(made["id"].encode(), token.encode(), whip.encode()).items():
        answer = await send_raw(hall.http_port, data)
        is_ours = answer.content_type.startswith(("application/problem+json", "application/json"))
        is_of_the_gate = answer.content_type == "text/html"
        is_page = answer.status == 200 and answer.text.startswith("<!doctype html>")
        is_empty = answer.status == 204
        is_harmless = is_page or (answer.status in (200, 204) and name.startswith(HARMLESS))
        if not (is_ours or is_of_the_gate or is_empty) or not (
            is_harmless or 400 <= answer.status < 500
        ):
            wrong[name] = answer
        assert "root:" not in answer.text, name
        assert "evil.example" not in answer.text, name
    log = hall.log_path.read_text(encoding="utf-8")[logged_count:]
    assert not wrong, "\n".join(f"{name}: {answer}" for name, answer in wrong.items())
    for word in ("Traceback", "request_crashed", token, whip, ADMIN_PASSWORD):
        assert word not in log, word
    assert made["publish"]["stream_key"] not in log


# -- Floods ------------------------------------------------------------------------------------


async def _open_many(
    stack: contextlib.AsyncExitStack, port: int, count: int, data: bytes = b""
) -> None:
    for number in range(count):
        # Several addresses, as strangers have; 127/8 is all ours.
        source = (f"127.0.0.{2 + number % 50}", 0)
        _, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=source)
        stack.push_async_callback(_hang_up, writer)
        writer.write(data)


async def _hang_up(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


async def test_floods_take_nothing_from_a_live_class(besieged: tuple[Hall, Api]) -> None:
    hall, admin = besieged
    made, second = await admin.make_class("第一"), await admin.make_class("第二")
    streamer = hall.child("streamer")
    noise = random.Random(1)  # The same garbage each time.
    slow_head = b"GET /api/v1/home HTTP/1.1\r\nHost: x\r\nX-"
    slow_body = (
        b"POST /whip/x HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer x\r\n"
        b"Content-Type: application/sdp\r\nContent-Length: 1000\r\n\r\nv=0"
    )
    async with contextlib.AsyncExitStack() as stack:
        url = f"{hall.rtmp}/{made['publish']['stream_key']}"
        await stack.enter_async_context(publish(url))
        await admin.wait_for_state(made["id"], "live")
        await _wait_recorded(admin, made["id"], 3)
        memory_bytes = streamer.memory_info().rss
        await _open_many(stack, hall.rtmp_port, 500)
        await _open_many(stack, hall.rtmp_port, 100, wire.C0_C1 + wire.C2)
        await _open_many(stack, hall.http_port, 500)
        await _open_many(stack, hall.http_port, 200, slow_head)
        await _open_many(stack, hall.http_port, 200, slow_body)
        for _ in range(100):
            _, writer = await asyncio.open_connection("127.0.0.1", hall.rtmp_port)
            writer.write(noise.randbytes(noise.randint(1, 200_000)))
            with contextlib.suppress(OSError):
                await asyncio.wait_for(writer.drain(), 1)
            await _hang_up(writer)
        crowding = await asyncio.to_thread(measure_crowding_blocking)
        asked = time.monotonic()
        before = await _recorded_s(admin, made["id"])
        assert time.monotonic() - asked < 3 * crowding
        # The port still takes in who has a key, from the same address.
        async with publish(f"{hall.rtmp}/{second['publish']['stream_key']}"):
            await admin.wait_for_state(second["id"], "live", timeout_s=20)
        await _wait_recorded(admin, made["id"], before + 4)
        assert streamer.memory_info().rss - memory_bytes < MEMORY_GROWTH_BYTES
    ended = await _end(admin, made["id"])
    multivariant = await _playlist(admin, ended["replay"]["playback"]["hls_url"])
    playlist = await _playlist(admin, multivariant.playlists[0].absolute_uri)
    assert sum(segment.duration for segment in playlist.segments) >= before + 4
    assert not any(segment.discontinuity for segment in playlist.segments)
    assert not any(segment.gap_tag for segment in playlist.segments)


# -- Keys --------------------------------------------------------------------------------------


async def _knock(hall: Hall, key: str) -> str:
    """What the server says to a publisher with this key, before any media."""
    async with RtmpClient(hall.rtmp_port) as client:
        await client.shake_hands()
        await client.send(wire.opening(key) + wire.configurations())
        await client.read_to_end(timeout_s=30)
        return client.answers.describe("NetStream.Publish.Denied")


async def _offer(hall: Hall, class_id: str, token: str) -> int:
    """The status of an offer that is good enough to ask for its token."""
    sdp = (
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n"
        "m=video 9 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\na=rtcp-mux\r\na=mid:0\r\n"
        "a=sendonly\r\na=rtpmap:96 H264/90000\r\na=ice-ufrag:abcd\r\n"
        "a=fmtp:96 packetization-mode=1;profile-level-id=42e01f\r\n"
        f"a=ice-pwd:{'p' * 24}\r\na=setup:actpass\r\n"
        f"a=fingerprint:sha-256 {':'.join(['AB'] * 32)}\r\n"
    )
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/sdp"}
    async with hall.api().session.post(
        f"{hall.origin}/whip/{class_id}", data=sdp, headers=headers
    ) as response:
        return response.status


async def test_keys_that_are_wrong_replaced_or_over_let_nobody_in(hall: Hall) -> None:
    admin = await hall.admin()
    made, other = await admin.make_class(), await admin.make_class("另一堂")
    key, token = made["publish"]["stream_key"], made["publish"]["whip_token"]
    # The right offer is accepted, so that a refusal below is about the token.
    assert await _offer(hall, other["id"], other["publish"]["whip_token"]) == 201
    for wrong in (key[:-1], key + "x", key.upper(), made["id"], "x" * 200, "键", token):
        assert "wrong" in await _knock(hall, wrong)
        if wrong != token:
            assert await _offer(hall, made["id"], wrong) == 403, wrong
    assert await _offer(hall, other["id"], token) == 403
    assert await _offer(hall, new_id(), token) == 403
    url = f"{hall.rtmp}/{key}"
    async with publish(url):
        await admin.wait_for_state(made["id"], "live")
        await _wait_recorded(admin, made["id"], 2)
        fresh = await admin.post(f"/live-classes/{made['id']}/rotate-key")
        assert fresh["stream_key"] != key
        # A key is replaced because somebody else has it: whoever uses the old one is out.
        before = (await admin.wait_for_state(made["id"], "interrupted"))["recording"]["recorded_s"]
        assert await _offer(hall, made["id"], token) == 403
    assert "replaced" in await _knock(hall, key)
    async with publish(f"{hall.rtmp}/{fresh['stream_key']}"):
        await admin.wait_for_state(made["id"], "live")
        await _wait_recorded(admin, made["id"], before + 4)
    await _end(admin, made["id"])
    assert "ended" in await _knock(hall, fresh["stream_key"])
    assert await _offer(hall, made["id"], fresh["whip_token"]) == 403
    log = hall.log_path.read_text(encoding="utf-8")
    for secret in (key, token, fresh["stream_key"], fresh["whip_token"]):
        assert secret not in log


async def test_publishers_that_fight_stop_after_three_takeovers(hall: Hall) -> None:
    admin = await hall.admin()
    made = await admin.make_class()
    url = f"{hall.rtmp}/{made['publish']['stream_key']}"
    async with contextlib.AsyncExitStack() as stack:
        running = [await stack.enter_async_context(publish(url))]
        await admin.wait_for_state(made["id"], "live")
        await _wait_recorded(admin, made["id"], 2)
        for _ in range(3):
            running.append(await stack.enter_async_context(publish(url)))
            async with asyncio.timeout(45):
                await running[-2].process.wait()
            await admin.wait_for_state(made["id"], "live")
            before = await _recorded_s(admin, made["id"])
            await _wait_recorded(admin, made["id"], before + 1)
        for _ in range(3):
            late = await stack.enter_async_context(publish(url))
            async with asyncio.timeout(45):
                assert await late.process.wait() != 0, "refused"
        before = await _recorded_s(admin, made["id"])
        await _wait_recorded(admin, made["id"], before + 2)
        assert running[-1].process.returncode is None, "the incumbent stays"
        health = (await admin.get(f"/live-classes/{made['id']}"))["health"]
        assert "contested" in " ".join(health["warnings"]), health
    ended = await _end(admin, made["id"])
    multivariant = await _playlist(admin, ended["replay"]["playback"]["hls_url"])
    playlist = await _playlist(admin, multivariant.playlists[0].absolute_uri)
    assert sum(segment.discontinuity for segment in playlist.segments) == 3
    for segment in playlist.segments:
        assert (await admin.fetch(segment.absolute_uri))[0] == 200


# -- Media without rights ----------------------------------------------------------------------


async def _media_urls(api: Api, hls_url: str) -> list[str]:
    """Every kind of URL below a playlist: playlists, inits, segments, parts."""
    multivariant = await _playlist(api, hls_url)
    urls = [hls_url]
    for variant in [p.absolute_uri for p in multivariant.playlists]:
        playlist = await _playlist(api, variant)
        whole = [segment for segment in playlist.segments if segment.uri]  # The last may be open.
        first, last = whole[0], whole[-1]
        urls += [variant, first.absolute_uri, last.absolute_uri, first.init_section.absolute_uri]
        parts = [part.absolute_uri for segment in playlist.segments for part in segment.parts]
        urls += parts[-1:]
    return urls


async def test_members_media_needs_a_session_that_holds(hall: Hall) -> None:
    admin, anyone = await hall.admin(), hall.api()
    member_id, member = await _account(hall, admin, "member", "member")
    _, leaver = await _account(hall, admin, "leaver", "member")
    secret = await admin.make_class("内部", visibility="members")
    public = await admin.make_class("公开")
    async with (
        publish(f"{hall.rtmp}/{secret['publish']['stream_key']}"),
        publish(f"{hall.rtmp}/{public['publish']['stream_key']}"),
    ):
        live = await admin.wait_for_state(secret["id"], "live")
        await admin.wait_for_state(public["id"], "live")
        await _wait_recorded(admin, secret["id"], 4)
        await _wait_recorded(admin, public["id"], 4)
        assert (await anyone.request("GET", f"/live-classes/{secret['id']}"))[0] == 404
        urls = await _media_urls(member, live["playback"]["hls_url"])
        assert len(urls) >= 4
        await _check_refused(hall, urls, member)
    ended, other = await _end(admin, secret["id"]), await _end(admin, public["id"])
    lecture_id, other_id = ended["replay"]["lecture_id"], other["replay"]["lecture_id"]
    urls += await _media_urls(member, ended["replay"]["playback"]["hls_url"])
    await eventually(lambda: _lecture_in(admin, lecture_id, "ready"), timeout_s=120)
    ready = await member.get(f"/lectures/{lecture_id}")
    assert (await anyone.request("GET", f"/lectures/{lecture_id}"))[0] == 404
    urls += [ready["playback"]["audio_url"], ready["poster_url"]]
    urls += [ready["storyboard_url"]] if ready["storyboard_url"] else []
    urls += await _media_urls(member, ready["playback"]["hls_url"])
    await _check_refused(hall, urls, member)
    await _check_signed(hall, admin, member, lecture_id, other_id, member_id)
    # A session that ends, and an account that is disabled, are out within a minute.
    await leaver.fetch(urls[0])
    await leaver.request("DELETE", "/session", expect=204)
    signed = await member.post(f"/lectures/{lecture_id}/signed-url")
    assert (await anyone.fetch(signed["hls_url"]))[0] == 200
    await admin.request("PATCH", f"/accounts/{member_id}", {"is_disabled": True}, expect=200)
    gone = time.monotonic()
    assert (await member.request("GET", "/session"))[0] == 401

    async def is_out(api: Api, url: str) -> bool:
        return (await api.fetch(url))[0] in (401, 403)

    await eventually(lambda: is_out(leaver, urls[0]), timeout_s=60)
    await eventually(lambda: is_out(member, urls[0]), timeout_s=60)
    await eventually(lambda: is_out(anyone, signed["hls_url"]), timeout_s=60)
    assert time.monotonic() - gone < 60


async def _check_refused(hall: Hall, urls: list[str], member: Api) -> None:
    """The member gets every URL; a stranger none, also with made-up credentials."""
    anyone = hall.api()
    forged = Api(anyone.session, hall.origin, "0" * 43)
    for url in urls:
        assert (await member.fetch(url))[0] == 200, url
        assert (await anyone.fetch(url))[0] == 401, url
        assert (await forged.fetch(url))[0] in (401, 403), url
        for trick in ("%2e/", "./", "//", "..%2f"):
            bent = url.replace("/live/", f"/live/{trick}").replace("/media/", f"/media/{trick}")
            status, body = await anyone.fetch(bent)
            assert status in (400, 401, 404) or body.startswith(b"<!doctype html>"), bent
        async with anyone.session.get(
            url,
            headers={"X-Hall-Viewer": "x", "X-Signed-Token": "x", "X-Original-URI": "/live/a/b"},
        ) as response:
            assert response.status in (401, 403), url


async def _check_signed(
    hall: Hall, admin: Api, member: Api, lecture_id: str, other_id: str, member_id: str
) -> None:
    """A signed path opens its own object until it expires, and nothing else."""
    anyone = hall.api()
    signed = await member.post(f"/lectures/{lecture_id}/signed-url")
    assert (await anyone.fetch(signed["hls_url"]))[0] == 200
    variants = (await _playlist(anyone, signed["hls_url"])).playlists
    assert (await anyone.fetch(variants[0].absolute_uri))[0] == 200
    other = await admin.post(f"/lectures/{other_id}/signed-url")
    token = other["hls_url"].split("/signed/")[1].split("/")[0]
    mine = signed["hls_url"].split("/signed/")[1].split("/")[0]
    path = signed["hls_url"].split(mine)[1]
    assert (await anyone.fetch(f"{hall.origin}/signed/{token}{path}"))[0] == 403
    for bent in (mine[:-1], mine[:-1] + ("0" if mine[-1] != "0" else "1"), mine.replace(".", "_")):
        assert (await anyone.fetch(f"{hall.origin}/signed/{bent}{path}"))[0] in (401, 403, 404)
    key, now = (hall.data / "secret").read_bytes().strip(), datetime.now(UTC)
    expired = SignedPath(lecture_id, None, member_id, now - timedelta(seconds=1))
    long_lived = SignedPath(lecture_id, None, member_id, now + timedelta(hours=9))
    stranger = SignedPath(lecture_id, None, None, now + timedelta(hours=1))
    nobody = SignedPath(lecture_id, None, new_id(), now + timedelta(hours=1))
    good = SignedPath(lecture_id, None, member_id, now + timedelta(hours=1))
    for case, at, expected in (
        (good, now, {200}), (expired, now, {403}), (long_lived, now + timedelta(hours=8), {403}),
        (stranger, now, {401, 403}), (nobody, now, {401, 403}),
    ):  # fmt: skip
        made = sign_path(key, case, now=at)
        status = (await anyone.fetch(f"{hall.origin}/signed/{made}{path}"))[0]
        assert status in expected, case


# -- Guessing and forging ----------------------------------------------------------------------


async def test_ten_thousand_guesses_are_cheap_and_lock_nobody_out(
    besieged: tuple[Hall, Api],
) -> None:
    hall, admin = besieged
    _, _ = await _account(hall, admin, "victim", "member")
    vod = hall.child("vod")
    busy_s, started = sum(vod.cpu_times()[:2]), time.monotonic()
    statuses: dict[int, int] = {}
    connector = aiohttp.TCPConnector(limit=20)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def guess(numbers: range) -> None:
            for number in numbers:
                body = {"login": "victim" if number % 2 else f"user{number}", "password": "x" * 9}
                async with session.post(f"{hall.origin}/api/v1/session", json=body) as response:
                    statuses[response.status] = statuses.get(response.status, 0) + 1

        await asyncio.gather(*(guess(range(n, GUESSES, 20)) for n in range(20)))
    wall_s, cpu_s = time.monotonic() - started, sum(vod.cpu_times()[:2]) - busy_s
    figures = f"{GUESSES / wall_s:.0f} guesses/s, {cpu_s / GUESSES * 1e3:.2f} ms of vod each"
    sys.stderr.write(f"{figures}, {statuses}\n")
    assert set(statuses) <= {401, 429, 503}
    assert statuses.get(401, 0) <= 110, "the checks of passwords are few"
    assert cpu_s / GUESSES < 0.01
    # Who is signed in goes on; the next guess is told how long to wait, and not for ever.
    assert (await admin.get("/session"))["account"]["login"] == "admin"
    body = {"login": "admin", "password": ADMIN_PASSWORD}
    async with admin.session.post(f"{hall.origin}/api/v1/session", json=body) as response:
        assert response.status == 429
        assert 0 < int(response.headers["Retry-After"]) <= 900


async def test_changes_with_a_cookie_need_their_own_token(hall: Hall) -> None:
    admin = await hall.admin()
    await _account(hall, admin, "other", "editor")
    url = f"{hall.origin}/api/v1"
    jars = []
    for login, password in (("admin", ADMIN_PASSWORD), ("other", PASSWORD)):
        async with admin.session.post(
            f"{url}/session", json={"login": login, "password": password}
        ) as response:
            cookie = response.cookies["hall_session"]
            assert cookie["httponly"]
            assert cookie["samesite"].lower() == "lax"
            assert cookie["path"] == "/"
            assert not cookie["domain"]
            viewer = response.cookies["hall_viewer"]
            assert viewer["httponly"]
            jars.append((cookie.value, (await response.json())["csrf_token"]))
    (mine, right), (_, foreign) = jars
    headers = {"Cookie": f"hall_session={mine}"}
    body = json.dumps({"title": "甲", "visibility": "public"}).encode()
    for given, kind, expected in (
        (None, "application/json", 403), ("", "application/json", 403),
        (foreign, "application/json", 403), (right[:-1], "application/json", 403),
        ("\u952e", "application/json", 403), (right, "text/plain", 415),
        (right, "application/x-www-form-urlencoded", 415),
        (right, "multipart/form-data; boundary=x", 415), (right, "application/json", 201),
    ):  # fmt: skip
        sent = {**headers, "Content-Type": kind, "Origin": "https://evil.example"}
        if given is not None:
            sent["X-CSRF-Token"] = given
        async with admin.session.post(f"{url}/live-classes", data=body, headers=sent) as response:
            assert response.status == expected, (given, kind)
            assert "Access-Control-Allow-Origin" not in response.headers
    async with admin.session.delete(f"{url}/session", headers=headers) as response:
        assert response.status == 403
