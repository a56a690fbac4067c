"""The outbox: submissions, their rows, and what became of each.

Recipients stand under the master key (a key is asked for again while the owner is away), texts under the account's.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import msgpack
from sqlalchemy import Select, and_, bindparam, func, insert, or_, select, update

from bmgate.bm.addresses import Address, parse_address
from bmgate.domain.account import AccountId
from bmgate.domain.identity import IdentityId
from bmgate.domain.mailbox import ContentId
from bmgate.domain.outbox import (
    FINAL,
    HistoryEntry,
    NewOutgoing,
    NewSubmission,
    OutboxId,
    OutgoingMessage,
    Priority,
    Reason,
    ReturnContent,
    State,
    Submission,
    SubmissionId,
)
from bmgate.errors import AccountLocked, Missing
from bmgate.storage.repositories.accounts import AccountRepository
from bmgate.storage.repositories.pubkeys import address_tag
from bmgate.storage.repositories.scope import AccountScope, AnyRow, GatewayScope, decode_nonce, encode_nonce
from bmgate.storage.schema import outbox, outbox_event
from bmgate.storage.schema import submission as submissions
from bmgate.storage.vault import AccountKeys, Purpose, Vault

LATE_ACK_SECONDS = 56 * 86_400  # after a failure: the ack may have waited in the network as long as the msg

_FINAL = sorted(state.value for state in FINAL)
_UNFINISHED = outbox.c.state.not_in(_FINAL)
_ROWS = select(
    outbox,
    submissions.c.account,
    submissions.c.identity,
    submissions.c.queue_id,
).join(submissions, submissions.c.id == outbox.c.submission)
_BY_ID = _ROWS.where(outbox.c.id == bindparam("id"))
_WANT_PUBKEY = (State.NEED_PUBKEY.value, State.REQUESTED.value)


@dataclass(frozen=True, slots=True)
class OutboxRepository:
    """The outbox as the gateway sees it: all accounts, for `services.sending` alone; doors get `AccountOutbox`."""

    scope: GatewayScope

    def get(self, row: OutboxId) -> OutgoingMessage:
        """Raises Missing."""
        found = self.scope.connection.execute(_BY_ID, {"id": row}).first()
        if found is None:
            raise Missing(f"there is no outbox row {row}")
        return _read_row(found, self.scope.vault)

    def submission(self, submission: SubmissionId) -> Submission:
        """With its text; raises Missing, or AccountLocked while the account's keys are away."""
        row = self.scope.connection.execute(select(submissions).where(submissions.c.id == submission)).first()
        if row is None:
            raise Missing(f"there is no submission {submission}")
        return _read_submission(row, AccountRepository(self.scope).enter(AccountId(row.account)).keys)

    def save(self, message: OutgoingMessage, now: int, detail: str) -> OutgoingMessage:
        """Write every changeable field; a change of state adds a line of history. Raises Missing."""
        before = self.get(message.id)
        values = _changeable(message) | {"updated_at": now}
        self.scope.connection.execute(update(outbox).where(outbox.c.id == message.id).values(values))
        if message.state is not before.state:
            add_event(self.scope, message, now, detail)
        return replace(message, updated_at=now)

    def save_nonce(self, row: OutboxId, nonce: int) -> None:
        change = update(outbox).where(outbox.c.id == row).values(saved_nonce=encode_nonce(nonce))
        self.scope.connection.execute(change)

    def unfinished(self) -> list[OutgoingMessage]:
        """Every row that is not final, oldest first."""
        return self._read(_ROWS.where(_UNFINISHED).order_by(outbox.c.id))

    def due(self, now: int, limit: int) -> list[OutgoingMessage]:
        """Unfinished rows whose `next_attempt` is set and has come, longest-waiting first."""
        come = (outbox.c.next_attempt > 0, outbox.c.next_attempt <= now)
        return self._read(_ROWS.where(_UNFINISHED, *come).order_by(outbox.c.next_attempt, outbox.c.id).limit(limit))

    def waiting_for(self, recipient: Address) -> list[OutgoingMessage]:
        """Rows that want this address's pubkey: NEED_PUBKEY and REQUESTED."""
        wants = (outbox.c.state.in_(_WANT_PUBKEY), outbox.c.recipient_tag == address_tag(self.scope.vault, recipient))
        return self._read(_ROWS.where(*wants).order_by(outbox.c.id))

    def waiting_by_lookup(self, address_version: int, tag: bytes) -> list[OutgoingMessage]:
        """Such rows whose recipient has this version and, for version 4, this tag."""
        wants = outbox.c.lookup_tag == _lookup_tag(self.scope.vault, address_version, tag)
        return self._read(_ROWS.where(outbox.c.state.in_(_WANT_PUBKEY), wants).order_by(outbox.c.id))

    def watched_acks(self) -> list[tuple[bytes, OutboxId]]:
        """Ack data and row of everything an ack may still come for: unfinished, or FAILED within the last 56 days.

        Counted back from the latest change of any row: without a clock this keeps a few more, never fewer.
        """
        latest = select(func.max(outbox.c.updated_at)).scalar_subquery()
        late = and_(outbox.c.state == State.FAILED.value, outbox.c.updated_at >= latest - LATE_ACK_SECONDS)
        query = select(outbox.c.ack_data, outbox.c.id).where(or_(_UNFINISHED, late), outbox.c.ack_data != b"")
        return [
            (ack_data, OutboxId(row)) for ack_data, row in self.scope.connection.execute(query.order_by(outbox.c.id))
        ]

    def forget_text(self, submission: SubmissionId) -> None:
        """The text of a submission whose last row is final and whose notices are written."""
        change = update(submissions).where(submissions.c.id == submission).values(sealed_text=None)
        self.scope.connection.execute(change)

    def count_by_state(self) -> dict[State, int]:
        """States that no row is in are left out."""
        query = select(outbox.c.state, func.count()).group_by(outbox.c.state)
        return {State(state): count for state, count in self.scope.connection.execute(query)}

    def _read(self, query: Select[Any]) -> list[OutgoingMessage]:
        return [_read_row(row, self.scope.vault) for row in self.scope.connection.execute(query)]


@dataclass(frozen=True, slots=True)
class AccountOutboxRepository:
    """One account's submissions and their rows."""

    scope: AccountScope

    def find_repeat(self, repeat_tag: bytes, since: int) -> Submission | None:
        """The submission with this tag made at or after `since` (O9)."""
        same = (submissions.c.repeat_tag == repeat_tag, submissions.c.created_at >= since)
        query = select(submissions).where(submissions.c.account == self.scope.account.id, *same)
        row = self.scope.connection.execute(query.order_by(submissions.c.id)).first()
        return None if row is None else _read_submission(row, self.scope.keys)

    def add(self, submission: NewSubmission, rows: Iterable[NewOutgoing]) -> list[OutgoingMessage]:
        """The submission with all its rows, ACCEPTED (O1)."""
        new = self._add_submission(submission)
        return [self._add_row(new, submission, row) for row in rows]

    def rows(self, limit: int = 1000) -> list[OutgoingMessage]:
        """Newest first, final ones included."""
        return self._read(_ROWS.order_by(outbox.c.id.desc()).limit(limit))

    def find(self, name: str) -> list[OutgoingMessage]:
        """By queue id (all rows) or `QUEUEID-n` (one)."""
        queue_id, _, n = name.upper().partition("-")
        query = _ROWS.where(submissions.c.queue_id == queue_id).order_by(outbox.c.n)
        return [row for row in self._read(query) if n in ("", str(row.n))]

    def history(self, row: OutboxId) -> list[HistoryEntry]:
        """Oldest first; raises Missing."""
        query = _ROWS.where(outbox.c.id == row)
        if not self._read(query):
            raise Missing(f"this account has no outbox row {row}")
        events = select(outbox_event).where(outbox_event.c.outbox == row).order_by(outbox_event.c.id)
        return [
            HistoryEntry(event.at, State(event.state), _open_detail(self.scope.vault, event.sealed_detail, row))
            for event in self.scope.connection.execute(events)
        ]

    def rows_of(self, submission: SubmissionId) -> list[OutgoingMessage]:
        """In the order of their numbers."""
        return self._read(_ROWS.where(outbox.c.submission == submission).order_by(outbox.c.n))

    def unfinished_count(self) -> int:
        query = select(func.count()).select_from(outbox.join(submissions, submissions.c.id == outbox.c.submission))
        mine = (submissions.c.account == self.scope.account.id, _UNFINISHED)
        return self.scope.connection.execute(query.where(*mine)).scalar_one()

    def replace_sent_content(self, message_id: str, content: ContentId) -> None:
        """The Sent copy of the submission with this Message-ID, if there is one, is this content from now on (M7)."""
        same = submissions.c.message_id_tag == self._message_id_tag(message_id)
        change = update(submissions).where(submissions.c.account == self.scope.account.id, same)
        self.scope.connection.execute(change.values(sent_content=content))

    def _add_submission(self, new: NewSubmission) -> SubmissionId:
        place = new.queue_id.encode()
        values = {
            "account": self.scope.account.id,
            "identity": new.identity,
            "queue_id": new.queue_id,
            "repeat_tag": new.repeat_tag,
            "message_id_tag": self._message_id_tag(new.message_id),
            "sealed_envelope": self.scope.keys.seal(_pack(new.message_id, new.envelope_id), b"envelope", place),
            "sealed_text": self.scope.keys.seal(_pack(new.subject, new.body), b"text", place),
            "ret": new.ret.value,
            "sent_content": new.sent_content,
            "created_at": new.created_at,
        }
        statement = insert(submissions).values(values).returning(submissions.c.id)
        return SubmissionId(self.scope.connection.execute(statement).scalar_one())

    def _add_row(self, submission: SubmissionId, of: NewSubmission, new: NewOutgoing) -> OutgoingMessage:
        vault = self.scope.vault
        recipient = _pack(str(new.recipient), new.original_recipient)
        message = OutgoingMessage(
            id=OutboxId(0),
            submission=submission,
            account=self.scope.account.id,
            identity=of.identity,
            queue_id=of.queue_id,
            n=new.n,
            recipient=new.recipient,
            state=State.ACCEPTED,
            reason=Reason.NONE,
            attempt=1,
            getpubkey_attempt=1,
            priority=new.priority,
            ttl_seconds=new.ttl_seconds,
            next_attempt=0,
            ack_data=new.ack_data,
            payload=b"",
            saved_nonce=0,
            expires_time=0,
            forced=False,
            no_retry=False,
            notify=new.notify,
            original_recipient=new.original_recipient,
            created_at=of.created_at,
            updated_at=of.created_at,
        )
        values = _changeable(message) | {
            "submission": submission,
            "n": new.n,
            "recipient_tag": address_tag(vault, new.recipient),
            "lookup_tag": _lookup_tag(vault, new.recipient.version, new.recipient.lookup),
            "sealed_recipient": vault.seal(Purpose.QUEUE, recipient, of.queue_id.encode(), _number(new.n)),
            "notify": ",".join(new.notify),
            "created_at": of.created_at,
            "updated_at": of.created_at,
        }
        row = self.scope.connection.execute(insert(outbox).values(values).returning(outbox.c.id)).scalar_one()
        message = replace(message, id=OutboxId(row))
        add_event(self.scope, message, of.created_at, "")
        return message

    def _message_id_tag(self, message_id: str) -> bytes:
        return self.scope.vault.tag(b"submission", self.scope.account.uuid, message_id.encode(errors="replace"))

    def _read(self, query: Select[Any]) -> list[OutgoingMessage]:
        rows = self.scope.connection.execute(query.where(submissions.c.account == self.scope.account.id))
        return [_read_row(row, self.scope.vault) for row in rows]


def add_event(scope: GatewayScope | AccountScope, message: OutgoingMessage, now: int, detail: str) -> None:
    """A line of history: `message` has come into its state."""
    sealed = scope.vault.seal(Purpose.QUEUE, detail.encode(errors="replace"), b"event", _number(message.id))
    values = {"outbox": message.id, "at": now, "state": message.state.value, "sealed_detail": sealed}
    scope.connection.execute(insert(outbox_event).values(values))


def _open_detail(vault: Vault, sealed: bytes, row: OutboxId) -> str:
    return vault.open(Purpose.QUEUE, sealed, b"event", _number(row)).decode()


def _lookup_tag(vault: Vault, address_version: int, lookup: bytes) -> bytes:
    return vault.tag(b"lookup", _number(address_version), lookup if address_version >= 4 else b"")


def _number(value: int) -> bytes:
    return value.to_bytes(8, "big")


def _changeable(message: OutgoingMessage) -> dict[str, Any]:
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


def _read_row(row: AnyRow, vault: Vault) -> OutgoingMessage:
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
    )


def _read_submission(row: AnyRow, keys: AccountKeys) -> Submission:
    if not keys.is_open:
        raise AccountLocked("the text of a mail opens when its sender logs in")
    place = row.queue_id.encode()
    message_id, envelope_id = _unpack(keys.open(row.sealed_envelope, b"envelope", place))
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
    )


def _pack(*texts: str) -> bytes:
    packed: bytes = msgpack.packb(texts, unicode_errors="surrogatepass")
    return packed


def _unpack(packed: bytes) -> tuple[str, str]:
    first, second = msgpack.unpackb(packed, unicode_errors="surrogatepass")
    return first, second
