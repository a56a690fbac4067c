"""One account's part of the outbox: its submissions and their rows."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Select, bindparam, func, insert, select, update

from bmgate.domain.mailbox import ContentId
from bmgate.domain.outbox import (
    HistoryEntry,
    NewOutgoing,
    NewSubmission,
    OutboxId,
    OutgoingMessage,
    Reason,
    State,
    Submission,
    SubmissionId,
)
from bmgate.errors import Missing
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
from bmgate.storage.repositories.scope import AccountScope
from bmgate.storage.schema import outbox, outbox_event
from bmgate.storage.schema import submission as submissions

_ADD_SUBMISSION = insert(submissions).returning(submissions.c.id)
_ADD_ROW = insert(outbox).returning(outbox.c.id)
_MINE = ROWS.where(submissions.c.account == bindparam("account"))
_BY_QUEUE_ID = _MINE.where(submissions.c.queue_id == bindparam("queue_id")).order_by(outbox.c.n)
_BY_SUBMISSION = _MINE.where(outbox.c.submission == bindparam("submission")).order_by(outbox.c.n)
_REPEAT = (
    select(submissions)
    .where(submissions.c.account == bindparam("account"), submissions.c.repeat_tag == bindparam("repeat_tag"))
    .where(submissions.c.created_at >= bindparam("since"))
    .order_by(submissions.c.id)
)
_UNFINISHED_COUNT = (
    select(func.count())
    .select_from(outbox.join(submissions, submissions.c.id == outbox.c.submission))
    .where(UNFINISHED, submissions.c.account == bindparam("account"))
)


@dataclass(frozen=True, slots=True)
class AccountOutboxRepository:
    """One account's submissions and their rows."""

    scope: AccountScope

    def find_repeat(self, repeat_tag: bytes, since: int) -> Submission | None:
        """The submission with this tag made at or after `since` (O9)."""
        wanted = {"account": self.scope.account.id, "repeat_tag": repeat_tag, "since": since}
        row = self.scope.connection.execute(_REPEAT, wanted).first()
        return None if row is None else read_submission(row, self.scope.keys)

    def add(self, submission: NewSubmission, rows: Iterable[NewOutgoing]) -> list[OutgoingMessage]:
        """The submission with all its rows, ACCEPTED (O1)."""
        new = self._add_submission(submission)
        return [self._add_row(new, submission, row) for row in rows]

    def rows(self, limit: int = 1000) -> list[OutgoingMessage]:
        """Newest first, final ones included."""
        return self._read(_MINE.order_by(outbox.c.id.desc()).limit(limit))

    def unfinished(self) -> list[OutgoingMessage]:
        """Every row that is not final, newest first."""
        return self._read(_MINE.where(UNFINISHED).order_by(outbox.c.id.desc()))

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
        return self.scope.connection.execute(_UNFINISHED_COUNT, {"account": self.scope.account.id}).scalar_one()

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
            "sealed_envelope": self.scope.keys.seal(pack(new.message_id, new.envelope_id), b"envelope", place),
            "sealed_text": self.scope.keys.seal(pack(new.subject, new.body), b"text", place),
            "ret": new.ret.value,
            "sent_content": new.sent_content,
            "created_at": new.created_at,
        }
        return SubmissionId(self.scope.connection.execute(_ADD_SUBMISSION, values).scalar_one())

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
        values = changeable(message) | {
            "submission": submission,
            "n": new.n,
            "recipient_tag": address_tag(vault, new.recipient),
            "lookup_tag": lookup_tag(vault, new.recipient.version, new.recipient.lookup),
            "sealed_recipient": seal_recipient(vault, message),
            "notify": ",".join(new.notify),
            "created_at": of.created_at,
            "updated_at": of.created_at,
        }
        row = self.scope.connection.execute(_ADD_ROW, values).scalar_one()
        message = replace(message, id=OutboxId(row))
        add_event(self.scope, message, of.created_at, "")
        return message

    def _message_id_tag(self, message_id: str) -> bytes:
        return self.scope.vault.tag(b"submission", self.scope.account.uuid, message_id.encode(errors="replace"))

    def _read(self, query: Select[Any], **values: Any) -> list[OutgoingMessage]:
        rows = self.scope.connection.execute(query, values | {"account": self.scope.account.id})
        return [read_row(row, self.scope.vault) for row in rows]
