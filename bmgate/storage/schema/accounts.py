"""Accounts, how they are opened, what they set."""

from sqlalchemy import BigInteger, Column, Index, PrimaryKeyConstraint, Table, UniqueConstraint

from bmgate.storage.schema.columns import integer, metadata, octets, ref, row_id, text

account = Table(
    "account",
    metadata,
    row_id(),
    octets("uuid"),
    text("name"),
    text("state"),
    text("level"),
    Column("quota_bytes", BigInteger, nullable=True),
    integer("used_bytes", 0),  # sum of the size classes of its contents
    integer("last_uidvalidity", 0),
    octets("public_key"),
    octets("wrapped_data_key"),
    octets("sealed_secrets"),
    integer("created_at"),
    Column("deleted_at", BigInteger, nullable=True),
    UniqueConstraint("uuid"),
    UniqueConstraint("name"),
    sqlite_autoincrement=True,
)

slot = Table(
    "slot",
    metadata,
    row_id(),
    ref("account", "account", on_delete="CASCADE"),
    text("kind"),
    octets("parameters"),
    octets("wrapped"),
    Index(None, "account"),
    sqlite_autoincrement=True,
)

setting = Table(
    "setting",
    metadata,
    ref("account", "account"),
    text("scope"),
    integer("ref"),  # the id of the identity, membership or contact; 0: the account itself
    text("name"),
    octets("sealed_value"),  # under the master key: mail is delivered by it while the owner is away
    PrimaryKeyConstraint("account", "scope", "ref", "name"),
    sqlite_with_rowid=False,
)
"""Options that differ from the gateway's, in the words of `domain.policy.OPTIONS`."""
