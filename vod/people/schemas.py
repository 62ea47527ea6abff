"""What the API says about members and the lists that describe them."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

from vod.accounts.roles import Role
from vod.http.pagination import Page
from vod.http.types import Body, Identifier, Login, Moment, Name, View
from vod.people.masking import settle_phone
from vod.people.models import KEY_CHARS, ImportState
from vod.units.schemas import OrgUnitRef

MAX_ENTRIES = 100  # Of a list of categories or levels.
MAX_SCOPES = 50


def _check_phone(text: str) -> str:
    phone = settle_phone(text)
    if phone is None:
        raise ValueError("not a phone number")
    return phone


StaffNo = Annotated[
    str, StringConstraints(strip_whitespace=True, pattern=r"^[0-9A-Za-z][0-9A-Za-z._-]{0,31}$")
]
Phone = Annotated[str, StringConstraints(max_length=32), AfterValidator(_check_phone)]
ListKey = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_-]+$", max_length=KEY_CHARS)]


class Member(View):
    """Somebody of a unit, as lists show them: the phone number is masked.

    ``is_activated``: they have a password. ``may_change``: whoever asks may change and reset.
    """

    id: str
    display_name: str
    staff_no: str | None
    phone: str | None
    unit: OrgUnitRef | None
    category: str | None
    level: str | None
    role: Role
    is_disabled: bool
    is_activated: bool
    may_change: bool


class MemberPage(Page):
    items: list[Member]


class MemberScope(View):
    """A role in one sub-tree."""

    role: Role
    unit: OrgUnitRef


class MemberDetail(Member):
    """One member; ``phone`` is whole for whoever may change it."""

    login: str
    created_at: Moment
    scopes: list[MemberScope]
    may_grant: bool


class NewMember(Body):
    """A member to create; without ``login`` it is made of the staff number."""

    display_name: Name
    unit_id: Identifier
    staff_no: StaffNo | None = None
    phone: Phone | None = None
    category: ListKey | None = None
    level: ListKey | None = None
    login: Login | None = None


class MemberChange(Body):
    """What may be changed of a member; null empties a field."""

    display_name: Name | None = None
    unit_id: Identifier | None = None
    staff_no: StaffNo | None = None
    phone: Phone | None = None
    category: ListKey | None = None
    level: ListKey | None = None
    is_disabled: bool | None = None


class OneTimeCode(View):
    """Signs in once, to choose a password. Shown once."""

    login: str
    code: str
    expires_at: Moment


class NewScope(Body):
    """A role in one sub-tree: ``editor`` or ``unit_admin``."""

    role: Role
    unit_id: Identifier


class ScopesChange(Body):
    """All scopes somebody has from now on."""

    scopes: Annotated[list[NewScope], Field(max_length=MAX_SCOPES)]


class MemberListEntry(View):
    """A category or level; ``members_count`` says whether it is in use."""

    key: str
    name: str
    members_count: int


class MemberLists(View):
    """The words that describe members, in order."""

    categories: list[MemberListEntry]
    levels: list[MemberListEntry]


class NewListEntry(Body):
    """An entry to keep (its ``key``) or to add (without one)."""

    key: ListKey | None = None
    name: Name


class MemberListChange(Body):
    """A whole list from now on, in order; what is not in it goes, unless it is in use."""

    items: Annotated[list[NewListEntry], Field(max_length=MAX_ENTRIES)]


class ImportCounts(View):
    """What the rows of a roster mean, or did."""

    inserted: int
    updated: int
    unchanged: int
    failed: int


class RosterImport(View):
    """A roster on its way in; ``reason`` says in Chinese why it failed.

    ``rows_count`` is known once the dry run reads rows.
    """

    id: str
    filename: str
    size_bytes: int
    state: ImportState
    rows_count: int | None
    rows_done: int
    counts: ImportCounts
    reason: str | None
    created_by: str | None
    created_at: Moment
    finished_at: Moment | None


class RosterImportPage(Page):
    items: list[RosterImport]


class RosterError(View):
    """What is wrong with a row: its number in the sheet, the column, a Chinese sentence."""

    row: int
    column: str
    sentence: str


class RosterErrorPage(Page):
    """The first 1000 errors; ``counts.failed`` of the import counts all of them."""

    items: list[RosterError]
