"""The outbox as the gateway sees it."""

from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Select, and_, bindparam, delete, func, or_, select, update

from bmgate.bm.addresses import Address
from bmgate.domain.account import AccountId
from bmgate.domain.outbox import FINAL, OutboxId, OutgoingMessage, Reason, State, Submission, SubmissionId
from bmgate.errors import Missing
from bmgate.storage.repositories.accounts import AccountRepository
from bmgate.storage.repositories.outbox_rows import (
    ROWS,
    UNFINISHED,
    add_event,
    changeable,
    lookup_tag,
    read_row,
    read_submission,
)
from bmgate.storage.repositories.pubkeys import address_tag
from bmgate.storage.repositories.scope import GatewayScope, encode_nonce
from bmgate.storage.schema import enclosure, outbox
from bmgate.storage.schema import submission as submissions
from bmgate.storage.statements import Prepared
from bmgate.units import DAY

LATE_ACK_SECONDS = 56 * DAY  # after a failure: the ack may have waited in the network as long as the msg

_BY_ID = Prepared(ROWS.where(outbox.c.id == bindparam("id")))
_STATE = Prepared(select(outbox.c.state).where(outbox.c.id == bindparam("id")))
_SAVE = Prepared(update(outbox).where(outbox.c.id == bindparam("row")))
_STILL_UNFINISHED = outbox.c.state.concat("").in_(sorted(state.value for state in State if state not in FINAL))
"""Not by the index of states, where that of a time finds fewer rows."""
_DUE = (
    ROWS.where(_STILL_UNFINISHED, outbox.c.next_attempt > 0, outbox.c.next_attempt <= bindparam("now"))
    .order_by(outbox.c.next_attempt, outbox.c.id)
    .limit(bindparam("limit"))
)
_NOTICES_DUE = (
    ROWS.where(_STILL_UNFINISHED, outbox.c.notice_at <= bindparam("now"))
    .order_by(outbox.c.notice_at, outbox.c.id)
    .limit(bindparam("limit"))
)
_SUBMISSION = Prepared(select(submissions).where(submissions.c.id == bindparam("id")))
_WANTING = ROWS.where(outbox.c.state.in_((State.NEED_PUBKEY.value, State.REQUESTED.value))).order_by(outbox.c.id)
_WAITING_FOR = _WANTING.where(outbox.c.recipient_tag == bindparam("tag"))
_WAITING_BY_LOOKUP = _WANTING.where(outbox.c.lookup_tag == bindparam("tag"))


@dataclass(frozen=True, slots=True)
class OutboxRepository:
    """The outbox as the gateway sees it: all accounts, for `services.sending` alone; doors get `AccountOutbox`."""

    scope: GatewayScope

    def get(self, row: OutboxId) -> OutgoingMessage:
        """Raises Missing."""
        found = _BY_ID.first(self.scope.connection, {"id": row})
        if found is None:
            raise Missing(f"there is no outbox row {row}")
        return read_row(found, self.scope.vault)

    def submission(self, submission: SubmissionId) -> Submission:
        """With its text; raises Missing, or AccountLocked while the account's keys are away."""
        row = _SUBMISSION.first(self.scope.connection, {"id": submission})
        if row is None:
            raise Missing(f"there is no submission {submission}")
        return read_submission(row, AccountRepository(self.scope).enter(AccountId(row.account)).keys)

    def save(self, message: OutgoingMessage, now: int, detail: str) -> OutgoingMessage:
        """Write every changeable field; a change of state adds a line of history. Raises Missing."""
        before = _STATE.scalar(self.scope.connection, {"id": message.id})
        if before is None:
            raise Missing(f"there is no outbox row {message.id}")
        values = changeable(message) | {"updated_at": now}
        if message.state in FINAL:
            values["notice_at"] = None
        _SAVE.run(self.scope.connection, values | {"row": message.id})
        if message.state.value != before:
            add_event(self.scope, message, now, detail)
        return replace(message, updated_at=now)

    def save_nonce(self, row: OutboxId, nonce: int) -> None:
        _SAVE.run(self.scope.connection, {"row": row, "saved_nonce": encode_nonce(nonce)})

    def show(self, row: OutboxId, uid: int | None, rendering: int) -> None:
        """Its message in the Outbox: none yet (None), put away by its owner (0), or the one with this UID."""
        _SAVE.run(self.scope.connection, {"row": row, "shown_uid": uid, "rendering": rendering})

    def remind(self, row: OutboxId, at: int | None) -> None:
        """When its sender is to be told that it still waits; None for never."""
        _SAVE.run(self.scope.connection, {"row": row, "notice_at": at})

    def notices_due(self, now: int, limit: int) -> list[OutgoingMessage]:
        """Unfinished rows of whose waiting their sender is to be told by now, longest-waiting first."""
        return self._read(_NOTICES_DUE, now=now, limit=limit)

    def held(self, reason: Reason) -> list[OutgoingMessage]:
        """Unfinished rows that wait for this reason, oldest first."""
        return self._read(ROWS.where(UNFINISHED, outbox.c.reason == reason.value).order_by(outbox.c.id))

    def unfinished(self) -> list[OutgoingMessage]:
        """Every row that is not final, oldest first."""
        return self._read(ROWS.where(UNFINISHED).order_by(outbox.c.id))

    def due(self, now: int, limit: int) -> list[OutgoingMessage]:
        """Unfinished rows whose `next_attempt` is set and has come, longest-waiting first."""
        return self._read(_DUE, now=now, limit=limit)

    def waiting_for(self, recipient: Address) -> list[OutgoingMessage]:
        """Rows that want this address's pubkey: NEED_PUBKEY and REQUESTED."""
        return self._read(_WAITING_FOR, tag=address_tag(self.scope.vault, recipient))

    def waiting_by_lookup(self, address_version: int, tag: bytes) -> list[OutgoingMessage]:
        """Such rows whose recipient has this version and, for version 4, this tag."""
        return self._read(_WAITING_BY_LOOKUP, tag=lookup_tag(self.scope.vault, address_version, tag))

    def watched_acks(self) -> list[tuple[bytes, OutboxId]]:
        """Ack data and row of everything an ack may still come for: unfinished, or FAILED within the last 56 days.

        Counted back from the latest change of any row: without a clock this keeps a few more, never fewer.
        """
        latest = select(func.max(outbox.c.updated_at)).scalar_subquery()
        late = and_(outbox.c.state == State.FAILED.value, outbox.c.updated_at >= latest - LATE_ACK_SECONDS)
        query = select(outbox.c.ack_data, outbox.c.id).where(or_(UNFINISHED, late), outbox.c.ack_data != b"")
        return [
            (ack_data, OutboxId(row)) for ack_data, row in self.scope.connection.execute(query.order_by(outbox.c.id))
        ]

    def forget_text(self, submission: SubmissionId) -> None:
        """The text of a submission whose last row is final and whose notices are written."""
        change = update(submissions).where(submissions.c.id == submission).values(sealed_text=None)
        self.scope.connection.execute(change)
        self.scope.connection.execute(delete(enclosure).where(enclosure.c.submission == submission))

    def count_by_state(self) -> dict[State, int]:
        """States that no row is in are left out."""
        query = select(outbox.c.state, func.count()).group_by(outbox.c.state)
        return {State(state): count for state, count in self.scope.connection.execute(query)}

    def count_by_reason(self) -> dict[Reason, int]:
        """Of unfinished rows, those that wait for a reason."""
        query = select(outbox.c.reason, func.count()).where(UNFINISHED, outbox.c.reason != "").group_by(outbox.c.reason)
        return {Reason(reason): count for reason, count in self.scope.connection.execute(query)}

    def oldest_unfinished(self) -> int | None:
        """When the mail that waits longest was given, in Unix seconds."""
        query = select(func.min(outbox.c.created_at)).where(UNFINISHED)
        oldest: int | None = self.scope.connection.execute(query).scalar()
        return oldest

    def _read(self, query: Select[Any], **values: Any) -> list[OutgoingMessage]:
        return [read_row(row, self.scope.vault) for row in self.scope.connection.execute(query, values)]
