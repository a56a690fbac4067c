"""The tables. Portable types only; times are Unix seconds; states stand as their names.

Columns called `sealed_...` are opened with a key of the vault, those called `..._tag` find a value without telling it.
Ids come from sequences that never give one out twice (F4). A change here needs a migration: a test compares both.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.types import TypeEngine

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

ID: TypeEngine[int] = BigInteger().with_variant(Integer(), "sqlite")  # where only INTEGER counts up by itself


def _id() -> Column[int]:
    return Column("id", ID, Identity(), primary_key=True)


def _ref(name: str, target: str, *, null: bool = False, on_delete: str | None = None) -> Column[int]:
    return Column(name, ID, ForeignKey(f"{target}.id", ondelete=on_delete), nullable=null)


def _integer(name: str, default: int | None = None) -> Column[int]:
    return Column(name, BigInteger, nullable=False, default=default)


def _bytes(name: str, *, null: bool = False) -> Column[bytes]:
    return Column(name, LargeBinary, nullable=null)


def _text(name: str, *, null: bool = False) -> Column[str]:
    return Column(name, Text, nullable=null)


def _flag(name: str) -> Column[bool]:
    return Column(name, Boolean, nullable=False)


gateway = Table(
    "gateway",
    metadata,
    Column("name", Text, primary_key=True),
    _bytes("value"),
)
"""Facts about the whole: the network, how to know the master key, who holds the database."""

account = Table(
    "account",
    metadata,
    _id(),
    _bytes("uuid"),
    _text("name"),
    _text("state"),
    _text("level"),
    Column("quota_bytes", BigInteger, nullable=True),
    _integer("used_bytes", 0),  # sum of the size classes of its contents
    _integer("last_uidvalidity", 0),
    _bytes("public_key"),
    _bytes("wrapped_data_key"),
    _bytes("sealed_secrets"),
    _integer("created_at"),
    Column("deleted_at", BigInteger, nullable=True),
    UniqueConstraint("uuid"),
    UniqueConstraint("name"),
    sqlite_autoincrement=True,
)

slot = Table(
    "slot",
    metadata,
    _id(),
    _ref("account", "account", on_delete="CASCADE"),
    _text("kind"),
    _bytes("parameters"),
    _bytes("wrapped"),
    Index(None, "account"),
    sqlite_autoincrement=True,
)

identity = Table(
    "identity",
    metadata,
    _id(),
    _ref("account", "account"),
    _integer("version"),
    _integer("stream"),
    _bytes("ripe"),
    _bytes("lookup"),  # what a getpubkey asks by
    _text("folded"),  # lower case without bm-
    _bytes("signing_key"),  # public, like the next
    _bytes("encryption_key"),
    _bytes("sealed_signing_key"),
    _bytes("sealed_encryption_key"),
    _bytes("sealed_label"),
    _integer("behavior"),
    _integer("nonce_trials_per_byte"),
    _integer("payload_length_extra_bytes"),
    _flag("enabled"),
    _flag("is_default"),
    _integer("created_at"),
    Column("pubkey_sent_at", BigInteger, nullable=True),
    _bytes("pubkey_payload", null=True),  # being worked on
    _bytes("pubkey_nonce"),  # 8 bytes: an unsigned 64-bit number, as in `outbox`
    _text("pubkey_note", null=True),  # `on request`, `outdated`, or none
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
    _ref("identity", "identity", on_delete="CASCADE"),
    _integer("at"),
    Column("trials", BigInteger, nullable=True),  # expected
    Index(None, "identity", "at"),
    Index(None, "at"),
)
"""When pubkeys were begun and how dear they were, for the limits of P28."""

alias = Table(
    "alias",
    metadata,
    Column("name", Text, primary_key=True),
    _ref("account", "account"),
    _ref("identity", "identity", null=True),  # none: the account's default identity
    _integer("created_at"),
    Index(None, "account"),
)
"""Account names and aliases, one namespace, lower case."""

former_alias = Table(
    "former_alias",
    metadata,
    Column("name", Text, primary_key=True),
    _bytes("owner"),  # uuid of the account
    _bytes("ripe", null=True),  # of the identity it named; none: it was the account's own name
    _integer("released_at"),
)
"""Names given up, which for a year nobody but their owner gets."""

contact = Table(
    "contact",
    metadata,
    _id(),
    _ref("account", "account"),
    _bytes("address_tag"),
    _bytes("sealed_address"),
    _bytes("sealed_label", null=True),  # none: a correspondent without an entry in the address book
    _flag("corresponded"),
    Column("wrote", Boolean, nullable=True),  # the account did
    _text("standing", null=True),  # as `domain.contact.Standing`; plain, as it is needed while the owner is away
    _text("reads", null=True),  # as `domain.policy.Reads`, learnt
    UniqueConstraint("account", "address_tag"),
    sqlite_autoincrement=True,
)

setting = Table(
    "setting",
    metadata,
    _ref("account", "account"),
    _text("scope"),
    _integer("ref"),  # the id of the identity, membership or contact; 0: the account itself
    _text("name"),
    _bytes("sealed_value"),  # under the master key: mail is delivered by it while the owner is away
    PrimaryKeyConstraint("account", "scope", "ref", "name"),
    sqlite_with_rowid=False,
)
"""Options that differ from the gateway's, in the words of `domain.policy.OPTIONS`."""

mailbox = Table(
    "mailbox",
    metadata,
    _id(),
    _ref("account", "account"),
    _text("kind"),
    _bytes("name_tag"),
    _bytes("sealed_name"),
    _flag("subscribed"),
    _integer("uidvalidity"),
    _integer("uidnext"),
    _integer("modseq"),
    Column("purged_modseq", BigInteger, nullable=True),  # up to here, rows of `expunged` may be missing
    Column("recent_uid", BigInteger, nullable=True),  # the first that no session was told of
    UniqueConstraint("account", "name_tag"),
    sqlite_autoincrement=True,
)

chan = Table(
    "chan",
    metadata,
    _id(),
    _integer("version"),
    _integer("stream"),
    _bytes("ripe"),
    _bytes("signing_key"),  # public, like the next
    _bytes("encryption_key"),
    _bytes("sealed_signing_key"),
    _bytes("sealed_encryption_key"),
    UniqueConstraint("ripe", "version", "stream"),
    sqlite_autoincrement=True,
)

membership = Table(
    "membership",
    metadata,
    _id(),
    _ref("account", "account"),
    _ref("chan", "chan"),
    _ref("mailbox", "mailbox"),  # its name is the member's label
    _integer("joined_at"),
    Column("scan_from", BigInteger, nullable=True),  # the id of an object
    UniqueConstraint("account", "chan"),
    Index(None, "chan"),
    sqlite_autoincrement=True,
)

subscription = Table(
    "subscription",
    metadata,
    _id(),
    _ref("account", "account"),
    _bytes("address_tag"),
    _bytes("lookup_tag"),  # of what a broadcast tells of its sender, for all accounts
    _flag("is_tagged"),  # v4 addresses; older ones put no tag on their broadcasts
    _bytes("sealed_address"),
    _ref("mailbox", "mailbox"),  # its name is the subscriber's label
    _flag("enabled"),
    _integer("created_at"),
    Column("scan_from", BigInteger, nullable=True),  # the id of an object
    UniqueConstraint("account", "address_tag"),
    Index(None, "lookup_tag"),
    sqlite_autoincrement=True,
)

former_mailbox = Table(
    "former_mailbox",
    metadata,
    _ref("account", "account"),
    _bytes("name_tag"),
    _bytes("sealed_name"),
    PrimaryKeyConstraint("account", "name_tag"),
)
"""Names of mailboxes that were deleted while somebody was subscribed to them (RFC 3501 6.3.6)."""

content = Table(
    "content",
    metadata,
    _id(),
    _ref("account", "account"),
    _bytes("uuid"),
    _integer("scheme"),
    _bytes("sealed_key"),
    _integer("size_class"),
    _bytes("message_id_tag", null=True),
    _bytes("vector_tag", null=True),
    UniqueConstraint("uuid"),
    Index(None, "account", "message_id_tag"),
    sqlite_autoincrement=True,
)

content_blob = Table(
    "content_blob",
    metadata,
    _ref("content", "content", on_delete="CASCADE"),
    _integer("kind"),
    _integer("n"),
    _flag("last"),
    _bytes("data"),
    PrimaryKeyConstraint("content", "kind", "n"),
)

message = Table(
    "message",
    metadata,
    _ref("mailbox", "mailbox"),
    _integer("uid"),
    _integer("modseq"),
    _integer("internaldate"),
    _integer("flags"),
    _text("keywords"),  # separated by one space
    _ref("content", "content"),
    Column("saved_at", BigInteger, nullable=True),  # in this mailbox
    PrimaryKeyConstraint("mailbox", "uid"),
    Index(None, "mailbox", "modseq"),
    Index(None, "content"),
    sqlite_with_rowid=False,
)

expunged = Table(
    "expunged",
    metadata,
    _ref("mailbox", "mailbox"),
    _integer("uid"),
    _integer("modseq"),
    PrimaryKeyConstraint("mailbox", "uid"),
    Index(None, "mailbox", "modseq"),
    sqlite_with_rowid=False,
)

submission = Table(
    "submission",
    metadata,
    _id(),
    _ref("account", "account"),
    _ref("identity", "identity"),
    _text("queue_id"),
    _bytes("repeat_tag"),
    _bytes("message_id_tag"),
    _bytes("sealed_envelope"),  # Message-ID and ENVID
    _bytes("sealed_text", null=True),  # subject and body; none once forgotten
    _text("ret"),
    _ref("sent_content", "content", null=True, on_delete="SET NULL"),
    _integer("created_at"),
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
    _bytes("sealed"),
)
"""What a submission holds beside its text, as `domain.outbox.Enclosures`; it goes with the text."""

outbox = Table(
    "outbox",
    metadata,
    _id(),
    _ref("submission", "submission"),
    _integer("n"),
    _bytes("recipient_tag"),
    _bytes("lookup_tag"),  # of its version and, from 4 on, its tag
    _bytes("sealed_recipient"),  # address and ORCPT
    _text("state"),
    _text("reason"),
    _integer("attempt"),
    _integer("getpubkey_attempt"),
    _text("priority"),
    _integer("ttl_seconds"),
    _integer("next_attempt"),
    _bytes("ack_data"),
    _bytes("payload"),
    _bytes("saved_nonce"),
    _integer("expires_time"),
    _flag("forced"),
    _flag("no_retry"),
    _text("notify"),  # separated by commas
    _integer("created_at"),
    _integer("updated_at"),
    Column("notice_at", BigInteger, nullable=True),  # when the sender is told that it is still waiting
    Column("shown_uid", BigInteger, nullable=True),  # of its message in the Outbox; 0: its owner put it away
    Column("rendering", Integer, nullable=True),
    Column("owner", ID, nullable=True),  # the account of its submission
    _text("kind", null=True),  # as `domain.outbox.Kind`; none: a msg
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
    _id(),
    _ref("outbox", "outbox"),
    _integer("at"),
    _text("state"),
    _bytes("sealed_detail"),
    Index(None, "outbox"),
    sqlite_autoincrement=True,
)

answer = Table(
    "answer",
    metadata,
    _ref("identity", "identity", on_delete="CASCADE"),
    _bytes("correspondent_tag"),
    _integer("at"),
    PrimaryKeyConstraint("identity", "correspondent_tag"),
    Index(None, "identity", "at"),
    sqlite_with_rowid=False,
)
"""Whom an identity answered by itself, and when last."""

dedupe = Table(
    "dedupe",
    metadata,
    _ref("account", "account"),
    _bytes("content_tag"),
    _integer("keep_until"),
    PrimaryKeyConstraint("account", "content_tag"),
    Index(None, "keep_until"),
    sqlite_with_rowid=False,
)

held_ack = Table(
    "held_ack",
    metadata,
    _ref("account", "account", on_delete="CASCADE"),
    _bytes("content_tag"),
    _bytes("sender_tag"),
    _integer("keep_until"),
    _bytes("sealed_packet"),
    PrimaryKeyConstraint("account", "content_tag"),
    Index(None, "account", "sender_tag"),
    Index(None, "keep_until"),
    sqlite_with_rowid=False,
)
"""Acks for mail of strangers, until its reader says whether he wants it (M3)."""

thread = Table(
    "thread",
    metadata,
    _ref("account", "account"),
    _bytes("tag"),  # of an object's vector, of a foreign Message-ID, or of a subject
    _bytes("mail_tag", null=True),  # with a vector: of the mail it carried, and of the two ends
    _integer("keep_until"),
    _bytes("sealed_thread"),
    PrimaryKeyConstraint("account", "tag"),
    Index(None, "account", "mail_tag"),
    Index(None, "account", "keep_until"),
    sqlite_with_rowid=False,
)
"""Which mail is meant when an answer names one."""

object_ = Table(
    "object",
    metadata,
    _id(),  # the order of arrival
    _bytes("vector"),
    _integer("object_type"),
    _integer("version"),
    _integer("expires_time"),
    _integer("stem_until"),
    _bytes("tag", null=True),  # getpubkey: its lookup; pubkey: its tag, empty before version 4; others: none
    _flag("to_process"),
    _flag("own"),
    _bytes("encoded"),
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
    _bytes("sealed_record"),
    _integer("learnt_at"),
    Index(None, "learnt_at"),
)

ack = Table(
    "ack",
    metadata,
    _bytes("sender_tag"),
    _integer("at"),
    Index(None, "sender_tag", "at"),
    Index(None, "at"),
)
"""When acks were published for the mail of which sender, for the limit of P26."""

sender_rate = Table(
    "sender_rate",
    metadata,
    _ref("account", "account", on_delete="CASCADE"),
    _bytes("sender_tag"),
    _integer("until"),
    PrimaryKeyConstraint("account", "sender_tag"),
    Index(None, "until"),
    sqlite_with_rowid=False,
)
"""For the limit of P38: until when what a sender wrote would last, had it come at the rate that is allowed."""

peer = Table(
    "peer",
    metadata,
    _text("host"),
    _integer("port"),
    _text("source"),
    _flag("tried"),
    _integer("rating"),
    _integer("heard_at"),
    _integer("seen_at"),
    _integer("dialled_at"),
    _integer("failures"),
    _flag("anchor"),
    PrimaryKeyConstraint("host", "port"),
    sqlite_with_rowid=False,
)
"""Other nodes of the network, as `domain.peers.KnownPeer` names their columns."""

peer_standing = Table(
    "peer_standing",
    metadata,
    Column("source", Text, primary_key=True),
    _integer("score"),
    _integer("scored_at"),
    _integer("until"),
    _text("reason"),
    _flag("by_operator"),
)
"""What is held against sources of connections."""
