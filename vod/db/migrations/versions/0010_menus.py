"""Menus with versions, audience rules, recommendation slots."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql")


def upgrade() -> None:
    op.create_table(
        "menus",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("unit_id", sa.String(length=32), nullable=True),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("draft", _DOCUMENT, nullable=False),
        sa.Column("draft_version", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("saved_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("saved_by", sa.String(length=32), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("draft_version >= 1", name=op.f("ck_menus_draft_version")),
        _refer("menus", "unit_id", "org_units", "RESTRICT"),
        _refer("menus", "saved_by", "accounts", "SET NULL"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_menus")),
    )
    op.create_index(op.f("ix_menus_unit_id"), "menus", ["unit_id"])
    op.create_index(
        op.f("ix_menus_deleted_at_position_id"), "menus", ["deleted_at", "position", "id"]
    )
    op.create_table(
        "menu_versions",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("menu_id", sa.String(length=32), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("content", _DOCUMENT, nullable=False),
        sa.Column("begins_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("note", sa.String(length=200), nullable=False),
        sa.Column("draft_version", sa.Integer(), nullable=True),
        sa.Column("restored_from", sa.Integer(), nullable=True),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("published_by", sa.String(length=32), nullable=True),
        sa.CheckConstraint("number >= 1", name=op.f("ck_menu_versions_number")),
        _refer("menu_versions", "menu_id", "menus", "CASCADE"),
        _refer("menu_versions", "published_by", "accounts", "SET NULL"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_menu_versions")),
        sa.UniqueConstraint("menu_id", "number", name=op.f("uq_menu_versions_menu_id_number")),
    )
    op.create_table(
        "recommendations",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column(
            "place",
            sa.Enum(
                "home",
                "library",
                "menus",
                name="place",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            nullable=False,
        ),
        sa.Column("unit_id", sa.String(length=32), nullable=True),
        sa.Column("item", _DOCUMENT, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_by", sa.String(length=32), nullable=True),
        sa.CheckConstraint("version >= 1", name=op.f("ck_recommendations_version")),
        _refer("recommendations", "unit_id", "org_units", "RESTRICT"),
        _refer("recommendations", "changed_by", "accounts", "SET NULL"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recommendations")),
    )
    op.create_index(op.f("ix_recommendations_unit_id"), "recommendations", ["unit_id"])
    op.create_index(
        op.f("ix_recommendations_place_ends_at"), "recommendations", ["place", "ends_at"]
    )


def downgrade() -> None:
    op.drop_table("recommendations")
    op.drop_table("menu_versions")
    op.drop_table("menus")


def _refer(table: str, column: str, other: str, ondelete: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_{column}_{other}")
    return sa.ForeignKeyConstraint([column], [f"{other}.id"], name=name, ondelete=ondelete)
