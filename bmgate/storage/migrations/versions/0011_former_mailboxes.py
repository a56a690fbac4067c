"""Names of mailboxes that were deleted while somebody was subscribed to them."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """A table, empty."""
    op.create_table(
        "former_mailbox",
        sa.Column("account", _ID, nullable=False),
        sa.Column("name_tag", sa.LargeBinary(), nullable=False),
        sa.Column("sealed_name", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["account"], ["account.id"], name=op.f("fk_former_mailbox_account")),
        sa.PrimaryKeyConstraint("account", "name_tag", name=op.f("pk_former_mailbox")),
    )
