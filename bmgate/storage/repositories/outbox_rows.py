"""Rows of the outbox: what is sealed in them, and how they become values.

Recipients stand under the master key (a key is asked for again while the owner is away), texts under the account's.
"""

from typing import Any

import msgpack
from sqlalchemy import insert, select

from bmgate.bm.addresses import parse_address
from bmgate.bm.encodings import encode_message
from bmgate.domain.account import AccountId
from bmgate.domain.identity import IdentityId
from bmgate.domain.mailbox import ContentId
from bmgate.domain.outbox import (
    FINAL,
    Kind,
    OutboxId,
    OutgoingMessage,
    Priority,
    Reason,
    ReturnContent,
    State,
    Submission,
    SubmissionId,
)
from bmgate.errors import AccountLocked
from bmgate.storage.repositories.scope import AccountScope, AnyRow, GatewayScope, decode_nonce, encode_nonce
from bmgate.storage.schema import outbox, outbox_event
from bmgate.storage.schema import submission as submissions
from bmgate.storage.statements import Prepared
from bmgate.storage.vault import AccountKeys, Purpose, Vault

UNFINISHED = outbox.c.state.in_(sorted(state.value for state in State if state not in FINAL))  # by its index
ROWS = select(
    outbox,
    submissions.c.account,
    submissions.c.identity,
    submissions.c.queue_id,
).join(submissions, submissions.c.id == outbox.c.submission)

_ADD_EVENT = Prepared(insert(outbox_event))


def add_event(scope: GatewayScope | AccountScope, message: OutgoingMessage, now: int, detail: str) -> None:
    """A line of history: `message` has come into its state."""
    sealed = scope.vault.seal(Purpose.QUEUE, detail.encode(errors="replace"), b"event", _number(message.id))
    values = {"outbox": message.id, "at": now, "state": message.state.value, "sealed_detail": sealed}
    _ADD_EVENT.run(scope.connection, values)


def open_detail(vault: Vault, sealed: bytes, row: OutboxId) -> str:
    return vault.open(Purpose.QUEUE, sealed, b"event", _number(row)).decode()


def lookup_tag(vault: Vault, address_version: int, lookup: bytes) -> bytes:
    return vault.tag(b"lookup", _number(address_version), lookup if address_version >= 4 else b"")


def _number(value: int) -> bytes:
    return value.to_bytes(8, "big")


def seal_recipient(vault: Vault, message: OutgoingMessage) -> bytes:
    """Address and ORCPT, for this row of this submission."""
    plaintext = pack(str(message.recipient), message.original_recipient)
    return vault.seal(Purpose.QUEUE, plaintext, message.queue_id.encode(), _number(message.n))


def changeable(message: OutgoingMessage) -> dict[str, Any]:
    return {
        "state": message.state.value,
        "reason": message.reason.value,
        "attempt": message.attempt,
        "getpubkey_attempt": message.getpubkey_attempt,
        "priority": message.priority.value,
        "ttl_seconds": message.ttl_seconds,
        "next_attempt": message.next_attempt,
        "ack_data": message.ack_data,
        "payload": message.payload,
        "saved_nonce": encode_nonce(message.saved_nonce),
        "expires_time": message.expires_time,
        "forced": message.forced,
        "no_retry": message.no_retry,
    }


def read_row(row: AnyRow, vault: Vault) -> OutgoingMessage:
    place = (row.queue_id.encode(), _number(row.n))
    recipient, original_recipient = _unpack(vault.open(Purpose.QUEUE, row.sealed_recipient, *place))
    return OutgoingMessage(
        id=OutboxId(row.id),
        submission=SubmissionId(row.submission),
        account=AccountId(row.account),
        identity=IdentityId(row.identity),
        queue_id=row.queue_id,
        n=row.n,
        recipient=parse_address(recipient),
        state=State(row.state),
        reason=Reason(row.reason),
        attempt=row.attempt,
        getpubkey_attempt=row.getpubkey_attempt,
        priority=Priority(row.priority),
        ttl_seconds=row.ttl_seconds,
        next_attempt=row.next_attempt,
        ack_data=row.ack_data,
        payload=row.payload,
        saved_nonce=decode_nonce(row.saved_nonce),
        expires_time=row.expires_time,
        forced=row.forced,
        no_retry=row.no_retry,
        notify=tuple(row.notify.split(",")) if row.notify else (),
        original_recipient=original_recipient,
        created_at=row.created_at,
        updated_at=row.updated_at,
        shown_uid=row.shown_uid or 0,
        rendering=row.rendering or 0,
        kind=Kind(row.kind or Kind.MSG),
    )


def read_submission(row: AnyRow, keys: AccountKeys) -> Submission:
    if not keys.is_open:
        raise AccountLocked("the text of a mail opens when its sender logs in")
    place = row.queue_id.encode()
    message_id, envelope_id, *size = _unpack(keys.open(row.sealed_envelope, b"envelope", place))
    subject, body = ("", "") if row.sealed_text is None else _unpack(keys.open(row.sealed_text, b"text", place))
    return Submission(
        id=SubmissionId(row.id),
        account=AccountId(row.account),
        identity=IdentityId(row.identity),
        queue_id=row.queue_id,
        subject=subject,
        body=body,
        message_id=message_id,
        ret=ReturnContent(row.ret),
        envelope_id=envelope_id,
        sent_content=None if row.sent_content is None else ContentId(row.sent_content),
        created_at=row.created_at,
        size=int(next(iter(size), "0")) or len(encode_message(subject, body)),
    )


def pack(*texts: str) -> bytes:
    packed: bytes = msgpack.packb(texts, unicode_errors="surrogatepass")
    return packed


def _unpack(packed: bytes) -> list[str]:
    texts: list[str] = msgpack.unpackb(packed, unicode_errors="surrogatepass")
    return texts
