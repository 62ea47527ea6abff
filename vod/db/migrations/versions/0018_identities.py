"""Identities at a sign-in provider, and the sign-ins that were used up."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "identity_links",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("account_id", sa.String(length=32), nullable=False),
        sa.Column("issuer", sa.String(length=255), nullable=False),
        sa.Column("subject", sa.String(length=255), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_sign_in_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["accounts.id"],
            name=op.f("fk_identity_links_account_id_accounts"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_identity_links")),
        sa.UniqueConstraint(
            "account_id", "issuer", name=op.f("uq_identity_links_account_id_issuer")
        ),
        sa.UniqueConstraint("issuer", "subject", name=op.f("uq_identity_links_issuer_subject")),
    )
    op.create_table(
        "used_sign_in_states",
        sa.Column("state", sa.String(length=64), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("state", name=op.f("pk_used_sign_in_states")),
    )
    op.create_index(op.f("ix_used_sign_in_states_used_at"), "used_sign_in_states", ["used_at"])


def downgrade() -> None:
    op.drop_table("used_sign_in_states")
    op.drop_table("identity_links")
