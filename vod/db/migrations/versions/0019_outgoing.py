"""What happened and is told to others: events, webhooks, deliveries, messages.

Notices that members read already are told of to nobody.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql")
MOMENT = sa.DateTime(timezone=True)
NAME = sa.String(length=32)


def upgrade() -> None:
    op.create_table(
        "outgoing_events",
        sa.Column("id", NAME, nullable=False),
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.Column("subject_id", NAME, nullable=False),
        sa.Column("data", JSON, nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("occurred_at", MOMENT, nullable=False),
        sa.Column("distributed_at", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outgoing_events")),
    )
    op.create_index(
        op.f("ix_outgoing_events_distributed_at_id"), "outgoing_events", ["distributed_at", "id"]
    )
    op.create_table(
        "webhooks",
        sa.Column("id", NAME, nullable=False),
        sa.Column("url", sa.String(length=2000), nullable=False),
        sa.Column("description", sa.String(length=200), nullable=False),
        sa.Column("kinds", JSON, nullable=False),
        sa.Column("is_enabled", sa.Boolean(), nullable=False),
        sa.Column("secret_number", sa.Integer(), nullable=False),
        sa.Column("rotated_at", MOMENT, nullable=True),
        sa.Column("failing_since", MOMENT, nullable=True),
        sa.Column("disabled_reason", sa.String(length=300), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("created_by", NAME, nullable=True),
        sa.CheckConstraint("secret_number >= 1", name=op.f("ck_webhooks_secret_number")),
        sa.ForeignKeyConstraint(
            ["created_by"],
            ["accounts.id"],
            name=op.f("fk_webhooks_created_by_accounts"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhooks")),
    )
    _create_deliveries()
    _create_messages()
    op.add_column("notices", sa.Column("told_at", MOMENT, nullable=True))
    op.execute(
        "UPDATE notices SET told_at = publish_at "
        "WHERE state = 'published' AND publish_at <= CURRENT_TIMESTAMP"
    )


def _create_deliveries() -> None:
    op.create_table(
        "webhook_deliveries",
        sa.Column("id", NAME, nullable=False),
        sa.Column("webhook_id", NAME, nullable=False),
        sa.Column("event_id", NAME, nullable=False),
        sa.Column("state", _state(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_at", MOMENT, nullable=False),
        sa.Column("last_status", sa.Integer(), nullable=True),
        sa.Column("last_error", sa.String(length=300), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("finished_at", MOMENT, nullable=True),
        sa.CheckConstraint("attempts >= 0", name=op.f("ck_webhook_deliveries_attempts")),
        sa.ForeignKeyConstraint(
            ["webhook_id"],
            ["webhooks.id"],
            name=op.f("fk_webhook_deliveries_webhook_id_webhooks"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["event_id"],
            ["outgoing_events.id"],
            name=op.f("fk_webhook_deliveries_event_id_outgoing_events"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_deliveries")),
    )
    op.create_index(
        op.f("ix_webhook_deliveries_webhook_id_state_next_at"),
        "webhook_deliveries",
        ["webhook_id", "state", "next_at"],
    )
    op.create_index(op.f("ix_webhook_deliveries_event_id"), "webhook_deliveries", ["event_id"])


def _create_messages() -> None:
    op.create_table(
        "outgoing_messages",
        sa.Column("id", NAME, nullable=False),
        sa.Column("event_id", NAME, nullable=True),
        sa.Column("recipient", sa.String(length=320), nullable=False),
        sa.Column("subject", sa.String(length=200), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("state", _state(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_at", MOMENT, nullable=False),
        sa.Column("last_error", sa.String(length=300), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("finished_at", MOMENT, nullable=True),
        sa.CheckConstraint("attempts >= 0", name=op.f("ck_outgoing_messages_attempts")),
        sa.ForeignKeyConstraint(
            ["event_id"],
            ["outgoing_events.id"],
            name=op.f("fk_outgoing_messages_event_id_outgoing_events"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outgoing_messages")),
    )
    op.create_index(
        op.f("ix_outgoing_messages_state_next_at"), "outgoing_messages", ["state", "next_at"]
    )


def _state() -> sa.Enum:
    return sa.Enum(
        "waiting",
        "delivered",
        "failed",
        name="state",
        native_enum=False,
        create_constraint=True,
        length=24,
    )


def downgrade() -> None:
    op.drop_column("notices", "told_at")
    op.drop_table("outgoing_messages")
    op.drop_table("webhook_deliveries")
    op.drop_table("webhooks")
    op.drop_table("outgoing_events")
