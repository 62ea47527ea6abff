"""Field types and small shapes that the library's rooms share. Pure."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Final

from pydantic import AfterValidator, Field, StringConstraints

from vod.http.types import MAX_YEAR, MIN_YEAR, Body, View, refuse_controls

_SPACE: Final = re.compile(r"\s")
_WEB: Final = re.compile(r"https?://[^/?#@]+(?:[/?#].*)?", re.IGNORECASE)


def _one_line(text: str) -> str:
    if "\n" in text or "\r" in text or "\t" in text:
        raise ValueError("give one line")
    return refuse_controls(text)


def _is_web_address(text: str) -> str:
    if _SPACE.search(text) or "\\" in text or not _WEB.fullmatch(text):
        raise ValueError("give an address that begins with http:// or https://")
    return refuse_controls(text)


def _is_plausible(day: date) -> date:
    if not MIN_YEAR <= day.year < MAX_YEAR:
        raise ValueError(f"the year is not within {MIN_YEAR}-{MAX_YEAR}")
    return day


Label = Annotated[
    str,
    StringConstraints(strip_whitespace=True, max_length=100),
    AfterValidator(_one_line),
]
FormKey = Annotated[str, StringConstraints(pattern=r"^[\w-]+$", max_length=64)]
Tag = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=32),
    AfterValidator(_one_line),
]
WebAddress = Annotated[
    str,
    StringConstraints(strip_whitespace=True, max_length=2_000),
    AfterValidator(_is_web_address),
]
ExternalId = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=100),
    AfterValidator(_one_line),
]
Day = Annotated[date, AfterValidator(_is_plausible)]
Year = Annotated[int, Field(ge=1900, lt=MAX_YEAR)]


class Award(Body):
    """A prize that a film won."""

    title: Annotated[Label, StringConstraints(min_length=1)]
    organiser: Label = ""
    year: Year | None = None
    rank: Label = ""


class Film(Body):
    """What the film library knows of a lecture; awards are listed as they were given."""

    category: Annotated[Label, StringConstraints(min_length=1, max_length=64)]
    producer: Label = ""
    produced_year: Year | None = None
    awards: Annotated[tuple[Award, ...], Field(max_length=50)] = ()


class FormRef(View):
    key: str
    name: str


class Teacher(View):
    """Who teaches, as a lecture names them."""

    id: str
    name: str
    unit_name: str
    portrait_url: str | None


class Document(View):
    """A file to keep."""

    id: str
    filename: str
    content_type: str
    size_bytes: int
    url: str
