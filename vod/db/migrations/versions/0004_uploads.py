"""Resumable uploads, and where a lecture comes from."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

OLD_KEY = "uq_jobs_lecture_id_recording_version_generation"
NEW_KEY = "uq_jobs_lecture_id_source_version_generation"


def upgrade() -> None:
    op.create_table(
        "uploads",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("account_id", sa.String(length=32), nullable=False),
        sa.Column("filename", sa.String(length=255), nullable=False),
        sa.Column("metadata_text", sa.Text(), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column(
            "visibility",
            sa.Enum(
                "public",
                "members",
                name="visibility",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            nullable=False,
        ),
        sa.Column("series_id", sa.String(length=32), nullable=True),
        sa.Column("lecture_id", sa.String(length=32), nullable=True),
        sa.Column("is_replacement", sa.Boolean(), nullable=False),
        sa.Column("replaced_upload_id", sa.String(length=32), nullable=True),
        sa.Column("is_duplicate_allowed", sa.Boolean(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("part_bytes", sa.Integer(), nullable=False),
        sa.Column("received_bytes", sa.BigInteger(), nullable=False),
        sa.Column(
            "tail",
            sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql"),
            nullable=False,
        ),
        sa.Column("multipart", sa.Text(), nullable=False),
        sa.Column("digest", sa.String(length=80), nullable=True),
        sa.Column(
            "state",
            sa.Enum(
                "receiving",
                "done",
                "duplicate",
                "refused",
                "expired",
                name="state",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            nullable=False,
        ),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("duplicate_of_id", sa.String(length=32), nullable=True),
        sa.Column("lease_token", sa.String(length=32), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("bytes_deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("size_bytes > 0", name=op.f("ck_uploads_size")),
        sa.CheckConstraint(
            "received_bytes >= 0 AND received_bytes <= size_bytes", name=op.f("ck_uploads_received")
        ),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["accounts.id"],
            name=op.f("fk_uploads_account_id_accounts"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["series_id"],
            ["series.id"],
            name=op.f("fk_uploads_series_id_series"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["lecture_id"],
            ["lectures.id"],
            name=op.f("fk_uploads_lecture_id_lectures"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["duplicate_of_id"],
            ["lectures.id"],
            name=op.f("fk_uploads_duplicate_of_id_lectures"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_uploads")),
    )
    with op.batch_alter_table("uploads", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_uploads_account_id"), ["account_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_uploads_lecture_id"), ["lecture_id"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_uploads_digest_size_bytes"), ["digest", "size_bytes"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_uploads_state_expires_at"), ["state", "expires_at"], unique=False
        )
    op.create_table(
        "upload_parts",
        sa.Column("upload_id", sa.String(length=32), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("etag", sa.String(length=200), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["upload_id"],
            ["uploads.id"],
            name=op.f("fk_upload_parts_upload_id_uploads"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("upload_id", "number", name=op.f("pk_upload_parts")),
    )
    with op.batch_alter_table("jobs", schema=None) as batch_op:
        batch_op.drop_constraint(OLD_KEY, type_="unique")
        batch_op.alter_column("recording_version", new_column_name="source_version")
    with op.batch_alter_table("jobs", schema=None) as batch_op:
        batch_op.create_unique_constraint(NEW_KEY, ["lecture_id", "source_version", "generation"])
    with op.batch_alter_table("assets", schema=None) as batch_op:
        batch_op.alter_column("recording_version", new_column_name="source_version")
    with op.batch_alter_table("lectures", schema=None) as batch_op:
        batch_op.add_column(sa.Column("upload_id", sa.String(length=32), nullable=True))
        batch_op.add_column(sa.Column("source_version", sa.Integer(), nullable=True))
    op.execute("UPDATE lectures SET source_version = COALESCE(recording_version, 0)")
    with op.batch_alter_table("lectures", schema=None) as batch_op:
        batch_op.alter_column("source_version", existing_type=sa.Integer(), nullable=False)
        batch_op.create_index(batch_op.f("ix_lectures_upload_id"), ["upload_id"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("lectures", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_lectures_upload_id"))
        batch_op.drop_column("source_version")
        batch_op.drop_column("upload_id")
    with op.batch_alter_table("assets", schema=None) as batch_op:
        batch_op.alter_column("source_version", new_column_name="recording_version")
    with op.batch_alter_table("jobs", schema=None) as batch_op:
        batch_op.drop_constraint(NEW_KEY, type_="unique")
        batch_op.alter_column("source_version", new_column_name="recording_version")
    with op.batch_alter_table("jobs", schema=None) as batch_op:
        batch_op.create_unique_constraint(
            OLD_KEY, ["lecture_id", "recording_version", "generation"]
        )
    op.drop_table("upload_parts")
    op.drop_table("uploads")
