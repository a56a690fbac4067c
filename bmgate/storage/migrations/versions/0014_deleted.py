"""Accounts and addresses that were deleted and can still come back, and names that nobody else gets for a year."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Two columns and a table; what is there was not deleted."""
    for table in ("account", "identity"):
        op.add_column(table, sa.Column("deleted_at", sa.BigInteger(), nullable=True))
    op.create_table(
        "former_alias",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("owner", sa.LargeBinary(), nullable=False),
        sa.Column("ripe", sa.LargeBinary(), nullable=True),
        sa.Column("released_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_former_alias")),
    )
