"""What vod takes from the settings, checked at start."""

from __future__ import annotations

from datetime import timedelta

from kernel.config import Settings
from kernel.errors import SettingsError


def read_secret(settings: Settings) -> bytes:
    """Return the key that signs stream keys and media paths.

    Raises:
        SettingsError: There is none; ``hall`` makes one in the data folder and passes it on.
    """
    if settings.secret is None or not settings.secret.get_secret_value():
        raise SettingsError(["HALL_SECRET: vod needs it; `hall` keeps one in the data folder"])
    return settings.secret.get_secret_value().encode()


def read_idle_end(settings: Settings) -> timedelta:
    """How long after its planned end and its last media an interrupted class ends by itself."""
    return timedelta(seconds=settings.idle_end_s)


def read_grace(settings: Settings) -> timedelta:
    """How long what was deleted or replaced can be brought back, before its bytes go."""
    return timedelta(days=settings.live_retention_days)


def build_redis_url(broker: str) -> str:
    """Turn Celery's spelling of a broker address into redis-py's: ``unix://PATH``."""
    if broker.startswith("redis+socket://"):
        return "unix://" + broker.removeprefix("redis+socket://")
    return broker
