"""What carries a row of the outbox: a msg, a post to a chan or a broadcast."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """A column; all rows so far are msgs."""
    op.add_column("outbox", sa.Column("kind", sa.Text(), nullable=True))
