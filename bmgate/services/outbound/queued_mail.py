"""A row of the outbox as mail: the words of its status, and what it is rendered from (M6, mail conversion 5.1)."""

from collections.abc import Callable
from dataclasses import dataclass

from bmgate.bm.addresses import Address
from bmgate.bm.network import NetworkParameters
from bmgate.domain.outbox import Kind, OutgoingMessage, Submission
from bmgate.domain.ports.account_store import AccountStore
from bmgate.domain.ports.database import Store
from bmgate.errors import TooLarge, UnsupportedMedia
from bmgate.mail.addresses import mail_address
from bmgate.mail.causes import duration_words
from bmgate.mail.queued import QueuedMail, render_draft, render_queued
from bmgate.mail.text import size_in_words
from bmgate.mail.write import Mailbox, usable_label
from bmgate.services.delivery.posting import label_of
from bmgate.services.objects.keys import Demand, demand_for
from bmgate.services.objects.pricing import Pricing
from bmgate.services.outbound.notices import recipient_address
from bmgate.services.outbound.payloads import Payloads
from bmgate.services.outbound.status_words import status_words


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

    def status(self, store: Store, row: OutgoingMessage, now: int) -> str:
        """What became of a row; raises AccountLocked."""
        submission, demand = store.outbox.submission(row.submission), self._demand(store, row)
        return self._status(store.account(row.account), row, demand, self._work(row, submission, demand, now))

    def _mail(self, store: Store, row: OutgoingMessage, now: int) -> QueuedMail:
        submission, mine = store.outbox.submission(row.submission), store.account(row.account)
        body, notes = self._text(store, submission, row)
        demand = self._demand(store, row)
        work = self._work(row, submission, demand, now)
        return QueuedMail(
            name=row.name,
            rendering=row.rendering + 1,
            sender=Mailbox(mail_address(_signer(mine, row), self.domain)),
            recipient=Mailbox(recipient_address(row, self.domain), _label(mine, row)),
            subject=submission.subject,
            body=body,
            date=row.created_at,
            message_id=submission.message_id,
            status=self._status(mine, row, demand, work),
            work=work,
            ttl=f"{row.ttl_seconds}s",
            notes=notes,
        )

    def _status(self, mine: AccountStore, row: OutgoingMessage, demand: Demand, work: str) -> str:
        give_up_at = row.created_at + self.payloads.policies.of(mine).give_up
        return status_words(row, round(demand.times_minimum(self.network)), work, give_up_at)

    def _demand(self, store: Store, row: OutgoingMessage) -> Demand:
        return demand_for(store, row.kind, row.recipient, self.network)

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


def _signer(mine: AccountStore, row: OutgoingMessage) -> Address:
    """Whose name the recipient sees."""
    return row.recipient if row.kind is Kind.CHAN else mine.identities.get(row.identity).address


def _label(mine: AccountStore, row: OutgoingMessage) -> str:
    if row.kind is Kind.BROADCAST:
        return ""
    return usable_label(label_of(mine, row.recipient) if row.kind.is_post else mine.contacts.label_of(row.recipient))
