"""``/session``, ``/account`` and ``/accounts`` of the API."""

from __future__ import annotations

from typing import Annotated, Final

from aiohttp import web
from aiohttp_pydantic.oas.typing import r200, r201, r204
from pydantic import Field

from kernel.errors import NotAllowedError, NotSignedInError
from vod.accounts import schemas, service, sessions
from vod.accounts.models import Account
from vod.accounts.policy import may_manage_accounts
from vod.accounts.roles import Role
from vod.http.keys import CLOCK, PASSWORDS, SECRET
from vod.http.origin import read_address
from vod.http.pagination import PageQuery, page_members
from vod.http.sessions import SESSION, VIEWER_ID, set_session_cookie
from vod.http.types import SearchText
from vod.http.view import ApiView, require_id, respond, respond_empty


def render_account(account: Account) -> schemas.Account:
    return schemas.Account.model_validate(account, from_attributes=True)


def _render_scopes(account: Account) -> list[schemas.GrantedScope]:
    return [
        schemas.GrantedScope(role=scope.role, unit_id=scope.unit_id, unit_name=scope.unit.name)
        for scope in sorted(account.scopes, key=lambda scope: scope.id)
    ]


class SessionView(ApiView):
    async def post(self, body: schemas.SignIn) -> r200[schemas.SignedIn]:
        """Sign in. Sets the cookie ``hall_session`` and answers a bearer token.

        Tags: session
        Status Codes:
            200: Signed in.
            429: Too many failed attempts; see Retry-After.
        """
        app = self.request.app
        result = await service.sign_in(
            self.database,
            app[PASSWORDS],
            body,
            address=read_address(self.request),
            secret=app[SECRET],
            now=app[CLOCK].now(),
        )
        csrf_token = sessions.build_csrf_token(app[SECRET], result.csrf_binding)
        response = respond(
            schemas.SignedIn(
                token=result.token, csrf_token=csrf_token, account=render_account(result.account)
            )
        )
        set_session_cookie(self.request, response, result.token)
        return response

    async def get(self) -> r200[schemas.SessionInfo]:
        """Tell who is signed in.

        Tags: session
        """
        current, account = self.request.get(SESSION), None
        binding = current.token_hash if current else self.request[VIEWER_ID]
        if current is not None:
            account = render_account(current.account)
        csrf_token = sessions.build_csrf_token(self.request.app[SECRET], binding)
        scopes = _render_scopes(current.account) if current else []
        unit = current.account.unit if current else None
        return respond(
            schemas.SessionInfo(
                account=account,
                unit=schemas.OwnUnit(id=unit.id, name=unit.name) if unit else None,
                scopes=scopes,
                csrf_token=csrf_token,
            )
        )

    async def delete(self) -> r204:
        """Sign out.

        Tags: session
        Status Codes:
            204: Signed out.
        """
        current = self.request.get(SESSION)
        if current is None:
            raise NotSignedInError("nobody is signed in")
        async with self.database.write() as session:
            await sessions.end_session(session, current.id)
        response = respond_empty()
        response.del_cookie(sessions.SESSION_COOKIE)
        return response


class OwnAccountView(ApiView):
    async def patch(self, body: schemas.OwnAccountChange) -> r200[schemas.Account]:
        """Change one's own name or password.

        Tags: session
        """
        current = self.request.get(SESSION)
        if current is None:
            raise NotSignedInError("sign in first")
        app = self.request.app
        account = await service.change_own_account(
            self.database,
            app[PASSWORDS],
            body,
            account_id=current.account_id,
            session_id=current.id,
            is_choosing=current.account.must_change_password,
            now=app[CLOCK].now(),
        )
        return respond(render_account(account))


class _AdminView(ApiView):
    def require_admin(self) -> str:
        account_id = self.require_account()
        if not may_manage_accounts(self.viewer):
            raise NotAllowedError("only administrators manage accounts")
        return account_id


class AccountsView(_AdminView):
    async def get(
        self,
        page: PageQuery,
        q: SearchText = "",
        role: Annotated[Role | None, Field(description="Only this role")] = None,
    ) -> r200[schemas.AccountPage]:
        """List accounts by login.

        Tags: accounts
        """
        self.require_admin()
        async with self.database.read() as session:
            accounts, total = await service.load_accounts(session, page, words=q, role=role)
        items = [render_account(account) for account in accounts]
        return respond(schemas.AccountPage(items=items, **page_members(page, total)))

    async def post(self, body: schemas.NewAccount) -> r201[schemas.CreatedAccount]:
        """Create an account.

        Tags: accounts
        Status Codes:
            201: Created; the password is answered once when it was generated.
            409: The login is taken.
        """
        actor_id = self.require_admin()
        app = self.request.app
        account, password = await service.create_account(
            self.database, app[PASSWORDS], body, actor_id=actor_id, now=app[CLOCK].now()
        )
        created = schemas.CreatedAccount(**render_account(account).model_dump(), password=password)
        return respond(created, status=201)


class AccountView(_AdminView):
    async def get(self, account_id: str, /) -> r200[schemas.Account]:
        """Show an account.

        Tags: accounts
        """
        self.require_admin()
        async with self.database.read() as session:
            account = await service.load_account(session, account_id)
        return respond(render_account(account))

    async def patch(self, account_id: str, /, body: schemas.AccountChange) -> r200[schemas.Account]:
        """Change an account.

        Tags: accounts
        Status Codes:
            200: Changed.
            409: It is the last administrator.
        """
        actor_id = self.require_admin()
        app = self.request.app
        account = await service.change_account(
            self.database,
            app[PASSWORDS],
            body,
            account_id=require_id(account_id, "account"),
            actor_id=actor_id,
            now=app[CLOCK].now(),
        )
        return respond(render_account(account))


ROUTES: Final = (
    web.view("/api/v1/session", SessionView),
    web.view("/api/v1/account", OwnAccountView),
    web.view("/api/v1/accounts", AccountsView),
    web.view("/api/v1/accounts/{account_id}", AccountView),
)
