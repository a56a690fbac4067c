"""What an archive carries of each table, column by column; whoever adds a column says here what becomes of it."""

from bmgate.storage.schema import metadata

CARRIED = "carried"
ANEW = "made anew by the gateway it comes to, from what is carried"
NUMBERS = "numbers of this database's rows"
SEALS = "keys and tags of this gateway; what they seal or find is carried"

ACCOUNTS = {
    "account": {
        CARRIED: "sealed_secrets",  # the secrets themselves, unless the account there has mail already
        NUMBERS: "id used_bytes last_uidvalidity",
        SEALS: "uuid public_key wrapped_data_key",
        "is made by the operator of that gateway, who decides about it": "name state level quota_bytes created_at",
        "a deleted account is not exported": "deleted_at",
    },
    "slot": {"passwords stay: the account there has one of its own": "id account kind parameters wrapped"},
    "setting": {CARRIED: "scope name sealed_value", NUMBERS: "account ref"},
    "identity": {
        CARRIED: "version stream ripe signing_key encryption_key sealed_signing_key sealed_encryption_key sealed_label"
        " nonce_trials_per_byte payload_length_extra_bytes enabled is_default created_at pubkey_sent_at deleted_at",
        ANEW: "lookup folded behavior",
        NUMBERS: "id account",
        "work that is under way; it is begun again when it is due": "pubkey_payload pubkey_nonce pubkey_note",
    },
    "publication": {"limits of this gateway's work": "identity at trials"},
    "alias": {CARRIED: "name identity", NUMBERS: "account", "begins anew where a name is claimed": "created_at"},
    "former_alias": {
        CARRIED: "name ripe released_at",  # of deleted addresses that can be brought back
        SEALS: "owner",
    },
    "chan": {
        CARRIED: "version stream ripe signing_key encryption_key sealed_signing_key sealed_encryption_key",
        NUMBERS: "id",
    },
    "membership": {
        CARRIED: "chan mailbox",
        NUMBERS: "id account",
        "it takes part at that gateway from the import on": "joined_at scan_from",
    },
    "subscription": {
        CARRIED: "sealed_address mailbox enabled",
        ANEW: "is_tagged",
        NUMBERS: "id account",
        SEALS: "address_tag lookup_tag",
        "it subscribes at that gateway from the import on": "created_at scan_from",
    },
    "contact": {
        CARRIED: "sealed_address sealed_label corresponded wrote standing reads",
        NUMBERS: "id account",
        SEALS: "address_tag",
    },
    "mailbox": {
        CARRIED: "kind sealed_name subscribed",
        NUMBERS: "id account",
        SEALS: "name_tag",
        "UIDs begin anew, and UIDVALIDITY says so": "uidvalidity uidnext modseq purged_modseq recent_uid",
    },
    "former_mailbox": {CARRIED: "sealed_name", NUMBERS: "account", SEALS: "name_tag"},
    "content": {
        ANEW: "size_class message_id_tag",
        NUMBERS: "id account",
        SEALS: "uuid scheme sealed_key",
        "tells a program's own copy in Sent from ours while its submission is known": "vector_tag",
    },
    "content_blob": {CARRIED: "data", NUMBERS: "content n last", ANEW: "kind"},
    "message": {
        CARRIED: "mailbox internaldate flags keywords content saved_at",
        "UIDs begin anew, and UIDVALIDITY says so": "uid modseq",
    },
    "expunged": {"UIDs begin anew, and UIDVALIDITY says so": "mailbox uid modseq"},
    "thread": {CARRIED: "keep_until sealed_thread", NUMBERS: "account", SEALS: "tag mail_tag"},
    "submission": {
        CARRIED: "identity sealed_text sent_content created_at",  # of what waits: as drafts
        NUMBERS: "id account",
        "what became of sent mail is told where it was sent": "queue_id repeat_tag message_id_tag sealed_envelope ret",
    },
    "enclosure": {CARRIED: "submission sealed"},  # of what waits, as far as drafts show it
    "outbox": {
        CARRIED: "submission sealed_recipient ttl_seconds kind created_at",  # of what waits: as drafts
        NUMBERS: "id n owner",
        SEALS: "recipient_tag lookup_tag",
        "two gateways would send twice: the one that took the mail sends it": "state reason attempt getpubkey_attempt"
        " priority next_attempt ack_data payload saved_nonce expires_time forced no_retry notify updated_at notice_at"
        " shown_uid rendering",
    },
    "outbox_event": {"what became of sent mail is told where it was sent": "id outbox at state sealed_detail"},
    "answer": {CARRIED: "identity at", SEALS: "correspondent_tag"},  # to correspondents that are known
    "dedupe": {CARRIED: "content_tag keep_until", NUMBERS: "account"},
    "held_ack": {  # for mail of correspondents that are known
        CARRIED: "content_tag keep_until sealed_packet",
        NUMBERS: "account",
        SEALS: "sender_tag",
    },
    "sender_rate": {"a limit of some minutes": "account sender_tag until"},
}
GATEWAYS = {"gateway", "object", "pubkey", "ack", "peer", "peer_standing"}
"""Tables that no account owns."""


def test_each_column_is_carried_or_it_is_said_why_not() -> None:
    there = {name: [column.name for column in table.columns] for name, table in metadata.tables.items()}
    told = {name: " ".join(columns.values()).split() for name, columns in ACCOUNTS.items()}
    assert set(there) == set(told) | GATEWAYS
    assert {name: sorted(there[name]) for name in told} == {name: sorted(columns) for name, columns in told.items()}
