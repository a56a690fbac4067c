"""Options of accounts, identities and contacts; what contacts read; files of submissions."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Two columns and two tables, empty."""
    op.add_column("contact", sa.Column("standing", sa.Text(), nullable=True))
    op.add_column("contact", sa.Column("reads", sa.Text(), nullable=True))
    op.create_table(
        "setting",
        sa.Column("account", _ID, sa.ForeignKey("account.id", name=op.f("fk_setting_account")), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("ref", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("sealed_value", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("account", "scope", "ref", "name", name=op.f("pk_setting")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "enclosure",
        sa.Column(
            "submission",
            _ID,
            sa.ForeignKey("submission.id", name=op.f("fk_enclosure_submission"), ondelete="CASCADE"),
            primary_key=True,
            autoincrement=False,
        ),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("submission", name=op.f("pk_enclosure")),
    )
