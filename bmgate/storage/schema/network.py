"""The gateway as a whole, and what it knows of the network."""

from sqlalchemy import Column, Index, LargeBinary, PrimaryKeyConstraint, Table, Text, UniqueConstraint

from bmgate.storage.schema.columns import flag, integer, metadata, octets, row_id, text

gateway = Table(
    "gateway",
    metadata,
    Column("name", Text, primary_key=True),
    octets("value"),
)
"""Facts about the whole: the network, how to know the master key, who holds the database."""

object_ = Table(
    "object",
    metadata,
    row_id(),  # the order of arrival
    octets("vector"),
    integer("object_type"),
    integer("version"),
    integer("expires_time"),
    integer("stem_until"),
    octets("tag", null=True),  # getpubkey: its lookup; pubkey: its tag, empty before version 4; others: none
    flag("to_process"),
    flag("own"),
    octets("encoded"),
    UniqueConstraint("vector"),
    sqlite_autoincrement=True,
)
Index("ix_object_expires_time", object_.c.expires_time, object_.c.vector, object_.c.stem_until)  # covers `vectors()`
for _condition, _index in (
    (object_.c.tag.is_not(None), ("ix_object_tag", object_.c.tag)),
    (object_.c.to_process.is_(True), ("ix_object_to_process", object_.c.id)),
):
    Index(*_index, sqlite_where=_condition, postgresql_where=_condition)

pubkey = Table(
    "pubkey",
    metadata,
    Column("address_tag", LargeBinary, primary_key=True),
    octets("sealed_record"),
    integer("learnt_at"),
    Index(None, "learnt_at"),
)

ack = Table(
    "ack",
    metadata,
    octets("sender_tag"),
    integer("at"),
    Index(None, "sender_tag", "at"),
    Index(None, "at"),
)
"""When acks were published for the mail of which sender, for the limit of P26."""

peer = Table(
    "peer",
    metadata,
    text("host"),
    integer("port"),
    text("source"),
    flag("tried"),
    integer("rating"),
    integer("heard_at"),
    integer("seen_at"),
    integer("dialled_at"),
    integer("failures"),
    flag("anchor"),
    PrimaryKeyConstraint("host", "port"),
    sqlite_with_rowid=False,
)
"""Other nodes of the network, as `domain.peers.KnownPeer` names their columns."""

peer_standing = Table(
    "peer_standing",
    metadata,
    Column("source", Text, primary_key=True),
    integer("score"),
    integer("scored_at"),
    integer("until"),
    text("reason"),
    flag("by_operator"),
)
"""What is held against sources of connections."""
