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
class MemberFacts:
    """What audience rules ask of a member.

    Attributes:
        unit_path: ``/{id}/{id}/`` from the root to the unit; ``None`` without one.
        category: Key of the list of categories; ``level`` so.
    """

    unit_path: str | None = None
    category: str | None = None
    level: str | None = None


@dataclass(frozen=True, slots=True)
class Scope:
    """A role in one sub-tree only: everything at or below ``unit_path``."""

    role: Role
    unit_path: str

    def covers(self, unit_path: str) -> bool:
        return unit_path.startswith(self.unit_path)


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who is asking: an account with a role, or nobody in particular.

    Attributes:
        role: Of the whole city. An editor with scopes of an editor is one in these sub-trees
            only, so here a member; a unit admin has no rights but by scopes.
        viewer_id: Opaque and stable for presence; of the session or the anonymous cookie.
        member: Known of whoever is signed in.
        scopes: Roles in sub-trees, see ``vod.accounts.rights``.
    """

    account_id: str | None = None
    role: Role | None = None
    viewer_id: str = ""
    member: MemberFacts | None = None
    scopes: tuple[Scope, ...] = ()

    @property
    def is_signed_in(self) -> bool:
        return self.account_id is not None


ANONYMOUS = Viewer()
