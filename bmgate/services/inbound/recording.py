"""Recording: what recognised objects change in the database, and what is owed to the world after the commit."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from bmgate.bm.objects import BitmessageObject, ObjectType, read_getpubkey
from bmgate.bm.plaintext import Pubkey, open_pubkey
from bmgate.domain.identity import PubkeyWork
from bmgate.domain.mailbox import MailboxId
from bmgate.domain.objects import StoredObject
from bmgate.domain.outbox import Event, OutboxId, OutgoingMessage, may
from bmgate.domain.ports.database import Store
from bmgate.errors import BadObject
from bmgate.services.delivery.arrivals import Arrival, Publication
from bmgate.services.delivery.delivery import Deliverer
from bmgate.services.delivery.publications import PublicationDeliverer
from bmgate.services.events import MailboxEvents
from bmgate.services.inbound.responders import Responder
from bmgate.services.objects.acks import AckWatch
from bmgate.services.outbound.outbox import OutboxRecorder, Recorded
from bmgate.services.outbound.pubkeys import Pubkeys
from bmgate.services.outbound.sending import Sending


@dataclass(slots=True)
class Outcome:
    """What one transaction changed, to be told after its commit."""

    mailboxes: list[MailboxId] = field(default_factory=list)
    recorded: list[Recorded] = field(default_factory=list)
    acks: list[StoredObject] = field(default_factory=list)
    answers: list[OutgoingMessage] = field(default_factory=list)
    pubkeys: list[PubkeyWork] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Recording:
    """Records objects within the caller's transaction, and tells afterwards."""

    watch: AckWatch
    deliverer: Deliverer
    publications: PublicationDeliverer
    recorder: OutboxRecorder
    sending: Sending
    pubkeys: Pubkeys
    responder: Responder
    events: MailboxEvents

    def record(
        self,
        store: Store,
        obj: BitmessageObject,
        acknowledged: OutboxId | None,
        arrivals: Iterable[Arrival | Publication],
        now: int,
        outcome: Outcome,
    ) -> None:
        """One object: the row that it confirms, if any, and the messages it brought."""
        if acknowledged is not None:
            self._record_ack(store, acknowledged, now, outcome)
        self.record_arrivals(store, arrivals, now, outcome)
        match obj.object_type:
            case ObjectType.PUBKEY:
                self._record_pubkey(store, obj, now, outcome)
            case ObjectType.GETPUBKEY:
                self._record_getpubkey(store, obj, outcome)
            case _:
                pass

    def record_arrivals(
        self, store: Store, arrivals: Iterable[Arrival | Publication], now: int, outcome: Outcome
    ) -> None:
        """Messages, each for one reader."""
        for arrival in arrivals:
            if isinstance(arrival, Arrival):
                self._record_arrival(store, arrival, now, outcome)
            else:
                self._record_publication(store, arrival, now, outcome)

    def record_late(self, store: Store, arrival: Arrival | Publication, now: int, outcome: Outcome) -> None:
        """What was looked for among the stored objects, not what just came."""
        assert isinstance(arrival, Publication), "only chans and subscriptions are looked for"
        self._record_publication(store, arrival, now, outcome, is_late=True)

    def tell(self, outcome: Outcome, later: Callable[[StoredObject], None]) -> None:
        """After the commit; `later` is given the acks to announce."""
        self.events.changed(outcome.mailboxes)
        self.sending.recorded(outcome.recorded)
        self.sending.accepted(outcome.answers)
        for ack in outcome.acks:
            later(ack)
        for work in outcome.pubkeys:
            self.pubkeys.begun(work)

    def _record_ack(self, store: Store, row: OutboxId, now: int, outcome: Outcome) -> None:
        message = store.outbox.get(row)
        if may(message.state, Event.ACK_SEEN):
            outcome.recorded.append(
                self.recorder.record(store, message, Event.ACK_SEEN, now, "confirmed", payload=b"", next_attempt=0)
            )

    def _record_arrival(self, store: Store, arrival: Arrival, now: int, outcome: Outcome) -> None:
        self._learn(store, arrival.msg.sender, now, outcome)
        delivered = self.deliverer.deliver(store, arrival, now)
        if delivered.mailbox is not None:
            outcome.mailboxes.append(delivered.mailbox)
            if delivered.is_wanted:
                outcome.answers += self.responder.answer(store, arrival, now)
        ack = delivered.ack
        if ack is not None and self._may_send(store, ack, arrival) and store.inventory.add([ack]):
            store.acks.add(arrival.msg.sender.address, now)
            outcome.acks.append(ack)

    def _record_publication(
        self, store: Store, publication: Publication, now: int, outcome: Outcome, *, is_late: bool = False
    ) -> None:
        """For one reader. A chan's own key is no pubkey: who asked for it would learn that somebody here takes part."""
        if not publication.is_anonymous:
            self._learn(store, publication.sender, now, outcome)
        delivered = self.publications.deliver(store, publication, now, is_late=is_late)
        if delivered.mailbox is not None:
            outcome.mailboxes.append(delivered.mailbox)

    def _may_send(self, store: Store, ack: StoredObject, arrival: Arrival) -> bool:
        """Not one that we wait for ourselves, unless what it confirms is this very msg: it would show whose it is."""
        row = self.watch.match(ack.object.encoded)
        return row is None or store.outbox.get(row).recipient == arrival.key.address

    def _record_pubkey(self, store: Store, obj: BitmessageObject, now: int, outcome: Outcome) -> None:
        """Only what an outgoing message waits for is opened; the rest stays findable in the inventory (P25)."""
        for address in {row.recipient for row in store.outbox.waiting_by_lookup(obj.version, obj.tag)}:
            try:
                pubkey = open_pubkey(obj, address)
            except BadObject:
                continue
            if pubkey.address == address:
                self._learn(store, pubkey, now, outcome)

    def _learn(self, store: Store, pubkey: Pubkey, now: int, outcome: Outcome) -> None:
        """Keep a pubkey, and go on with what waited for it."""
        store.pubkeys.save(pubkey, now)
        for row in store.outbox.waiting_for(pubkey.address):
            event, changes = self.sending.judge_key(row, pubkey, now)
            outcome.recorded.append(self.recorder.record(store, row, event, now, **changes))

    def _record_getpubkey(self, store: Store, obj: BitmessageObject, outcome: Outcome) -> None:
        try:
            wanted = read_getpubkey(obj)
        except BadObject:
            return
        identity = store.identities.by_lookup(wanted.address_version, wanted.lookup)
        if identity is None or not identity.enabled or identity.address.stream != wanted.stream:
            return
        work = self.pubkeys.begin(store, identity)
        if work is not None:
            outcome.pubkeys.append(work)
