"""Chans with their members, and subscriptions."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Three tables, empty."""
    op.create_table(
        "chan",
        sa.Column("id", _ID, sa.Identity(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("stream", sa.BigInteger(), nullable=False),
        sa.Column("ripe", sa.LargeBinary(), nullable=False),
        sa.Column("signing_key", sa.LargeBinary(), nullable=False),
        sa.Column("encryption_key", sa.LargeBinary(), nullable=False),
        sa.Column("sealed_signing_key", sa.LargeBinary(), nullable=False),
        sa.Column("sealed_encryption_key", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_chan")),
        sa.UniqueConstraint("ripe", "version", "stream", name=op.f("uq_chan_ripe_version_stream")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "membership",
        sa.Column("id", _ID, sa.Identity(), nullable=False),
        sa.Column("account", _ID, nullable=False),
        sa.Column("chan", _ID, nullable=False),
        sa.Column("mailbox", _ID, nullable=False),
        sa.Column("joined_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account"], ["account.id"], name=op.f("fk_membership_account")),
        sa.ForeignKeyConstraint(["chan"], ["chan.id"], name=op.f("fk_membership_chan")),
        sa.ForeignKeyConstraint(["mailbox"], ["mailbox.id"], name=op.f("fk_membership_mailbox")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_membership")),
        sa.UniqueConstraint("account", "chan", name=op.f("uq_membership_account_chan")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_membership_chan"), "membership", ["chan"])
    op.create_table(
        "subscription",
        sa.Column("id", _ID, sa.Identity(), nullable=False),
        sa.Column("account", _ID, nullable=False),
        sa.Column("address_tag", sa.LargeBinary(), nullable=False),
        sa.Column("lookup_tag", sa.LargeBinary(), nullable=False),
        sa.Column("is_tagged", sa.Boolean(), nullable=False),
        sa.Column("sealed_address", sa.LargeBinary(), nullable=False),
        sa.Column("mailbox", _ID, nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account"], ["account.id"], name=op.f("fk_subscription_account")),
        sa.ForeignKeyConstraint(["mailbox"], ["mailbox.id"], name=op.f("fk_subscription_mailbox")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subscription")),
        sa.UniqueConstraint("account", "address_tag", name=op.f("uq_subscription_account_address_tag")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_subscription_lookup_tag"), "subscription", ["lookup_tag"])
