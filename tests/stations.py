"""All services of a gateway over a real database, without doors and without a network; and a wire between two."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from fakes import Failpoints, FakeAnnouncer, FakeClock, FakeSolver, Killed, WatchedDatabase, WatchedThreads, settle
from storage_fixtures import PASSWORD, make_database, make_passwords, make_vault, new_identity

from bmgate.bm.acceptance import Verdict, judge
from bmgate.bm.hashes import InventoryVector
from bmgate.bm.network import TESTNET, NetworkParameters
from bmgate.bm.trial import ONE_BY_ONE, KeySet, Lookups
from bmgate.domain.account import Account, AccountId, Level
from bmgate.domain.identity import Identity, NewIdentity
from bmgate.domain.mailbox import MailboxKind, StoredMessage
from bmgate.domain.objects import StoredObject
from bmgate.domain.outbox import OutgoingMessage
from bmgate.domain.policy import Policy
from bmgate.domain.ports.database import Store
from bmgate.mail.addresses import Domains, RecipientKind, Resolved
from bmgate.services.chans.chans import Chans
from bmgate.services.chans.mailboxes import ChanRules, SubscriptionRules
from bmgate.services.chans.subscriptions import Subscriptions
from bmgate.services.commands.labels import LabelCommands
from bmgate.services.commands.mail_commands import MailCommands
from bmgate.services.commands.network import NetworkCommands
from bmgate.services.commands.own import OwnCommands
from bmgate.services.commands.queue import QueueCommands
from bmgate.services.contacts.contacts import Contacts
from bmgate.services.contacts.request_mailbox import RequestRules
from bmgate.services.delivery.delivery import Deliverer
from bmgate.services.delivery.held_acks import HeldAcks
from bmgate.services.delivery.posting import Poster
from bmgate.services.disk import room_for_all
from bmgate.services.events import MailboxEvents
from bmgate.services.identities import Identities
from bmgate.services.inbound.autoresponder import Autoresponder
from bmgate.services.inbound.lists import MailingLists
from bmgate.services.inbound.receiving import Receiving
from bmgate.services.inbound.responders import Responders
from bmgate.services.mailboxes.mailboxes import Mailboxes
from bmgate.services.objects.acks import AckSender, AckWatch
from bmgate.services.objects.keyring import KeyOwner
from bmgate.services.outbound.notices import NoticeWriter
from bmgate.services.outbound.outbox import OutboxRecorder
from bmgate.services.outbound.outbox_mailbox import OutboxRules
from bmgate.services.outbound.payloads import Payloads
from bmgate.services.outbound.pubkeys import DAILY_WORK_SECONDS, Pubkeys, PublishPolicy
from bmgate.services.outbound.queue import Queue
from bmgate.services.outbound.queued_mail import QueuedMailWriter
from bmgate.services.outbound.row_commands import RowCommands
from bmgate.services.outbound.senders import SenderRules
from bmgate.services.outbound.sending import Sending, SendingOptions
from bmgate.services.outbound.status_words import StatusWords
from bmgate.services.outbound.submission import Envelope, Receipt, Recipient, SubmissionOptions, Submissions
from bmgate.services.policies import AccountOptions, Policies
from bmgate.storage.database import SealedDatabase

DOMAIN = "bm.internal"


def one_by_one() -> KeySet[KeyOwner]:
    """The plainest way to try keys."""
    return KeySet(ONE_BY_ONE, Lookups.CONSTANT_TIME, 1)


@dataclass(frozen=True, slots=True)
class Settings:
    """What tests vary."""

    network: NetworkParameters = TESTNET
    submission: SubmissionOptions = field(default_factory=SubmissionOptions)
    sending: SendingOptions = field(default_factory=SendingOptions)
    policy: Policy = field(default_factory=Policy)
    operator: str = ""
    ack_delay: float = 0.0
    publish: PublishPolicy = PublishPolicy.ON_REQUEST
    pubkey_delay: float = 0.0
    pubkey_work: float = DAILY_WORK_SECONDS
    check_room: Callable[[], None] = room_for_all
    keys: Callable[[], KeySet[KeyOwner]] = one_by_one


class Services:
    """What a restart makes anew."""

    def __init__(self, station: "Station", failpoints: Failpoints) -> None:
        settings, database, clock = station.settings, station.database, station.clock
        network, solver, announcer = settings.network, station.solver, station.announcer
        self.failpoints = failpoints
        self.events = MailboxEvents()
        self.watch = AckWatch()
        self.policies = Policies(settings.policy)
        notices = NoticeWriter(DOMAIN, os.urandom)
        recorder = OutboxRecorder(notices, network, failpoints, lambda: solver.trials_per_second, self.policies)
        acks = AckSender(network, os.urandom, settings.ack_delay)
        deliverer = Deliverer(Poster(DOMAIN), acks, failpoints, self.policies)
        self.pubkeys = Pubkeys(
            database,
            solver,
            announcer,
            clock,
            os.urandom,
            network,
            failpoints,
            settings.publish,
            settings.pubkey_delay,
            settings.pubkey_work,
        )
        payloads = Payloads(self.policies, DOMAIN)
        self.sending = Sending(
            database,
            solver,
            announcer,
            clock,
            os.urandom,
            network,
            recorder,
            deliverer,
            payloads,
            self.watch,
            self.events,
            settings.sending,
            lambda: station.connected,
        )
        lists = self.lists = MailingLists(self.policies, clock, os.urandom, self.sending.accepted)
        self.sending.when_delivered(lists.delivered)
        self.receiving = Receiving(
            database,
            announcer,
            clock,
            self.watch,
            deliverer,
            recorder,
            self.sending,
            self.pubkeys,
            self.events,
            failpoints,
            settings.keys(),
            KeySet(ONE_BY_ONE, Lookups.CONSTANT_TIME, 1),
            Responders((Autoresponder(os.urandom, settings.ack_delay), lists)),
            settings.check_room,
        )
        self.identities = Identities(
            database, clock, os.urandom, network, self.receiving.identities_changed, self.policies
        )
        writer = QueuedMailWriter(DOMAIN, network, payloads, lambda: solver.trials_per_second)
        self.outbox = OutboxRules(database, clock, self.events, self.sending, RowCommands(recorder), writer)
        self.chans = Chans(database, self.events, clock, os.urandom, DOMAIN, self.receiving.chans_changed)
        self.subscriptions = Subscriptions(database, self.events, clock, self.receiving.subscriptions_changed)
        self.held_acks = HeldAcks(database, announcer, clock, acks, self.watch, self.receiving.wake)
        self.contacts = Contacts(database, self.events, clock, Domains(), self.policies, self.held_acks, lists)
        rules = [
            self.outbox,
            ChanRules(self.chans),
            SubscriptionRules(self.subscriptions),
            RequestRules(self.policies, self.held_acks, lists),
        ]
        self.mailboxes = Mailboxes(
            database, self.events, clock, failpoints, rules=rules, check_room=settings.check_room
        )
        self.queue = Queue(database, self.sending, solver, clock, network)
        options = AccountOptions(database, self.policies, self.receiving.identities_changed)
        own = OwnCommands(self.identities, options, clock, os.urandom, DOMAIN)
        others = NetworkCommands(self.chans, self.subscriptions, self.contacts)
        labels = LabelCommands(self.identities, self.chans, self.subscriptions, DOMAIN)
        words = StatusWords(database, clock, writer)
        looking = QueueCommands(self.queue, solver, lambda: int(station.connected), own, others, words)
        families = (own, others, labels, looking)
        self.commands = MailCommands(database, self.events, clock, os.urandom, DOMAIN, families)
        self.submissions = Submissions(
            database,
            self.sending,
            solver,
            clock,
            os.urandom,
            network,
            SenderRules(Domains(), self.policies, settings.operator),
            payloads,
            self.identities,
            self.events,
            settings.submission,
            failpoints,
            check_room=settings.check_room,
            keys_made=self.receiving.identities_changed,
            commands=self.commands,
        )


class Station:
    """One gateway's services. `crash` forgets everything but the database; `start` takes it up again."""

    def __init__(
        self,
        folder: Path,
        clock: FakeClock,
        threads: WatchedThreads,
        settings: Settings | None = None,
        solver: FakeSolver | None = None,
    ) -> None:
        self.clock, self.threads, self.settings = clock, threads, settings or Settings()
        self._vault = make_vault()
        self._sealed: SealedDatabase = make_database(folder, self._vault)
        self.database = WatchedDatabase(self._sealed)
        self.solver = solver or FakeSolver()
        self.announcer = FakeAnnouncer()
        self.connected = True
        self.services: Services
        self._life: asyncio.Task[None] | None = None

    async def start(self, failpoints: Failpoints | None = None) -> "Station":
        """As the gateway does: acks first, then everything that runs."""
        self.services = Services(self, failpoints or Failpoints())
        await self.services.receiving.load()
        stored = await self.database.read(lambda store: store.inventory.vectors())
        self.announcer.announce([vector for vector, _, _ in stored])
        self._life = asyncio.create_task(self._live())
        await self.settle()
        return self

    async def _live(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            services = self.services
            for part in (services.receiving, services.sending, services.pubkeys, services.held_acks):
                tasks.create_task(part.run())

    async def settle(self) -> None:
        """Wait until this gateway waits."""
        await settle([self.database], self.threads)

    @property
    def died(self) -> bool:
        """Whether something ended what should run for ever."""
        return self._life is not None and self._life.done()

    async def crash(self) -> None:
        """End all tasks where they are; what the storage had begun for them is written by then, or never."""
        if self._life is not None:
            self._life.cancel()
            with suppress(asyncio.CancelledError, Killed, BaseExceptionGroup):
                await self._life
            self._life = None
        await self._sealed.transact(lambda store: None)  # the one writer takes this behind all that it was given
        await self.settle()

    async def close(self) -> None:
        """End, and show an error that ended the services before."""
        died = self.died
        life, self._life = self._life, None
        if life is not None:
            life.cancel()
            with suppress(asyncio.CancelledError):
                await life
        await self.settle()
        await self._sealed.close()
        assert not died, "the services ended on their own"

    # -- what tests do ---------------------------------------------------------------------------------------------

    async def add_account(self, name: str, quota_bytes: int | None = None) -> Account:
        """An account without an address, at L0."""
        keys = make_passwords(self._vault).new_account(PASSWORD, Level.L0)
        return await self.database.transact(
            lambda store: store.accounts.add(name, keys, Level.L0, quota_bytes, self.clock.now())
        )

    async def add_identity(self, account: Account, identity: NewIdentity | None = None) -> Identity:
        """With random keys unless they are given."""
        new = identity or new_identity()
        added = await self.database.transact(lambda store: store.account(account.id).identities.add(new))
        self.services.receiving.identities_changed()
        return added

    async def add_user(self, name: str, quota_bytes: int | None = None) -> "User":
        """An account with an address."""
        account = await self.add_account(name, quota_bytes)
        return User(self, account, await self.add_identity(account))

    async def add_objects(self, encoded: Iterable[bytes], now: int | None = None) -> list[Verdict]:
        """As the node does with what peers bring: judged, stored, and receiving is told."""
        verdicts, kept = [], []
        for each in encoded:
            verdict, obj = judge(each, self.clock.now() if now is None else now, self.settings.network)
            verdicts.append(verdict)
            if obj is not None and verdict in (Verdict.ACCEPT, Verdict.ACCEPT_UNPROCESSED):
                kept.append(StoredObject(obj, to_process=verdict is Verdict.ACCEPT))
        if kept:
            await self.database.transact(lambda store: store.inventory.add(kept))
            self.services.receiving.wake()
        return verdicts

    async def rows(self) -> list[OutgoingMessage]:
        """Every outgoing message of every account, oldest first."""

        def every(store: Store) -> list[OutgoingMessage]:
            return [row for account in store.accounts.all() for row in store.account(account.id).outbox.rows()]

        return sorted(await self.database.read(every), key=lambda row: row.id)


MakeStation = Callable[..., Awaitable[Station]]


@dataclass(frozen=True, slots=True)
class User:
    """An account at a station, with an address."""

    station: Station
    account: Account
    identity: Identity

    @property
    def id(self) -> AccountId:
        return self.account.id

    @property
    def mail_address(self) -> str:
        return f"{self.identity.address}@{DOMAIN}"

    async def send(self, *recipients: "User", raw: bytes | None = None, **parameters: object) -> Receipt:
        """Submit a mail, as the SMTP door does."""
        envelope = Envelope(
            self.id,
            self.mail_address,
            tuple(Recipient(Resolved(RecipientKind.ADDRESS, user.identity.address)) for user in recipients),
        )
        message = mail(self, *recipients, **parameters) if raw is None else raw
        return await self.station.services.submissions.submit(envelope, message)

    async def messages(self, kind: MailboxKind = MailboxKind.INBOX) -> list[StoredMessage]:
        """All mails of one mailbox."""

        def every(store: Store) -> list[StoredMessage]:
            mine = store.account(self.id)
            mailbox = mine.mailboxes.by_kind(kind).id
            return mine.messages.messages(mailbox, [row.uid for row in mine.messages.rows(mailbox)])

        return await self.station.database.read(every)

    async def bodies(self, kind: MailboxKind = MailboxKind.INBOX) -> list[str]:
        """The texts of one mailbox's mails without line ends around them."""
        return [message.body.decode().strip() for message in await self.messages(kind)]

    async def keywords(self, kind: MailboxKind = MailboxKind.SENT) -> list[tuple[str, ...]]:
        """The keywords of each mail in a mailbox."""

        def every(store: Store) -> list[tuple[str, ...]]:
            mine = store.account(self.id)
            return [row.keywords for row in mine.messages.rows(mine.mailboxes.by_kind(kind).id)]

        return await self.station.database.read(every)

    async def rows(self) -> list[OutgoingMessage]:
        """This account's outgoing messages, oldest first."""
        rows = await self.station.database.read(lambda store: store.account(self.id).outbox.rows())
        return rows[::-1]


def mail(
    sender: User, *recipients: User, subject: object = "Hello", body: object = "a text", message_id: object = ""
) -> bytes:
    """A plain mail; without a Message-ID unless it is given."""
    lines = [f"From: <{sender.mail_address}>", f"To: {', '.join(f'<{user.mail_address}>' for user in recipients)}"]
    lines += [f"Subject: {subject}"] + ([f"Message-ID: {message_id}"] if message_id else [])
    return "\r\n".join([*lines, "", str(body), ""]).encode()


class Wire:
    """Carries what each station announced to all the others, every object once."""

    def __init__(self, *stations: Station) -> None:
        self.stations = stations
        self.carried: list[bytes] = []
        self.lose: Callable[[bytes], bool] = lambda encoded: False
        self._known: set[InventoryVector] = set()

    async def carry(self, rounds: int = 20) -> None:
        """Until nobody has anything new to say."""
        for _ in range(rounds):
            await self._settle()
            if not await self._carry_once():
                return
        raise AssertionError("the stations never fall silent")

    async def _settle(self) -> None:
        await settle([station.database for station in self.stations], self.stations[0].threads)

    async def _carry_once(self) -> bool:
        busy = False
        for station in self.stations:
            for encoded in await self._news(station):
                busy = True
                if self.lose(encoded):
                    continue
                self.carried.append(encoded)
                for other in self.stations:
                    if other is not station:
                        assert await other.add_objects([encoded]) == [Verdict.ACCEPT]
        return busy

    async def _news(self, station: Station) -> list[bytes]:
        vectors = [vector for vector in dict.fromkeys(station.announcer.announced) if vector not in self._known]
        self._known.update(vectors)
        found = await station.database.read(lambda store: store.inventory.get(vectors))
        return [found[vector] for vector in vectors]
