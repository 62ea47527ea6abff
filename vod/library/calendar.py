"""Which day it is where the centre is. Pure."""

from __future__ import annotations

from datetime import date, datetime
from typing import Final
from zoneinfo import ZoneInfo

CENTRE: Final = ZoneInfo("Asia/Shanghai")


def find_today(now: datetime) -> date:
    """Turn a moment into the centre's day: appointments and reminders count by it."""
    return now.astimezone(CENTRE).date()
