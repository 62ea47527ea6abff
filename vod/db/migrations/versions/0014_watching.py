"""What members watched of lectures, and which ones they keep at hand."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql")


def upgrade() -> None:
    op.create_table(
        "watch_records",
        sa.Column("account_id", sa.String(length=32), nullable=False),
        sa.Column("lecture_id", sa.String(length=32), nullable=False),
        sa.Column("position_s", sa.Integer(), nullable=False),
        sa.Column("duration_s", sa.Integer(), nullable=False),
        sa.Column("furthest_s", sa.Integer(), nullable=False),
        sa.Column("watched_s", sa.Integer(), nullable=False),
        sa.Column("ranges", JSON, nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("position_s >= 0", name=op.f("ck_watch_records_position")),
        sa.CheckConstraint("watched_s >= 0", name=op.f("ck_watch_records_watched")),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["accounts.id"],
            name=op.f("fk_watch_records_account_id_accounts"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["lecture_id"],
            ["lectures.id"],
            name=op.f("fk_watch_records_lecture_id_lectures"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("account_id", "lecture_id", name=op.f("pk_watch_records")),
    )
    op.create_index(op.f("ix_watch_records_lecture_id"), "watch_records", ["lecture_id"])
    op.create_index(
        op.f("ix_watch_records_account_id_updated_at"),
        "watch_records",
        ["account_id", "updated_at"],
    )
    op.create_table(
        "favourites",
        sa.Column("account_id", sa.String(length=32), nullable=False),
        sa.Column("lecture_id", sa.String(length=32), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["accounts.id"],
            name=op.f("fk_favourites_account_id_accounts"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["lecture_id"],
            ["lectures.id"],
            name=op.f("fk_favourites_lecture_id_lectures"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("account_id", "lecture_id", name=op.f("pk_favourites")),
    )
    op.create_index(op.f("ix_favourites_lecture_id"), "favourites", ["lecture_id"])
    op.create_index(
        op.f("ix_favourites_account_id_created_at"), "favourites", ["account_id", "created_at"]
    )


def downgrade() -> None:
    op.drop_table("favourites")
    op.drop_table("watch_records")
