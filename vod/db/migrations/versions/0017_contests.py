"""Contests of films; lectures that are featured."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql")


def upgrade() -> None:
    # Not by copying the table: the triggers of the search index would be lost.
    op.add_column("lectures", sa.Column("featured_at", sa.DateTime(timezone=True), nullable=True))
    _create_contests()
    _create_films()
    _create_judges()
    _create_sheets()


def _create_contests() -> None:
    op.create_table(
        "contests",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("categories", JSON, nullable=False),
        sa.Column("criteria", JSON, nullable=False),
        sa.Column("method", _one_of("method", "mean", "trimmed"), nullable=False),
        sa.Column(
            "exhibition_order",
            _one_of("exhibition_order", "ranking", "programme"),
            nullable=False,
        ),
        sa.Column("state", _one_of("state", "draft", "open", "closed"), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.String(length=32), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("ends_at > starts_at", name=op.f("ck_contests_dates")),
        sa.CheckConstraint("version >= 1", name=op.f("ck_contests_version")),
        sa.ForeignKeyConstraint(
            ["created_by"],
            ["accounts.id"],
            name=op.f("fk_contests_created_by_accounts"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contests")),
    )
    op.create_index(op.f("ix_contests_starts_at_id"), "contests", ["starts_at", "id"])


def _create_films() -> None:
    op.create_table(
        "contest_films",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("contest_id", sa.String(length=32), nullable=False),
        sa.Column("lecture_id", sa.String(length=32), nullable=False),
        sa.Column("category", sa.String(length=64), nullable=False),
        sa.Column("entrant", sa.String(length=100), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("score", sa.Integer(), nullable=True),
        sa.Column("place", sa.Integer(), nullable=True),
        sa.Column("category_place", sa.Integer(), nullable=True),
        _refers("contest_films", "contest_id", "contests"),
        _refers("contest_films", "lecture_id", "lectures"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contest_films")),
        sa.UniqueConstraint(
            "contest_id", "lecture_id", name=op.f("uq_contest_films_contest_id_lecture_id")
        ),
    )
    op.create_index(op.f("ix_contest_films_lecture_id"), "contest_films", ["lecture_id"])


def _create_judges() -> None:
    op.create_table(
        "contest_judges",
        sa.Column("contest_id", sa.String(length=32), nullable=False),
        sa.Column("account_id", sa.String(length=32), nullable=False),
        _refers("contest_judges", "contest_id", "contests"),
        _refers("contest_judges", "account_id", "accounts"),
        sa.PrimaryKeyConstraint("contest_id", "account_id", name=op.f("pk_contest_judges")),
    )
    op.create_index(op.f("ix_contest_judges_account_id"), "contest_judges", ["account_id"])


def _create_sheets() -> None:
    op.create_table(
        "contest_sheets",
        sa.Column("film_id", sa.String(length=32), nullable=False),
        sa.Column("account_id", sa.String(length=32), nullable=False),
        sa.Column("points", JSON, nullable=False),
        sa.Column("scored_at", sa.DateTime(timezone=True), nullable=False),
        _refers("contest_sheets", "film_id", "contest_films"),
        _refers("contest_sheets", "account_id", "accounts"),
        sa.PrimaryKeyConstraint("film_id", "account_id", name=op.f("pk_contest_sheets")),
    )
    op.create_index(op.f("ix_contest_sheets_account_id"), "contest_sheets", ["account_id"])


def downgrade() -> None:
    for table in ("contest_sheets", "contest_judges", "contest_films", "contests"):
        op.drop_table(table)
    op.drop_column("lectures", "featured_at")


def _refers(table: str, column: str, other: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        [column], [f"{other}.id"], name=op.f(f"fk_{table}_{column}_{other}"), ondelete="CASCADE"
    )


def _one_of(name: str, *values: str) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=24)
