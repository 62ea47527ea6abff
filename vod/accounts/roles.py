"""The words rights are written in: roles, visibility, and who is asking. Pure."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Role(enum.Enum):
    """What an account is for. Rights are in the policies, not in an order of roles."""

    MEMBER = "member"
    INSTRUCTOR = "instructor"
    EDITOR = "editor"
    UNIT_ADMIN = "unit_admin"
    ADMIN = "admin"


class Visibility(enum.Enum):
    """Who may know that a class or lecture exists."""

    PUBLIC = "public"
    MEMBERS = "members"


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who is asking: an account with a role, or nobody in particular.

    Attributes:
        viewer_id: Opaque and stable for presence; of the session or the anonymous cookie.
    """

    account_id: str | None = None
    role: Role | None = None
    viewer_id: str = ""

    @property
    def is_signed_in(self) -> bool:
        return self.account_id is not None


ANONYMOUS = Viewer()
