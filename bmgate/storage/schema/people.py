"""Others as accounts know them, and what is remembered of those who write."""

from sqlalchemy import Boolean, Column, Index, PrimaryKeyConstraint, Table, UniqueConstraint

from bmgate.storage.schema.columns import flag, integer, metadata, octets, ref, row_id, text

contact = Table(
    "contact",
    metadata,
    row_id(),
    ref("account", "account"),
    octets("address_tag"),
    octets("sealed_address"),
    octets("sealed_label", null=True),  # none: a correspondent without an entry in the address book
    flag("corresponded"),
    Column("wrote", Boolean, nullable=True),  # the account did
    text("standing", null=True),  # as `domain.contact.Standing`; plain, as it is needed while the owner is away
    text("reads", null=True),  # as `domain.policy.Reads`, learnt
    UniqueConstraint("account", "address_tag"),
    sqlite_autoincrement=True,
)

answer = Table(
    "answer",
    metadata,
    ref("identity", "identity", on_delete="CASCADE"),
    octets("correspondent_tag"),
    integer("at"),
    PrimaryKeyConstraint("identity", "correspondent_tag"),
    Index(None, "identity", "at"),
    sqlite_with_rowid=False,
)
"""Whom an identity answered by itself, and when last."""

dedupe = Table(
    "dedupe",
    metadata,
    ref("account", "account"),
    octets("content_tag"),
    integer("keep_until"),
    PrimaryKeyConstraint("account", "content_tag"),
    Index(None, "keep_until"),
    sqlite_with_rowid=False,
)

held_ack = Table(
    "held_ack",
    metadata,
    ref("account", "account", on_delete="CASCADE"),
    octets("content_tag"),
    octets("sender_tag"),
    integer("keep_until"),
    octets("sealed_packet"),
    PrimaryKeyConstraint("account", "content_tag"),
    Index(None, "account", "sender_tag"),
    Index(None, "keep_until"),
    sqlite_with_rowid=False,
)
"""Acks for mail of strangers, until its reader says whether he wants it (M3)."""

sender_rate = Table(
    "sender_rate",
    metadata,
    ref("account", "account", on_delete="CASCADE"),
    octets("sender_tag"),
    integer("until"),
    PrimaryKeyConstraint("account", "sender_tag"),
    Index(None, "until"),
    sqlite_with_rowid=False,
)
"""For the limit of P38: until when what a sender wrote would last, had it come at the rate that is allowed."""
