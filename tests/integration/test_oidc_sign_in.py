"""Sign-in through a provider: the whole way over real sockets, and a provider that lies."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from kernel.clock import FakeClock
from tests.support.oidc_provider import (
    CLIENT_ID,
    CLIENT_SECRET,
    LyingProvider,
    make_key,
    run_provider,
)
from tests.support.vod import (
    PASSWORD,
    Answer,
    Vod,
    database_url,
    databases,
    run_vod,
    sqlite_url,
)
from vod.accounts.models import Account
from vod.accounts.roles import Role

__all__ = ["database_url", "databases", "sqlite_url"]  # Fixtures.


class Place:
    """A vod, its provider, and a browser that keeps one cookie."""

    def __init__(self, vod: Vod, provider: LyingProvider) -> None:
        self.vod, self.provider = vod, provider

    async def start(self, next_path: str = "/learning") -> tuple[str, str]:
        """Where the browser is sent to, and its cookie."""
        query = urlencode({"next": next_path})
        answer = await self.vod.call("GET", f"/oidc/start?{query}", allow_redirects=False)
        assert answer.status == 303
        cookie = answer.cookies.get("hall_oidc")
        if cookie is not None:
            assert (cookie["samesite"], cookie["httponly"], cookie["path"]) == ("Lax", True, "/")
        return answer.headers["Location"], cookie.value if cookie else ""

    async def come_back(self, cookie: str, **query: str) -> tuple[dict[str, str], Answer]:
        """What the sign-in page is told, and the answer."""
        answer = await self.vod.call(
            "GET", f"/oidc/callback?{urlencode(query)}", allow_redirects=False,
            headers={"Cookie": f"hall_oidc={cookie}"},
        )  # fmt: skip
        location = urlsplit(answer.headers["Location"])
        assert (answer.status, location.netloc, location.path) == (303, "", "/signin")
        assert answer.cookies["hall_oidc"]["max-age"] == "0"
        return {key: values[0] for key, values in parse_qs(location.query).items()}, answer

    async def sign_in(self, **claims: Any) -> tuple[str, Answer]:
        """The whole way; the outcome."""
        self.provider.claims = claims
        location, cookie = await self.start()
        code, state = self.provider.accept(location)
        said, answer = await self.come_back(cookie, code=code, state=state)
        assert ("hall_session" in answer.cookies) is (said["oidc"] == "done")
        return said["oidc"], answer

    async def add_member(self, login: str, role: Role = Role.MEMBER, **columns: Any) -> str:
        account_id = await self.vod.add_account(login, role)
        await self.change(account_id, **columns)
        return account_id

    async def change(self, account_id: str, **columns: Any) -> None:
        async with self.vod.services.database.write() as session:
            account = await session.get_one(Account, account_id)
            for name, value in columns.items():
                setattr(account, name, value)

    async def actions(self) -> list[str]:
        audit = await self.vod.call("GET", "/audit", role=Role.ADMIN)
        return [entry["action"] for entry in audit.body["items"]]


@contextlib.asynccontextmanager
async def run_place(url: str, folder: Path, **settings: Any) -> AsyncIterator[Place]:
    clock = FakeClock()
    async with run_provider(clock) as provider:
        values = {
            "oidc_issuer": provider.base, "oidc_client_id": CLIENT_ID, "oidc_label": "政务认证",
            "oidc_client_secret": CLIENT_SECRET, **settings,
        }  # fmt: skip
        async with run_vod(url, folder, **values) as vod:
            provider.clock = vod.clock
            yield Place(vod, provider)


@pytest.fixture
async def place(sqlite_url: str, short_dir: Path) -> AsyncIterator[Place]:
    async with run_place(sqlite_url, short_dir) as running:
        yield running


async def test_a_member_is_linked_signed_in_listed_and_unlinked(
    database_url: str, short_dir: Path
) -> None:
    async with run_place(database_url, short_dir) as place:
        member = await place.add_member("batu", staff_no="A1001")
        await place.change(member, password_hash="", must_change_password=True, code_hash="x" * 64)
        outcome, answer = await place.sign_in()
        assert outcome == "done"
        token = answer.cookies["hall_session"].value
        cookie = {"Cookie": f"hall_session={token}"}
        session = (await place.vod.call("GET", "/session", headers=cookie)).body
        assert session["account"]["id"] == member
        assert session["account"]["must_change_password"] is False
        items = (await place.vod.call("GET", "/identities", token=token)).body["items"]
        assert [(item["label"], item["issuer"]) for item in items] == [
            ("政务认证", place.provider.base)
        ]
        # Linked: the subject counts from now on, not the claim.
        assert (await place.sign_in(employee_number="other"))[0] == "done"
        # Another identity with the same claim does not get in.
        assert (await place.sign_in(sub="s-2"))[0] == "taken"
        path = f"/identities/{items[0]['id']}"
        assert (await place.vod.call("DELETE", path, role=Role.MEMBER)).status == 404
        assert (await place.vod.call("DELETE", path, token=token)).status == 204
        assert (await place.vod.call("GET", "/identities", token=token)).body == {"items": []}
        assert (await place.sign_in(sub="s-2"))[0] == "done"
        await place.change(member, is_disabled=True)
        assert (await place.sign_in(sub="s-2"))[0] == "disabled"
        assert {"identity.linked", "identity.unlinked"} <= set(await place.actions())


async def test_whom_an_identity_opens(place: Place) -> None:
    await place.add_member("boss", Role.ADMIN, staff_no="ADMIN1")
    await place.add_member("gone", staff_no="GONE1", is_disabled=True)
    assert (await place.sign_in())[0] == "unknown"
    assert (await place.sign_in(employee_number=None))[0] == "unknown"
    assert (await place.sign_in(employee_number="ADMIN1"))[0] == "admin"
    assert (await place.sign_in(employee_number="GONE1"))[0] == "disabled"
    assert "identity.linked" not in await place.actions()


async def test_phones_count_when_they_are_verified_and_of_one_person(
    sqlite_url: str, short_dir: Path
) -> None:
    async with run_place(sqlite_url, short_dir, oidc_match="phone", oidc_policy="create") as place:
        for login in ("one", "two"):
            await place.add_member(login, phone="13800000001")
        shared = {"phone_number": "+86 138-0000-0001", "phone_number_verified": True}
        assert (await place.sign_in(**shared))[0] == "ambiguous"
        new = {"phone_number": "13900000002", "name": "新\u0007人"}
        assert (await place.sign_in(**new))[0] == "unknown"
        outcome, answer = await place.sign_in(**new, phone_number_verified=True)
        assert outcome == "done"
        token = answer.cookies["hall_session"].value
        account = (await place.vod.call("GET", "/session", token=token)).body["account"]
        assert (account["display_name"], account["role"]) == ("新人", "member")


LIES: dict[str, dict[str, Any]] = {
    "nonce of another": {"nonce": "x"},
    "no nonce": {"nonce": None},
    "for another client": {"aud": "other"},
    "for several, no azp": {"aud": [CLIENT_ID, "other"]},
    "for several, other azp": {"aud": [CLIENT_ID, "other"], "azp": "other"},
    "odd aud": {"aud": [7]},
    "of another issuer": {"iss": "https://other.example"},
    "expired": {"exp": 1_000_000_000},
    "no end": {"exp": None},
    "end in words": {"exp": "never"},
    "made long ago": {"iat": 1_700_000_000},
    "made tomorrow": {"iat": 1_900_000_000},
    "not yet": {"nbf": 1_900_000_000},
    "nobody": {"sub": None},
    "empty subject": {"sub": ""},
    "long subject": {"sub": "x" * 256},
    "huge": {"padding": "x" * 20_000},
}


async def test_tokens_that_prove_nothing_are_refused(place: Place) -> None:
    await place.add_member("batu", staff_no="A1001")
    outcomes = {what: (await place.sign_in(**claims))[0] for what, claims in LIES.items()}
    for alg in ("none", "HS256"):
        place.provider.alg = alg
        outcomes[alg] = (await place.sign_in())[0]
    place.provider.alg = "RS256"
    place.provider.signer = make_key("first")
    outcomes["signed by another"] = (await place.sign_in())[0]
    place.provider.signer = None
    assert outcomes == dict.fromkeys(outcomes, "invalid")
    assert (await place.sign_in())[0] == "done"  # What was refused was refused for the lie.


async def test_answers_to_no_open_attempt_are_refused(place: Place) -> None:
    await place.add_member("batu", staff_no="A1001")
    location, cookie = await place.start("//evil.example/x")
    code, state = place.provider.accept(location)
    good = {"code": code, "state": state}
    for query, sent in (
        (good, ""),
        (good, cookie[:-1] + ("0" if cookie[-1] != "0" else "1")),
        (good, "nonsense"),
        ({**good, "state": "x"}, cookie),
        ({**good, "state": "ü"}, cookie),
    ):
        assert (await place.come_back(sent, **query))[0] == {"oidc": "expired", "next": "/"}
    foreign = await place.come_back(cookie, **good, iss="https://other.example")
    assert foreign[0]["oidc"] == "invalid"
    assert (await place.come_back(cookie, **good))[0] == {"oidc": "done", "next": "/"}
    # The same answer again, by somebody who kept the cookie: before the provider is asked.
    assert (await place.come_back(cookie, **good))[0]["oidc"] == "expired"
    location, cookie = await place.start()
    _, state = place.provider.accept(location)
    # A code that was used before, in a new attempt.
    assert (await place.come_back(cookie, code=code, state=state))[0]["oidc"] == "invalid"
    location, cookie = await place.start()
    _, state = place.provider.accept(location)
    said, _ = await place.come_back(cookie, error="access_denied", state=state)
    assert said == {"oidc": "cancelled", "next": "/learning"}
    location, cookie = await place.start()
    code, state = place.provider.accept(location)
    place.vod.clock.advance(601)
    assert (await place.come_back(cookie, code=code, state=state))[0]["oidc"] == "expired"


async def test_keys_rotate_and_a_huge_key_set_is_not_read(place: Place) -> None:
    await place.add_member("batu", staff_no="A1001")
    assert (await place.sign_in())[0] == "done"
    place.provider.key = make_key("second")
    assert (await place.sign_in())[0] == "done"
    assert (await place.sign_in())[0] == "done"
    assert place.provider.key_requests == 2
    place.provider.key, place.provider.padding_bytes = make_key("third"), 300_000
    assert (await place.sign_in())[0] == "down"
    # Whoever names new keys all the time does not make us ask all the time.
    place.provider.padding_bytes = 0
    asked = []
    for number in range(8):
        place.provider.key = make_key(f"more-{number}")
        asked.append((await place.sign_in())[0])
    assert asked[0] == "done"
    assert asked[-1] == "invalid"
    assert place.provider.key_requests <= 8


@pytest.mark.parametrize(
    "metadata",
    [
        {"issuer": "https://other.example"},
        {"token_endpoint": "ftp://127.0.0.1/"},
        {"jwks_uri": "http://10.0.0.1/jwks"},
        {"code_challenge_methods_supported": ["plain"]},
        {"padding": "x" * 300_000},
    ],
)
async def test_a_provider_that_is_not_as_it_should_be_is_away(
    place: Place, metadata: dict[str, Any]
) -> None:
    place.provider.metadata = metadata
    location, cookie = await place.start()
    assert (location, cookie) == ("/signin?oidc=down&next=%2Flearning", "")


async def test_without_the_provider_passwords_still_open(sqlite_url: str, short_dir: Path) -> None:
    async with run_vod(
        sqlite_url, short_dir, oidc_issuer="http://127.0.0.1:9", oidc_client_id="x"
    ) as vod:
        shown = (await vod.call("GET", "/oidc")).body
        assert shown == {"is_enabled": True, "is_reachable": False, "label": "统一身份认证"}
        answer = await vod.call("GET", "/oidc/start", allow_redirects=False)
        assert answer.headers["Location"] == "/signin?oidc=down&next=%2F"
        await vod.add_account("batu", Role.MEMBER)
        assert (await vod.sign_in("batu", PASSWORD)).status == 200


async def test_it_is_off_until_it_is_configured(sqlite_url: str, short_dir: Path) -> None:
    async with run_vod(sqlite_url, short_dir) as vod:
        shown = (await vod.call("GET", "/oidc")).body
        assert shown == {"is_enabled": False, "is_reachable": False, "label": ""}
        assert (await vod.call("GET", "/oidc/start", allow_redirects=False)).status == 404
