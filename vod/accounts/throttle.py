"""The counters of failed sign-ins, in the database, so that several vods share them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from ipaddress import IPv6Address, ip_address
from typing import Final

from sqlalchemy import case, delete, null, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from vod.accounts.models import LoginThrottle
from vod.accounts.policy import (
    ACCOUNT_LIMIT,
    ADDRESS_LIMIT,
    PAIR_LIMIT,
    WINDOW,
    Failures,
    Limit,
    count_attempt,
    find_wait,
)
from vod.db.upsert import insert_if_absent

IPV6_SITE_BITS: Final = 64  # One household or village gets a /64: count it as one address.


def build_keys(login: str, address: str) -> dict[str, Limit]:
    """Build the keys an attempt counts under, each with its limit.

    Strict for one address on one account, loose for the account as a whole: otherwise a stranger
    who knows a login could keep its owner out.
    """
    place = _shorten(address)
    return {
        f"account:{_hash(login)}": ACCOUNT_LIMIT,
        f"address:{place}": ADDRESS_LIMIT,
        f"pair:{_hash(place + ' ' + login)}": PAIR_LIMIT,
    }


def build_password_keys(account_id: str) -> dict[str, Limit]:
    """Build the key that checks of the current password count under, for whoever is signed in."""
    return {f"password:{account_id}": PAIR_LIMIT}


def build_provider_keys(address: str, limit: Limit) -> dict[str, Limit]:
    """Build the key that answers of a sign-in provider count under, by address."""
    return {f"oidc:{_shorten(address)}": limit}


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _shorten(address: str) -> str:
    try:
        parsed = ip_address(address)
    except ValueError:
        return _hash(address)
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is None:
        return (int(parsed) >> (128 - IPV6_SITE_BITS)).to_bytes(8, "big").hex()
    return str(parsed)


async def load_wait(session: AsyncSession, keys: Mapping[str, Limit], now: datetime) -> timedelta:
    """How long until an attempt under all of ``keys`` is allowed. One indexed query."""
    rows = await session.scalars(select(LoginThrottle).where(LoginThrottle.key.in_(keys)))
    return max((find_wait(_read(row), now) for row in rows), default=timedelta(0))


async def reserve_attempt(
    session: AsyncSession, keys: Mapping[str, Limit], now: datetime
) -> timedelta:
    """Count one attempt under every key unless one is blocked by now; then return the wait."""
    rows = []
    for key in sorted(keys):  # One order for all: no deadlock between two attempts.
        await insert_if_absent(
            session,
            LoginThrottle,
            {"key": key, "failures_count": 0, "window_started_at": now, "blocked_until": None},
            conflict="key",
        )
        row = await session.get_one(LoginThrottle, key, with_for_update=True)
        rows.append(row)
    wait = max(find_wait(_read(row), now) for row in rows)
    if wait > timedelta(0):
        return wait
    for row in rows:
        counted = count_attempt(_read(row), now, limit=keys[row.key])
        row.failures_count = counted.count
        row.window_started_at = counted.window_started_at
        row.blocked_until = counted.blocked_until
    return timedelta(0)


async def forgive(session: AsyncSession, keys: Mapping[str, Limit]) -> None:
    """A sign-in succeeded: its place starts afresh, what others share takes the attempt back."""
    left_count = LoginThrottle.failures_count - 1
    for key in sorted(keys):  # The same order as for reserving.
        if key.startswith(("pair:", "password:")):
            await session.execute(delete(LoginThrottle).where(LoginThrottle.key == key))
            continue
        await session.execute(
            update(LoginThrottle)
            .where(LoginThrottle.key == key, LoginThrottle.failures_count > 0)
            .values(
                failures_count=left_count,
                blocked_until=case(
                    (left_count < keys[key].failures_count, null()),
                    else_=LoginThrottle.blocked_until,
                ),
            )
        )


async def forget_old(session: AsyncSession, now: datetime) -> None:
    """Drop rows that cannot matter any more, so that a guesser cannot fill the disk."""
    await session.execute(
        delete(LoginThrottle).where(LoginThrottle.window_started_at < now - 4 * WINDOW)
    )


def _read(row: LoginThrottle) -> Failures:
    return Failures(row.failures_count, row.window_started_at, row.blocked_until)
