"""``/webhooks`` of the API, for administrators."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final

from aiohttp import web
from aiohttp_pydantic.oas.typing import r200, r201, r204
from pydantic import Field

from kernel.errors import NotAllowedError
from vod.accounts.roles import Role
from vod.http.keys import CLOCK, SECRET, SETTINGS
from vod.http.pagination import PageQuery, page_members
from vod.http.view import ApiView, require_id, respond, respond_empty
from vod.webhooks import models, schemas, service
from vod.webhooks.models import DeliveryState
from vod.webhooks.signing import build_secret

ALL: Final = "/api/v1/webhooks"
ONE: Final = ALL + "/{webhook_id}"


class _WebhookBase(ApiView):
    def require_admin(self) -> str:
        account_id = self.require_account()
        if self.viewer.role is not Role.ADMIN:
            raise NotAllowedError("only administrators see and change webhooks")
        return account_id

    @property
    def now(self) -> datetime:
        return self.request.app[CLOCK].now()

    @property
    def allow_private(self) -> bool:
        return self.request.app[SETTINGS].webhook_private

    async def answer(self, row: models.Webhook) -> web.Response:
        async with self.database.read() as session:
            counts = await service.load_counts(session)
        return respond(_present(row, counts))

    def show_secret(self, row: models.Webhook, *, status: int = 200) -> web.Response:
        secret = build_secret(self.request.app[SECRET], row.id, row.secret_number)
        shown = schemas.WebhookWithSecret(webhook=_present(row, {}), secret=secret)
        return respond(shown, status=status)


def _present(row: models.Webhook, counts: service.Counts) -> schemas.Webhook:
    own = counts.get(row.id, {})
    values: dict[str, Any] = {
        name: getattr(row, name)
        for name in schemas.Webhook.model_fields
        if not name.endswith("_count")
    }
    return schemas.Webhook(
        **values,
        waiting_count=own.get(DeliveryState.WAITING, 0),
        failed_count=own.get(DeliveryState.FAILED, 0),
    )


def _present_delivery(
    row: models.WebhookDelivery, event: models.OutgoingEvent
) -> schemas.WebhookDelivery:
    return schemas.WebhookDelivery(
        id=row.id,
        event_id=row.event_id,
        kind=event.kind,
        body=event.body,
        state=row.state,
        attempts=row.attempts,
        next_at=row.next_at if row.state is DeliveryState.WAITING else None,
        last_status=row.last_status,
        last_error=row.last_error,
        created_at=row.created_at,
        finished_at=row.finished_at,
    )


class WebhooksView(_WebhookBase):
    async def get(self) -> r200[schemas.WebhookList]:
        """List the webhooks.

        Tags: webhooks
        """
        self.require_admin()
        async with self.database.read() as session:
            rows, counts = await service.load_webhooks(session)
        return respond(schemas.WebhookList(items=[_present(row, counts) for row in rows]))

    async def post(self, body: schemas.NewWebhook) -> r201[schemas.WebhookWithSecret]:
        """Set a webhook up; its secret is shown this once.

        Tags: webhooks
        Status Codes:
            201: Set up.
        """
        actor_id = self.require_admin()
        row = await service.create_webhook(
            self.database,
            body,
            actor_id=actor_id,
            allow_private=self.allow_private,
            now=self.now,
        )
        return self.show_secret(row, status=201)


class OneWebhookView(_WebhookBase):
    async def get(self, webhook_id: str, /) -> r200[schemas.Webhook]:
        """Show a webhook.

        Tags: webhooks
        """
        self.require_admin()
        require_id(webhook_id, "webhook")
        async with self.database.read() as session:
            row = await service.load_webhook(session, webhook_id)
        return await self.answer(row)

    async def patch(self, webhook_id: str, /, body: schemas.WebhookChange) -> r200[schemas.Webhook]:
        """Change a webhook, switch it off or on again.

        Tags: webhooks
        """
        actor_id = self.require_admin()
        require_id(webhook_id, "webhook")
        row = await service.change_webhook(
            self.database,
            webhook_id,
            body,
            actor_id=actor_id,
            allow_private=self.allow_private,
            now=self.now,
        )
        return await self.answer(row)

    async def delete(self, webhook_id: str, /) -> r204:
        """Delete a webhook with its log.

        Tags: webhooks
        Status Codes:
            204: Deleted.
        """
        actor_id = self.require_admin()
        require_id(webhook_id, "webhook")
        await service.delete_webhook(self.database, webhook_id, actor_id=actor_id, now=self.now)
        return respond_empty()


class WebhookRotateView(_WebhookBase):
    async def post(self, webhook_id: str, /) -> r200[schemas.WebhookWithSecret]:
        """Begin with a new secret, shown this once; the old one signs too for a day.

        Tags: webhooks
        """
        actor_id = self.require_admin()
        require_id(webhook_id, "webhook")
        row = await service.rotate_secret(
            self.database, webhook_id, actor_id=actor_id, now=self.now
        )
        return self.show_secret(row)


class WebhookPingView(_WebhookBase):
    async def post(self, webhook_id: str, /) -> r201[schemas.WebhookDelivery]:
        """Send a test.

        Tags: webhooks
        Status Codes:
            201: It is on its way; its delivery tells how it went.
        """
        actor_id = self.require_admin()
        require_id(webhook_id, "webhook")
        origin = self.request.app[SETTINGS].origin
        row, event = await service.ping(
            self.database, webhook_id, actor_id=actor_id, origin=origin, now=self.now
        )
        return respond(_present_delivery(row, event), status=201)


class WebhookDeliveriesView(_WebhookBase):
    async def get(
        self,
        webhook_id: str,
        /,
        page: PageQuery,
        state: Annotated[DeliveryState | None, Field(description="Only these")] = None,
    ) -> r200[schemas.WebhookDeliveryPage]:
        """List what was and will be sent, the newest first.

        Tags: webhooks
        """
        self.require_admin()
        require_id(webhook_id, "webhook")
        async with self.database.read() as session:
            rows, events, total = await service.load_deliveries(session, webhook_id, state, page)
        items = [_present_delivery(row, events[row.event_id]) for row in rows]
        return respond(schemas.WebhookDeliveryPage(items=items, **page_members(page, total)))


class WebhookResendView(_WebhookBase):
    async def post(self, webhook_id: str, delivery_id: str, /) -> r201[schemas.WebhookDelivery]:
        """Send the event of a delivery again.

        Tags: webhooks
        Status Codes:
            201: It is on its way.
        """
        actor_id = self.require_admin()
        require_id(webhook_id, "webhook")
        require_id(delivery_id, "delivery")
        row, event = await service.resend(
            self.database, webhook_id, delivery_id, actor_id=actor_id, now=self.now
        )
        return respond(_present_delivery(row, event), status=201)


ROUTES: Final = (
    web.view(ALL, WebhooksView),
    web.view(ONE, OneWebhookView),
    web.view(ONE + "/rotate", WebhookRotateView),
    web.view(ONE + "/ping", WebhookPingView),
    web.view(ONE + "/deliveries", WebhookDeliveriesView),
    web.view(ONE + "/deliveries/{delivery_id}/resend", WebhookResendView),
)
