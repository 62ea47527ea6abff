"""Who may administer accounts, and how fast anybody may guess passwords. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from kernel.errors import NotAllowedError
from vod.accounts.roles import Role, Viewer

WINDOW: Final = timedelta(minutes=15)  # Failures older than this are forgotten.
FIRST_BLOCK: Final = timedelta(seconds=30)
MAX_DOUBLINGS: Final = 10  # 30 s doubled ten times is far above the longest block.


class PasswordChangeError(NotAllowedError):
    """Signed in with a one-time code: first choose a password."""

    kind = "password-change-required"
    title_zh = "请先设置新密码"


# What is open to whoever must choose a password first, besides everything that is not the API.
OPEN_BEFORE_CHANGE: Final = frozenset(
    {
        "/api/v1/session",
        "/api/v1/account",
        "/api/v1/config",
        "/api/v1/oidc",
        "/api/v1/oidc/start",
        "/api/v1/oidc/callback",
    }
)


def may_manage_accounts(viewer: Viewer) -> bool:
    """Only administrators see, create and change accounts of others."""
    return viewer.role is Role.ADMIN


@dataclass(frozen=True, slots=True)
class Limit:
    """How many failures in a window are free, and how long a block grows at most."""

    failures_count: int
    longest_block: timedelta


# One address on one account: more than anybody mistypes; 1000 guesses a day at most.
PAIR_LIMIT: Final = Limit(10, timedelta(minutes=15))
# A station of thirty people shares one address.
ADDRESS_LIMIT: Final = Limit(100, timedelta(minutes=15))
# All addresses on one account: slows down a crowd of guessers, but its owner waits half a minute
# at most, however long a stranger goes on.
ACCOUNT_LIMIT: Final = Limit(100, FIRST_BLOCK)


@dataclass(frozen=True, slots=True)
class Failures:
    """Recent failed sign-ins under one key.

    Attributes:
        blocked_until: Before this nobody may even try; ``None`` when there is no block.
    """

    count: int
    window_started_at: datetime
    blocked_until: datetime | None = None


def find_wait(failures: Failures | None, now: datetime) -> timedelta:
    """How long until the next attempt is allowed; zero when it is allowed now."""
    if failures is None or failures.blocked_until is None:
        return timedelta(0)
    return max(timedelta(0), failures.blocked_until - now)


def count_attempt(failures: Failures | None, now: datetime, *, limit: Limit) -> Failures:
    """Count an attempt as failed before it is checked, so that parallel ones cannot slip through.

    From the last free one in the window on, each sets a block, twice as long as the one before,
    up to the limit's longest.
    """
    if failures is None or now - _last_moment(failures) >= WINDOW:
        failures = Failures(0, now)
    count = failures.count + 1
    if count < limit.failures_count:
        return Failures(count, failures.window_started_at, None)
    doublings = min(count - limit.failures_count, MAX_DOUBLINGS)
    block = min(FIRST_BLOCK * 2**doublings, limit.longest_block)
    return Failures(count, failures.window_started_at, now + block)


def _last_moment(failures: Failures) -> datetime:
    """The window runs from its start, or from the end of a block if that is later."""
    if failures.blocked_until is None:
        return failures.window_started_at
    return max(failures.window_started_at, failures.blocked_until)
