"""Search documents, the tokens of each database, triggers that tell what changed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql")

ALL = ("INSERT", "UPDATE", "DELETE")
# Table, what it belongs to, the column with its identifier, what matters.
WATCHED = (
    ("lectures", "lecture", "id", ALL),
    ("caption_tracks", "lecture", "lecture_id", ALL),
    ("series_lectures", "lecture", "lecture_id", ALL),
    ("lecture_tags", "lecture", "lecture_id", ALL),
    ("lecture_instructors", "lecture", "lecture_id", ALL),
    ("instructors", "instructor", "id", ALL),
    ("lecture_forms", "form", "key", ("UPDATE OF name",)),
    ("series", "series", "id", ALL),
    (
        "live_classes",
        "live_class",
        "id",
        # Rows of classes that are live change every few seconds.
        (
            "INSERT",
            "UPDATE OF title, description, visibility, starts_at, series_id, instructor_id",
            "DELETE",
        ),
    ),
    ("accounts", "account", "id", ("UPDATE OF display_name",)),
)
VECTORS = ("names", "labels", "sounds", "body", "whole")

CREATE_FTS5 = """
CREATE VIRTUAL TABLE search_tokens USING fts5(
    names, labels, sounds, body, speech,
    content='', columnsize=0, detail=column, tokenize='ascii'
)
"""

CREATE_NOTE = """
CREATE FUNCTION search_note_change() RETURNS trigger AS $$
DECLARE
    found text;
BEGIN
    IF TG_OP = 'DELETE' THEN
        EXECUTE format('SELECT ($1).%I', TG_ARGV[1]) INTO found USING OLD;
    ELSE
        EXECUTE format('SELECT ($1).%I', TG_ARGV[1]) INTO found USING NEW;
    END IF;
    INSERT INTO search_changes (kind, object_id) VALUES (TG_ARGV[0], found);
    RETURN NULL;
END
$$ LANGUAGE plpgsql
"""


def upgrade() -> None:
    op.create_table(
        "search_documents",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "lecture",
                "series",
                "live_class",
                "instructor",
                name=op.f("ck_search_documents_kind"),
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            nullable=False,
        ),
        sa.Column("object_id", sa.String(length=32), nullable=False),
        sa.Column("title_key", sa.String(length=400), nullable=False),
        sa.Column("sound", sa.String(length=400), nullable=False),
        sa.Column("sorted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "visibility",
            sa.Enum(
                "public",
                "members",
                name=op.f("ck_search_documents_visibility"),
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            nullable=False,
        ),
        sa.Column("is_published", sa.Boolean(), nullable=False),
        sa.Column("audience", JSON, nullable=True),
        sa.Column("tokens", JSON, nullable=True),
        sa.Column("marker", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_search_documents")),
        sa.UniqueConstraint("kind", "object_id", name=op.f("uq_search_documents_kind_object_id")),
    )
    op.create_table(
        "search_speech",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("track_id", sa.String(length=32), nullable=False),
        sa.Column("language", sa.String(length=35), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("place", sa.String(length=32), nullable=False),
        sa.Column("folded", sa.LargeBinary(), nullable=False),
        sa.Column("cues", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["number"],
            ["search_documents.number"],
            name=op.f("fk_search_speech_number_search_documents"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("number", "position", name=op.f("pk_search_speech")),
    )
    op.create_table(
        "search_changes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.Column("object_id", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_search_changes")),
    )
    state = op.create_table(
        "search_state",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("owner", sa.String(length=32), nullable=True),
        sa.Column("leased_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tokens_version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_search_state")),
    )
    # Version 0 is none: whoever indexes first makes everything.
    op.bulk_insert(state, [{"id": 1, "tokens_version": 0}])
    if op.get_context().dialect.name == "sqlite":
        _upgrade_sqlite()
    else:
        _upgrade_postgresql()


def _upgrade_sqlite() -> None:
    op.execute(CREATE_FTS5)
    for table, kind, column, events in WATCHED:
        for event in events:
            row = "OLD" if event == "DELETE" else "NEW"
            note = f"INTO search_changes (kind, object_id) VALUES ('{kind}', {row}.{column})"
            name = _name_trigger(table, event)
            op.execute(f"CREATE TRIGGER {name} AFTER {event} ON {table} BEGIN INSERT {note}; END")


def _name_trigger(table: str, event: str) -> str:
    return f"search_{table}_{event.split(maxsplit=1)[0].lower()}"


def _upgrade_postgresql() -> None:
    vectors = ", ".join(f"{name} tsvector NOT NULL" for name in VECTORS)
    op.execute(
        "CREATE TABLE search_tokens (number integer PRIMARY KEY REFERENCES search_documents "
        f"(number) ON DELETE CASCADE, {vectors})"
    )
    for name in VECTORS:
        op.execute(f"CREATE INDEX search_tokens_{name} ON search_tokens USING gin ({name})")
    op.execute(CREATE_NOTE)
    for table, kind, column, events in WATCHED:
        op.execute(
            f"CREATE TRIGGER search_{table} AFTER {' OR '.join(events)} ON {table} "
            f"FOR EACH ROW EXECUTE FUNCTION search_note_change('{kind}', '{column}')"
        )


def downgrade() -> None:
    is_sqlite = op.get_context().dialect.name == "sqlite"
    for table, _, _, events in WATCHED:
        if is_sqlite:
            for event in events:
                op.execute(f"DROP TRIGGER {_name_trigger(table, event)}")
        else:
            op.execute(f"DROP TRIGGER search_{table} ON {table}")
    op.drop_table("search_tokens")
    if not is_sqlite:
        op.execute("DROP FUNCTION search_note_change()")
    op.drop_table("search_state")
    op.drop_table("search_changes")
    op.drop_table("search_speech")
    op.drop_table("search_documents")
