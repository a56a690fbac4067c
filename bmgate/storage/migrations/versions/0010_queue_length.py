"""How long an account's queue is, told by an index."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """A column filled from the submissions, and its index."""
    op.add_column("outbox", sa.Column("owner", _ID, nullable=True))
    op.execute("UPDATE outbox SET owner = (SELECT account FROM submission WHERE submission.id = outbox.submission)")
    op.create_index(op.f("ix_outbox_owner_state"), "outbox", ["owner", "state"])
