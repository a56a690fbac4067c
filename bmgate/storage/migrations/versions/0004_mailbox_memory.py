"""What a mailbox remembers: how far expunges were forgotten, whose mail is recent, when a message was saved."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Three columns, empty."""
    op.add_column("mailbox", sa.Column("purged_modseq", sa.BigInteger(), nullable=True))
    op.add_column("mailbox", sa.Column("recent_uid", sa.BigInteger(), nullable=True))
    op.add_column("message", sa.Column("saved_at", sa.BigInteger(), nullable=True))
