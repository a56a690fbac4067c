"""The autoresponder: an identity that its owner told to answers mail by itself (V17).

Off by default, for it tells that the gateway is up. Each correspondent gets one answer in a period, and all together so
many in a day; nobody gets one for what a program may have written, so no two robots talk to each other. An answer is an
ordinary row of the outbox, stored with the mail it answers: it survives a restart, waits like an ack does, asks for no
acknowledgement and for no notice.
"""

from dataclasses import dataclass

from bmgate.bm.addresses import Address
from bmgate.bm.keys import Entropy
from bmgate.domain.contact import Standing
from bmgate.domain.outbox import NewOutgoing, NewSubmission, OutgoingMessage, Priority, ReturnContent
from bmgate.domain.policy import Policy
from bmgate.domain.ports.account_store import AccountStore
from bmgate.domain.ports.database import Store
from bmgate.mail.answers import Answer, echo, is_automatic, vacation
from bmgate.mail.reading import Kind, Reading
from bmgate.services.delivery.arrivals import Arrival
from bmgate.services.objects.own_objects import random_delay
from bmgate.services.outbound.queue_ids import new_queue_id
from bmgate.units import DAY

PERIODS = {"echo": 3_600, "vacation": 7 * DAY}
MAX_PER_DAY = 100  # answers of one identity: each costs work
MAX_RAW = 32_768  # bytes of a mail in which field names are looked for


@dataclass(frozen=True, slots=True)
class Autoresponder:
    """Writes answers. `mean_delay` in seconds, already of this network; `max_queued` as for submissions."""

    entropy: Entropy
    mean_delay: float
    max_queued: int = 500

    def answer(self, store: Store, arrival: Arrival, now: int) -> list[OutgoingMessage]:
        """The answer to a mail that was delivered now, if it gets one; tell `Sending.accepted` after the commit."""
        policy, reading, sender = arrival.policy, arrival.reading, arrival.msg.sender.address
        if policy.autoreply == "off" or reading.kind is not Kind.MSG or not reading.is_readable:
            return []
        mine = store.account(arrival.key.account)
        if not self._may_answer(store, mine, arrival, now) or _is_automatic(reading):
            return []
        mine.answers.note(arrival.key.identity, sender, now)
        mine.answers.forget(arrival.key.identity, now - max(PERIODS.values()))
        return self._send(store, mine, arrival, _answer(policy, reading, now), now)

    def _may_answer(self, store: Store, mine: AccountStore, arrival: Arrival, now: int) -> bool:
        sender, identity = arrival.msg.sender.address, arrival.key.identity
        last = mine.answers.last(identity, sender)
        return (
            not _is_own(store, mine, sender)
            and mine.contacts.standing_of(sender) is not Standing.BLOCKED
            and (last is None or last <= now - PERIODS[arrival.policy.autoreply])
            and mine.answers.count(identity, now - DAY) < MAX_PER_DAY
            and mine.outbox.unfinished_count() < self.max_queued
        )

    def _send(
        self, store: Store, mine: AccountStore, arrival: Arrival, answer: Answer, now: int
    ) -> list[OutgoingMessage]:
        delay = int(random_delay(self.mean_delay, self.entropy))
        submission = NewSubmission(
            identity=arrival.key.identity,
            queue_id=new_queue_id(mine.outbox, self.entropy),
            subject=answer.subject,
            body=answer.body,
            message_id="",
            ret=ReturnContent.HEADERS,
            envelope_id="",
            sent_content=None,
            repeat_tag=b"",
            created_at=now,
        )
        row = NewOutgoing(
            n=1,
            recipient=arrival.msg.sender.address,
            ack_data=b"",
            ttl_seconds=arrival.policy.ttl,
            priority=Priority.LOW,
            notify=("NEVER",),
            original_recipient="",
            held_until=now + delay if delay else 0,
        )
        return mine.outbox.add(submission, [row])


def _is_own(store: Store, mine: AccountStore, sender: Address) -> bool:
    owner = store.identities.by_address(sender)
    return owner is not None and owner.account == mine.account.id


def _is_automatic(reading: Reading) -> bool:
    fields = reading.raw[:MAX_RAW].decode("latin-1")
    return is_automatic(reading.subject, reading.body) or is_automatic("", fields)


def _answer(policy: Policy, reading: Reading, now: int) -> Answer:
    if policy.autoreply == "vacation":
        return vacation(reading.subject, policy.autoreply_subject, policy.autoreply_text)
    answer = echo(reading.subject, reading.body, now, policy.autoreply_text)
    return Answer(policy.autoreply_subject or answer.subject, answer.body)
