"""What the API says on its first page and about itself."""

from __future__ import annotations

from vod.classes.schemas import IceServer, LiveClass
from vod.http.types import View
from vod.lectures.schemas import Lecture
from vod.menus.schemas import ItemShown
from vod.watching.schemas import RequiredPage, Watched


class Home(View):
    """The first page; what is a member's own is empty for everybody else.

    Attributes:
        going_on: What was begun and not finished, the latest first.
        required: Required lectures that are not finished, with how many are.
    """

    live: list[LiveClass]
    upcoming: list[LiveClass]
    going_on: list[Watched]
    required: RequiredPage | None
    recommended: list[ItemShown]
    recent: list[Lecture]


class SiteConfig(View):
    """What the player must know before anybody signs in."""

    site_title: str
    origin: str
    is_https: bool
    whep_enabled: bool
    ice_servers: list[IceServer]
