"""Units, members' facts, scoped roles, roster imports."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from vod.accounts.names import build_name_keys

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

BATCH_COUNT = 1000  # Accounts whose pinyin is written at a time.
CATEGORIES = (
    ("herdsmen", "农牧民"), ("new", "新党员"), ("retired", "退休党员"), ("mobile", "流动党员"),
    ("enterprise", "两新党员"), ("official", "机关干部"), ("community", "社区党员"),
    ("student", "学生党员"), ("other", "其他"),
)  # fmt: skip
LEVELS = (
    ("member", "普通党员"), ("branch_committee", "支部委员"), ("branch_secretary", "支部书记"),
    ("committee_member", "党委委员"), ("committee_secretary", "党委书记"),
    ("section_chief", "科级干部"), ("division_chief", "处级干部"),
)  # fmt: skip


def upgrade() -> None:
    _create_lists()
    _create_tree()
    _add_facts()
    _create_scopes()
    _create_imports()
    _write_pinyin()


def downgrade() -> None:
    op.drop_table("roster_imports")
    op.drop_table("role_scopes")
    with op.batch_alter_table("accounts", schema=None) as batch_op:
        for name in ("category_member_categories", "level_member_levels", "unit_id_org_units"):
            batch_op.drop_constraint(batch_op.f(f"fk_accounts_{name}"), type_="foreignkey")
        batch_op.drop_constraint(batch_op.f("uq_accounts_staff_no"), type_="unique")
        for columns in INDEXES:
            batch_op.drop_index(batch_op.f("ix_accounts_" + "_".join(columns)))
        for name in (
            "code_expires_at", "code_hash", "must_change_password", "initials", "pinyin_joined",
            "pinyin", "level", "category", "phone", "staff_no", "unit_id",
        ):  # fmt: skip
            batch_op.drop_column(name)
    op.drop_table("org_units")
    op.drop_table("org_tree")
    op.drop_table("member_levels")
    op.drop_table("member_categories")


INDEXES = (
    ("pinyin", "id", "display_name"),
    ("pinyin_joined",),
    ("initials",),
    ("phone",),
    ("unit_id", "pinyin", "id"),
    ("unit_id", "is_disabled"),
    ("category", "pinyin", "id"),
    ("level", "pinyin", "id"),
)


def _create_lists() -> None:
    for name, entries in (("member_categories", CATEGORIES), ("member_levels", LEVELS)):
        table = op.create_table(
            name,
            sa.Column("key", sa.String(length=32), nullable=False),
            sa.Column("name", sa.String(length=64), nullable=False),
            sa.Column("position", sa.Integer(), nullable=False),
            sa.PrimaryKeyConstraint("key", name=op.f(f"pk_{name}")),
            sa.UniqueConstraint("name", name=op.f(f"uq_{name}_name")),
        )
        op.bulk_insert(
            table,
            [
                {"key": key, "name": title, "position": position}
                for position, (key, title) in enumerate(entries)
            ],
        )


def _create_tree() -> None:
    tree = op.create_table(
        "org_tree",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_org_tree_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_org_tree")),
    )
    op.bulk_insert(tree, [{"id": 1, "version": 0}])
    op.create_table(
        "org_units",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("parent_id", sa.String(length=32), nullable=True),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column(
            "kind", _enum("kind", "city", "banner", "committee", "branch", "other"), nullable=False
        ),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("path", sa.String(length=512), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "parent_id IS NULL OR parent_id <> id", name=op.f("ck_org_units_parent_is_another")
        ),
        sa.ForeignKeyConstraint(
            ["parent_id"],
            ["org_units.id"],
            name=op.f("fk_org_units_parent_id_org_units"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_org_units")),
        sa.UniqueConstraint("path", name=op.f("uq_org_units_path")),
    )
    op.create_index(op.f("ix_org_units_parent_id_position"), "org_units", ["parent_id", "position"])


def _add_facts() -> None:
    empty: dict[str, Any] = {"server_default": "", "nullable": False}
    with op.batch_alter_table("accounts", schema=None) as batch_op:
        batch_op.add_column(sa.Column("unit_id", sa.String(length=32), nullable=True))
        batch_op.add_column(sa.Column("staff_no", _plain(32), nullable=True))
        batch_op.add_column(sa.Column("phone", _plain(20), nullable=True))
        batch_op.add_column(sa.Column("category", sa.String(length=32), nullable=True))
        batch_op.add_column(sa.Column("level", sa.String(length=32), nullable=True))
        batch_op.add_column(sa.Column("pinyin", _plain(256), **empty))
        batch_op.add_column(sa.Column("pinyin_joined", _plain(256), **empty))
        batch_op.add_column(sa.Column("initials", _plain(64), **empty))
        batch_op.add_column(
            sa.Column(
                "must_change_password", sa.Boolean(), server_default=sa.false(), nullable=False
            )
        )
        batch_op.add_column(sa.Column("code_hash", sa.String(length=64), nullable=True))
        batch_op.add_column(sa.Column("code_expires_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.create_unique_constraint(batch_op.f("uq_accounts_staff_no"), ["staff_no"])
        for column, table, key in (
            ("unit_id", "org_units", "id"),
            ("category", "member_categories", "key"),
            ("level", "member_levels", "key"),
        ):
            batch_op.create_foreign_key(
                batch_op.f(f"fk_accounts_{column}_{table}"),
                table,
                [column],
                [key],
                ondelete="RESTRICT",
            )
        for columns in INDEXES:
            batch_op.create_index(batch_op.f("ix_accounts_" + "_".join(columns)), list(columns))


def _create_scopes() -> None:
    roles = _enum("role", "member", "instructor", "editor", "unit_admin", "admin")
    op.create_table(
        "role_scopes",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("account_id", sa.String(length=32), nullable=False),
        sa.Column("role", roles, nullable=False),
        sa.Column("unit_id", sa.String(length=32), nullable=False),
        sa.CheckConstraint(
            "role IN ('editor', 'unit_admin')", name=op.f("ck_role_scopes_scoped_role")
        ),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["accounts.id"],
            name=op.f("fk_role_scopes_account_id_accounts"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["unit_id"],
            ["org_units.id"],
            name=op.f("fk_role_scopes_unit_id_org_units"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_role_scopes")),
        sa.UniqueConstraint(
            "account_id", "role", "unit_id", name=op.f("uq_role_scopes_account_id_role_unit_id")
        ),
    )
    op.create_index(op.f("ix_role_scopes_unit_id"), "role_scopes", ["unit_id"])


def _create_imports() -> None:
    json_document = sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql")
    states = _enum(
        "state", "uploaded", "checking", "checked", "confirmed", "applying", "done", "failed",
        "cancelled",
    )  # fmt: skip
    op.create_table(
        "roster_imports",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("filename", sa.String(length=255), nullable=False),
        sa.Column("size_bytes", sa.Integer(), nullable=False),
        sa.Column("blob_key", sa.String(length=255), nullable=False),
        sa.Column("state", states, nullable=False),
        sa.Column("rows_count", sa.Integer(), nullable=True),
        sa.Column("rows_done", sa.Integer(), nullable=False),
        sa.Column("counts", json_document, nullable=False),
        sa.Column("errors", json_document, nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("claimed_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_by", sa.String(length=32), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["created_by"],
            ["accounts.id"],
            name=op.f("fk_roster_imports_created_by_accounts"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_roster_imports")),
    )
    for column in ("created_at", "state"):
        op.create_index(op.f(f"ix_roster_imports_{column}"), "roster_imports", [column])


def _write_pinyin() -> None:
    """Whoever is there already is found by pinyin, too."""
    accounts = sa.table(
        "accounts",
        *(
            sa.column(name)
            for name in ("id", "display_name", "pinyin", "pinyin_joined", "initials")
        ),
    )
    connection, last_id = op.get_bind(), ""
    while rows := connection.execute(
        sa.select(accounts.c.id, accounts.c.display_name)
        .where(accounts.c.id > last_id)
        .order_by(accounts.c.id)
        .limit(BATCH_COUNT)
    ).all():
        for row in rows:
            keys = build_name_keys(row.display_name)
            connection.execute(
                accounts.update()
                .where(accounts.c.id == row.id)
                .values(pinyin=keys.pinyin, pinyin_joined=keys.joined, initials=keys.initials)
            )
        last_id = rows[-1].id


def _enum(name: str, *values: str) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=24)


def _plain(length: int) -> sa.String:
    """Sorts by its bytes on both databases."""
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")
