"""Learning hours 学时: decimals with two places, stored as whole hundredths."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Final

from pydantic import Field, PlainSerializer
from sqlalchemy import Dialect, Integer
from sqlalchemy.types import TypeDecorator

MAX_HOURS: Final = Decimal("999.99")
_PLACES: Final = Decimal("0.01")

# In bodies a JSON number or text with at most two places; in answers a number.
Hours = Annotated[
    Decimal,
    Field(ge=0, le=MAX_HOURS, decimal_places=2),
    PlainSerializer(float, return_type=float, when_used="json"),
]


class Hundredths(TypeDecorator[Decimal]):
    """A decimal with two places on every database: sums are exact, SQLite has no decimals."""

    impl = Integer
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, _dialect: Dialect) -> int | None:
        return None if value is None else int(value.quantize(_PLACES) * 100)

    def process_result_value(self, value: int | None, _dialect: Dialect) -> Decimal | None:
        return None if value is None else Decimal(value) / 100
