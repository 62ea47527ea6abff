"""Every route of the library."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from vod.library.contests.judging_views import ROUTES as JUDGING_ROUTES
from vod.library.contests.views import ROUTES as CONTEST_ROUTES
from vod.library.documents.views import ROUTES as DOCUMENT_ROUTES
from vod.library.films.views import ROUTES as FILM_ROUTES
from vod.library.forms.views import ROUTES as FORM_ROUTES
from vod.library.instructors.views import ROUTES as INSTRUCTOR_ROUTES
from vod.library.review.views import ROUTES as REVIEW_ROUTES
from vod.library.venues.views import ROUTES as VENUE_ROUTES

ROUTES: Final[tuple[web.RouteDef, ...]] = (
    *CONTEST_ROUTES,
    *JUDGING_ROUTES,
    *DOCUMENT_ROUTES,
    *FILM_ROUTES,
    *FORM_ROUTES,
    *INSTRUCTOR_ROUTES,
    *REVIEW_ROUTES,
    *VENUE_ROUTES,
)
