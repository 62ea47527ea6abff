"""The provider over HTTP: its description, its keys, and codes exchanged for id tokens.

Every answer is a stranger's: 5 s, 256 kB, no redirects. The description and the keys are kept for
an hour; a key that is not known asks again, at most ``MAX_REFRESHES`` times a minute. A failure is
remembered for some seconds, so that a sign-in page does not wait for a provider that is away.
"""

from __future__ import annotations

import asyncio
from collections import deque
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import quote, urlsplit

import aiohttp
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from joserfc.jwk import Key
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from kernel.config import is_safe_issuer
from kernel.errors import DependencyError
from vod.identities.attempts import AttemptKeys
from vod.identities.config import ProviderConfig
from vod.identities.policy import Refusal, RefusedError
from vod.identities.tokens import SigningKey, choose_key, parse_keys

DEADLINE_S: Final = 5.0
MAX_ANSWER_BYTES: Final = 256 * 1024
KEPT_S: Final = 3600.0
FAILURE_KEPT_S: Final = 10.0
MAX_REFRESHES: Final = 5  # A minute, of keys that a token names and we do not know.
MINUTE_S: Final = 60.0
_OBJECT: Final = TypeAdapter(dict[str, Any])


class Metadata(BaseModel):
    """What we need of a provider's description. OpenID Connect Discovery §3."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    issuer: str
    authorization_endpoint: str = Field(max_length=2000)
    token_endpoint: str = Field(max_length=2000)
    jwks_uri: str = Field(max_length=2000)
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)
    code_challenge_methods_supported: tuple[str, ...] | None = None
    authorization_response_iss_parameter_supported: bool = False


class Provider:
    """One provider; use it with ``async with``. Runs on the loop; any number of calls at once."""

    def __init__(self, config: ProviderConfig) -> None:
        self.config = config
        self._session: aiohttp.ClientSession | None = None
        self._lock = asyncio.Lock()
        self._metadata: tuple[float, Metadata] | None = None
        self._failed: tuple[float, str] | None = None
        self._keys: tuple[float, tuple[SigningKey, ...]] | None = None
        self._refreshes: deque[float] = deque(maxlen=MAX_REFRESHES)

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=DEADLINE_S),
        )
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None,
        _tb: TracebackType | None,
    ) -> None:  # fmt: skip
        if self._session is not None:
            await self._session.close()

    async def load_metadata(self) -> Metadata:
        """Load the provider's description.

        Raises:
            DependencyError: It does not answer, or is not whom it says.
        """
        async with self._lock:
            now_s = _now_s()
            if self._metadata is not None and now_s - self._metadata[0] < KEPT_S:
                return self._metadata[1]
            if self._failed is not None and now_s - self._failed[0] < FAILURE_KEPT_S:
                raise DependencyError(self._failed[1])
            try:
                metadata = await self._fetch_metadata()
            except DependencyError as error:
                self._failed = (_now_s(), str(error))
                raise
            self._metadata, self._failed = (_now_s(), metadata), None
            return metadata

    async def _fetch_metadata(self) -> Metadata:
        url = self.config.issuer.rstrip("/") + "/.well-known/openid-configuration"
        try:
            metadata = Metadata.model_validate(await self._request("GET", url))
        except ValidationError as error:
            raise DependencyError("the provider's description lacks members") from error
        # Discovery §4.3: the issuer MUST be identical to the one that was asked for.
        if metadata.issuer != self.config.issuer:
            raise DependencyError("the provider's description is of another issuer")
        is_local = urlsplit(self.config.issuer).scheme == "http"
        for endpoint in (
            metadata.authorization_endpoint, metadata.token_endpoint, metadata.jwks_uri,
        ):  # fmt: skip
            if not is_safe_issuer(endpoint, may_query=True) or (
                not is_local and not endpoint.startswith("https://")
            ):
                raise DependencyError("an endpoint of the provider is not https")
        methods = metadata.code_challenge_methods_supported
        if methods is not None and "S256" not in methods:
            raise DependencyError("the provider takes no S256 code challenge")
        return metadata

    async def build_authorization_url(self, keys: AttemptKeys, redirect_uri: str) -> str:
        """Build where the browser is sent to. Code flow with PKCE (RFC 7636, S256)."""
        metadata = await self.load_metadata()
        return str(
            prepare_grant_uri(
                metadata.authorization_endpoint,
                client_id=self.config.client_id,
                response_type="code",
                redirect_uri=redirect_uri,
                scope=self.config.scopes,
                state=keys.state,
                nonce=keys.nonce,
                code_challenge=create_s256_code_challenge(keys.verifier),
                code_challenge_method="S256",
            )
        )

    async def exchange(self, code: str, *, verifier: str, redirect_uri: str) -> str:
        """Exchange a code for an id token, which is still to be checked.

        Raises:
            RefusedError: ``INVALID``: the provider does not take the code (any more).
            DependencyError: The provider does not answer as it should.
        """
        metadata = await self.load_metadata()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": verifier,
        }
        headers = {}
        config, methods = self.config, metadata.token_endpoint_auth_methods_supported
        if not config.client_secret:
            form["client_id"] = config.client_id
        elif "client_secret_basic" in methods or "client_secret_post" not in methods:
            # RFC 6749 §2.3.1: both are form-encoded before they are joined.
            pair = (quote(part, safe="") for part in (config.client_id, config.client_secret))
            headers["Authorization"] = aiohttp.encode_basic_auth(*pair)
        else:
            form |= {"client_id": config.client_id, "client_secret": config.client_secret}
        answer = await self._request("POST", metadata.token_endpoint, data=form, headers=headers)
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise RefusedError(Refusal.INVALID, "the provider gave no id token")
        return token

    async def find_key(self, header: dict[str, Any]) -> Key:
        """Find the key a token names; ask the provider again for one that is new.

        Raises:
            RefusedError: ``INVALID``: there is no such key.
        """
        async with self._lock:
            now_s = _now_s()
            if self._keys is not None and now_s - self._keys[0] < KEPT_S:
                key = choose_key(self._keys[1], header)
                if key is not None:
                    return key
                if len(self._refreshes) == MAX_REFRESHES and now_s - self._refreshes[0] < MINUTE_S:
                    raise RefusedError(Refusal.INVALID, "an unknown key, and asked too often")
                self._refreshes.append(now_s)
        metadata = await self.load_metadata()
        keys = parse_keys(await self._request("GET", metadata.jwks_uri))
        self._keys = (_now_s(), keys)
        key = choose_key(keys, header)
        if key is None:
            raise RefusedError(Refusal.INVALID, "the id token is signed with an unknown key")
        return key

    async def _request(self, method: str, url: str, **options: Any) -> dict[str, Any]:
        if self._session is None:
            raise AssertionError("use the provider inside 'async with'")
        options["headers"] = {"Accept": "application/json", **options.get("headers", {})}
        try:
            async with self._session.request(
                method, url, allow_redirects=False, **options
            ) as response:
                data = await _read_limited(response)
                status = response.status
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise DependencyError(f"the sign-in provider does not answer: {error!r}") from error
        if method == "POST" and status in (400, 401, 403):
            raise RefusedError(Refusal.INVALID, f"the provider refused the code: {status}")
        if status != 200:  # noqa: PLR2004 - the one status with an answer in it
            raise DependencyError(f"the sign-in provider answered {status}")
        try:
            return _OBJECT.validate_json(data)
        except ValidationError as error:
            raise DependencyError("the sign-in provider answered no JSON object") from error


async def _read_limited(response: aiohttp.ClientResponse) -> bytes:
    data = bytearray()
    async for chunk in response.content.iter_any():
        data += chunk
        if len(data) > MAX_ANSWER_BYTES:
            raise DependencyError(f"the provider's answer is over {MAX_ANSWER_BYTES} bytes")
    return bytes(data)


def _now_s() -> float:
    return asyncio.get_running_loop().time()
