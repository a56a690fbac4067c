"""Addresses of accounts with their names, and those they share or listen to."""

from sqlalchemy import BigInteger, Column, Index, Table, Text, UniqueConstraint

from bmgate.storage.schema.columns import flag, integer, metadata, octets, ref, row_id, text

identity = Table(
    "identity",
    metadata,
    row_id(),
    ref("account", "account"),
    integer("version"),
    integer("stream"),
    octets("ripe"),
    octets("lookup"),  # what a getpubkey asks by
    text("folded"),  # lower case without bm-
    octets("signing_key"),  # public, like the next
    octets("encryption_key"),
    octets("sealed_signing_key"),
    octets("sealed_encryption_key"),
    octets("sealed_label"),
    integer("behavior"),
    integer("nonce_trials_per_byte"),
    integer("payload_length_extra_bytes"),
    flag("enabled"),
    flag("is_default"),
    integer("created_at"),
    Column("pubkey_sent_at", BigInteger, nullable=True),
    octets("pubkey_payload", null=True),  # being worked on
    octets("pubkey_nonce"),  # 8 bytes: an unsigned 64-bit number, as in `outbox`
    text("pubkey_note", null=True),  # `on request`, `outdated`, or none
    Column("deleted_at", BigInteger, nullable=True),
    UniqueConstraint("ripe"),
    Index(None, "account"),
    Index(None, "lookup"),
    Index(None, "folded"),
    sqlite_autoincrement=True,
)

publication = Table(
    "publication",
    metadata,
    ref("identity", "identity", on_delete="CASCADE"),
    integer("at"),
    Column("trials", BigInteger, nullable=True),  # expected
    Index(None, "identity", "at"),
    Index(None, "at"),
)
"""When pubkeys were begun and how dear they were, for the limits of P28."""

alias = Table(
    "alias",
    metadata,
    Column("name", Text, primary_key=True),
    ref("account", "account"),
    ref("identity", "identity", null=True),  # none: the account's default identity
    integer("created_at"),
    Index(None, "account"),
)
"""Account names and aliases, one namespace, lower case."""

former_alias = Table(
    "former_alias",
    metadata,
    Column("name", Text, primary_key=True),
    octets("owner"),  # uuid of the account
    octets("ripe", null=True),  # of the identity it named; none: it was the account's own name
    integer("released_at"),
)
"""Names given up, which for a year nobody but their owner gets."""

chan = Table(
    "chan",
    metadata,
    row_id(),
    integer("version"),
    integer("stream"),
    octets("ripe"),
    octets("signing_key"),  # public, like the next
    octets("encryption_key"),
    octets("sealed_signing_key"),
    octets("sealed_encryption_key"),
    UniqueConstraint("ripe", "version", "stream"),
    sqlite_autoincrement=True,
)

membership = Table(
    "membership",
    metadata,
    row_id(),
    ref("account", "account"),
    ref("chan", "chan"),
    ref("mailbox", "mailbox"),  # its name is the member's label
    integer("joined_at"),
    Column("scan_from", BigInteger, nullable=True),  # the id of an object
    UniqueConstraint("account", "chan"),
    Index(None, "chan"),
    sqlite_autoincrement=True,
)

subscription = Table(
    "subscription",
    metadata,
    row_id(),
    ref("account", "account"),
    octets("address_tag"),
    octets("lookup_tag"),  # of what a broadcast tells of its sender, for all accounts
    flag("is_tagged"),  # v4 addresses; older ones put no tag on their broadcasts
    octets("sealed_address"),
    ref("mailbox", "mailbox"),  # its name is the subscriber's label
    flag("enabled"),
    integer("created_at"),
    Column("scan_from", BigInteger, nullable=True),  # the id of an object
    UniqueConstraint("account", "address_tag"),
    Index(None, "lookup_tag"),
    sqlite_autoincrement=True,
)
