"""What incoming mail is threaded by."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """One table, empty."""
    op.create_table(
        "thread",
        sa.Column("account", _ID, sa.ForeignKey("account.id", name=op.f("fk_thread_account")), nullable=False),
        sa.Column("tag", sa.LargeBinary(), nullable=False),
        sa.Column("mail_tag", sa.LargeBinary(), nullable=True),
        sa.Column("keep_until", sa.BigInteger(), nullable=False),
        sa.Column("sealed_thread", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("account", "tag", name=op.f("pk_thread")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_thread_account_mail_tag"), "thread", ["account", "mail_tag"])
    op.create_index(op.f("ix_thread_account_keep_until"), "thread", ["account", "keep_until"])
