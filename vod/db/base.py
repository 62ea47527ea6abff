"""What every table shares: naming convention, identifiers, UTC times, short enums. No queries."""

from __future__ import annotations

import enum
from datetime import UTC, datetime
from typing import Any, ClassVar, Final, TypeVar

from sqlalchemy import JSON, DateTime, Dialect, Enum, MetaData, String, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

from kernel.ids import new_id

ID_CHARS: Final = 32  # kernel.ids makes 20; room for one change of mind.
ENUM_CHARS: Final = 24  # Longest value of any state we have, with room.

NAMING_CONVENTION: Final = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

EnumType = TypeVar("EnumType", bound=enum.Enum)


class UtcDateTime(TypeDecorator[datetime]):
    """An aware UTC ``datetime`` on every database; naive values are refused on the way in."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Normalise to UTC; SQLite keeps no zone, so the stored text is UTC by definition."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a time without a zone: {value!r}")
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def short_enum(values: type[EnumType], name: str) -> Enum:
    """Build the column type of an enum: its values as short text under a named CHECK.

    Args:
        values: Members whose values are the strings to store.
        name: Constraint name, unique in the table; becomes ``ck_{table}_{name}``.
    """
    return Enum(
        values,
        name=name,
        native_enum=False,
        create_constraint=True,
        length=ENUM_CHARS,
        values_callable=lambda members: [member.value for member in members],
    )


JSON_DOCUMENT: Final = JSON().with_variant(JSONB(), "postgresql")


class Base(DeclarativeBase):
    """Root of all models. Columns, constraints and relationships only."""

    metadata = MetaData(naming_convention=NAMING_CONVENTION)
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: UtcDateTime(),
        str: Text(),
        dict[str, Any]: JSON_DOCUMENT,
    }


class HasId:
    """Mix-in: a sortable text identifier, made in the program."""

    id: Mapped[str] = mapped_column(
        String(ID_CHARS),
        primary_key=True,
        default=lambda: new_id(),  # noqa: PLW0108 - SQLAlchemy hands a context to bare functions
        sort_order=-1,
    )
