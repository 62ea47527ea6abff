"""``/home`` and ``/config`` of the API."""

from __future__ import annotations

from typing import Final

from aiohttp import web
from aiohttp_pydantic.oas.typing import r200

from vod.classes.present import build_ice_servers
from vod.classes.queries import load_on_air, load_upcoming
from vod.classes.views import build_presenter
from vod.home import schemas
from vod.home.own import OwnBlocks, load_own
from vod.http.keys import CLOCK, SETTINGS
from vod.http.origin import is_https, read_origin
from vod.http.view import ApiView, respond
from vod.lectures.extras import load_extras
from vod.lectures.present import present_lecture
from vod.lectures.service import load_recent
from vod.watching.lists import Asker

LIVE_COUNT: Final = 12
UPCOMING_COUNT: Final = 12
RECENT_COUNT: Final = 12
SITE_TITLE: Final = "云上讲堂"


class HomeView(ApiView):
    async def get(self) -> r200[schemas.Home]:
        """Show what is live, what comes next, what to go on with, and the newest replays.

        Tags: home
        """
        now, origin = self.request.app[CLOCK].now(), read_origin(self.request)
        async with self.database.read() as session:
            live = await load_on_air(session, self.viewer, limit=LIVE_COUNT)
            upcoming = await load_upcoming(session, self.viewer, now=now, limit=UPCOMING_COUNT)
            recent = await load_recent(session, self.viewer, limit=RECENT_COUNT)
            extras = await load_extras(session, recent)
            own = OwnBlocks()
            if self.viewer.account_id is not None:
                asker = Asker(self.viewer.account_id, self.viewer, origin)
                own = await load_own(session, asker, now)
        shown = await build_presenter(self).present([*live, *upcoming])
        return respond(
            schemas.Home(
                live=shown[: len(live)],
                upcoming=shown[len(live) :],
                going_on=own.going_on,
                required=own.required,
                recommended=own.recommended,
                recent=[
                    present_lecture(row, extras[row.id], viewer=self.viewer, origin=origin)
                    for row in recent
                ],
            )
        )


class ConfigView(ApiView):
    async def get(self) -> r200[schemas.SiteConfig]:
        """Tell the player what it must know before anybody signs in.

        Tags: home
        """
        settings, origin = self.request.app[SETTINGS], read_origin(self.request)
        return respond(
            schemas.SiteConfig(
                site_title=SITE_TITLE,
                origin=origin,
                is_https=is_https(origin),
                whep_enabled=settings.whep_seats > 0,
                ice_servers=build_ice_servers(settings),
            )
        )


ROUTES: Final = (
    web.view("/api/v1/home", HomeView),
    web.view("/api/v1/config", ConfigView),
)
