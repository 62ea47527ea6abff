"""``/oidc`` (there and back) and ``/identities`` of the API."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Final
from urllib.parse import urlencode, urlsplit

import structlog
from aiohttp import web
from aiohttp_pydantic.oas.typing import r200, r204, r303
from pydantic import Field

from kernel.errors import DependencyError, NotFoundError
from kernel.ids import is_same_secret
from vod.accounts import throttle
from vod.accounts.policy import ADDRESS_LIMIT
from vod.http.keys import CLOCK, SECRET, SETTINGS
from vod.http.origin import is_https, read_address, read_origin
from vod.http.sessions import set_session_cookie
from vod.http.view import ApiView, require_id, respond, respond_empty
from vod.identities import schemas, service
from vod.identities.attempts import (
    LIFETIME,
    Attempt,
    decode_attempt,
    derive_keys,
    encode_attempt,
    settle_next,
    start_attempt,
)
from vod.identities.config import read_provider_blocking
from vod.identities.policy import Refusal, RefusedError, check_claims, read_identity
from vod.identities.provider import Provider
from vod.identities.tokens import read_header, verify_token

PROVIDERS: Final = web.AppKey("oidc_providers", dict[str, Provider])
"""By issuer; empty when sign-in through a provider is off."""
CALLBACK: Final = "/api/v1/oidc/callback"
COOKIE: Final = "hall_oidc"
# As RFC 6749 (appendix A) writes them; together they fit into one request line.
Code = Annotated[str, Field(max_length=2048, pattern="^[ -~]*$")]
State = Annotated[str, Field(max_length=100)]
ErrorCode = Annotated[str, Field(max_length=64, pattern="^[ -~]*$")]
Issuer = Annotated[str, Field(max_length=150, pattern="^[ -~]*$")]

log = structlog.get_logger(__name__)


def prepare_identities(app: web.Application) -> None:
    """Add the provider, if one is configured."""
    app[PROVIDERS] = {}
    app.cleanup_ctx.append(_run_provider)


async def _run_provider(app: web.Application) -> AsyncIterator[None]:
    config = await asyncio.to_thread(read_provider_blocking, app[SETTINGS])
    if config is None:
        yield
        return
    async with Provider(config) as provider:
        app[PROVIDERS][config.issuer] = provider
        yield


class _ProviderView(ApiView):
    @property
    def origin(self) -> str:
        return read_origin(self.request)

    @property
    def cookie(self) -> str:
        """``__Host-`` keeps other hosts of the domain from setting it; it needs HTTPS."""
        return f"__Host-{COOKIE}" if is_https(self.origin) else COOKIE

    def find_provider(self) -> Provider | None:
        return next(iter(self.request.app[PROVIDERS].values()), None)

    def require_provider(self) -> Provider:
        provider = self.find_provider()
        if provider is None:
            raise NotFoundError(
                "sign-in through a provider is off", title_zh="没有开通这种登录方式"
            )
        return provider

    def go(self, path: str) -> web.Response:
        """Send the browser on; what is in the address stays between us and the provider."""
        response = respond_empty(303)
        response.headers["Location"] = path
        response.headers["Referrer-Policy"] = "no-referrer"
        return response

    def go_back(self, outcome: str, next_path: str) -> web.Response:
        """Send the browser to the sign-in page, which says what came of it."""
        return self.go("/signin?" + urlencode({"oidc": outcome, "next": next_path}))


class OidcView(_ProviderView):
    async def get(self) -> r200[schemas.SignInProvider]:
        """Tell whether one can sign in through a provider, and whether it answers.

        Tags: session
        """
        provider, is_reachable = self.find_provider(), False
        if provider is not None:
            try:
                await provider.load_metadata()
                is_reachable = True
            except DependencyError as error:
                log.info("oidc_provider_away", detail=str(error))
        return respond(
            schemas.SignInProvider(
                is_enabled=provider is not None,
                is_reachable=is_reachable,
                label=provider.config.label if provider else "",
            )
        )


class OidcStartView(_ProviderView):
    async def get(
        self,
        next: Annotated[str, Field(max_length=300, description="Path to go on to")] = "/",  # noqa: A002 - its name in the query
    ) -> r303:
        """Go to the provider to sign in there.

        Tags: session
        Status Codes:
            303: To the provider, or back to the sign-in page when it does not answer.
            404: Sign-in through a provider is off.
        """
        provider, app = self.require_provider(), self.request.app
        attempt = start_attempt(next, app[CLOCK].now())
        keys = derive_keys(app[SECRET], attempt)
        try:
            url = await provider.build_authorization_url(keys, self.origin + CALLBACK)
        except DependencyError as error:
            log.warning("oidc_provider_away", detail=str(error))
            return self.go_back(Refusal.DOWN, attempt.next_path)
        response = self.go(url)
        response.set_cookie(
            self.cookie,
            encode_attempt(app[SECRET], attempt),
            max_age=int(LIFETIME.total_seconds()),
            path="/",
            httponly=True,
            samesite="Lax",
            secure=is_https(self.origin),
        )
        return response


class OidcCallbackView(_ProviderView):
    async def get(
        self, code: Code = "", state: State = "", error: ErrorCode = "", iss: Issuer = ""
    ) -> r303:
        """Come back from the provider. Sets the cookie ``hall_session``.

        Tags: session
        Status Codes:
            303: To the sign-in page, which goes on to ``next`` or says what is wrong.
            404: Sign-in through a provider is off.
        """
        provider, app = self.require_provider(), self.request.app
        now = app[CLOCK].now()
        attempt = decode_attempt(app[SECRET], self.request.cookies.get(self.cookie, ""), now)
        next_path = settle_next(attempt.next_path) if attempt else "/"
        try:
            if attempt is None:
                raise RefusedError(Refusal.EXPIRED, "no open attempt")  # noqa: TRY301 - rendered below
            response = await self._finish(
                provider, attempt, code=code, state=state, error=error, iss=iss
            )
        except RefusedError as refused:
            log.info(
                "oidc_sign_in_refused", reason=refused.reason.value, detail=str(refused),
                address=read_address(self.request),
            )  # fmt: skip
            response = self.go_back(refused.reason, next_path)
        except DependencyError as away:
            log.warning("oidc_provider_away", detail=str(away))
            response = self.go_back(Refusal.DOWN, next_path)
        response.del_cookie(self.cookie, path="/", secure=is_https(self.origin))
        return response

    async def _finish(
        self, provider: Provider, attempt: Attempt, *, code: str, state: str, error: str, iss: str
    ) -> web.Response:
        app, config = self.request.app, provider.config
        now, keys = app[CLOCK].now(), derive_keys(app[SECRET], attempt)
        if not state.isascii() or not is_same_secret(state, keys.state):
            raise RefusedError(Refusal.EXPIRED, "the state is of another attempt")
        if iss and iss != config.issuer:  # RFC 9207 §2.4: MUST reject.
            raise RefusedError(Refusal.INVALID, "the answer is of another issuer")
        limits = throttle.build_provider_keys(read_address(self.request), ADDRESS_LIMIT)
        async with self.database.write() as session:
            wait = await throttle.reserve_attempt(session, limits, now)
        if wait:
            raise RefusedError(Refusal.THROTTLED)
        await service.use_state(self.database, state, now)
        if error or not code:
            raise RefusedError(Refusal.CANCELLED, f"the provider said {error[:60]!r}")
        token = await provider.exchange(
            code, verifier=keys.verifier, redirect_uri=self.origin + CALLBACK
        )
        header = read_header(token)
        claims = verify_token(token, await provider.find_key(header))
        check_claims(
            claims,
            header,
            issuer=config.issuer,
            client_id=config.client_id,
            nonce=keys.nonce,
            now=now,
        )
        identity = read_identity(claims, claim=config.claim, match=config.match)
        result = await service.sign_in(self.database, identity, config, now=now)
        async with self.database.write() as session:
            await throttle.forgive(session, limits)
        response = self.go_back("done", attempt.next_path)
        set_session_cookie(self.request, response, result.token)
        return response


class IdentitiesView(_ProviderView):
    async def get(self) -> r200[schemas.IdentityList]:
        """List the identities that open one's account.

        Tags: session
        """
        account_id, providers = self.require_account(), self.request.app[PROVIDERS]
        async with self.database.read() as session:
            links = await service.load_identities(session, account_id)
        items = [
            schemas.Identity(
                id=link.id,
                label=providers[link.issuer].config.label
                if link.issuer in providers
                else urlsplit(link.issuer).netloc,
                issuer=link.issuer,
                created_at=link.created_at,
                last_sign_in_at=link.last_sign_in_at,
            )
            for link in links
        ]
        return respond(schemas.IdentityList(items=items))


class IdentityView(ApiView):
    async def delete(self, identity_id: str, /) -> r204:
        """Unlink an identity from one's account.

        Tags: session
        """
        account_id = self.require_account()
        await service.unlink(
            self.database,
            require_id(identity_id, "identity"),
            account_id=account_id,
            now=self.request.app[CLOCK].now(),
        )
        return respond_empty()


ROUTES: Final = (
    web.view("/api/v1/oidc", OidcView),
    web.view("/api/v1/oidc/start", OidcStartView),
    web.view(CALLBACK, OidcCallbackView),
    web.view("/api/v1/identities", IdentitiesView),
    web.view("/api/v1/identities/{identity_id}", IdentityView),
)
