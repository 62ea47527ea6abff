"""Open the ways that are configured, and find the one for a recipient."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp

from kernel.clock import Clock
from kernel.config import Settings
from kernel.errors import DependencyError
from vod.notify.mail import MailServer, SmtpNotifier
from vod.notify.port import Message, Notifier, is_wechat
from vod.notify.rules import Recipients
from vod.notify.wechat import WechatAccount, WechatNotifier


@dataclass(frozen=True, slots=True)
class Ways:
    """The ways to people elsewhere; ``None`` is not configured. Itself a ``Notifier``."""

    mail: Notifier | None = None
    wechat: Notifier | None = None

    async def send(self, message: Message) -> None:
        """See the port; a message whose way is not configured waits for it."""
        way = self.wechat if is_wechat(message.to) else self.mail
        if way is None:
            raise DependencyError("this way is not configured")
        await way.send(message)


def read_recipients(settings: Settings) -> Recipients:
    """Read who is told of what."""
    return Recipients(alerts=settings.alert_to, notices=settings.notice_to)


def read_mail_server(settings: Settings) -> MailServer | None:
    """Read where mail is handed over; ``None`` when it is off."""
    if not settings.smtp_host or not settings.smtp_from:
        return None
    password = settings.smtp_password
    return MailServer(
        host=settings.smtp_host,
        port=settings.smtp_port,
        security=settings.smtp_security,
        sender=settings.smtp_from,
        user=settings.smtp_user,
        password=password.get_secret_value() if password else None,
        ca=str(settings.smtp_ca) if settings.smtp_ca else None,
    )


def read_wechat_account(settings: Settings) -> WechatAccount | None:
    """Read the official account; ``None`` when it is off."""
    if not settings.wechat_app_id or not settings.wechat_app_secret:
        return None
    first, _, second = settings.wechat_template_fields.partition(",")
    return WechatAccount(
        app_id=settings.wechat_app_id,
        secret=settings.wechat_app_secret.get_secret_value(),
        api=settings.wechat_api,
        template_id=settings.wechat_template,
        template_fields=(first, second),
        cover=settings.wechat_cover,
    )


@asynccontextmanager
async def open_ways(settings: Settings, clock: Clock) -> AsyncIterator[Ways]:
    """Open the ways; nothing is sent before the first message."""
    server, account = read_mail_server(settings), read_wechat_account(settings)
    mail = SmtpNotifier(server) if server else None
    if account is None:
        yield Ways(mail=mail)
        return
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
        yield Ways(mail=mail, wechat=WechatNotifier(account, http, clock))
