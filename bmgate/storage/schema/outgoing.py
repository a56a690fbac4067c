"""Mail given to us, one row for each recipient, and its history."""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, Table, UniqueConstraint

from bmgate.storage.schema.columns import ID, flag, integer, metadata, octets, ref, row_id, text

submission = Table(
    "submission",
    metadata,
    row_id(),
    ref("account", "account"),
    ref("identity", "identity"),
    text("queue_id"),
    octets("repeat_tag"),
    octets("message_id_tag"),
    octets("sealed_envelope"),  # Message-ID and ENVID
    octets("sealed_text", null=True),  # subject and body; none once forgotten
    text("ret"),
    ref("sent_content", "content", null=True, on_delete="SET NULL"),
    integer("created_at"),
    UniqueConstraint("queue_id"),
    Index(None, "account", "repeat_tag"),
    Index(None, "account", "message_id_tag"),
    Index(None, "sent_content"),
    sqlite_autoincrement=True,
)

enclosure = Table(
    "enclosure",
    metadata,
    Column("submission", ID, ForeignKey("submission.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    octets("sealed"),
)
"""What a submission holds beside its text, as `domain.outbox.Enclosures`; it goes with the text."""

outbox = Table(
    "outbox",
    metadata,
    row_id(),
    ref("submission", "submission"),
    integer("n"),
    octets("recipient_tag"),
    octets("lookup_tag"),  # of its version and, from 4 on, its tag
    octets("sealed_recipient"),  # address and ORCPT
    text("state"),
    text("reason"),
    integer("attempt"),
    integer("getpubkey_attempt"),
    text("priority"),
    integer("ttl_seconds"),
    integer("next_attempt"),
    octets("ack_data"),
    octets("payload"),
    octets("saved_nonce"),
    integer("expires_time"),
    flag("forced"),
    flag("no_retry"),
    text("notify"),  # separated by commas
    integer("created_at"),
    integer("updated_at"),
    Column("notice_at", BigInteger, nullable=True),  # when the sender is told that it is still waiting
    Column("shown_uid", BigInteger, nullable=True),  # of its message in the Outbox; 0: its owner put it away
    Column("rendering", Integer, nullable=True),
    Column("owner", ID, nullable=True),  # the account of its submission
    text("kind", null=True),  # as `domain.outbox.Kind`; none: a msg
    UniqueConstraint("submission", "n"),
    Index(None, "state", "recipient_tag"),
    Index(None, "lookup_tag"),
    Index(None, "next_attempt"),
    Index(None, "owner", "state"),  # covers `unfinished_count()`
    sqlite_autoincrement=True,
)
for _name in ("notice_at", "shown_uid"):
    _set = outbox.c[_name].is_not(None)
    Index(f"ix_outbox_{_name}", outbox.c[_name], sqlite_where=_set, postgresql_where=_set)

outbox_event = Table(
    "outbox_event",
    metadata,
    row_id(),
    ref("outbox", "outbox"),
    integer("at"),
    text("state"),
    octets("sealed_detail"),
    Index(None, "outbox"),
    sqlite_autoincrement=True,
)
