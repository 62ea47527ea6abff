"""Introductions: the little HTML that editors may write, made harmless. Pure."""

from __future__ import annotations

from typing import Annotated, Final

import nh3
from pydantic import AfterValidator, StringConstraints

from vod.http.types import refuse_controls

MAX_MARKUP_CHARS: Final = 20_000
TAGS: Final = frozenset(
    {"p", "br", "strong", "b", "em", "i", "u", "h3", "h4", "ul", "ol", "li", "blockquote", "a"}
)
SCHEMES: Final = frozenset({"http", "https", "mailto"})


def clean_markup(text: str) -> str:
    """Keep paragraphs, lists, emphasis and links; drop everything else with its scripts."""
    return nh3.clean(
        text,
        tags=set(TAGS),
        attributes={"a": {"href"}},
        url_schemes=set(SCHEMES),
        link_rel="noopener noreferrer nofollow",
    ).strip()


# As it comes in: what is stored and shown has been through the sieve.
Markup = Annotated[
    str,
    StringConstraints(max_length=MAX_MARKUP_CHARS),
    AfterValidator(refuse_controls),
    AfterValidator(clean_markup),
]
