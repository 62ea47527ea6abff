"""What an item of the catalogue is and whether members see it: the words. Pure."""

from __future__ import annotations

import enum


class Publication(enum.Enum):
    """Where an item is on its way to the members; the transitions are in ``vod.library.review``.

    Only ``published`` ones are seen by members; ``scheduled`` ones become so at their time.
    """

    DRAFT = "draft"
    IN_REVIEW = "in_review"
    SCHEDULED = "scheduled"
    PUBLISHED = "published"
    WITHDRAWN = "withdrawn"


class LectureKind(enum.Enum):
    """What there is to study: sound and picture, papers, or a page elsewhere."""

    MEDIA = "media"
    DOCUMENT = "document"
    LINK = "link"
