"""Identities without any I/O: the cookie of an attempt, where it leads, whom an identity opens."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.config import Settings, is_safe_issuer, load_settings
from kernel.errors import SettingsError
from vod.accounts.roles import Role
from vod.identities.attempts import (
    LIFETIME,
    decode_attempt,
    derive_keys,
    encode_attempt,
    settle_next,
    start_attempt,
)
from vod.identities.config import read_provider_blocking
from vod.identities.policy import Refusal, RefusedError, read_identity, require_open
from vod.identities.tokens import parse_keys, read_header

SECRET = b"a secret of the tests"
NOW = datetime(2026, 7, 1, 8, tzinfo=UTC)
WHO = {"iss": "https://id.example", "sub": "s"}
ON = {"oidc_issuer": "https://id.example", "oidc_client_id": "hall"}


@given(st.text(max_size=300))
def test_no_cookie_of_a_stranger_is_an_attempt(cookie: str) -> None:
    assert decode_attempt(SECRET, cookie, NOW) is None


def test_an_attempt_comes_back_as_it_was_until_it_is_over() -> None:
    attempt = start_attempt("/learning?tab=kept#x", NOW)
    cookie = encode_attempt(SECRET, attempt)
    assert decode_attempt(SECRET, cookie, NOW) == attempt
    assert decode_attempt(b"another", cookie, NOW) is None
    assert decode_attempt(SECRET, cookie, NOW + LIFETIME) is None
    keys = derive_keys(SECRET, attempt)
    assert len(keys.verifier) == 52
    assert keys.verifier not in cookie
    assert len({keys.state, keys.nonce, keys.verifier}) == 3
    assert derive_keys(SECRET, start_attempt("/", NOW)) != keys


@pytest.mark.parametrize(
    "path",
    ["", "x", "//evil.example", "/\\evil.example", "https://evil.example", "/a\nb", "/a b",
     "/" + "a" * 600, "/a\\..", "javascript:alert(1)"],
)  # fmt: skip
def test_the_way_on_never_leads_elsewhere(path: str) -> None:
    assert settle_next(path) == "/"


def test_a_path_of_ours_is_kept() -> None:
    assert settle_next("/lectures/1?q=党史") == "/lectures/1?q=党史"


@pytest.mark.parametrize(
    ("claims", "match", "claim", "value"),
    [
        ({"employee_number": " A1 "}, "staff_no", "employee_number", "A1"),
        ({"employee_number": 7}, "staff_no", "employee_number", "7"),
        ({"employee_number": True}, "staff_no", "employee_number", ""),
        ({"employee_number": "x" * 33}, "staff_no", "employee_number", ""),
        ({"employee_number": "A\x00"}, "staff_no", "employee_number", ""),
        ({}, "staff_no", "employee_number", ""),
        ({"email": "A@B.cn", "email_verified": True}, "login", "email", "a@b.cn"),
        ({"email": "a@b.cn"}, "login", "email", ""),
        ({"email": "a@b.cn", "email_verified": "true"}, "login", "email", ""),
        (
            {"phone_number": "+86 139", "phone_number_verified": True},
            "phone",
            "phone_number",
            "139",
        ),
        ({"phone_number": "139", "phone_number_verified": False}, "phone", "phone_number", ""),
    ],
)
def test_what_an_account_is_found_by(
    claims: dict[str, object], match: str, claim: str, value: str
) -> None:
    assert read_identity({**WHO, **claims}, claim=claim, match=match).value == value


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("is_disabled", [False, True])
@pytest.mark.parametrize("is_linked", [False, True])
def test_which_accounts_open(role: Role, *, is_disabled: bool, is_linked: bool) -> None:
    wanted = None
    if role is Role.ADMIN and not is_linked:
        wanted = Refusal.ADMIN
    if is_disabled:
        wanted = Refusal.DISABLED
    if wanted is None:
        require_open(role=role, is_disabled=is_disabled, is_linked=is_linked)
        return
    with pytest.raises(RefusedError) as raised:
        require_open(role=role, is_disabled=is_disabled, is_linked=is_linked)
    assert raised.value.reason is wanted


@given(st.text(max_size=200))
def test_no_text_breaks_the_reader_of_tokens(text: str) -> None:
    with pytest.raises(RefusedError):
        read_header(text)


@pytest.mark.parametrize("document", [None, [], {}, {"keys": 7}, {"keys": [None, {}, {"kty": 1}]}])
def test_no_document_breaks_the_reader_of_keys(document: object) -> None:
    assert parse_keys(document) == ()


@pytest.mark.parametrize(
    ("url", "is_safe"),
    [
        ("https://id.example/realms/a", True),
        ("http://127.0.0.1:9400", True),
        ("http://localhost", True),
        ("http://id.example", False),
        ("https://id.example?x=1", False),
        ("https://id.example#x", False),
        ("https://a@id.example", False),
        ("https://", False),
        ("https://[x", False),
        ("https://id.example:99999", False),
        ("ftp://id.example", False),
    ],
)
def test_where_a_provider_may_be(url: str, *, is_safe: bool) -> None:
    assert is_safe_issuer(url) is is_safe


@pytest.mark.parametrize(
    "values",
    [
        {"oidc_issuer": "https://id.example"},
        {"oidc_client_id": "hall"},
        {**ON, "oidc_issuer": "http://id.example"},
        {**ON, "oidc_scopes": "profile"},
        {**ON, "oidc_client_secret": "x", "oidc_client_secret_file": "/x"},
    ],
)
def test_settings_that_contradict_each_other_are_refused(values: dict[str, str]) -> None:
    with pytest.raises(SettingsError):
        load_settings(**values)


def test_the_secret_comes_from_a_file(tmp_path: Path) -> None:
    assert read_provider_blocking(Settings()) is None
    path = tmp_path / "secret"
    values = {**ON, "oidc_client_secret_file": path}
    with pytest.raises(SettingsError):
        read_provider_blocking(Settings(**values))
    path.write_text("\n")
    with pytest.raises(SettingsError):
        read_provider_blocking(Settings(**values))
    path.write_text("s3cret\n")
    config = read_provider_blocking(Settings(**values))
    assert config is not None
    assert (config.client_secret, config.claim) == ("s3cret", "employee_number")
    assert "s3cret" not in repr(config)
