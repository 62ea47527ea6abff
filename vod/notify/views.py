"""``/messages`` of the API, for administrators: what went out, and a test."""

from __future__ import annotations

from typing import Final

from aiohttp import web
from aiohttp_pydantic.oas.typing import r200, r201
from sqlalchemy import select

from kernel.config import Settings
from kernel.errors import ConflictError, InputError, NotAllowedError
from vod.accounts.roles import Role
from vod.audit.service import record
from vod.http.keys import CLOCK, SETTINGS
from vod.http.pagination import PageQuery, load_page, page_members
from vod.http.view import ApiView, respond
from vod.notify import schemas
from vod.notify.models import OutgoingMessage
from vod.notify.port import WECHAT_PUBLISH, is_recipient, is_wechat, mask_recipient
from vod.notify.ways import read_mail_server, read_wechat_account
from vod.webhooks.models import DeliveryState

TEST_SUBJECT: Final = "云上讲堂：测试消息"
TEST_TEXT: Final = "这是一条测试消息，收到它说明外发通知已经配置好。"


def _present(row: OutgoingMessage) -> schemas.OutgoingMessage:
    return schemas.OutgoingMessage(
        id=row.id,
        recipient=mask_recipient(row.recipient),
        subject=row.subject,
        state=row.state,
        attempts=row.attempts,
        next_at=row.next_at if row.state is DeliveryState.WAITING else None,
        last_error=row.last_error,
        created_at=row.created_at,
        finished_at=row.finished_at,
    )


def _require_way(settings: Settings, to: str) -> None:
    """Raises ``InputError`` for what is no recipient, ``ConflictError`` without a way to it."""
    if not is_recipient(to) or to == WECHAT_PUBLISH:
        raise InputError(
            "to: no recipient of tests", field="to", status=422, title_zh="请填写邮箱或微信号标识"
        )
    way = read_wechat_account(settings) if is_wechat(to) else read_mail_server(settings)
    if way is None:
        raise ConflictError("this way is not configured", title_zh="这种通知方式还没有配置")


class MessagesView(ApiView):
    def _require_admin(self) -> str:
        account_id = self.require_account()
        if self.viewer.role is not Role.ADMIN:
            raise NotAllowedError("only administrators see what is sent")
        return account_id

    async def get(self, page: PageQuery) -> r200[schemas.OutgoingMessagePage]:
        """List the messages of the last 30 days, the newest first.

        Tags: webhooks
        """
        self._require_admin()
        settings = self.request.app[SETTINGS]
        query = select(OutgoingMessage).order_by(OutgoingMessage.id.desc())
        async with self.database.read() as session:
            rows, total = await load_page(session, query, page)
        return respond(
            schemas.OutgoingMessagePage(
                items=[_present(row) for row in rows],
                has_mail=read_mail_server(settings) is not None,
                has_wechat=read_wechat_account(settings) is not None,
                alerts_count=len(settings.alert_to),
                notices_count=len(settings.notice_to),
                **page_members(page, total),
            )
        )

    async def post(self, body: schemas.TestMessage) -> r201[schemas.OutgoingMessage]:
        """Send a test message.

        Tags: webhooks
        Status Codes:
            201: It is on its way.
            409: This way is not configured.
        """
        actor_id = self._require_admin()
        now = self.request.app[CLOCK].now()
        _require_way(self.request.app[SETTINGS], body.to)
        async with self.database.write() as session:
            row = OutgoingMessage(
                recipient=body.to, subject=TEST_SUBJECT, text=TEST_TEXT,
                next_at=now, created_at=now,
            )  # fmt: skip
            session.add(row)
            await session.flush()
            record(
                session, now=now, actor_id=actor_id, action="message.tested",
                object_type="message", object_id=row.id, to=mask_recipient(body.to),
            )  # fmt: skip
        return respond(_present(row), status=201)


ROUTES: Final = (web.view("/api/v1/messages", MessagesView),)
