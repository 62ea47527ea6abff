"""Priorities, attempts, workers, and dry runs of the storage."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    json_document = sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql")
    op.create_table(
        "orphan_listings",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("prefixes", json_document, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_orphan_listings")),
    )
    with op.batch_alter_table("orphan_listings", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_orphan_listings_created_at"), ["created_at"], unique=False
        )

    op.create_table(
        "workers",
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("queues", json_document, nullable=False),
        sa.Column("is_draining", sa.Boolean(), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_workers")),
    )
    with op.batch_alter_table("workers", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_workers_seen_at"), ["seen_at"], unique=False)

    op.create_table(
        "unit_attempts",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("unit_id", sa.String(length=32), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("worker", sa.String(length=128), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "outcome",
            sa.Enum(
                "done",
                "failed",
                "lost",
                "released",
                "stopped",
                name="outcome",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            nullable=True,
        ),
        sa.Column("cause", sa.String(length=16), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["unit_id"],
            ["units.id"],
            name=op.f("fk_unit_attempts_unit_id_units"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_unit_attempts")),
        sa.UniqueConstraint("unit_id", "fence", name=op.f("uq_unit_attempts_unit_id_fence")),
    )
    with op.batch_alter_table("unit_attempts", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_unit_attempts_ended_at"), ["ended_at"], unique=False)

    with op.batch_alter_table("jobs", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column(
                "priority",
                sa.Enum(
                    "low",
                    "normal",
                    "high",
                    name="priority",
                    native_enum=False,
                    create_constraint=True,
                    length=24,
                ),
                server_default="normal",
                nullable=False,
            )
        )
        batch_op.create_index(batch_op.f("ix_jobs_created_at"), ["created_at"], unique=False)
    with op.batch_alter_table("units", schema=None) as batch_op:
        batch_op.add_column(sa.Column("claim_id", sa.String(length=64), nullable=True))
        batch_op.add_column(sa.Column("commands", json_document, nullable=True))
        batch_op.create_index(batch_op.f("ix_units_queue_state"), ["queue", "state"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("units", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_units_queue_state"))
        batch_op.drop_column("commands")
        batch_op.drop_column("claim_id")

    with op.batch_alter_table("jobs", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_jobs_created_at"))
        batch_op.drop_constraint(batch_op.f("ck_jobs_priority"), type_="check")
        batch_op.drop_column("priority")

    with op.batch_alter_table("unit_attempts", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_unit_attempts_ended_at"))

    op.drop_table("unit_attempts")
    with op.batch_alter_table("workers", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_workers_seen_at"))

    op.drop_table("workers")
    with op.batch_alter_table("orphan_listings", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_orphan_listings_created_at"))

    op.drop_table("orphan_listings")
