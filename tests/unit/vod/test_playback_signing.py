"""Tokens in signed paths: bound to object and account, short-lived, unforgeable."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.errors import InputError
from kernel.ids import new_id
from vod.playback.objects import parse_media_uri
from vod.playback.signing import MAX_LIFETIME, SignedPath, read_token, sign_path

KEY = b"k" * 32
NOW = datetime(2026, 7, 1, 8, tzinfo=UTC)


def make_path(**changes: object) -> SignedPath:
    fields: dict[str, object] = {
        "lecture_id": new_id(),
        "broadcast_id": new_id(),
        "account_id": new_id(),
        "expires_at": NOW + timedelta(hours=4),
    }
    return SignedPath(**{**fields, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize("missing", [None, "broadcast_id", "account_id"])
def test_a_token_reads_back(missing: str | None) -> None:
    path = make_path(**({missing: None} if missing else {}))
    assert read_token(KEY, sign_path(KEY, path, now=NOW), now=NOW) == path


def test_a_token_fits_into_a_url() -> None:
    path = make_path()
    token = sign_path(KEY, path, now=NOW)
    target = parse_media_uri(f"/signed/{token}/media/{path.lecture_id}/index.m3u8")
    assert target is not None
    assert target.token == token


def test_a_token_ends_when_it_says() -> None:
    path = make_path(expires_at=NOW + timedelta(minutes=10))
    token = sign_path(KEY, path, now=NOW)
    assert read_token(KEY, token, now=path.expires_at - timedelta(seconds=1)) == path
    assert read_token(KEY, token, now=path.expires_at) is None


def test_a_token_lives_at_most_four_hours() -> None:
    with pytest.raises(InputError):
        sign_path(KEY, make_path(expires_at=NOW + MAX_LIFETIME + timedelta(seconds=1)), now=NOW)


def test_another_key_reads_nothing() -> None:
    assert read_token(b"x" * 32, sign_path(KEY, make_path(), now=NOW), now=NOW) is None


def test_no_field_can_be_exchanged() -> None:
    token, other = (sign_path(KEY, make_path(), now=NOW).split(".") for _ in range(2))
    for place in range(3):
        forged = [*token]
        forged[place] = other[place]
        assert read_token(KEY, ".".join(forged), now=NOW) is None
    forged = [*token]
    forged[3] = str(int(forged[3]) - 60)
    assert read_token(KEY, ".".join(forged), now=NOW) is None


@given(st.text(max_size=200))
def test_reading_is_total(text: str) -> None:
    assert read_token(KEY, text, now=NOW) is None


def test_a_token_covers_its_lecture_and_broadcast_only() -> None:
    path = make_path()
    assert path.covers("media", path.lecture_id)
    assert path.covers("live", str(path.broadcast_id))
    assert not path.covers("live", path.lecture_id)
    assert not path.covers("media", str(path.broadcast_id))
    assert not make_path(broadcast_id=None).covers("live", "0")
