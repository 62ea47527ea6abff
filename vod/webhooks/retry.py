"""When to try again, and when to stop: for webhooks and for messages alike. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

FIRST_WAIT: Final = timedelta(seconds=10)
FACTOR: Final = 4
LONGEST_WAIT: Final = timedelta(hours=12)
JITTER: Final = 0.2  # A fifth more or less, so that what failed together does not come together.
MAX_ATTEMPTS: Final = 12  # Some three and a half days after the first.
DISABLED_AFTER: Final = timedelta(days=5)  # Nothing was delivered for so long: nobody is there.


def find_wait(
    attempts: int, *, jitter: float, retry_after: timedelta | None = None
) -> timedelta | None:
    """How long to wait after a failed attempt.

    Args:
        attempts: How many there were, from 1.
        jitter: Evenly random in [-1, 1].
        retry_after: What the receiver asked for; waited for at least, within the longest wait.

    Returns:
        ``None`` when it is over.
    """
    if attempts >= MAX_ATTEMPTS:
        return None
    growth: int = max(attempts - 1, 0)
    base: timedelta = min(FIRST_WAIT * int(FACTOR**growth), LONGEST_WAIT)
    wait = base * (1 + JITTER * jitter)
    return max(wait, min(retry_after or timedelta(0), LONGEST_WAIT))


def is_dead(failing_since: datetime | None, *, now: datetime) -> bool:
    """Tell whether a receiver has failed for so long that it is switched off."""
    return failing_since is not None and now - failing_since >= DISABLED_AFTER


def parse_retry_after(text: str | None) -> timedelta | None:
    """Read ``Retry-After`` in seconds; dates and nonsense are not followed."""
    if text is None or not (text.isascii() and text.isdigit()):
        return None
    return timedelta(seconds=min(int(text[:9]), int(LONGEST_WAIT.total_seconds())))
