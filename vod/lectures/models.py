"""The table of lectures."""

from __future__ import annotations

import enum
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import JSON, BigInteger, CheckConstraint, ForeignKey, Index, String, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from vod.accounts.roles import Visibility
from vod.classes.models import LiveClass
from vod.db.base import ID_CHARS, Base, HasId, short_enum
from vod.lectures.hours import Hundredths
from vod.lectures.publication import LectureKind, Publication

KEY_CHARS: Final = 64  # Of editable lists: forms, categories.
LABEL_CHARS: Final = 100
URL_CHARS: Final = 2000
# ``NULL`` is everybody; JSON's own null never gets in.
AUDIENCE: Final = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")


_IS_PRESENT: Final = text("deleted_at IS NULL")


class LectureState(enum.Enum):
    """Whether it can be watched: ``playable`` from the recording, ``ready`` with a ladder."""

    PROCESSING = "processing"
    PLAYABLE = "playable"
    READY = "ready"
    FAILED = "failed"


class Lecture(HasId, Base):
    """One replay or recorded lesson, a paper, or a page elsewhere.

    Attributes:
        introduction: A little HTML, sanitised when it was written.
        form: Key of the editable list of forms.
        publish_at: When a ``scheduled`` one is published.
        withdraw_at: When a ``published`` one is withdrawn.
        review_step: How many of the steps of review are passed, while ``in_review``.
        review_by: When somebody should look whether it is still true.
        external_id: What another catalogue or a course list calls it; unique among those present.
        audience: An audience rule; ``None`` is everybody.
        featured_at: Since when it is a featured one 精品; ``None`` is not.
        version: Counts changes of what the catalogue says, so that nobody overwrites unseen ones.
        live_class_id: Unique: a class has exactly one replay (invariant 4).
        recording_version: Which version of the class's recording it plays; ``None`` without one.
        source_version: Counts what it was made from: versions of its recording, then of uploaded
            files. Jobs and assets carry the version they are of; an older one never wins.
        upload_id: The uploaded file it is made from; ``None`` while that is the recording.
        asset_id: The published asset, flipped when a finished set is complete; ``None`` before.
        base_asset_id: The uncut set while ``asset_id`` is a cut of it, or of its predecessor.
        deleted_at: Set instead of removing the row, so that an event that arrives late cannot
            bring a deleted replay back.
    """

    __tablename__ = "lectures"
    __table_args__ = (
        Index(None, "deleted_at", "recorded_at"),
        Index(None, "publication", "publish_at"),
        Index(None, "publication", "withdraw_at"),
        Index(
            None,
            "external_id",
            unique=True,
            sqlite_where=_IS_PRESENT,
            postgresql_where=_IS_PRESENT,
        ),
        CheckConstraint("duration_ticks >= 0", name="duration"),
        CheckConstraint("hours >= 0", name="hours"),
    )

    title: Mapped[str] = mapped_column(String(200))
    description: Mapped[str] = mapped_column(default="")
    visibility: Mapped[Visibility] = mapped_column(short_enum(Visibility, "visibility"))
    state: Mapped[LectureState] = mapped_column(
        short_enum(LectureState, "state"), default=LectureState.PROCESSING
    )
    kind: Mapped[LectureKind] = mapped_column(
        short_enum(LectureKind, "kind"), default=LectureKind.MEDIA
    )
    form: Mapped[str | None] = mapped_column(
        String(KEY_CHARS), ForeignKey("lecture_forms.key", ondelete="RESTRICT"), index=True
    )
    introduction: Mapped[str] = mapped_column(default="")
    hours: Mapped[Decimal] = mapped_column(Hundredths(), default=Decimal(0))
    publication: Mapped[Publication] = mapped_column(
        short_enum(Publication, "publication"), default=Publication.PUBLISHED
    )
    publish_at: Mapped[datetime | None]
    withdraw_at: Mapped[datetime | None]
    review_step: Mapped[int] = mapped_column(default=0)
    review_by: Mapped[date | None] = mapped_column(index=True)
    audience: Mapped[dict[str, Any] | None] = mapped_column(AUDIENCE)
    featured_at: Mapped[datetime | None]
    source_label: Mapped[str | None] = mapped_column(String(LABEL_CHARS))
    licence: Mapped[str | None] = mapped_column(String(LABEL_CHARS))
    external_id: Mapped[str | None] = mapped_column(String(LABEL_CHARS))
    external_url: Mapped[str | None] = mapped_column(String(URL_CHARS))
    version: Mapped[int] = mapped_column(default=1)
    live_class_id: Mapped[str | None] = mapped_column(
        String(ID_CHARS), ForeignKey("live_classes.id", ondelete="RESTRICT"), unique=True
    )
    duration_ticks: Mapped[int] = mapped_column(BigInteger, default=0)
    recorded_at: Mapped[datetime | None]
    published_at: Mapped[datetime | None]
    recording_version: Mapped[int | None]
    source_version: Mapped[int] = mapped_column(default=0)
    upload_id: Mapped[str | None] = mapped_column(String(ID_CHARS), index=True)
    asset_id: Mapped[str | None] = mapped_column(String(ID_CHARS), index=True)
    base_asset_id: Mapped[str | None] = mapped_column(String(ID_CHARS), index=True)
    created_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None]

    live_class: Mapped[LiveClass | None] = relationship(lazy="raise")
