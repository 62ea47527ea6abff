"""Where recommendations are shown. Pure."""

from __future__ import annotations

import enum


class Place(enum.Enum):
    """A slot of a page."""

    HOME = "home"
    LIBRARY = "library"
    MENUS = "menus"
