"""Field types of request bodies and queries: every text a stranger can send has a limit. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

MIN_YEAR, MAX_YEAR = 2000, 2200  # Outside of this it is a mistake; also keeps UTC sums in range.
MAX_QUERY_CHARS: Final = 100
_CONTROL: Final = frozenset(chr(code) for code in (*range(32), 127)) - {"\n", "\t", "\r"}


class Body(BaseModel):
    """Base of request bodies: unknown members are refused, so that a typing error is noticed."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class View(BaseModel):
    """Base of answers. Fields have no defaults, so clients may rely on each being there."""

    model_config = ConfigDict(frozen=True)


def refuse_controls(text: str) -> str:
    if not _CONTROL.isdisjoint(text):
        raise ValueError("control characters are not allowed")
    return text


def refuse_breaks(text: str) -> str:
    if "\n" in text or "\r" in text or "\t" in text:
        raise ValueError("give one line")
    return refuse_controls(text)


def _is_plausible(moment: datetime) -> datetime:
    if not MIN_YEAR <= moment.year < MAX_YEAR:
        raise ValueError(f"the year is not within {MIN_YEAR}-{MAX_YEAR}")
    return moment


Title = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=200),
    AfterValidator(refuse_breaks),
]
Name = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=64),
    AfterValidator(refuse_breaks),
]
LongText = Annotated[str, StringConstraints(max_length=20_000), AfterValidator(refuse_controls)]
Login = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True, to_lower=True, pattern=r"^[A-Za-z0-9][A-Za-z0-9._@-]{1,63}$"
    ),
]
Password = Annotated[str, StringConstraints(min_length=8, max_length=200)]
AnyPassword = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Identifier = Annotated[str, StringConstraints(pattern=r"^[0-9a-z]{20}$")]
Moment = Annotated[AwareDatetime, AfterValidator(_is_plausible)]
SearchText = Annotated[
    str,
    Field(max_length=MAX_QUERY_CHARS, description="Words to look for"),
    AfterValidator(refuse_controls),
]
