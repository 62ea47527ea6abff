"""Tables of people, their sessions, and the counters that slow guessing down."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint, false, text
from sqlalchemy.orm import Mapped, mapped_column, relationship, validates

from vod.accounts.names import INITIALS_CHARS, PINYIN_CHARS, build_name_keys
from vod.accounts.roles import Role
from vod.db.base import ID_CHARS, Base, HasId, short_enum
from vod.people.models import KEY_CHARS
from vod.units.models import OrgUnit


def _plain(length: int) -> String:
    """ASCII text that sorts by its bytes on both databases, so that ranges find prefixes."""
    return String(length).with_variant(String(length, collation="C"), "postgresql")


class Account(HasId, Base):
    """A person who may sign in. ``login`` is stored lower-case.

    Attributes:
        password_hash: Empty for whoever never had a password; no password fits it.
        must_change_password: Nothing else is allowed until they choose one.
        code_hash: HMAC of the one-time code that signs in once, until ``code_expires_at``.
        pinyin: Of the name, see ``vod.accounts.names``; so ``pinyin_joined`` and ``initials``.
    """

    __tablename__ = "accounts"
    __table_args__ = (
        Index(None, "pinyin", "id", "display_name"),  # Names are looked through in their order.
        Index(None, "pinyin_joined"),
        Index(None, "initials"),
        Index(None, "unit_id", "pinyin", "id"),
        Index(None, "unit_id", "is_disabled"),  # Members are counted without reading them.
        Index(None, "category", "pinyin", "id"),
        Index(None, "level", "pinyin", "id"),
    )

    login: Mapped[str] = mapped_column(String(64), unique=True)
    display_name: Mapped[str] = mapped_column(String(64))
    role: Mapped[Role] = mapped_column(short_enum(Role, "role"))
    password_hash: Mapped[str] = mapped_column(String(255))
    is_disabled: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime]
    unit_id: Mapped[str | None] = mapped_column(
        String(ID_CHARS), ForeignKey("org_units.id", ondelete="RESTRICT")
    )
    staff_no: Mapped[str | None] = mapped_column(_plain(32), unique=True)
    phone: Mapped[str | None] = mapped_column(_plain(20), index=True)
    category: Mapped[str | None] = mapped_column(
        String(KEY_CHARS), ForeignKey("member_categories.key", ondelete="RESTRICT")
    )
    level: Mapped[str | None] = mapped_column(
        String(KEY_CHARS), ForeignKey("member_levels.key", ondelete="RESTRICT")
    )
    pinyin: Mapped[str] = mapped_column(_plain(PINYIN_CHARS), default="", server_default=text("''"))
    pinyin_joined: Mapped[str] = mapped_column(
        _plain(PINYIN_CHARS), default="", server_default=text("''")
    )
    initials: Mapped[str] = mapped_column(
        _plain(INITIALS_CHARS), default="", server_default=text("''")
    )
    must_change_password: Mapped[bool] = mapped_column(default=False, server_default=false())
    code_hash: Mapped[str | None] = mapped_column(String(64))
    code_expires_at: Mapped[datetime | None]

    unit: Mapped[OrgUnit | None] = relationship(lazy="raise")
    scopes: Mapped[list[RoleScope]] = relationship(lazy="raise", viewonly=True)

    @validates("display_name")
    def _find_by_name(self, _key: str, name: str) -> str:
        keys = build_name_keys(name)
        self.pinyin, self.pinyin_joined = keys.pinyin, keys.joined
        self.initials = keys.initials
        return name


class RoleScope(HasId, Base):
    """A role in one sub-tree. A unit somebody has a role in is not deleted."""

    __tablename__ = "role_scopes"
    __table_args__ = (
        UniqueConstraint("account_id", "role", "unit_id"),
        CheckConstraint("role IN ('editor', 'unit_admin')", name="scoped_role"),
    )

    account_id: Mapped[str] = mapped_column(
        String(ID_CHARS), ForeignKey("accounts.id", ondelete="CASCADE")
    )
    role: Mapped[Role] = mapped_column(short_enum(Role, "role"))
    unit_id: Mapped[str] = mapped_column(
        String(ID_CHARS), ForeignKey("org_units.id", ondelete="RESTRICT"), index=True
    )

    unit: Mapped[OrgUnit] = relationship(lazy="raise")


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
