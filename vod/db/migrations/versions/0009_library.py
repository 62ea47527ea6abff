"""Course library: series of many lectures, teachers, venues, review."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

FORMS = (
    ("video", "视频课"),
    ("audio", "有声党课"),
    ("staged", "情景党课"),
    ("micro", "微课"),
    ("film", "电视片"),
    ("lecture", "专题讲座"),
    ("document", "学习资料"),
    ("link", "网络资源"),
)
# What rows that are there already get: they stay in sight of the members.
LECTURE_DEFAULTS = {
    "kind": "media",
    "introduction": "",
    "hours": "0",
    "publication": "published",
    "review_step": "0",
    "version": "1",
}
SERIES_DEFAULTS: dict[str, str | sa.TextClause] = {
    "introduction": "",
    "is_published": sa.text("TRUE"),
    "version": "1",
}


def _json() -> sa.types.TypeEngine[object]:
    return sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql")


def upgrade() -> None:
    _create_forms()
    _extend_lectures()
    _extend_series()
    _move_to_lists()
    _extend_uploads()
    _create_people_and_places()
    _create_parts_of_lectures()
    _create_review()


def _extend_uploads() -> None:
    with op.batch_alter_table("uploads", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("publication", _publication(), nullable=False, server_default="published")
        )
    with op.batch_alter_table("uploads", schema=None) as batch_op:
        batch_op.alter_column("publication", server_default=None)


def _publication() -> sa.Enum:
    return sa.Enum(
        "draft", "in_review", "scheduled", "published", "withdrawn", name="publication",
        native_enum=False, create_constraint=True, length=24,
    )  # fmt: skip


def _create_forms() -> None:
    forms = op.create_table(
        "lecture_forms",
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("is_offered", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_lecture_forms")),
        sa.UniqueConstraint("name", name=op.f("uq_lecture_forms_name")),
    )
    op.bulk_insert(
        forms,
        [
            {"key": key, "name": name, "position": position, "is_offered": True}
            for position, (key, name) in enumerate(FORMS)
        ],
    )


def _extend_lectures() -> None:
    kind = sa.Enum(
        "media", "document", "link", name="kind", native_enum=False, create_constraint=True,
        length=24,
    )  # fmt: skip
    defaults = LECTURE_DEFAULTS
    with op.batch_alter_table("lectures", schema=None) as batch_op:
        for name, kind_of in (
            ("kind", kind),
            ("introduction", sa.Text()),
            ("hours", sa.Integer()),
            ("publication", _publication()),
            ("review_step", sa.Integer()),
            ("version", sa.Integer()),
        ):
            batch_op.add_column(
                sa.Column(name, kind_of, nullable=False, server_default=defaults[name])
            )
        batch_op.add_column(sa.Column("form", sa.String(length=64), nullable=True))
        batch_op.add_column(sa.Column("publish_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("withdraw_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("review_by", sa.Date(), nullable=True))
        batch_op.add_column(sa.Column("audience", _json(), nullable=True))
        batch_op.add_column(sa.Column("source_label", sa.String(length=100), nullable=True))
        batch_op.add_column(sa.Column("licence", sa.String(length=100), nullable=True))
        batch_op.add_column(sa.Column("external_id", sa.String(length=100), nullable=True))
        batch_op.add_column(sa.Column("external_url", sa.String(length=2000), nullable=True))
    with op.batch_alter_table("lectures", schema=None) as batch_op:
        for name in defaults:
            batch_op.alter_column(name, server_default=None)
        batch_op.create_check_constraint(batch_op.f("ck_lectures_hours"), "hours >= 0")
        batch_op.create_foreign_key(
            batch_op.f("fk_lectures_form_lecture_forms"),
            "lecture_forms",
            ["form"],
            ["key"],
            ondelete="RESTRICT",
        )
        for columns in (
            ["form"],
            ["review_by"],
            ["publication", "publish_at"],
            ["publication", "withdraw_at"],
        ):
            batch_op.create_index(batch_op.f(f"ix_lectures_{'_'.join(columns)}"), columns)
        batch_op.create_index(
            batch_op.f("ix_lectures_external_id"),
            ["external_id"],
            unique=True,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
    op.create_table(
        "lecture_tags",
        sa.Column("lecture_id", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(
            ["lecture_id"],
            ["lectures.id"],
            name=op.f("fk_lecture_tags_lecture_id_lectures"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("lecture_id", "name", name=op.f("pk_lecture_tags")),
    )
    op.create_index(op.f("ix_lecture_tags_name"), "lecture_tags", ["name"])


def _extend_series() -> None:
    with op.batch_alter_table("series", schema=None) as batch_op:
        for name, kind_of in (
            ("introduction", sa.Text()),
            ("is_published", sa.Boolean()),
            ("version", sa.Integer()),
        ):
            batch_op.add_column(
                sa.Column(name, kind_of, nullable=False, server_default=SERIES_DEFAULTS[name])
            )
        batch_op.add_column(sa.Column("planned_count", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("cover", sa.String(length=64), nullable=True))
        batch_op.add_column(sa.Column("external_id", sa.String(length=100), nullable=True))
    with op.batch_alter_table("series", schema=None) as batch_op:
        for name in SERIES_DEFAULTS:
            batch_op.alter_column(name, server_default=None)
        batch_op.create_check_constraint(batch_op.f("ck_series_planned"), "planned_count >= 0")
        batch_op.create_unique_constraint(batch_op.f("uq_series_external_id"), ["external_id"])


def _move_to_lists() -> None:
    """From one series per lecture to lists, in the order that was shown until now."""
    op.create_table(
        "series_lectures",
        sa.Column("series_id", sa.String(length=32), nullable=False),
        sa.Column("lecture_id", sa.String(length=32), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("is_required", sa.Boolean(), nullable=False),
        sa.CheckConstraint("position >= 0", name=op.f("ck_series_lectures_position")),
        sa.ForeignKeyConstraint(
            ["lecture_id"],
            ["lectures.id"],
            name=op.f("fk_series_lectures_lecture_id_lectures"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["series_id"],
            ["series.id"],
            name=op.f("fk_series_lectures_series_id_series"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("series_id", "lecture_id", name=op.f("pk_series_lectures")),
    )
    op.create_index(op.f("ix_series_lectures_lecture_id"), "series_lectures", ["lecture_id"])
    op.execute(
        "INSERT INTO series_lectures (series_id, lecture_id, position, is_required)"
        " SELECT series_id, id, row_number() OVER (PARTITION BY series_id"
        " ORDER BY position ASC NULLS LAST, recorded_at, id) - 1, TRUE"
        " FROM lectures WHERE series_id IS NOT NULL"
    )
    with op.batch_alter_table("lectures", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_lectures_series_id"))
        batch_op.drop_constraint(batch_op.f("fk_lectures_series_id_series"), type_="foreignkey")
        batch_op.drop_column("series_id")
        batch_op.drop_column("position")


def _id(name: str, *, is_nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.String(length=32), nullable=is_nullable)


def _to_lecture(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["lecture_id"],
        ["lectures.id"],
        name=op.f(f"fk_{table}_lecture_id_lectures"),
        ondelete="CASCADE",
    )


def _enum(name: str, *values: str) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=24)


def _create_people_and_places() -> None:
    op.create_table(
        "instructors",
        _id("id"),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("pinyin", sa.String(length=256), nullable=False),
        sa.Column("pinyin_joined", sa.String(length=256), nullable=False),
        sa.Column("initials", sa.String(length=64), nullable=False),
        _id("account_id", is_nullable=True),
        sa.Column("unit_name", sa.String(length=100), nullable=False),
        sa.Column("job_title", sa.String(length=100), nullable=False),
        sa.Column("level", sa.String(length=64), nullable=False),
        sa.Column("topics", _json(), nullable=False),
        sa.Column("biography", sa.Text(), nullable=False),
        sa.Column("appointed_from", sa.Date(), nullable=True),
        sa.Column("appointed_until", sa.Date(), nullable=True),
        sa.Column("portrait", sa.String(length=64), nullable=True),
        sa.Column("is_published", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["accounts.id"],
            name=op.f("fk_instructors_account_id_accounts"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_instructors")),
        sa.UniqueConstraint("account_id", name=op.f("uq_instructors_account_id")),
    )
    op.create_index(op.f("ix_instructors_pinyin_id"), "instructors", ["pinyin", "id"])
    op.create_index(op.f("ix_instructors_appointed_until"), "instructors", ["appointed_until"])
    op.create_table(
        "venues",
        _id("id"),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column(
            "kind", _enum("kind", "talk", "scene", "reading", "walk", "other"), nullable=False
        ),
        sa.Column("place", sa.String(length=200), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("contact_name", sa.String(length=64), nullable=False),
        sa.Column("contact_phone", sa.String(length=32), nullable=False),
        sa.Column("capacity_count", sa.Integer(), nullable=True),
        sa.Column("is_published", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("capacity_count >= 0", name=op.f("ck_venues_capacity")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_venues")),
    )


def _create_parts_of_lectures() -> None:
    op.create_table(
        "lecture_instructors",
        _id("lecture_id"),
        _id("instructor_id"),
        sa.Column("position", sa.Integer(), nullable=False),
        _to_lecture("lecture_instructors"),
        sa.ForeignKeyConstraint(
            ["instructor_id"],
            ["instructors.id"],
            name=op.f("fk_lecture_instructors_instructor_id_instructors"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("lecture_id", "instructor_id", name=op.f("pk_lecture_instructors")),
    )
    op.create_index(
        op.f("ix_lecture_instructors_instructor_id"), "lecture_instructors", ["instructor_id"]
    )
    op.create_table(
        "lecture_films",
        _id("lecture_id"),
        sa.Column("category", sa.String(length=64), nullable=False),
        sa.Column("producer", sa.String(length=100), nullable=False),
        sa.Column("produced_year", sa.Integer(), nullable=True),
        sa.Column("awards", _json(), nullable=False),
        _to_lecture("lecture_films"),
        sa.PrimaryKeyConstraint("lecture_id", name=op.f("pk_lecture_films")),
    )
    op.create_index(op.f("ix_lecture_films_category"), "lecture_films", ["category"])
    op.create_table(
        "lecture_documents",
        _id("id"),
        _id("lecture_id"),
        sa.Column("filename", sa.String(length=255), nullable=False),
        sa.Column("content_type", sa.String(length=100), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("size_bytes > 0", name=op.f("ck_lecture_documents_size")),
        _to_lecture("lecture_documents"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lecture_documents")),
    )
    op.create_index(
        op.f("ix_lecture_documents_lecture_id_position"),
        "lecture_documents",
        ["lecture_id", "position"],
    )


def _create_review() -> None:
    policy = op.create_table(
        "review_policy",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("steps", _json(), nullable=False),
        sa.Column("is_by_others", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_review_policy_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_review_policy")),
    )
    op.bulk_insert(policy, [{"id": 1, "steps": [], "is_by_others": True, "version": 1}])
    op.create_table(
        "review_entries",
        _id("id"),
        _id("lecture_id"),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        _id("actor_id", is_nullable=True),
        sa.Column(
            "deed",
            _enum("deed", "submitted", "approved", "rejected", "retracted"),
            nullable=False,
        ),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("step_name", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["actor_id"],
            ["accounts.id"],
            name=op.f("fk_review_entries_actor_id_accounts"),
            ondelete="SET NULL",
        ),
        _to_lecture("review_entries"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_review_entries")),
    )
    op.create_index(op.f("ix_review_entries_lecture_id_at"), "review_entries", ["lecture_id", "at"])


def downgrade() -> None:
    """A lecture of several series stays in the one that was made first."""
    for table in (
        "review_entries", "review_policy", "lecture_documents", "lecture_films",
        "lecture_instructors", "venues", "instructors",
    ):  # fmt: skip
        op.drop_table(table)
    with op.batch_alter_table("uploads", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f("ck_uploads_publication"), type_="check")
        batch_op.drop_column("publication")
    with op.batch_alter_table("lectures", schema=None) as batch_op:
        batch_op.add_column(sa.Column("series_id", sa.String(length=32), nullable=True))
        batch_op.add_column(sa.Column("position", sa.Integer(), nullable=True))
        batch_op.create_index(batch_op.f("ix_lectures_series_id"), ["series_id"])
        batch_op.create_foreign_key(
            batch_op.f("fk_lectures_series_id_series"),
            "series",
            ["series_id"],
            ["id"],
            ondelete="SET NULL",
        )
    first = "(SELECT min(series_id) FROM series_lectures WHERE lecture_id = lectures.id)"
    op.execute(f"UPDATE lectures SET series_id = {first}")  # noqa: S608 - our own words
    op.execute(
        "UPDATE lectures SET position = (SELECT min(entry.position) FROM series_lectures AS entry"
        " WHERE entry.lecture_id = lectures.id AND entry.series_id = lectures.series_id)"
    )
    op.drop_table("series_lectures")
    _shorten_series()
    _shorten_lectures()
    op.drop_table("lecture_forms")


def _shorten_series() -> None:
    with op.batch_alter_table("series", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f("uq_series_external_id"), type_="unique")
        batch_op.drop_constraint(batch_op.f("ck_series_planned"), type_="check")
        for name in (*SERIES_DEFAULTS, "planned_count", "cover", "external_id"):
            batch_op.drop_column(name)


def _shorten_lectures() -> None:
    op.drop_table("lecture_tags")
    with op.batch_alter_table("lectures", schema=None) as batch_op:
        for index in (
            "form",
            "review_by",
            "publication_publish_at",
            "publication_withdraw_at",
            "external_id",
        ):
            batch_op.drop_index(batch_op.f(f"ix_lectures_{index}"))
        batch_op.drop_constraint(batch_op.f("fk_lectures_form_lecture_forms"), type_="foreignkey")
        for check in ("hours", "kind", "publication"):
            batch_op.drop_constraint(batch_op.f(f"ck_lectures_{check}"), type_="check")
        for name in (
            *LECTURE_DEFAULTS, "form", "publish_at", "withdraw_at", "review_by", "audience",
            "source_label", "licence", "external_id", "external_url",
        ):  # fmt: skip
            batch_op.drop_column(name)
