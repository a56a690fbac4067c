"""Outgoing messages across accounts, as the outbox machine sees them."""

from typing import Protocol

from bmgate.bm.addresses import Address
from bmgate.domain.outbox import OutboxId, OutgoingMessage, Reason, State, Submission, SubmissionId


class Outbox(Protocol):
    """The outbox as the gateway sees it, for `services.sending`."""

    def get(self, row: OutboxId) -> OutgoingMessage:
        """Raises Missing."""
        ...

    def submission(self, submission: SubmissionId) -> Submission:
        """With its text; raises Missing, or AccountLocked while the account's keys are away."""
        ...

    def save(self, message: OutgoingMessage, now: int, detail: str) -> OutgoingMessage:
        """Write every changeable field; a change of state adds a line of history."""
        ...

    def save_nonce(self, row: OutboxId, nonce: int) -> None: ...

    def show(self, row: OutboxId, uid: int | None, rendering: int) -> None:
        """Its message in the Outbox: none yet (None), put away by its owner (0), or the one with this UID."""
        ...

    def remind(self, row: OutboxId, at: int | None) -> None:
        """When its sender is to be told that it still waits; None for never."""
        ...

    def notices_due(self, now: int, limit: int) -> list[OutgoingMessage]:
        """Unfinished rows of whose waiting their sender is to be told by now, longest-waiting first."""
        ...

    def held(self, reason: Reason) -> list[OutgoingMessage]:
        """Unfinished rows that wait for this reason, oldest first."""
        ...

    def unfinished(self) -> list[OutgoingMessage]:
        """Every row that is not final, oldest first."""
        ...

    def due(self, now: int, limit: int) -> list[OutgoingMessage]:
        """Unfinished rows whose `next_attempt` is set and has come, longest-waiting first."""
        ...

    def waiting_for(self, recipient: Address) -> list[OutgoingMessage]:
        """Rows that want this address's pubkey: NEED_PUBKEY and REQUESTED."""
        ...

    def waiting_by_lookup(self, address_version: int, tag: bytes) -> list[OutgoingMessage]:
        """Such rows whose recipient has this version and, for version 4, this tag."""
        ...

    def watched_acks(self) -> list[tuple[bytes, OutboxId]]:
        """Ack data and row of everything an ack may still come for: unfinished, or FAILED within the last 56 days."""
        ...

    def count_by_reason(self) -> dict[Reason, int]:
        """Of unfinished rows, those that wait for a reason."""
        ...

    def oldest_unfinished(self) -> int | None:
        """When the mail that waits longest was given, in Unix seconds."""
        ...

    def forget_text(self, submission: SubmissionId) -> None:
        """The text of a submission whose last row is final and whose notices are written."""
        ...

    def count_by_state(self) -> dict[State, int]: ...
