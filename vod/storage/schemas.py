"""What the API says about blobs that nobody owns."""

from __future__ import annotations

from typing import Annotated

from pydantic import StringConstraints

from vod.http.types import Body, View


class OrphanPrefix(View):
    """Objects under one prefix, and one sentence why nobody owns them."""

    prefix: str
    objects_count: int
    size_bytes: int
    why: str


class OrphanList(View):
    """A dry run; ``is_complete`` is false when there is more than one run can list."""

    prefixes: list[OrphanPrefix]
    objects_count: int
    size_bytes: int
    is_complete: bool
    token: str


class OrphanChoice(Body):
    """Which dry run to carry out."""

    token: Annotated[str, StringConstraints(max_length=64)]


class OrphansDeleted(View):
    """What went; ``kept_count`` prefixes have an owner by now. Not complete: send it again."""

    prefixes_count: int
    objects_count: int
    size_bytes: int
    kept_count: int
    is_complete: bool
