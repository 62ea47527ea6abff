"""Channels and their programme grid."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql")


def _id(name: str = "id", *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.String(length=32), nullable=nullable)


def _refer(table: str, column: str, other: str, ondelete: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_{column}_{other}")
    return sa.ForeignKeyConstraint([column], [f"{other}.id"], name=name, ondelete=ondelete)


def upgrade() -> None:
    op.create_table(
        "channels",
        _id(),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column(
            "visibility",
            sa.Enum(
                "public",
                "members",
                "audience",
                name=op.f("ck_channels_visibility"),
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            nullable=False,
        ),
        sa.Column("audience", _DOCUMENT, nullable=False),
        sa.Column("may_seek", sa.Boolean(), nullable=False),
        _id("filler_id", nullable=True),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        _refer("channels", "filler_id", "lectures", "SET NULL"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_channels")),
    )
    op.create_index(op.f("ix_channels_filler_id"), "channels", ["filler_id"])
    op.create_index(
        op.f("ix_channels_deleted_at_position_id"), "channels", ["deleted_at", "position", "id"]
    )
    op.create_table(
        "channel_programmes",
        _id(),
        _id("channel_id"),
        _id("lecture_id"),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("repeat", _DOCUMENT, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        _refer("channel_programmes", "channel_id", "channels", "CASCADE"),
        _refer("channel_programmes", "lecture_id", "lectures", "CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_channel_programmes")),
    )
    op.create_index(
        op.f("ix_channel_programmes_channel_id_starts_at"),
        "channel_programmes",
        ["channel_id", "starts_at"],
    )
    op.create_index(op.f("ix_channel_programmes_lecture_id"), "channel_programmes", ["lecture_id"])
    _create_runs()


def _create_runs() -> None:
    op.create_table(
        "channel_runs",
        _id(),
        _id("channel_id"),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "item",
                "filler",
                "pause",
                name=op.f("ck_channel_runs_kind"),
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            nullable=False,
        ),
        sa.Column("key", sa.String(length=64), nullable=False),
        _id("lecture_id"),
        sa.Column("folder", sa.String(length=128), nullable=False),
        sa.Column("start_ticks", sa.BigInteger(), nullable=False),
        sa.Column("end_ticks", sa.BigInteger(), nullable=False),
        sa.Column("first", sa.Integer(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("msn", sa.BigInteger(), nullable=False),
        sa.Column("audio_first", sa.Integer(), nullable=False),
        sa.Column("audio_count", sa.Integer(), nullable=False),
        sa.Column("audio_msn", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("end_ticks > start_ticks", name=op.f("ck_channel_runs_end")),
        _refer("channel_runs", "channel_id", "channels", "CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_channel_runs")),
        sa.UniqueConstraint("channel_id", "number", name=op.f("uq_channel_runs_channel_id_number")),
    )
    op.create_index(
        op.f("ix_channel_runs_channel_id_end_ticks"), "channel_runs", ["channel_id", "end_ticks"]
    )
    op.create_index(
        op.f("ix_channel_runs_folder_end_ticks"), "channel_runs", ["folder", "end_ticks"]
    )


def downgrade() -> None:
    op.drop_table("channel_runs")
    op.drop_table("channel_programmes")
    op.drop_table("channels")
