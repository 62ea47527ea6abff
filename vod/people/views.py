"""``/members`` and ``/member-lists`` of the API."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final, Literal

from aiohttp import web
from aiohttp_pydantic.injectors import Group
from aiohttp_pydantic.oas.typing import r200, r201
from pydantic import BaseModel, Field
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.errors import NotAllowedError, NotFoundError
from vod.accounts.models import Account
from vod.accounts.rights import Action, find_reach, may, may_change_member
from vod.accounts.roles import Viewer
from vod.http.keys import CLOCK, SECRET
from vod.http.pagination import PageQuery, page_members
from vod.http.types import Identifier, SearchText
from vod.http.view import ApiView, require_id, respond
from vod.people import lists, schemas, service
from vod.people.masking import mask_phone
from vod.people.queries import MemberFilter, MemberState, load_member, load_members_page
from vod.units.queries import load_full_names, require_unit
from vod.units.schemas import OrgUnitRef


class MemberQuery(Group):  # type: ignore[misc]  # The library ships no types.
    """Query parameters of lists of members."""

    unit_id: Annotated[
        Identifier | None, Field(description="Only this unit and what is below it")
    ] = None
    q: SearchText = ""
    category: schemas.ListKey | None = None
    level: schemas.ListKey | None = None
    state: Literal["active", "waiting", "disabled"] | None = None


class CreatedMember(schemas.MemberDetail):
    """A new member with the code they sign in with first; shown once."""

    code: schemas.OneTimeCode


def _render(account: Account, names: dict[str, str], viewer: Viewer) -> schemas.Member:
    unit = None
    if account.unit is not None:
        unit = _refer(account.unit.id, account.unit.name, names)
    return schemas.Member(
        id=account.id,
        display_name=account.display_name,
        staff_no=account.staff_no,
        phone=mask_phone(account.phone),
        unit=unit,
        category=account.category,
        level=account.level,
        role=account.role,
        is_disabled=account.is_disabled,
        is_activated=account.password_hash != "",
        may_change=may_change_member(viewer, service.describe_target(account)),
    )


def _refer(unit_id: str, name: str, names: dict[str, str]) -> OrgUnitRef:
    return OrgUnitRef(id=unit_id, name=name, full_name=names.get(unit_id, name))


async def render_members(
    session: AsyncSession, accounts: Sequence[Account], viewer: Viewer
) -> list[schemas.Member]:
    """Render members loaded with ``queries.MEMBER_OPTIONS``: one query for all of them."""
    names = await load_full_names(session, [row.unit.path for row in accounts if row.unit])
    return [_render(account, names, viewer) for account in accounts]


async def render_detail(
    session: AsyncSession, account: Account, viewer: Viewer
) -> schemas.MemberDetail:
    paths = [scope.unit.path for scope in account.scopes]
    if account.unit is not None:
        paths.append(account.unit.path)
    names = await load_full_names(session, paths)
    member = _render(account, names, viewer)
    shown = member.model_dump() | {"phone": account.phone if member.may_change else member.phone}
    return schemas.MemberDetail(
        **shown,
        login=account.login,
        created_at=account.created_at,
        scopes=[
            schemas.MemberScope(role=scope.role, unit=_refer(scope.unit_id, scope.unit.name, names))
            for scope in sorted(account.scopes, key=lambda scope: scope.id)
        ],
        may_grant=may(viewer, Action.GRANT_ROLES, None),
    )


class MemberBase(ApiView):
    async def narrow(
        self, session: AsyncSession, wanted: MemberQuery, action: Action
    ) -> MemberFilter:
        """Narrow a list to all sub-trees of the viewer, or to the one asked for.

        Raises:
            NotAllowedError: The viewer may not do ``action`` there.
        """
        reach = find_reach(self.viewer, action)
        if wanted.unit_id is not None:
            unit = await require_unit(session, wanted.unit_id, field="unit_id")
            reach = (unit.path,) if may(self.viewer, action, unit.path) else ()
        if not reach:
            raise NotAllowedError("not a unit of yours", title_zh="只能查看本单位的学员")
        return MemberFilter(
            reach=reach,
            words=wanted.q,
            category=wanted.category,
            level=wanted.level,
            state=MemberState(wanted.state) if wanted.state else None,
        )

    async def answer(self, account_id: str) -> web.Response:
        """Answer one member as it is now.

        Raises:
            NotAllowedError: The viewer may not see them.
        """
        async with self.database.read() as session:
            detail = await self.load_detail(session, account_id)
        return respond(detail)

    async def load_detail(self, session: AsyncSession, account_id: str) -> schemas.MemberDetail:
        account = await load_member(session, account_id)
        unit_path = account.unit.path if account.unit else None
        if not may(self.viewer, Action.SEE_MEMBERS, unit_path):
            raise NotAllowedError("not a member of yours", title_zh="只能查看本单位的学员")
        return await render_detail(session, account, self.viewer)


class MembersView(MemberBase):
    async def get(
        self,
        page: PageQuery,
        wanted: MemberQuery,
    ) -> r200[schemas.MemberPage]:
        """List members by pinyin; ``q`` is a name, pinyin, initials, staff number or phone.

        Tags: members
        """
        self.require_account()
        async with self.database.read() as session:
            narrowed = await self.narrow(session, wanted, Action.SEE_MEMBERS)
            accounts, total = await load_members_page(session, page, narrowed)
            items = await render_members(session, accounts, self.viewer)
        return respond(schemas.MemberPage(items=items, **page_members(page, total)))

    async def post(self, body: schemas.NewMember) -> r201[CreatedMember]:
        """Create a member; the code answered signs in once, to choose a password.

        Tags: members
        Status Codes:
            201: Created.
            409: The login or staff number is taken.
        """
        self.require_account()
        app = self.request.app
        account_id, code = await service.create_member(
            self.database, body, viewer=self.viewer, secret=app[SECRET], now=app[CLOCK].now()
        )
        async with self.database.read() as session:
            detail = await self.load_detail(session, account_id)
        return respond(CreatedMember(**detail.model_dump(), code=code), status=201)


class MemberView(MemberBase):
    async def get(self, account_id: str, /) -> r200[schemas.MemberDetail]:
        """Show a member.

        Tags: members
        """
        self.require_account()
        return await self.answer(require_id(account_id, "member"))

    async def patch(
        self, account_id: str, /, body: schemas.MemberChange
    ) -> r200[schemas.MemberDetail]:
        """Change a member.

        Tags: members
        Status Codes:
            200: Changed.
            409: The staff number is taken, or it is the last administrator.
        """
        self.require_account()
        await service.change_member(
            self.database,
            body,
            account_id=require_id(account_id, "member"),
            viewer=self.viewer,
            now=self.request.app[CLOCK].now(),
        )
        return await self.answer(account_id)


class MemberResetView(MemberBase):
    async def post(self, account_id: str, /) -> r200[schemas.OneTimeCode]:
        """Take a member's password away; the code answered signs in to choose another.

        Tags: members
        """
        self.require_account()
        app = self.request.app
        code = await service.reset_member(
            self.database,
            account_id=require_id(account_id, "member"),
            viewer=self.viewer,
            secret=app[SECRET],
            now=app[CLOCK].now(),
        )
        return respond(code)


class MemberScopesView(MemberBase):
    async def put(
        self, account_id: str, /, body: schemas.ScopesChange
    ) -> r200[schemas.MemberDetail]:
        """Write all roles that a member has in sub-trees.

        Tags: members
        """
        self.require_account()
        await service.replace_scopes(
            self.database,
            body,
            account_id=require_id(account_id, "member"),
            viewer=self.viewer,
            now=self.request.app[CLOCK].now(),
        )
        return await self.answer(account_id)


class MemberListsView(ApiView):
    async def get(self) -> r200[schemas.MemberLists]:
        """Show the lists of categories and levels.

        Tags: members
        """
        self.require_account()
        self._require(Action.SEE_UNITS)
        async with self.database.read() as session:
            return respond(await lists.load_lists(session))

    def _require(self, action: Action) -> None:
        if not find_reach(self.viewer, action):
            raise NotAllowedError("no rights in any unit")


class MemberListView(ApiView):
    async def put(self, which: str, /, body: schemas.MemberListChange) -> r200[schemas.MemberLists]:
        """Write a whole list: ``categories`` or ``levels``.

        Tags: members
        Status Codes:
            200: Written.
            409: An entry that was left out is in use.
        """
        actor_id = self.require_account()
        if not may(self.viewer, Action.EDIT_LISTS, None):
            raise NotAllowedError("only administrators edit the lists")
        try:
            wanted = lists.MemberList(which)
        except ValueError as error:
            raise NotFoundError("no such list") from error
        written: BaseModel = await lists.replace_list(
            self.database, wanted, body, actor_id=actor_id, now=self.request.app[CLOCK].now()
        )
        return respond(written)


ROUTES: Final = (
    web.view("/api/v1/members", MembersView),
    web.view("/api/v1/members/{account_id}", MemberView),
    web.view("/api/v1/members/{account_id}/reset", MemberResetView),
    web.view("/api/v1/members/{account_id}/scopes", MemberScopesView),
    web.view("/api/v1/member-lists", MemberListsView),
    web.view("/api/v1/member-lists/{which}", MemberListView),
)
