"""Messages in the Outbox, notices and automatic answers."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Three columns and a table, empty."""
    op.add_column("outbox", sa.Column("notice_at", sa.BigInteger(), nullable=True))
    op.add_column("outbox", sa.Column("shown_uid", sa.BigInteger(), nullable=True))
    op.add_column("outbox", sa.Column("rendering", sa.Integer(), nullable=True))
    for column in ("notice_at", "shown_uid"):
        condition = sa.text(f"{column} IS NOT NULL")
        name = op.f(f"ix_outbox_{column}")
        op.create_index(name, "outbox", [column], sqlite_where=condition, postgresql_where=condition)
    op.create_table(
        "answer",
        sa.Column("identity", _ID, nullable=False),
        sa.Column("correspondent_tag", sa.LargeBinary(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["identity"], ["identity.id"], name=op.f("fk_answer_identity"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("identity", "correspondent_tag", name=op.f("pk_answer")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_answer_identity_at"), "answer", ["identity", "at"])
