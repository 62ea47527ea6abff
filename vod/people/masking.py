"""Personal data as lists and exports show it. Pure."""

from __future__ import annotations

import re
from typing import Final

_PHONE: Final = re.compile(r"\+?[0-9]{5,19}")
SHOWN_HEAD, SHOWN_TAIL = 3, 4


def mask_phone(phone: str | None) -> str | None:
    """Hide the middle: ``138****1234``; short ones show only their last two digits."""
    if not phone:
        return None
    if len(phone) <= SHOWN_HEAD + SHOWN_TAIL:
        return "*" * (len(phone) - 2) + phone[-2:]
    hidden = len(phone) - SHOWN_HEAD - SHOWN_TAIL
    return phone[:SHOWN_HEAD] + "*" * hidden + phone[-SHOWN_TAIL:]


def settle_phone(text: str) -> str | None:
    """Write a phone number as it is stored: digits only; ``None`` when it is none."""
    digits = re.sub(r"[\s\-()()]", "", text)
    if digits.startswith("+86"):
        digits = digits[3:]
    elif digits.startswith("0086"):
        digits = digits[4:]
    return digits if _PHONE.fullmatch(digits) else None
