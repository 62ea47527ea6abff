"""Rows for tables that nobody knows by name: every table of a schema, filled as far as it allows.

Values follow from the column and the row's number, so that references meet their rows.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Column, Connection, MetaData, Table, inspect, select, text, types
from sqlalchemy.exc import SAWarning

from vod.db.migrate import is_modelled

ROWS_COUNT = 2
Rows = dict[str, list[dict[str, Any]]]
# `state IN ('a', 'b')` as SQLite keeps it, and as PostgreSQL writes it anew.
CHOICES = re.compile(
    r"(\w+)\W+IN \('([^']*)'|(\w+)\)?::text = ANY \(+ARRAY\['([^']*)'", re.IGNORECASE
)


def reflect(connection: Connection) -> MetaData:
    """Read the tables that models describe, as the database has them now."""
    meta = MetaData()
    meta.reflect(connection, only=lambda name, _: is_modelled(name, "table", None))
    return meta


def fill_all(
    connection: Connection, meta: MetaData, special: Mapping[str, Mapping[str, Any]]
) -> None:
    """Insert rows into every table that has none.

    Args:
        special: Values by table and column that a constraint asks for and no type tells.
    """
    is_sqlite = connection.dialect.name == "sqlite"
    # Tables refer to each other in circles: references are whole at the end, not in between.
    connection.execute(
        text(
            "PRAGMA defer_foreign_keys=ON" if is_sqlite else "SET session_replication_role=replica"
        )
    )
    known: Rows = {}
    for table in _order(meta):
        rows = read_rows(connection, table)
        if not rows and table.name != "alembic_version":
            choices = _find_choices(connection, table.name)
            rows = [
                {
                    column.name: _choose(column, number, known, choices, special)
                    for column in table.columns
                }
                for number in range(1, ROWS_COUNT + 1)
            ]
            connection.execute(table.insert(), rows)
        known[table.name] = rows


def _order(meta: MetaData) -> Iterable[Table]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SAWarning)  # Circles, see `fill_all`.
        return meta.sorted_tables


def read_all(connection: Connection, meta: MetaData) -> Rows:
    """Read the columns that ``meta`` knows of every table, as comparable rows."""
    return {table.name: read_rows(connection, table) for table in meta.sorted_tables}


def read_rows(connection: Connection, table: Table) -> list[dict[str, Any]]:
    found = connection.execute(select(*table.columns)).mappings()
    return sorted((dict(row) for row in found), key=repr)


def _find_choices(connection: Connection, table: str) -> dict[str, str]:
    """The first of the words that a CHECK allows, by column."""
    found: dict[str, str] = {}
    for check in inspect(connection).get_check_constraints(table):
        for match in CHOICES.finditer(check["sqltext"]):
            column, word = (part for part in match.groups() if part is not None)
            found.setdefault(column, word)
    return found


def _choose(
    column: Column[Any],
    number: int,
    known: Rows,
    choices: Mapping[str, str],
    special: Mapping[str, Mapping[str, Any]],
) -> Any:
    table = column.table.name
    if column.name in special.get(table, {}):
        return special[table][column.name]
    for key in column.foreign_keys:
        parent = key.column
        if parent.table is column.table:
            return None if number == 1 else build_value(parent, 1)
        rows = known.get(parent.table.name)
        return rows[number - 1][parent.name] if rows else build_value(parent, number)
    if column.name in choices:
        return choices[column.name]
    return build_value(column, number)


def build_value(  # noqa: PLR0911 - one for each kind of type
    column: Column[Any], number: int
) -> Any:
    """A value of the column's type."""
    kind = column.type
    if isinstance(kind, types.Boolean):
        return number == 1
    if isinstance(kind, types.Integer):
        return number
    if isinstance(kind, types.Numeric):
        return Decimal(number) if kind.asdecimal else float(number)
    if isinstance(kind, types.DateTime):
        moment = datetime(2026, 7, number, 8, tzinfo=UTC)
        return moment if kind.timezone else moment.replace(tzinfo=None)
    if isinstance(kind, types.Date):
        return date(2026, 7, number)
    if isinstance(kind, types.LargeBinary):
        return bytes([number]) * 3
    if isinstance(kind, types.JSON):
        return {"number": number, "字": "值"}
    if isinstance(kind, types.String):
        words = f"{number:020d}" if column.primary_key else f"{number}值{column.name}"
        return words[: kind.length or 100]
    raise AssertionError(f"{column.table.name}.{column.name} is {kind!r}")
