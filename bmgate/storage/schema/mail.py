"""Mailboxes, what lies in them, and the threads it belongs to."""

from sqlalchemy import BigInteger, Column, Index, PrimaryKeyConstraint, Table, UniqueConstraint

from bmgate.storage.schema.columns import flag, integer, metadata, octets, ref, row_id, text

mailbox = Table(
    "mailbox",
    metadata,
    row_id(),
    ref("account", "account"),
    text("kind"),
    octets("name_tag"),
    octets("sealed_name"),
    flag("subscribed"),
    integer("uidvalidity"),
    integer("uidnext"),
    integer("modseq"),
    Column("purged_modseq", BigInteger, nullable=True),  # up to here, rows of `expunged` may be missing
    Column("recent_uid", BigInteger, nullable=True),  # the first that no session was told of
    UniqueConstraint("account", "name_tag"),
    sqlite_autoincrement=True,
)

former_mailbox = Table(
    "former_mailbox",
    metadata,
    ref("account", "account"),
    octets("name_tag"),
    octets("sealed_name"),
    PrimaryKeyConstraint("account", "name_tag"),
)
"""Names of mailboxes that were deleted while somebody was subscribed to them (RFC 3501 6.3.6)."""

content = Table(
    "content",
    metadata,
    row_id(),
    ref("account", "account"),
    octets("uuid"),
    integer("scheme"),
    octets("sealed_key"),
    integer("size_class"),
    octets("message_id_tag", null=True),
    octets("vector_tag", null=True),
    UniqueConstraint("uuid"),
    Index(None, "account", "message_id_tag"),
    sqlite_autoincrement=True,
)

content_blob = Table(
    "content_blob",
    metadata,
    ref("content", "content", on_delete="CASCADE"),
    integer("kind"),
    integer("n"),
    flag("last"),
    octets("data"),
    PrimaryKeyConstraint("content", "kind", "n"),
)

message = Table(
    "message",
    metadata,
    ref("mailbox", "mailbox"),
    integer("uid"),
    integer("modseq"),
    integer("internaldate"),
    integer("flags"),
    text("keywords"),  # separated by one space
    ref("content", "content"),
    Column("saved_at", BigInteger, nullable=True),  # in this mailbox
    PrimaryKeyConstraint("mailbox", "uid"),
    Index(None, "mailbox", "modseq"),
    Index(None, "content"),
    sqlite_with_rowid=False,
)

expunged = Table(
    "expunged",
    metadata,
    ref("mailbox", "mailbox"),
    integer("uid"),
    integer("modseq"),
    PrimaryKeyConstraint("mailbox", "uid"),
    Index(None, "mailbox", "modseq"),
    sqlite_with_rowid=False,
)

thread = Table(
    "thread",
    metadata,
    ref("account", "account"),
    octets("tag"),  # of an object's vector, of a foreign Message-ID, or of a subject
    octets("mail_tag", null=True),  # with a vector: of the mail it carried, and of the two ends
    integer("keep_until"),
    octets("sealed_thread"),
    PrimaryKeyConstraint("account", "tag"),
    Index(None, "account", "mail_tag"),
    Index(None, "account", "keep_until"),
    sqlite_with_rowid=False,
)
"""Which mail is meant when an answer names one."""
