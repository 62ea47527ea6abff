"""Tables of people, their sessions, and the counters that slow guessing down."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from vod.accounts.roles import Role
from vod.db.base import ID_CHARS, Base, HasId, short_enum


class Account(HasId, Base):
    """A person who may sign in. ``login`` is stored lower-case."""

    __tablename__ = "accounts"

    login: Mapped[str] = mapped_column(String(64), unique=True)
    display_name: Mapped[str] = mapped_column(String(64))
    role: Mapped[Role] = mapped_column(short_enum(Role, "role"))
    password_hash: Mapped[str] = mapped_column(String(255))
    is_disabled: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime]


class AccountSession(HasId, Base):
    """A sign-in. The token itself is never stored, only its SHA-256."""

    __tablename__ = "account_sessions"

    account_id: Mapped[str] = mapped_column(
        String(ID_CHARS), ForeignKey("accounts.id", ondelete="CASCADE"), index=True
    )
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)

    account: Mapped[Account] = relationship(lazy="raise")


class LoginThrottle(Base):
    """Recent failed sign-ins under one key, see ``vod.accounts.throttle.build_keys``."""

    __tablename__ = "login_throttles"
    __table_args__ = (Index(None, "window_started_at"),)

    key: Mapped[str] = mapped_column(String(80), primary_key=True)
    failures_count: Mapped[int] = mapped_column(default=0)
    window_started_at: Mapped[datetime]
    blocked_until: Mapped[datetime | None]
