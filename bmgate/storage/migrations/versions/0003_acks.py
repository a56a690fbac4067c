"""Acks that were published for senders of mail."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """One table, empty."""
    op.create_table(
        "ack",
        sa.Column("sender_tag", sa.LargeBinary(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
    )
    op.create_index(op.f("ix_ack_sender_tag_at"), "ack", ["sender_tag", "at"])
    op.create_index(op.f("ix_ack_at"), "ack", ["at"])
