"""A small sign-in provider on a real socket that can be told to lie. It checks what we send."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import secrets
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

from aiohttp import encode_basic_auth, web
from aiohttp.test_utils import TestServer
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

from kernel.clock import FakeClock

CLIENT_ID, CLIENT_SECRET = "hall client", "se:cret/+"


class LyingProvider:
    """Honest as long as nothing is put into its attributes.

    Attributes:
        claims: Written over those of the next id tokens; ``None`` takes one out.
        alg: ``none`` and ``HS256`` are forged as attackers do.
        metadata: Written over its description.
        padding_bytes: Added to the key set.
        signer: Key that signs, when it is not the published one.
    """

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.base = ""
        self.key = make_key("first")
        self.signer: RSAKey | None = None
        self.claims: dict[str, Any] = {}
        self.metadata: dict[str, Any] = {}
        self.alg = "RS256"
        self.padding_bytes = 0
        self.key_requests = 0
        self._codes: dict[str, dict[str, str]] = {}

    def build_app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/.well-known/openid-configuration", self._get_metadata)
        app.router.add_get("/jwks", self._get_keys)
        app.router.add_post("/token", self._post_token)
        return app

    def accept(self, location: str) -> tuple[str, str]:
        """The person agreed at ``location``: the code and the state they come back with."""
        query = {key: values[0] for key, values in parse_qs(urlsplit(location).query).items()}
        assert location.startswith(self.base + "/authorize?")
        assert (query["response_type"], query["client_id"]) == ("code", CLIENT_ID)
        assert query["code_challenge_method"] == "S256"
        assert "openid" in query["scope"].split()
        code = secrets.token_urlsafe(16)
        self._codes[code] = query
        return code, query["state"]

    async def _get_metadata(self, _request: web.Request) -> web.Response:
        known = {
            "issuer": self.base,
            "authorization_endpoint": self.base + "/authorize",
            "token_endpoint": self.base + "/token",
            "jwks_uri": self.base + "/jwks",
        }
        return web.json_response({**known, **self.metadata})

    async def _get_keys(self, _request: web.Request) -> web.Response:
        self.key_requests += 1
        broken = {"kty": "RSA", "kid": "broken", "n": "!", "e": "AQAB"}
        keys = [broken, {"kty": "??"}, 7, self.key.as_dict(private=False)]
        return web.json_response({"keys": keys, "padding": "x" * self.padding_bytes})

    async def _post_token(self, request: web.Request) -> web.Response:
        form = await request.post()
        asked = self._codes.pop(str(form["code"]), None)
        digest = hashlib.sha256(str(form["code_verifier"]).encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        expected = encode_basic_auth("hall%20client", "se%3Acret%2F%2B")
        if (
            asked is None
            or asked["code_challenge"] != challenge
            or asked["redirect_uri"] != form["redirect_uri"]
            or request.headers.get("Authorization") != expected
        ):
            return web.json_response({"error": "invalid_grant"}, status=400)
        return web.json_response({"id_token": self._make_token(asked["nonce"])})

    def _make_token(self, nonce: str) -> str:
        now_s = int(self.clock.now().timestamp())
        honest = {
            "iss": self.base, "sub": "s-1", "aud": CLIENT_ID, "nonce": nonce,
            "iat": now_s, "exp": now_s + 300, "name": "巴图", "employee_number": "A1001",
        }  # fmt: skip
        claims = {k: v for k, v in {**honest, **self.claims}.items() if v is not None}
        header: dict[str, Any] = {"alg": self.alg, "kid": self.key.kid}
        if self.alg == "none":
            signed = jwt.encode(
                {**header, "alg": "HS256"},
                claims,
                OctKey.import_key("k" * 32),
                algorithms=["HS256"],
            )
            forged = base64.urlsafe_b64encode(b'{"alg":"none"}').decode().rstrip("=")
            return f"{forged}.{signed.split('.')[1]}."
        if self.alg == "HS256":
            shared = OctKey.import_key(self.key.as_pem(private=False).replace(b"-----", b"====="))
            return jwt.encode(header, claims, shared, algorithms=["HS256"])
        return jwt.encode(header, claims, self.signer or self.key, algorithms=[self.alg])


def make_key(kid: str) -> RSAKey:
    return RSAKey.generate_key(2048, {"kid": kid, "use": "sig", "alg": "RS256"})


@contextlib.asynccontextmanager
async def run_provider(clock: FakeClock) -> AsyncIterator[LyingProvider]:
    """Run one on a free port of this machine."""
    provider = LyingProvider(clock)
    async with TestServer(provider.build_app()) as server:
        provider.base = str(server.make_url("")).rstrip("/")
        yield provider
