"""First light: accounts, identities, mailboxes, outbox, inventory."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Everything, for an empty database."""
    op.create_table(
        "account",
        sa.Column("id", ID, sa.Identity(always=False), nullable=False),
        sa.Column("uuid", sa.LargeBinary(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("quota_bytes", sa.BigInteger(), nullable=True),
        sa.Column("used_bytes", sa.BigInteger(), nullable=False),
        sa.Column("last_uidvalidity", sa.BigInteger(), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("wrapped_data_key", sa.LargeBinary(), nullable=False),
        sa.Column("sealed_secrets", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account")),
        sa.UniqueConstraint("name", name=op.f("uq_account_name")),
        sa.UniqueConstraint("uuid", name=op.f("uq_account_uuid")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "gateway",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_gateway")),
    )
    op.create_table(
        "object",
        sa.Column("id", ID, sa.Identity(always=False), nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=False),
        sa.Column("object_type", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("expires_time", sa.BigInteger(), nullable=False),
        sa.Column("stem_until", sa.BigInteger(), nullable=False),
        sa.Column("tag", sa.LargeBinary(), nullable=True),
        sa.Column("to_process", sa.Boolean(), nullable=False),
        sa.Column("own", sa.Boolean(), nullable=False),
        sa.Column("encoded", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_object")),
        sa.UniqueConstraint("vector", name=op.f("uq_object_vector")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_object_expires_time", "object", ["expires_time", "vector", "stem_until"])
    op.create_index(
        "ix_object_tag",
        "object",
        ["tag"],
        sqlite_where=sa.text("tag IS NOT NULL"),
        postgresql_where=sa.text("tag IS NOT NULL"),
    )
    op.create_index(
        "ix_object_to_process",
        "object",
        ["id"],
        sqlite_where=sa.text("to_process IS 1"),
        postgresql_where=sa.text("to_process IS true"),
    )
    op.create_table(
        "pubkey",
        sa.Column("address_tag", sa.LargeBinary(), nullable=False),
        sa.Column("sealed_record", sa.LargeBinary(), nullable=False),
        sa.Column("learnt_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("address_tag", name=op.f("pk_pubkey")),
    )
    op.create_index(op.f("ix_pubkey_learnt_at"), "pubkey", ["learnt_at"])
    op.create_table(
        "contact",
        sa.Column("id", ID, sa.Identity(always=False), nullable=False),
        sa.Column("account", ID, nullable=False),
        sa.Column("address_tag", sa.LargeBinary(), nullable=False),
        sa.Column("sealed_address", sa.LargeBinary(), nullable=False),
        sa.Column("sealed_label", sa.LargeBinary(), nullable=True),
        sa.Column("corresponded", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["account"], ["account.id"], name=op.f("fk_contact_account")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contact")),
        sa.UniqueConstraint("account", "address_tag", name=op.f("uq_contact_account_address_tag")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "content",
        sa.Column("id", ID, sa.Identity(always=False), nullable=False),
        sa.Column("account", ID, nullable=False),
        sa.Column("uuid", sa.LargeBinary(), nullable=False),
        sa.Column("scheme", sa.BigInteger(), nullable=False),
        sa.Column("sealed_key", sa.LargeBinary(), nullable=False),
        sa.Column("size_class", sa.BigInteger(), nullable=False),
        sa.Column("message_id_tag", sa.LargeBinary(), nullable=True),
        sa.Column("vector_tag", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(["account"], ["account.id"], name=op.f("fk_content_account")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_content")),
        sa.UniqueConstraint("uuid", name=op.f("uq_content_uuid")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_content_account_message_id_tag"), "content", ["account", "message_id_tag"])
    op.create_table(
        "dedupe",
        sa.Column("account", ID, nullable=False),
        sa.Column("content_tag", sa.LargeBinary(), nullable=False),
        sa.Column("keep_until", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account"], ["account.id"], name=op.f("fk_dedupe_account")),
        sa.PrimaryKeyConstraint("account", "content_tag", name=op.f("pk_dedupe")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_dedupe_keep_until"), "dedupe", ["keep_until"])
    op.create_table(
        "identity",
        sa.Column("id", ID, sa.Identity(always=False), nullable=False),
        sa.Column("account", ID, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("stream", sa.BigInteger(), nullable=False),
        sa.Column("ripe", sa.LargeBinary(), nullable=False),
        sa.Column("lookup", sa.LargeBinary(), nullable=False),
        sa.Column("folded", sa.Text(), nullable=False),
        sa.Column("signing_key", sa.LargeBinary(), nullable=False),
        sa.Column("encryption_key", sa.LargeBinary(), nullable=False),
        sa.Column("sealed_signing_key", sa.LargeBinary(), nullable=False),
        sa.Column("sealed_encryption_key", sa.LargeBinary(), nullable=False),
        sa.Column("sealed_label", sa.LargeBinary(), nullable=False),
        sa.Column("behavior", sa.BigInteger(), nullable=False),
        sa.Column("nonce_trials_per_byte", sa.BigInteger(), nullable=False),
        sa.Column("payload_length_extra_bytes", sa.BigInteger(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("is_default", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("pubkey_sent_at", sa.BigInteger(), nullable=True),
        sa.Column("pubkey_payload", sa.LargeBinary(), nullable=True),
        sa.Column("pubkey_nonce", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["account"], ["account.id"], name=op.f("fk_identity_account")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_identity")),
        sa.UniqueConstraint("ripe", name=op.f("uq_identity_ripe")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_identity_account"), "identity", ["account"])
    op.create_index(op.f("ix_identity_folded"), "identity", ["folded"])
    op.create_index(op.f("ix_identity_lookup"), "identity", ["lookup"])
    op.create_table(
        "mailbox",
        sa.Column("id", ID, sa.Identity(always=False), nullable=False),
        sa.Column("account", ID, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name_tag", sa.LargeBinary(), nullable=False),
        sa.Column("sealed_name", sa.LargeBinary(), nullable=False),
        sa.Column("subscribed", sa.Boolean(), nullable=False),
        sa.Column("uidvalidity", sa.BigInteger(), nullable=False),
        sa.Column("uidnext", sa.BigInteger(), nullable=False),
        sa.Column("modseq", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account"], ["account.id"], name=op.f("fk_mailbox_account")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mailbox")),
        sa.UniqueConstraint("account", "name_tag", name=op.f("uq_mailbox_account_name_tag")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "slot",
        sa.Column("id", ID, sa.Identity(always=False), nullable=False),
        sa.Column("account", ID, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("parameters", sa.LargeBinary(), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["account"], ["account.id"], name=op.f("fk_slot_account"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_slot")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_slot_account"), "slot", ["account"])
    op.create_table(
        "alias",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("account", ID, nullable=False),
        sa.Column("identity", ID, nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account"], ["account.id"], name=op.f("fk_alias_account")),
        sa.ForeignKeyConstraint(["identity"], ["identity.id"], name=op.f("fk_alias_identity")),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_alias")),
    )
    op.create_index(op.f("ix_alias_account"), "alias", ["account"])
    op.create_table(
        "content_blob",
        sa.Column("content", ID, nullable=False),
        sa.Column("kind", sa.BigInteger(), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.Column("last", sa.Boolean(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["content"], ["content.id"], name=op.f("fk_content_blob_content"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("content", "kind", "n", name=op.f("pk_content_blob")),
    )
    op.create_table(
        "expunged",
        sa.Column("mailbox", ID, nullable=False),
        sa.Column("uid", sa.BigInteger(), nullable=False),
        sa.Column("modseq", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["mailbox"], ["mailbox.id"], name=op.f("fk_expunged_mailbox")),
        sa.PrimaryKeyConstraint("mailbox", "uid", name=op.f("pk_expunged")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_expunged_mailbox_modseq"), "expunged", ["mailbox", "modseq"])
    op.create_table(
        "message",
        sa.Column("mailbox", ID, nullable=False),
        sa.Column("uid", sa.BigInteger(), nullable=False),
        sa.Column("modseq", sa.BigInteger(), nullable=False),
        sa.Column("internaldate", sa.BigInteger(), nullable=False),
        sa.Column("flags", sa.BigInteger(), nullable=False),
        sa.Column("keywords", sa.Text(), nullable=False),
        sa.Column("content", ID, nullable=False),
        sa.ForeignKeyConstraint(["content"], ["content.id"], name=op.f("fk_message_content")),
        sa.ForeignKeyConstraint(["mailbox"], ["mailbox.id"], name=op.f("fk_message_mailbox")),
        sa.PrimaryKeyConstraint("mailbox", "uid", name=op.f("pk_message")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_message_content"), "message", ["content"])
    op.create_index(op.f("ix_message_mailbox_modseq"), "message", ["mailbox", "modseq"])
    op.create_table(
        "publication",
        sa.Column("identity", ID, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["identity"], ["identity.id"], name=op.f("fk_publication_identity"), ondelete="CASCADE"
        ),
    )
    op.create_index(op.f("ix_publication_identity_at"), "publication", ["identity", "at"])
    op.create_table(
        "submission",
        sa.Column("id", ID, sa.Identity(always=False), nullable=False),
        sa.Column("account", ID, nullable=False),
        sa.Column("identity", ID, nullable=False),
        sa.Column("queue_id", sa.Text(), nullable=False),
        sa.Column("repeat_tag", sa.LargeBinary(), nullable=False),
        sa.Column("message_id_tag", sa.LargeBinary(), nullable=False),
        sa.Column("sealed_envelope", sa.LargeBinary(), nullable=False),
        sa.Column("sealed_text", sa.LargeBinary(), nullable=True),
        sa.Column("ret", sa.Text(), nullable=False),
        sa.Column("sent_content", ID, nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account"], ["account.id"], name=op.f("fk_submission_account")),
        sa.ForeignKeyConstraint(["identity"], ["identity.id"], name=op.f("fk_submission_identity")),
        sa.ForeignKeyConstraint(
            ["sent_content"], ["content.id"], name=op.f("fk_submission_sent_content"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_submission")),
        sa.UniqueConstraint("queue_id", name=op.f("uq_submission_queue_id")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_submission_account_message_id_tag"), "submission", ["account", "message_id_tag"])
    op.create_index(op.f("ix_submission_account_repeat_tag"), "submission", ["account", "repeat_tag"])
    op.create_index(op.f("ix_submission_sent_content"), "submission", ["sent_content"])
    op.create_table(
        "outbox",
        sa.Column("id", ID, sa.Identity(always=False), nullable=False),
        sa.Column("submission", ID, nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.Column("recipient_tag", sa.LargeBinary(), nullable=False),
        sa.Column("lookup_tag", sa.LargeBinary(), nullable=False),
        sa.Column("sealed_recipient", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("attempt", sa.BigInteger(), nullable=False),
        sa.Column("getpubkey_attempt", sa.BigInteger(), nullable=False),
        sa.Column("priority", sa.Text(), nullable=False),
        sa.Column("ttl_seconds", sa.BigInteger(), nullable=False),
        sa.Column("next_attempt", sa.BigInteger(), nullable=False),
        sa.Column("ack_data", sa.LargeBinary(), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.Column("saved_nonce", sa.LargeBinary(), nullable=False),
        sa.Column("expires_time", sa.BigInteger(), nullable=False),
        sa.Column("forced", sa.Boolean(), nullable=False),
        sa.Column("no_retry", sa.Boolean(), nullable=False),
        sa.Column("notify", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["submission"], ["submission.id"], name=op.f("fk_outbox_submission")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
        sa.UniqueConstraint("submission", "n", name=op.f("uq_outbox_submission_n")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_outbox_lookup_tag"), "outbox", ["lookup_tag"])
    op.create_index(op.f("ix_outbox_next_attempt"), "outbox", ["next_attempt"])
    op.create_index(op.f("ix_outbox_state_recipient_tag"), "outbox", ["state", "recipient_tag"])
    op.create_table(
        "outbox_event",
        sa.Column("id", ID, sa.Identity(always=False), nullable=False),
        sa.Column("outbox", ID, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("sealed_detail", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["outbox"], ["outbox.id"], name=op.f("fk_outbox_event_outbox")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox_event")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_outbox_event_outbox"), "outbox_event", ["outbox"])
