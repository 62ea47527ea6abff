"""Messages to people elsewhere: a real SMTP server, and an official account's API on loopback."""

from __future__ import annotations

import asyncio
import email
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.policy import default
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from aiosmtpd.controller import Controller

from kernel.clock import FakeClock
from kernel.config import load_settings
from kernel.errors import DependencyError, SettingsError
from tests.support.vod import databases, run_vod, sqlite_url
from vod.accounts.roles import Role
from vod.notify.courier import send_due
from vod.notify.port import Message, is_recipient, mask_recipient
from vod.notify.ways import open_ways
from vod.notify.wechat import WechatAccount, WechatNotifier

__all__ = ["databases", "sqlite_url"]  # Fixtures.

SENDER = "hall@hall.example"


@dataclass
class Postbox:
    """A mail server's handler: refuses whom it does not know, and is busy when told."""

    is_busy: bool = False
    got: list[tuple[list[str], bytes]] = field(default_factory=list)

    async def handle_RCPT(  # noqa: N802 - the library's name
        self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any
    ) -> str:
        if address.startswith("nobody@"):
            return "550 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        if self.is_busy:
            return "451 come back later"
        self.got.append((envelope.rcpt_tos, envelope.content))
        return "250 OK"


@asynccontextmanager
async def run_mail_server(postbox: Postbox) -> AsyncIterator[int]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    controller = Controller(postbox, hostname="127.0.0.1", port=port)
    await asyncio.to_thread(controller.start)
    try:
        yield port
    finally:
        await asyncio.to_thread(controller.stop)


async def test_a_test_message_is_mailed_once_the_server_takes_it(
    sqlite_url: str, short_dir: Path
) -> None:
    postbox = Postbox(is_busy=True)
    async with run_mail_server(postbox) as port:
        values = {
            "smtp_host": "127.0.0.1", "smtp_port": port, "smtp_security": "none",
            "smtp_from": SENDER,
        }  # fmt: skip
        async with (
            run_vod(sqlite_url, short_dir, **values) as vod,
            open_ways(vod.services.settings, vod.clock) as ways,
        ):
            for to in ("zhang@hall.example", "nobody@hall.example"):
                sent = await vod.call("POST", "/messages", role=Role.ADMIN, json={"to": to})
                assert sent.status == 201, sent.body
            for to, status in (("wechat:oABCDEFG", 409), ("wechat:publish", 422), ("x", 422)):
                sent = await vod.call("POST", "/messages", role=Role.ADMIN, json={"to": to})
                assert sent.status == status, to
            database = vod.services.database
            assert await send_due(database, ways, vod.clock) == 2
            assert await send_due(database, ways, vod.clock) == 0, "it waits"
            vod.clock.advance(13)
            postbox.is_busy = False
            assert await send_due(database, ways, vod.clock) == 1, "who is unknown stays so"
            shown = (await vod.call("GET", "/messages", role=Role.ADMIN)).body
            states = {one["recipient"]: one["state"] for one in shown["items"]}
            assert states == {"z***@hall.example": "delivered", "n***@hall.example": "failed"}
            assert (shown["has_mail"], shown["has_wechat"]) == (True, False)
    ((recipients, raw),) = postbox.got
    mail = email.message_from_bytes(raw, policy=default)
    assert recipients == ["zhang@hall.example"]
    assert mail["Subject"] == "云上讲堂：测试消息"
    assert "外发通知已经配置好" in mail.get_body().get_content()


async def test_a_subject_cannot_add_headers() -> None:
    postbox = Postbox()
    async with run_mail_server(postbox) as port:
        settings = load_settings(
            smtp_host="127.0.0.1", smtp_port=port, smtp_security="none", smtp_from=SENDER
        )
        async with open_ways(settings, FakeClock()) as ways:
            await ways.send(Message("zhang@hall.example", "课\r\nBcc: x@y.example", "正文"))
            with pytest.raises(DependencyError, match="not configured"):
                await ways.send(Message("wechat:oABCDEFG", "课", "正文"))
    mail = email.message_from_bytes(postbox.got[0][1], policy=default)
    assert mail["Bcc"] is None
    assert mail["Subject"] == "课 Bcc: x@y.example"


@dataclass
class OfficialAccount:
    """The API of an official account in the shapes of its documentation."""

    tokens: list[str] = field(default_factory=list)
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    refresh: list[bool] = field(default_factory=list)
    errors: list[int] = field(default_factory=list)

    def build_app(self) -> web.Application:
        app = web.Application()
        app.router.add_post("/cgi-bin/stable_token", self._post_token)
        app.router.add_post("/cgi-bin/{tail:.*}", self._post_call)
        return app

    async def _post_token(self, request: web.Request) -> web.Response:
        asked = await request.json()
        if (asked["appid"], asked["secret"]) != ("wx1", "word"):
            return web.json_response({"errcode": 40125, "errmsg": "invalid appsecret"})
        self.refresh.append(asked["force_refresh"])
        self.tokens.append(f"token{len(self.tokens)}")
        return web.json_response({"access_token": self.tokens[-1], "expires_in": 7200})

    async def _post_call(self, request: web.Request) -> web.Response:
        if request.query["access_token"] != self.tokens[-1]:
            return web.json_response({"errcode": 40001, "errmsg": "invalid credential"})
        if self.errors:
            return web.json_response({"errcode": self.errors.pop(0), "errmsg": "refused"})
        # Escaped characters would reach people as they are.
        raw = (await request.read()).decode()
        assert "\\u" not in raw
        path = request.path.removeprefix("/cgi-bin/")
        self.calls.append((path, json.loads(raw)))
        answers: dict[str, dict[str, Any]] = {
            "message/template/send": {"errcode": 0, "errmsg": "ok", "msgid": 200228332},
            "message/custom/send": {"errcode": 0, "errmsg": "ok"},
            "draft/add": {"media_id": "m1"},
            "freepublish/submit": {"errcode": 0, "errmsg": "ok", "publish_id": "100000001"},
        }
        return web.json_response(answers[path])


@asynccontextmanager
async def run_account(
    clock: FakeClock, **values: Any
) -> AsyncIterator[tuple[OfficialAccount, WechatNotifier]]:
    official = OfficialAccount()
    known = {"app_id": "wx1", "secret": "word", "cover": "c1", **values}
    async with TestServer(official.build_app()) as server, aiohttp.ClientSession() as http:
        api = str(server.make_url("")).rstrip("/")
        yield official, WechatNotifier(WechatAccount(api=api, **known), http, clock)


async def test_an_official_account_is_told_as_documented() -> None:
    clock = FakeClock()
    message = Message(
        "wechat:oABCDEFG", "新课上线：党史第一讲", "从嘉兴说起\n\nhttps://h/n/1", "k1"
    )
    async with run_account(clock, template_id="t1") as (official, notifier):
        await asyncio.gather(notifier.send(message), notifier.send(message))
        assert len(official.tokens) == 1, "one token for all"
        path, body = official.calls[0]
        assert path == "message/template/send"
        assert body["data"]["thing1"] == {"value": "新课上线：党史第一讲"}
        assert (body["touser"], body["url"]) == ("oABCDEFG", "https://h/n/1")
        clock.advance(7000)
        await notifier.send(message)
        assert len(official.tokens) == 2, "renewed before its end"
        official.tokens.append("somebody else's")
        await notifier.send(message)
        assert official.refresh == [False, False, True], "a refused token is replaced"
        article = Message("wechat:publish", "第47期", "要点 <b>\n\nhttps://h/n/1")
        await notifier.send(article)
        added, published = official.calls[-2:]
        assert added[1]["articles"][0]["content"] == "<p>要点 &lt;b&gt;</p><p>https://h/n/1</p>"
        assert added[1]["articles"][0]["thumb_media_id"] == "c1"
        assert published == ("freepublish/submit", {"media_id": "m1"})
        for code, is_retryable in ((-1, True), (45009, True), (43004, False), (45015, False)):
            official.errors = [code]
            with pytest.raises(DependencyError) as caught:
                await notifier.send(message)
            assert caught.value.retryable is is_retryable, code
            assert "token" not in str(caught.value)
    async with run_account(clock) as (official, notifier):
        await notifier.send(message)
        assert official.calls[0][0] == "message/custom/send"
    async with run_account(clock, secret="wrong") as (_, notifier):
        with pytest.raises(DependencyError, match="40125"):
            await notifier.send(message)


def test_settings_that_lead_nowhere_are_refused() -> None:
    for wrong in (
        {"alert_to": "a@b.example"},
        {"notice_to": "wechat:draft", "wechat_app_id": "wx1", "wechat_app_secret": "x"},
        {"alert_to": "nonsense"},
        {"smtp_host": "mail.example"},
        {
            "smtp_host": "mail.example", "smtp_from": SENDER, "smtp_user": "u",
            "smtp_security": "none",
        },
    ):  # fmt: skip
        with pytest.raises(SettingsError):
            load_settings(**wrong)
    settings = load_settings(alert_to="a@b.example, a@b.example", smtp_host="m", smtp_from=SENDER)
    assert settings.alert_to == ("a@b.example",)
    assert is_recipient("wechat:draft")
    assert not is_recipient("a@b.example\r\nBcc: x@y")
    assert mask_recipient("wechat:oABCDEFG") == "wechat:oABC***"
