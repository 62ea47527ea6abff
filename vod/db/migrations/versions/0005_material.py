"""Captions, chapters, posters; sets of renditions that are published in part."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql")


def upgrade() -> None:
    op.create_table(
        "caption_tracks",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("lecture_id", sa.String(length=32), nullable=False),
        sa.Column("language", sa.String(length=35), nullable=False),
        sa.Column("label", sa.String(length=100), nullable=False),
        sa.Column(
            "origin",
            sa.Enum(
                "uploaded",
                "embedded",
                "automatic",
                name="origin",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            nullable=False,
        ),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("cues", _DOCUMENT, nullable=False),
        sa.Column("cues_count", sa.Integer(), nullable=False),
        sa.Column("is_edited", sa.Boolean(), nullable=False),
        sa.Column("import_key", sa.String(length=64), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["lecture_id"],
            ["lectures.id"],
            name=op.f("fk_caption_tracks_lecture_id_lectures"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_caption_tracks")),
        sa.UniqueConstraint(
            "lecture_id", "import_key", name=op.f("uq_caption_tracks_lecture_id_import_key")
        ),
    )
    op.create_table(
        "lecture_material",
        sa.Column("lecture_id", sa.String(length=32), nullable=False),
        sa.Column("chapters", _DOCUMENT, nullable=False),
        sa.Column("chapters_version", sa.Integer(), nullable=False),
        sa.Column("are_chapters_edited", sa.Boolean(), nullable=False),
        sa.Column("imported_version", sa.Integer(), nullable=False),
        sa.Column("source", _DOCUMENT, nullable=True),
        sa.Column("source_version", sa.Integer(), nullable=True),
        sa.Column("poster_name", sa.String(length=128), nullable=True),
        sa.Column("poster_source_version", sa.Integer(), nullable=True),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["lecture_id"],
            ["lectures.id"],
            name=op.f("fk_lecture_material_lecture_id_lectures"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("lecture_id", name=op.f("pk_lecture_material")),
    )
    op.create_table(
        "own_posters",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("lecture_id", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("width_px", sa.Integer(), nullable=False),
        sa.Column("height_px", sa.Integer(), nullable=False),
        sa.Column("size_bytes", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["lecture_id"],
            ["lectures.id"],
            name=op.f("fk_own_posters_lecture_id_lectures"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_own_posters")),
        sa.UniqueConstraint("lecture_id", "name", name=op.f("uq_own_posters_lecture_id_name")),
    )
    with op.batch_alter_table("assets", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("is_partial", sa.Boolean(), nullable=False, server_default=sa.false())
        )
    with op.batch_alter_table("assets", schema=None) as batch_op:
        batch_op.alter_column("is_partial", existing_type=sa.Boolean(), server_default=None)


def downgrade() -> None:
    with op.batch_alter_table("assets", schema=None) as batch_op:
        batch_op.drop_column("is_partial")
    op.drop_table("own_posters")
    op.drop_table("lecture_material")
    op.drop_table("caption_tracks")
