"""One account's part of the outbox: its submissions and their rows."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Select, bindparam, exists, func, insert, select, update

from bmgate.domain.enclosures import Enclosures
from bmgate.domain.identity import IdentityId
from bmgate.domain.mailbox import ContentId
from bmgate.domain.outbox import (
    WAITING_NOTICES,
    HistoryEntry,
    Kind,
    NewOutgoing,
    NewSubmission,
    OutboxId,
    OutgoingMessage,
    Priority,
    Reason,
    State,
    Submission,
    SubmissionId,
)
from bmgate.errors import Missing
from bmgate.storage.repositories.enclosures import add_enclosures, read_enclosures
from bmgate.storage.repositories.outbox_rows import (
    ROWS,
    UNFINISHED,
    add_event,
    changeable,
    lookup_tag,
    open_detail,
    pack,
    read_row,
    read_submission,
    seal_recipient,
)
from bmgate.storage.repositories.pubkeys import address_tag
from bmgate.storage.repositories.scope import AccountScope, AnyRow, portions
from bmgate.storage.schema import outbox, outbox_event
from bmgate.storage.schema import submission as submissions
from bmgate.storage.statements import Prepared

_ADD_SUBMISSION = Prepared(insert(submissions).returning(submissions.c.id))
_ADD_ROW = Prepared(insert(outbox).returning(outbox.c.id))
_MINE = ROWS.where(submissions.c.account == bindparam("account"))
_BY_QUEUE_ID = Prepared(_MINE.where(submissions.c.queue_id == bindparam("queue_id")).order_by(outbox.c.n))
_BY_SUBMISSION = Prepared(_MINE.where(outbox.c.submission == bindparam("submission")).order_by(outbox.c.n))
_IN_VAIN = (State.CANCELLED.value, State.FAILED.value)  # who sends such a mail again means it
_REPEAT = Prepared(
    select(submissions)
    .where(submissions.c.account == bindparam("account"), submissions.c.repeat_tag == bindparam("repeat_tag"))
    .where(submissions.c.created_at >= bindparam("since"))
    .where(exists().where(outbox.c.submission == submissions.c.id, outbox.c.state.not_in(_IN_VAIN)))
    .order_by(submissions.c.id)
)
_CALLED = Prepared(select(submissions.c.id).where(submissions.c.queue_id == bindparam("queue_id")))
_SENDERS = Prepared(
    select(submissions.c.identity)
    .where(submissions.c.account == bindparam("account"), submissions.c.message_id_tag == bindparam("tag"))
    .order_by(submissions.c.id)
)
_SHOWN = _MINE.where(outbox.c.shown_uid.in_(bindparam("uids", expanding=True))).order_by(outbox.c.id)
_UNSHOWN = _MINE.where(UNFINISHED, outbox.c.shown_uid.is_(None)).order_by(outbox.c.id).limit(bindparam("limit"))
_UNFINISHED_COUNT = Prepared(
    select(func.count()).select_from(outbox).where(UNFINISHED, outbox.c.owner == bindparam("account"))
)


@dataclass(frozen=True, slots=True)
class AccountOutboxRepository:
    """One account's submissions and their rows."""

    scope: AccountScope

    def find_repeat(self, repeat_tag: bytes, since: int) -> Submission | None:
        """The submission with this tag made at or after `since` (O9), unless nothing came of any of its rows."""
        wanted = {"account": self.scope.account.id, "repeat_tag": repeat_tag, "since": since}
        row = _REPEAT.first(self.scope.connection, wanted)
        return None if row is None else read_submission(row, self.scope.keys)

    def add(self, submission: NewSubmission, rows: Iterable[NewOutgoing]) -> list[OutgoingMessage]:
        """The submission with all its rows, ACCEPTED (O1)."""
        new = self._add_submission(submission)
        add_enclosures(self.scope, new, submission.queue_id, submission.enclosures)
        return [self._add_row(new, submission, row) for row in rows]

    def enclosures(self, submission: SubmissionId) -> Enclosures:
        """What a submission holds beside its text; empty once that is forgotten. Raises AccountLocked."""
        return read_enclosures(self.scope, submission)

    def rows(self, limit: int = 1000) -> list[OutgoingMessage]:
        """Newest first, final ones included."""
        return self._read(_MINE.order_by(outbox.c.id.desc()).limit(limit))

    def unfinished(self) -> list[OutgoingMessage]:
        """Every row that is not final, newest first."""
        return self._read(_MINE.where(UNFINISHED).order_by(outbox.c.id.desc()))

    def shown(self, uids: Collection[int]) -> dict[int, OutgoingMessage]:
        """The rows behind messages of the Outbox, by UID."""
        return {row.shown_uid: row for portion in portions(uids) for row in self._read(_SHOWN, uids=portion)}

    def unshown(self, limit: int) -> list[OutgoingMessage]:
        """Rows that are not final and have no message in the Outbox yet, oldest first."""
        return self._read(_UNSHOWN, limit=limit)

    def prioritise(self, row: OutboxId, priority: Priority, now: int) -> None:
        """Raises Missing."""
        if not self._read(_MINE.where(outbox.c.id == row)):
            raise Missing(f"this account has no outbox row {row}")
        changed = {"priority": priority.value, "updated_at": now}
        self.scope.connection.execute(update(outbox).where(outbox.c.id == row).values(changed))

    def find(self, name: str) -> list[OutgoingMessage]:
        """By queue id (all rows) or `QUEUEID-n` (one)."""
        queue_id, _, n = name.upper().partition("-")
        return [row for row in self._read(_BY_QUEUE_ID, queue_id=queue_id) if n in ("", str(row.n))]

    def history(self, row: OutboxId) -> list[HistoryEntry]:
        """Oldest first; raises Missing."""
        if not self._read(_MINE.where(outbox.c.id == row)):
            raise Missing(f"this account has no outbox row {row}")
        events = select(outbox_event).where(outbox_event.c.outbox == row).order_by(outbox_event.c.id)
        return [
            HistoryEntry(event.at, State(event.state), open_detail(self.scope.vault, event.sealed_detail, row))
            for event in self.scope.connection.execute(events)
        ]

    def rows_of(self, submission: SubmissionId) -> list[OutgoingMessage]:
        """In the order of their numbers."""
        return self._read(_BY_SUBMISSION, submission=submission)

    def unfinished_count(self) -> int:
        count: int = _UNFINISHED_COUNT.scalar(self.scope.connection, {"account": self.scope.account.id}) or 0
        return count

    def replace_sent_content(self, message_id: str, content: ContentId) -> list[OutgoingMessage]:
        """The Sent copy of the submission with this Message-ID, if there is one, is this content from now on (M7).

        Tells its rows.
        """
        same = submissions.c.message_id_tag == self._message_id_tag(message_id)
        change = update(submissions).where(submissions.c.account == self.scope.account.id, same)
        changed = self.scope.connection.execute(change.values(sent_content=content).returning(submissions.c.id))
        return [row for submission in changed.scalars().all() for row in self.rows_of(SubmissionId(submission))]

    def has_queue_id(self, queue_id: str) -> bool:
        """Whether a mail of anybody is called so."""
        return _CALLED.first(self.scope.connection, {"queue_id": queue_id}) is not None

    def senders_of(self, message_id: str) -> list[IdentityId]:
        """The identities under which mail with this Message-ID was sent, the first one first."""
        wanted = {"account": self.scope.account.id, "tag": self._message_id_tag(message_id)}
        return list(dict.fromkeys(IdentityId(row.identity) for row in _SENDERS.all(self.scope.connection, wanted)))

    def _add_submission(self, new: NewSubmission) -> SubmissionId:
        place = new.queue_id.encode()
        values = {
            "account": self.scope.account.id,
            "identity": new.identity,
            "queue_id": new.queue_id,
            "repeat_tag": new.repeat_tag,
            "message_id_tag": self._message_id_tag(new.message_id),
            "sealed_envelope": self.scope.keys.seal(
                pack(new.message_id, new.envelope_id, str(new.size)), b"envelope", place
            ),
            "sealed_text": self.scope.keys.seal(pack(new.subject, new.body), b"text", place),
            "ret": new.ret.value,
            "sent_content": new.sent_content,
            "created_at": new.created_at,
        }
        return SubmissionId(_ADD_SUBMISSION.new_id(self.scope.connection, values))

    def _add_row(self, submission: SubmissionId, of: NewSubmission, new: NewOutgoing) -> OutgoingMessage:
        vault = self.scope.vault
        message = OutgoingMessage(
            id=OutboxId(0),
            submission=submission,
            account=self.scope.account.id,
            identity=of.identity,
            queue_id=of.queue_id,
            n=new.n,
            recipient=new.recipient,
            state=State.ACCEPTED,
            reason=Reason.SEND_DELAY if new.held_until else Reason.NONE,
            attempt=1,
            getpubkey_attempt=1,
            priority=new.priority,
            ttl_seconds=new.ttl_seconds,
            next_attempt=new.held_until,
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
            kind=new.kind,
        )
        values = changeable(message) | {
            "submission": submission,
            "owner": self.scope.account.id,
            "n": new.n,
            "recipient_tag": address_tag(vault, new.recipient),
            "lookup_tag": lookup_tag(vault, new.recipient.version, new.recipient.lookup),
            "sealed_recipient": seal_recipient(vault, message),
            "notify": ",".join(new.notify),
            "created_at": of.created_at,
            "updated_at": of.created_at,
            "notice_at": of.created_at + WAITING_NOTICES[0],
            "kind": None if new.kind is Kind.MSG else new.kind.value,
        }
        row = _ADD_ROW.new_id(self.scope.connection, values)
        message = replace(message, id=OutboxId(row))
        add_event(self.scope, message, of.created_at, "")
        return message

    def _message_id_tag(self, message_id: str) -> bytes:
        return self.scope.vault.tag(b"submission", self.scope.account.uuid, message_id.encode(errors="replace"))

    def _read(self, query: Select[Any] | Prepared, **values: Any) -> list[OutgoingMessage]:
        wanted = values | {"account": self.scope.account.id}
        rows: Iterable[AnyRow]
        if isinstance(query, Prepared):
            rows = query.all(self.scope.connection, wanted)
        else:
            rows = self.scope.connection.execute(query, wanted)
        return [read_row(row, self.scope.vault) for row in rows]
