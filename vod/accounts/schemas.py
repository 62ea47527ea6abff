"""What the API says about people."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

from vod.accounts.roles import Role
from vod.http.pagination import Page
from vod.http.types import AnyPassword, Body, Login, Moment, Name, Password, View, refuse_controls


class Account(View):
    """A person who may sign in."""

    id: str
    login: str
    display_name: str
    role: Role
    is_disabled: bool
    must_change_password: bool
    created_at: Moment


class AccountPage(Page):
    items: list[Account]


class SignIn(Body):
    """Name, and password or one-time code; the name is not case-sensitive."""

    login: Annotated[
        str,
        StringConstraints(strip_whitespace=True, to_lower=True, min_length=1, max_length=64),
        AfterValidator(refuse_controls),
    ]
    password: AnyPassword = Field(repr=False)


class SignedIn(View):
    """A new session: the token for programs, the cookie (set beside it) for browsers."""

    token: str
    csrf_token: str
    account: Account


class GrantedScope(View):
    """A role in one sub-tree, named by its unit."""

    role: Role
    unit_id: str
    unit_name: str


class OwnUnit(View):
    """The unit that somebody belongs to."""

    id: str
    name: str


class SessionInfo(View):
    """Who is signed in, and the CSRF token that changes made with the cookie must carry.

    ``scopes`` are roles in sub-trees; ``unit`` is null for whoever belongs to none.
    """

    account: Account | None
    unit: OwnUnit | None
    scopes: list[GrantedScope]
    csrf_token: str


class OwnAccountChange(Body):
    """Change of one's own account.

    A new password needs the current one, unless ``must_change_password`` is set.
    """

    display_name: Name | None = None
    current_password: AnyPassword | None = Field(default=None, repr=False)
    new_password: Password | None = Field(default=None, repr=False)


class NewAccount(Body):
    """An account to create; without a password one is made and answered once."""

    login: Login
    display_name: Name
    role: Role = Role.MEMBER
    password: Password | None = Field(default=None, repr=False)


class CreatedAccount(Account):
    password: str | None = Field(description="Only when it was generated; shown once")


class AccountChange(Body):
    """What an administrator may change."""

    display_name: Name | None = None
    role: Role | None = None
    is_disabled: bool | None = None
    new_password: Password | None = Field(default=None, repr=False)
