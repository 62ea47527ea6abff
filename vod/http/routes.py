"""Every public and private route, from the capabilities' own tables."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from vod.accounts.views import ROUTES as ACCOUNT_ROUTES
from vod.audience.views import ROUTES as AUDIENCE_ROUTES
from vod.audit.views import ROUTES as AUDIT_ROUTES
from vod.captions.views import ROUTES as CAPTION_ROUTES
from vod.channels.delivery import ROUTES as CHANNEL_MEDIA_ROUTES
from vod.channels.views import ROUTES as CHANNEL_ROUTES
from vod.chapters.views import ROUTES as CHAPTER_ROUTES
from vod.classes.views import ROUTES as CLASS_ROUTES
from vod.clips.views import ROUTES as CLIP_ROUTES
from vod.courselist.views import ROUTES as COURSE_LIST_ROUTES
from vod.desk.views import ROUTES as DESK_ROUTES
from vod.editing.views import ROUTES as EDIT_ROUTES
from vod.events.views import INTERNAL_ROUTES as EVENT_ROUTES
from vod.home.views import ROUTES as HOME_ROUTES
from vod.identities.views import ROUTES as IDENTITY_ROUTES
from vod.jobs.views import INTERNAL_ROUTES as UNIT_ROUTES
from vod.jobs.views import ROUTES as JOB_ROUTES
from vod.lectures.views import ROUTES as LECTURE_ROUTES
from vod.library.routes import ROUTES as LIBRARY_ROUTES
from vod.menus.recommendation_views import ROUTES as RECOMMENDATION_ROUTES
from vod.menus.views import ROUTES as MENU_ROUTES
from vod.notices.views import ROUTES as NOTICE_ROUTES
from vod.notify.views import ROUTES as MESSAGE_ROUTES
from vod.orders.views import ROUTES as ORDER_ROUTES
from vod.people.roster_views import ROUTES as ROSTER_ROUTES
from vod.people.views import ROUTES as MEMBER_ROUTES
from vod.playback.authorize import INTERNAL_ROUTES as AUTHORIZE_ROUTES
from vod.playback.delivery import MEDIA_ROUTES as DELIVERY_ROUTES
from vod.playback.extras import EXTRA_ROUTES
from vod.playback.views import ROUTES as SIGNED_URL_ROUTES
from vod.posters.views import ROUTES as POSTER_ROUTES
from vod.search.views import ROUTES as SEARCH_ROUTES
from vod.series.views import ROUTES as SERIES_ROUTES
from vod.sharing.views import ROUTES as SHARING_ROUTES
from vod.storage.views import ROUTES as STORAGE_ROUTES
from vod.units.views import ROUTES as ORG_UNIT_ROUTES
from vod.uploads.views import ROUTES as UPLOAD_ROUTES
from vod.watching.views import ROUTES as WATCHING_ROUTES
from vod.webhooks.views import ROUTES as WEBHOOK_ROUTES

API_ROUTES: Final[tuple[web.RouteDef, ...]] = (
    *ACCOUNT_ROUTES,
    *IDENTITY_ROUTES,
    *ORG_UNIT_ROUTES,
    *MEMBER_ROUTES,
    *ROSTER_ROUTES,
    *HOME_ROUTES,
    *CLASS_ROUTES,
    *SERIES_ROUTES,
    *LECTURE_ROUTES,
    *LIBRARY_ROUTES,
    *CAPTION_ROUTES,
    *CHAPTER_ROUTES,
    *POSTER_ROUTES,
    *CHANNEL_ROUTES,
    *JOB_ROUTES,
    *EDIT_ROUTES,
    *CLIP_ROUTES,
    *SIGNED_URL_ROUTES,
    *UPLOAD_ROUTES,
    *AUDIT_ROUTES,
    *AUDIENCE_ROUTES,
    *MENU_ROUTES,
    *RECOMMENDATION_ROUTES,
    *NOTICE_ROUTES,
    *ORDER_ROUTES,
    *COURSE_LIST_ROUTES,
    *DESK_ROUTES,
    *STORAGE_ROUTES,
    *SEARCH_ROUTES,
    *WATCHING_ROUTES,
    *WEBHOOK_ROUTES,
    *MESSAGE_ROUTES,
)
INTERNAL_ROUTES: Final[tuple[web.RouteDef, ...]] = (
    *EVENT_ROUTES,
    *UNIT_ROUTES,
    *AUTHORIZE_ROUTES,
)

MEDIA_ROUTES: Final[tuple[web.RouteDef, ...]] = (
    *DELIVERY_ROUTES,
    *EXTRA_ROUTES,
    *CHANNEL_MEDIA_ROUTES,
    *SHARING_ROUTES,
)
