"""Alembic's entry point: runs the scripts on the connection that ``vod.db.migrate`` gives it."""

from __future__ import annotations

from typing import Any, Literal

from alembic import context

from vod.db.base import UtcDateTime
from vod.db.migrate import is_modelled
from vod.db.models import Base


def _render_item(kind: str, item: Any, _context: Any) -> str | Literal[False]:
    """Write our time type as what it is in the database, so that old scripts never change."""
    if kind == "type" and isinstance(item, UtcDateTime):
        return "sa.DateTime(timezone=True)"
    return False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,  # SQLite changes a table by copying it.
    compare_type=True,
    compare_server_default=True,
    render_item=_render_item,
    include_name=is_modelled,
)
with context.begin_transaction():
    context.run_migrations()
