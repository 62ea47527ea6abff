"""What the API says on its first page and about itself."""

from __future__ import annotations

from vod.classes.schemas import IceServer, LiveClass
from vod.http.types import View
from vod.lectures.schemas import Lecture


class Home(View):
    live: list[LiveClass]
    upcoming: list[LiveClass]
    recent: list[Lecture]


class SiteConfig(View):
    """What the player must know before anybody signs in."""

    site_title: str
    origin: str
    is_https: bool
    whep_enabled: bool
    ice_servers: list[IceServer]
