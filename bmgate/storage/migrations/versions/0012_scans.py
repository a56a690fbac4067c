"""Up to where the stored objects were searched for what a new chan or subscription would have brought."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Two columns; what was joined or subscribed to before has nothing to look for."""
    for table in ("membership", "subscription"):
        op.add_column(table, sa.Column("scan_from", sa.BigInteger(), nullable=True))
