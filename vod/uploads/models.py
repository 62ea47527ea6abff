"""Tables of uploads and their stored parts. No queries."""

from __future__ import annotations

import enum
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from vod.accounts.roles import Visibility
from vod.db.base import ID_CHARS, JSON_DOCUMENT, Base, HasId, short_enum
from vod.lectures.publication import Publication


class UploadState(enum.Enum):
    """Where an upload is; the transitions are drawn in ``vod.uploads.service``."""

    RECEIVING = "receiving"
    DONE = "done"
    DUPLICATE = "duplicate"
    REFUSED = "refused"
    EXPIRED = "expired"


class Upload(HasId, Base):
    """One file that somebody sends, or has sent.

    Attributes:
        metadata_text: ``Upload-Metadata`` as it was sent, given back word for word.
        publication: Of the lecture that is made of it.
        lecture_id: The lecture that was made of it, or whose file it is to replace.
        is_replacement: ``lecture_id`` was there before.
        replaced_upload_id: What the lecture was made from until then; it comes back if this one
            turns out not to be media.
        part_bytes: All parts but the last have this size.
        received_bytes: Stored for good: whole parts and the tail.
        tail: ``[{"key", "size_bytes"}, ...]``: what came after the last whole part, in order.
        multipart: The store's name of the unfinished object.
        digest: Of the whole file, see ``vod.uploads.digest``; before the end what its sender said.
        reason: Why it ended as it did, for people.
        lease_token: Whoever receives bytes for it now, until ``lease_until``.
        bytes_deleted_at: When everything stored of it was removed.
    """

    __tablename__ = "uploads"
    __table_args__ = (
        Index(None, "digest", "size_bytes"),
        Index(None, "state", "expires_at"),
        CheckConstraint("size_bytes > 0", name="size"),
        CheckConstraint("received_bytes >= 0 AND received_bytes <= size_bytes", name="received"),
    )

    account_id: Mapped[str] = mapped_column(
        String(ID_CHARS), ForeignKey("accounts.id", ondelete="CASCADE"), index=True
    )
    filename: Mapped[str] = mapped_column(String(255))
    metadata_text: Mapped[str]
    title: Mapped[str] = mapped_column(String(200))
    visibility: Mapped[Visibility] = mapped_column(short_enum(Visibility, "visibility"))
    publication: Mapped[Publication] = mapped_column(
        short_enum(Publication, "publication"), default=Publication.PUBLISHED
    )
    series_id: Mapped[str | None] = mapped_column(
        String(ID_CHARS), ForeignKey("series.id", ondelete="SET NULL")
    )
    lecture_id: Mapped[str | None] = mapped_column(
        String(ID_CHARS), ForeignKey("lectures.id", ondelete="SET NULL"), index=True
    )
    is_replacement: Mapped[bool] = mapped_column(default=False)
    replaced_upload_id: Mapped[str | None] = mapped_column(String(ID_CHARS))
    is_duplicate_allowed: Mapped[bool] = mapped_column(default=False)
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    part_bytes: Mapped[int]
    received_bytes: Mapped[int] = mapped_column(BigInteger, default=0)
    tail: Mapped[list[dict[str, Any]]] = mapped_column(JSON_DOCUMENT, default=list)
    multipart: Mapped[str]
    digest: Mapped[str | None] = mapped_column(String(80))
    state: Mapped[UploadState] = mapped_column(
        short_enum(UploadState, "state"), default=UploadState.RECEIVING
    )
    reason: Mapped[str | None]
    duplicate_of_id: Mapped[str | None] = mapped_column(
        String(ID_CHARS), ForeignKey("lectures.id", ondelete="SET NULL")
    )
    lease_token: Mapped[str | None] = mapped_column(String(ID_CHARS))
    lease_until: Mapped[datetime | None]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    bytes_deleted_at: Mapped[datetime | None]


class UploadPart(Base):
    """One part in the blob store; ``digest`` is its SHA-256, ``etag`` the store's receipt."""

    __tablename__ = "upload_parts"

    upload_id: Mapped[str] = mapped_column(
        String(ID_CHARS), ForeignKey("uploads.id", ondelete="CASCADE"), primary_key=True
    )
    number: Mapped[int] = mapped_column(primary_key=True)
    etag: Mapped[str] = mapped_column(String(200))
    digest: Mapped[str] = mapped_column(String(64))
