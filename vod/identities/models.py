"""Tables of identities: who somebody is at the provider, and which sign-ins were used up."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from vod.db.base import ID_CHARS, Base, HasId

ISSUER_CHARS: Final = 255
SUBJECT_CHARS: Final = 255  # OpenID Connect Core §2: sub must not exceed 255 ASCII characters.


class IdentityLink(HasId, Base):
    """An identity at a provider, and the one account it opens."""

    __tablename__ = "identity_links"
    __table_args__ = (
        UniqueConstraint("issuer", "subject"),
        UniqueConstraint("account_id", "issuer"),
    )

    account_id: Mapped[str] = mapped_column(
        String(ID_CHARS), ForeignKey("accounts.id", ondelete="CASCADE")
    )
    issuer: Mapped[str] = mapped_column(String(ISSUER_CHARS))
    subject: Mapped[str] = mapped_column(String(SUBJECT_CHARS))
    created_at: Mapped[datetime]
    last_sign_in_at: Mapped[datetime]


class UsedState(Base):
    """A ``state`` that came back once; it does not count again. Forgotten with its attempt."""

    __tablename__ = "used_sign_in_states"

    state: Mapped[str] = mapped_column(String(64), primary_key=True)
    used_at: Mapped[datetime] = mapped_column(index=True)
