"""Budgets and rates towards strangers."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """What pubkeys cost, which of them are outdated, and how much each sender wrote."""
    op.add_column("publication", sa.Column("trials", sa.BigInteger(), nullable=True))
    op.create_index(op.f("ix_publication_at"), "publication", ["at"])
    op.add_column("identity", sa.Column("pubkey_note", sa.Text(), nullable=True))
    op.create_table(
        "sender_rate",
        sa.Column("account", ID, nullable=False),
        sa.Column("sender_tag", sa.LargeBinary(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account"], ["account.id"], name=op.f("fk_sender_rate_account"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("account", "sender_tag", name=op.f("pk_sender_rate")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_sender_rate_until"), "sender_rate", ["until"])
