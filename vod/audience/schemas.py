"""What the API says about audience rules."""

from __future__ import annotations

from vod.audience.rule import AudienceRule
from vod.http.types import Body, View


class AudienceQuestion(Body):
    """A rule to try out."""

    rule: AudienceRule


class AudienceExample(View):
    """A member whom the rule means; the name is masked, category and level are keys."""

    id: str
    name: str
    unit_name: str | None
    category: str | None
    level: str | None


class AudiencePreview(View):
    """How many members the rule means, as far as whoever asks may see, and a few of them."""

    members_count: int
    examples: list[AudienceExample]
