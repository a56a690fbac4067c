"""Who was written to, and the acks that wait for their reader's word."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """A column, and a table, empty; whoever exchanged mail with an account so far is no stranger to it."""
    op.add_column("contact", sa.Column("wrote", sa.Boolean(), nullable=True))
    op.execute("UPDATE contact SET wrote = corresponded")
    op.create_table(
        "held_ack",
        sa.Column("account", _ID, nullable=False),
        sa.Column("content_tag", sa.LargeBinary(), nullable=False),
        sa.Column("sender_tag", sa.LargeBinary(), nullable=False),
        sa.Column("keep_until", sa.BigInteger(), nullable=False),
        sa.Column("sealed_packet", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["account"], ["account.id"], name=op.f("fk_held_ack_account"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("account", "content_tag", name=op.f("pk_held_ack")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_held_ack_account_sender_tag"), "held_ack", ["account", "sender_tag"])
    op.create_index(op.f("ix_held_ack_keep_until"), "held_ack", ["keep_until"])
