"""What the API says about posters."""

from __future__ import annotations

from typing import Annotated

from pydantic import StringConstraints

from vod.http.types import Body, View


class PosterRef(View):
    """A picture that may be chosen by its name."""

    name: str
    url: str


class PosterChoice(Body):
    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,128}$")]


class Posters(View):
    """What is shown now, and what may be chosen."""

    poster_url: str | None
    posters: list[PosterRef]
