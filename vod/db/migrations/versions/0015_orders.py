"""Orders."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_STATES = ("ordered", "assigned", "accepted", "done", "rated", "declined", "withdrawn")
_WAYS = ("any", "live", "replay", "on_site")
_DEEDS = (
    "order", "assign", "accept", "return", "decline", "complete", "rate", "reopen", "withdraw",
    "escalate",
)  # fmt: skip


def upgrade() -> None:
    op.create_table(
        "orders",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column(
            "kind", _one_of("kind", "lecture", "series", "instructor", "wish"), nullable=False
        ),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("target_id", sa.String(length=32), nullable=True),
        sa.Column("demand_key", sa.String(length=128), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("contact", sa.String(length=64), nullable=False),
        sa.Column("wished", _one_of("wished", *_WAYS), nullable=False),
        sa.Column("wished_on", sa.Date(), nullable=True),
        sa.Column("attendees_count", sa.Integer(), nullable=False),
        sa.Column("is_for_unit", sa.Boolean(), nullable=False),
        sa.Column("unit_id", sa.String(length=32), nullable=True),
        sa.Column("desk_unit_id", sa.String(length=32), nullable=True),
        sa.Column("state", _one_of("state", *_STATES), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("overdue_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("assignee_id", sa.String(length=32), nullable=True),
        sa.Column("instructor_id", sa.String(length=32), nullable=True),
        sa.Column("planned_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reply", sa.Text(), nullable=False),
        sa.Column("delivered", _one_of("delivered", *_WAYS), nullable=True),
        sa.Column("delivered_id", sa.String(length=32), nullable=True),
        sa.Column("held_on", sa.Date(), nullable=True),
        sa.Column("score", sa.Integer(), nullable=True),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("reopened_count", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.String(length=32), nullable=True),
        sa.CheckConstraint("attendees_count >= 1", name=op.f("ck_orders_attendees")),
        sa.CheckConstraint("score IS NULL OR score BETWEEN 1 AND 5", name=op.f("ck_orders_score")),
        *(_refer("orders", column, "org_units") for column in ("unit_id", "desk_unit_id")),
        *(_refer("orders", column, "accounts") for column in ("assignee_id", "created_by")),
        _refer("orders", "instructor_id", "instructors"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_orders")),
    )
    for columns in (
        ("created_by", "created_at"),
        ("unit_id", "created_at"),
        ("assignee_id", "state"),
        ("state", "due_at"),
        ("demand_key",),
        ("instructor_id", "score"),
    ):
        op.create_index(op.f("ix_orders_" + "_".join(columns)), "orders", list(columns))
    op.create_table(
        "order_events",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("order_id", sa.String(length=32), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor_id", sa.String(length=32), nullable=True),
        sa.Column("deed", _one_of("deed", *_DEEDS), nullable=False),
        sa.Column("state", _one_of("state", *_STATES), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("unit_id", sa.String(length=32), nullable=True),
        sa.ForeignKeyConstraint(
            ["order_id"],
            ["orders.id"],
            name=op.f("fk_order_events_order_id_orders"),
            ondelete="CASCADE",
        ),
        _refer("order_events", "actor_id", "accounts"),
        _refer("order_events", "unit_id", "org_units"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_order_events")),
    )
    op.create_index(op.f("ix_order_events_order_id_at"), "order_events", ["order_id", "at"])


def downgrade() -> None:
    op.drop_table("order_events")
    op.drop_table("orders")


def _refer(table: str, column: str, other: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        [column],
        [f"{other}.id"],
        name=op.f(f"fk_{table}_{column}_{other}"),
        ondelete="SET NULL",
    )


def _one_of(name: str, *values: str) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=24)
