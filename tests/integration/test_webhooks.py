"""Webhooks over the wire: a real receiver that fails, hears, is checked and guarded."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.integration.test_library_api import act, make, make_link
from tests.support.vod import Vod, database_url, databases, run_vod, sqlite_url
from vod.accounts.roles import Role
from vod.notify.rules import Recipients
from vod.webhooks import distribute
from vod.webhooks.delivery import GONE, OFF, deliver_due
from vod.webhooks.retry import DISABLED_AFTER, LONGEST_WAIT
from vod.webhooks.signing import sign

__all__ = ["database_url", "databases", "sqlite_url"]  # Fixtures.

ADMIN = Role.ADMIN


@pytest.fixture
async def vod(database_url: str, short_dir: Path) -> AsyncIterator[Vod]:
    """A vod that may tell its own machine."""
    async with run_vod(database_url, short_dir, webhook_private=True) as running:
        yield running


@dataclass
class Receiver:
    """Somebody's server: answers what the test says, and keeps what it got."""

    url: str = ""
    status: int = 204
    headers: dict[str, str] = field(default_factory=dict)
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.Response:
        self.got.append(({**request.headers}, await request.read()))
        return web.Response(status=self.status, headers=self.headers)


@asynccontextmanager
async def run_receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    app = web.Application()
    app.router.add_post("/hook", receiver.handle)
    app.router.add_route("*", "/elsewhere", receiver.handle)
    async with TestServer(app) as server:
        receiver.url = str(server.make_url("/hook"))
        yield receiver


async def add_hook(vod: Vod, url: str, *kinds: str) -> tuple[str, str]:
    body = {"url": url, "kinds": kinds, "description": "门户网站"}
    made = await vod.call("POST", "/webhooks", role=ADMIN, json=body)
    assert made.status == 201, made.body
    return made.body["webhook"]["id"], made.body["secret"]


async def turn(vod: Vod, recipients: Recipients | None = None) -> int:
    """One round of everything that runs in the background; returns the attempts."""
    now, database = vod.clock.now(), vod.services.database
    await distribute.tell_notices(database, now=now)
    await distribute.distribute_events(
        database, recipients or Recipients(), origin="https://hall.example", now=now
    )
    settings = vod.services.settings
    return await deliver_due(
        database, vod.clock, key=vod.services.secret, allow_private=settings.webhook_private
    )


async def load_log(vod: Vod, hook_id: str) -> list[dict[str, Any]]:
    answer = await vod.call("GET", f"/webhooks/{hook_id}/deliveries", role=ADMIN)
    assert answer.status == 200, answer.body
    return list(answer.body["items"])


async def load_hook(vod: Vod, hook_id: str) -> dict[str, Any]:
    return dict((await vod.call("GET", f"/webhooks/{hook_id}", role=ADMIN)).body)


def check_signed(got: tuple[dict[str, str], bytes], *secrets: str) -> str:
    headers, body = got
    event_id, timestamp_s = headers["webhook-id"], int(headers["webhook-timestamp"])
    wanted = [sign(secret, event_id, body, timestamp_s=timestamp_s) for secret in secrets]
    assert headers["webhook-signature"].split(" ") == wanted
    return event_id


async def test_a_published_course_is_told_until_it_is_heard(vod: Vod) -> None:
    async with run_receiver() as receiver:
        early = await make_link(vod, title="早先的课")
        assert (await act(vod, early["id"], "publish")).status == 200
        vod.clock.advance(1)
        hook_id, secret = await add_hook(vod, receiver.url, "lecture.published")
        await add_hook(vod, receiver.url, "class.started")
        lecture = await make_link(vod, title="党史第一讲")
        assert (await act(vod, lecture["id"], "publish")).status == 200
        receiver.status = 500
        assert await turn(vod) == 1, "only who asked, and only what happened since"
        assert await turn(vod) == 0, "it waits"
        row = (await load_log(vod, hook_id))[0]
        assert (row["state"], row["attempts"], row["last_status"]) == ("waiting", 1, 500)
        assert (await load_hook(vod, hook_id))["failing_since"] is not None
        still = f"/webhooks/{hook_id}/deliveries/{row['id']}/resend"
        assert (await vod.call("POST", still, role=ADMIN)).status == 409
        vod.clock.advance(13)
        receiver.status, receiver.headers = 503, {"Retry-After": "600"}
        assert await turn(vod) == 1
        vod.clock.advance(599)
        assert await turn(vod) == 0, "the receiver asked for ten minutes"
        vod.clock.advance(1)
        receiver.status = 204
        assert await turn(vod) == 1
        assert len({check_signed(one, secret) for one in receiver.got}) == 1
        assert len({body for _, body in receiver.got}) == 1
        row = (await load_log(vod, hook_id))[0]
        assert (row["state"], row["attempts"], row["next_at"]) == ("delivered", 3, None)
        assert f"https://hall.example/lectures/{lecture['id']}" in row["body"]
        assert (await load_hook(vod, hook_id))["failing_since"] is None
        # Sent again by hand it is the same event; after rotating both secrets sign.
        rotated = await vod.call("POST", f"/webhooks/{hook_id}/rotate", role=ADMIN)
        path = f"/webhooks/{hook_id}/deliveries/{row['id']}/resend"
        again = await vod.call("POST", path, role=ADMIN)
        assert (again.status, again.body["event_id"]) == (201, row["event_id"])
        assert await turn(vod) == 1
        assert check_signed(receiver.got[-1], rotated.body["secret"], secret) == row["event_id"]


async def test_classes_and_notices_are_told(vod: Vod) -> None:
    async with run_receiver() as receiver:
        hook_id, _ = await add_hook(
            vod, receiver.url, "class.started", "class.ended", "notice.sent"
        )
        made = await vod.add_class(visibility="public")
        keys = await vod.call("GET", f"/live-classes/{made['id']}/publish", role=ADMIN)
        asked = {"protocol": "rtmp", "credential": keys.body["stream_key"], "peer": "x"}
        grant = await vod.internal.call(
            "POST", "/internal/publish", body=json.dumps(asked).encode()
        )
        broadcast = grant["broadcast_id"]
        picture = {"width_px": 640, "height_px": 360}
        for epoch in (0, 1):
            await vod.send_event(
                "epoch_started", broadcast, epoch=epoch, protocol="rtmp", **picture
            )
        await vod.send_ended(broadcast)
        notice = await make(vod, "/notices", {"title": "第47期", "body": "<p>要点</p>"})
        due = vod.clock.now() + timedelta(hours=2)
        wanted = {"version": 1, "publish_at": due.isoformat()}
        path = f"/notices/{notice['id']}/publish"
        assert (await vod.call("POST", path, role=Role.EDITOR, json=wanted)).status == 200
        assert await turn(vod) == 2
        vod.clock.advance(7200)
        recipients = Recipients(notices=("editor@hall.example", "wechat:draft"))
        assert await turn(vod, recipients) == 1, "when members see it"
        assert await turn(vod, recipients) == 0
        kinds = [one["kind"] for one in await load_log(vod, hook_id)]
        assert sorted(kinds) == ["class.ended", "class.started", "notice.sent"]
        sent = await vod.call("GET", "/messages", role=ADMIN)
        found = [(one["recipient"], one["subject"]) for one in sent.body["items"]]
        assert found == [("e***@hall.example", "第47期")], "for members: posted nowhere"


async def test_who_is_gone_or_silent_for_days_is_switched_off(vod: Vod) -> None:
    async with run_receiver() as receiver:
        gone, _ = await add_hook(vod, receiver.url, "notice.sent")
        assert (await vod.call("POST", f"/webhooks/{gone}/ping", role=ADMIN)).status == 201
        receiver.status = 410
        await turn(vod)
        hook = await load_hook(vod, gone)
        assert (hook["is_enabled"], hook["disabled_reason"]) == (False, GONE)
        assert (await vod.call("POST", f"/webhooks/{gone}/ping", role=ADMIN)).status == 409
        silent, _ = await add_hook(vod, receiver.url + "-none", "notice.sent")
        await vod.call("POST", f"/webhooks/{silent}/ping", role=ADMIN)
        await turn(vod)
        vod.clock.advance(DISABLED_AFTER.total_seconds() - LONGEST_WAIT.total_seconds())
        await turn(vod)
        assert (await load_hook(vod, silent))["is_enabled"], "not yet"
        await vod.call("POST", f"/webhooks/{silent}/ping", role=ADMIN)
        vod.clock.advance(LONGEST_WAIT.total_seconds() * 2)
        await turn(vod)
        assert not (await load_hook(vod, silent))["is_enabled"]
        log = await load_log(vod, silent)
        assert {one["state"] for one in log} == {"failed"}
        assert OFF in {one["last_error"] for one in log}
        await turn(vod, Recipients(alerts=("operator@hall.example",)))
        sent = (await vod.call("GET", "/messages", role=ADMIN)).body
        assert {one["subject"] for one in sent["items"]} == {"一个 Webhook 已停用"}
        on = await vod.call("PATCH", f"/webhooks/{gone}", role=ADMIN, json={"is_enabled": True})
        assert (on.body["disabled_reason"], on.body["is_enabled"]) == ("", True)
        assert (await vod.call("DELETE", f"/webhooks/{gone}", role=ADMIN)).status == 204
        assert (await vod.call("GET", f"/webhooks/{gone}", role=ADMIN)).status == 404


async def test_redirects_and_private_addresses_are_not_followed(
    sqlite_url: str, short_dir: Path
) -> None:
    async with (
        run_receiver() as receiver,
        run_vod(sqlite_url, short_dir, webhook_private=True) as vod,
    ):
        hook_id, _ = await add_hook(vod, receiver.url, "notice.sent")
        receiver.status, receiver.headers = 307, {"Location": "/elsewhere"}
        await vod.call("POST", f"/webhooks/{hook_id}/ping", role=ADMIN)
        await turn(vod)
        assert len(receiver.got) == 1
        port = receiver.url.rsplit(":", 1)[1]
        named, _ = await add_hook(vod, f"https://localhost:{port}", "notice.sent")
        for one in (hook_id, named):
            await vod.call("POST", f"/webhooks/{one}/ping", role=ADMIN)
        database, key = vod.services.database, vod.services.secret
        await deliver_due(database, vod.clock, key=key, allow_private=False)
        assert len(receiver.got) == 1, "neither an address nor a name that means it"
        assert "private address" in (await load_log(vod, named))[0]["last_error"]
        assert "only https" in (await load_log(vod, hook_id))[0]["last_error"]


async def test_strange_addresses_are_refused(sqlite_url: str, short_dir: Path) -> None:
    async with run_vod(sqlite_url, short_dir) as vod:
        for url in ("http://receiver.example/", "https://127.0.0.1/", "https://[::1]/x"):
            body = {"url": url, "kinds": ["notice.sent"]}
            assert (await vod.call("POST", "/webhooks", role=ADMIN, json=body)).status == 422
        body = {"url": "https://receiver.example/", "kinds": ["ping"]}
        assert (await vod.call("POST", "/webhooks", role=ADMIN, json=body)).status == 422
