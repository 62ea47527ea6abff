"""``/audience`` of the API."""

from __future__ import annotations

from typing import Final

from aiohttp import web
from aiohttp_pydantic.oas.typing import r200

from kernel.errors import NotAllowedError
from vod.accounts.rights import Action, find_reach
from vod.audience import schemas, service
from vod.http.view import ApiView, respond


class AudiencePreviewView(ApiView):
    async def post(self, body: schemas.AudienceQuestion) -> r200[schemas.AudiencePreview]:
        """Count whom an audience rule means, with a few of them; nothing is stored.

        Tags: audience
        """
        self.require_account()
        reach = find_reach(self.viewer, Action.CURATE) or find_reach(
            self.viewer, Action.SEE_MEMBERS
        )
        if not reach:
            raise NotAllowedError("only those who curate or administer units try out rules")
        async with self.database.read() as session:
            await service.check_rule(session, body.rule, field="rule")
            count, examples = await service.preview(session, body.rule, reach)
        shown = [
            schemas.AudienceExample.model_validate(example, from_attributes=True)
            for example in examples
        ]
        return respond(schemas.AudiencePreview(members_count=count, examples=shown))


ROUTES: Final = (web.view("/api/v1/audience/preview", AudiencePreviewView),)
