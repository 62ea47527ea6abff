"""Passwords are checked off the loop, and not by too many at once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from kernel.errors import CapacityError
from tests.support.vod import weak_passwords
from vod.accounts.passwords import MAX_WAITING, Passwords


@pytest.fixture
def passwords() -> Iterator[Passwords]:
    made = weak_passwords()
    yield made
    made.close()


async def test_only_the_right_password_is_right(passwords: Passwords) -> None:
    hashed = await passwords.hash("党史一百年")
    assert "党史" not in hashed
    assert await passwords.verify("党史一百年", hashed)
    assert not await passwords.verify("党史", hashed)
    assert not await passwords.verify("党史一百年", None)
    assert not await passwords.verify("x", "no hash at all")


async def test_hashes_of_weaker_parameters_are_outdated(passwords: Passwords) -> None:
    hashed = await passwords.hash("x" * 8)
    assert not passwords.is_outdated(hashed)
    strong = Passwords()
    assert strong.is_outdated(hashed)
    strong.close()


async def test_too_many_at_once_are_told_to_come_back(passwords: Passwords) -> None:
    results = await asyncio.gather(
        *(passwords.hash("x" * 8) for _ in range(MAX_WAITING + 5)), return_exceptions=True
    )
    refused = [result for result in results if isinstance(result, CapacityError)]
    assert len(refused) == 5
    assert await passwords.hash("x" * 8), "and afterwards there is room again"
