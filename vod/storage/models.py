"""The table of dry runs. No queries."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Mapped, mapped_column

from vod.db.base import JSON_DOCUMENT, Base, HasId


class OrphanListing(HasId, Base):
    """What one dry run found; deleting by its ``id`` goes no further than ``prefixes``."""

    __tablename__ = "orphan_listings"

    prefixes: Mapped[list[dict[str, Any]]] = mapped_column(JSON_DOCUMENT)
    created_at: Mapped[datetime] = mapped_column(index=True)
