"""A row of the outbox as mail: the words of its status, and what it is rendered from (M6, mail conversion 5.1)."""

from collections.abc import Callable
from dataclasses import dataclass

from bmgate.bm.addresses import Address
from bmgate.bm.network import NetworkParameters
from bmgate.domain.outbox import MAX_ATTEMPTS, Kind, OutgoingMessage, Reason, State, Submission
from bmgate.domain.ports.account_store import AccountStore
from bmgate.domain.ports.database import Store
from bmgate.errors import TooLarge, UnsupportedMedia
from bmgate.mail.addresses import mail_address
from bmgate.mail.causes import duration_words, time_words
from bmgate.mail.queued import QueuedMail, render_draft, render_queued
from bmgate.mail.text import size_in_words
from bmgate.mail.write import Mailbox, usable_label
from bmgate.services.delivery.posting import label_of
from bmgate.services.objects.keys import Demand, demand_for
from bmgate.services.objects.pricing import Pricing
from bmgate.services.outbound.notices import recipient_address
from bmgate.services.outbound.payloads import Payloads

_HELD = {
    Reason.NO_PEERS: "held; no connection to the Bitmessage network",
    Reason.OVER_QUOTA: "held; your mailbox is full",
}


@dataclass(frozen=True, slots=True)
class QueuedMailWriter:
    """Writes rows as mail, in the name of `domain`; `rate` is that of the proof of work, 0 for unknown."""

    domain: str
    network: NetworkParameters
    payloads: Payloads
    rate: Callable[[], float]

    def message(self, store: Store, row: OutgoingMessage, now: int) -> bytes:
        """The message in the Outbox; raises AccountLocked."""
        return render_queued(self._mail(store, row, now), self.domain)

    def draft(self, store: Store, row: OutgoingMessage, now: int) -> bytes:
        """The mail for its author to write on: his own where it stands in Sent, else its text."""
        submission = store.outbox.submission(row.submission)
        stored = None
        if submission.sent_content is not None:
            stored = store.account(row.account).messages.by_content(submission.sent_content)
        return render_draft(self._mail(store, row, now), b"" if stored is None else stored.header + stored.body)

    def _mail(self, store: Store, row: OutgoingMessage, now: int) -> QueuedMail:
        submission, mine = store.outbox.submission(row.submission), store.account(row.account)
        body, notes = self._text(store, submission, row)
        demand = demand_for(store, row.kind, row.recipient, self.network)
        work = self._work(row, submission, demand, now)
        give_up_at = row.created_at + self.payloads.policies.of(mine).give_up
        return QueuedMail(
            name=row.name,
            rendering=row.rendering + 1,
            sender=Mailbox(mail_address(_signer(mine, row), self.domain)),
            recipient=Mailbox(recipient_address(row, self.domain), _label(mine, row)),
            subject=submission.subject,
            body=body,
            date=row.created_at,
            message_id=submission.message_id,
            status=_status(row, round(demand.times_minimum(self.network)), work, give_up_at),
            work=work,
            ttl=f"{row.ttl_seconds}s",
            notes=notes,
        )

    def _text(self, store: Store, submission: Submission, row: OutgoingMessage) -> tuple[str, tuple[str, ...]]:
        """As it will travel, and what is to be said beside it."""
        try:
            payload = self.payloads.payload_of(store, submission, row)
        except UnsupportedMedia as error:
            return submission.body, (f"will not be sent: this recipient is {error}",)
        except TooLarge as error:
            return submission.body, (f"will not be sent: {error}",)
        files = tuple(f"with file {each.name}, {size_in_words(len(each.data))}" for each in payload.files)
        return payload.body, files + tuple(f"left out: {each}" for each in payload.left_out)

    def _work(self, row: OutgoingMessage, submission: Submission, demand: Demand, now: int) -> str:
        """What is left to do for this attempt, in words."""
        size, rate = submission.size, self.rate()
        trials = Pricing(self.network).left(row, size, demand, now).trials
        if not trials or not rate:
            return ""
        return f"{trials} trials, about {duration_words(round(trials / rate))}"


def _status(row: OutgoingMessage, times: int, work: str, give_up_at: int) -> str:
    if row.reason is Reason.SEND_DELAY:
        return f"held; send delay until {time_words(row.next_attempt)}"
    if row.reason in _HELD:
        return _HELD[row.reason]
    match row.state:
        case State.NEED_PUBKEY:
            return "waiting for the recipient's key; it is being asked for"
        case State.REQUESTED:
            again = f", again {time_words(row.next_attempt)}" if row.next_attempt else ""
            return f"waiting for the recipient's key; asked {time_words(row.updated_at)}{again}"
        case State.READY | State.ACK_POW | State.BUILT:
            return "computing proof of work" + (f", attempt {row.attempt}" if row.attempt > 1 else "")
        case State.TOO_DIFFICULT:
            time = work.partition(", ")[2]
            how_much = f"{times} times the usual work" + (f" ({time})" if time else "")
            return f'recipient demands {how_much}; "force {row.name}" accepts'
        case State.PUBLISHED:
            sent = f"sent {time_words(row.updated_at)}, attempt {row.attempt}"
            return f"{sent}, not yet acknowledged, {_next(row, give_up_at)}"
        case _:
            return "queued"


def _next(row: OutgoingMessage, give_up_at: int) -> str:
    last = row.no_retry or row.attempt >= MAX_ATTEMPTS
    if last or row.next_attempt >= give_up_at:
        return "no further attempt"
    return f"next attempt {time_words(row.next_attempt)}"


def _signer(mine: AccountStore, row: OutgoingMessage) -> Address:
    """Whose name the recipient sees."""
    return row.recipient if row.kind is Kind.CHAN else mine.identities.get(row.identity).address


def _label(mine: AccountStore, row: OutgoingMessage) -> str:
    if row.kind is Kind.BROADCAST:
        return ""
    return usable_label(label_of(mine, row.recipient) if row.kind.is_post else mine.contacts.label_of(row.recipient))
