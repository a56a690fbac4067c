"""The gateway: its parts, each given what it needs."""

import os
import random
import shutil
from contextlib import ExitStack

from bmgate.app.settings import argon2_cost, domains_of, lanes_of, node_settings, solver_of
from bmgate.bm.hosts import is_onion
from bmgate.bm.network import NetworkParameters
from bmgate.bm.node.node import Node, Trace
from bmgate.bm.node.peer import PeerProtocol
from bmgate.bm.node.targets import PeerTarget
from bmgate.bm.objects import OnionPeer
from bmgate.bm.trial import KeySet, Lookups
from bmgate.clock import SystemClock
from bmgate.config import Config
from bmgate.datafolder import DataFolder
from bmgate.domain.ports.database import Failpoints
from bmgate.doors import Listener
from bmgate.foreign.adapter import DiskFiles
from bmgate.hidden import HiddenPlaces
from bmgate.native import choose_backend
from bmgate.services.accounts.accounts import AccountDefaults, Accounts
from bmgate.services.accounts.purging import Purging
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
from bmgate.services.disk import DiskSpace
from bmgate.services.events import MailboxEvents
from bmgate.services.identities import Identities
from bmgate.services.inbound.autoresponder import Autoresponder
from bmgate.services.inbound.lists import MailingLists
from bmgate.services.inbound.receiving import Receiving
from bmgate.services.inbound.responders import Responders
from bmgate.services.limiter import LoginLimits
from bmgate.services.mailboxes.mailboxes import Mailboxes
from bmgate.services.mailboxes.maildrops import Maildrops
from bmgate.services.mailboxes.retention import Retention
from bmgate.services.moving.applying import Applier
from bmgate.services.moving.exporting import Exports
from bmgate.services.moving.importing import Imports
from bmgate.services.objects.acks import AckSender, AckWatch
from bmgate.services.outbound.notices import NoticeWriter
from bmgate.services.outbound.onion_peer import OnionPeerPublisher
from bmgate.services.outbound.outbox import OutboxRecorder
from bmgate.services.outbound.outbox_mailbox import OutboxRules
from bmgate.services.outbound.payloads import Payloads
from bmgate.services.outbound.pubkeys import Pubkeys, PublishPolicy
from bmgate.services.outbound.queue import Queue
from bmgate.services.outbound.queued_mail import QueuedMailWriter
from bmgate.services.outbound.row_commands import RowCommands
from bmgate.services.outbound.senders import SenderRules
from bmgate.services.outbound.sending import Sending, SendingOptions
from bmgate.services.outbound.status_words import StatusWords
from bmgate.services.outbound.submission import SubmissionOptions, Submissions
from bmgate.services.parsing import Parsing
from bmgate.services.policies import AccountOptions, Policies
from bmgate.storage.database import SealedDatabase
from bmgate.storage.passwords import PasswordSlots
from bmgate.storage.spool import SPOOLED_OCTETS, FileSpools
from bmgate.storage.vault import Vault


class Gateway:
    """A gateway over its data folder. The attributes are what the command line and the doors work with."""

    def __init__(
        self,
        folder: DataFolder,
        config: Config,
        database: SealedDatabase,
        vault: Vault,
        failpoints: Failpoints,
        trace: Trace,
    ) -> None:
        self.folder, self.config, self.database = folder, config, database
        self.network: NetworkParameters = config.node.parameters
        self.clock = SystemClock()
        keep_free = config.storage.keep_free
        self.disk = DiskSpace(lambda: shutil.disk_usage(folder.path).free, self.clock, keep_free, database.spare)
        self.policies = Policies(config.accounts.policy)
        self.listeners: tuple[Listener, ...] = ()
        clock, entropy, network = self.clock, os.urandom, self.network
        domains = domains_of(config)
        events = MailboxEvents()
        self.backend = choose_backend()
        self.kernels = self.backend.report(constant_time=config.security.lookups == "constant_time")
        lanes = lanes_of(config)
        self.solver = solver_of(config, self.backend, clock)
        self.hidden = HiddenPlaces(config, folder.path, clock, entropy)
        self.node = Node(
            node_settings(config, self.hidden),
            database,
            clock,
            entropy,
            random.SystemRandom(),
            self._stored,
            trace,
            self.hidden.connector,
            lambda: self.disk.has_room_for_objects,
        )
        notices = NoticeWriter(domains.own, entropy)
        recorder = OutboxRecorder(notices, network, failpoints, self._rate, self.policies)
        acks = AckSender(
            network,
            entropy,
            network.delay(config.node.ack_delay),
            config.node.acks_per_sender,
        )
        deliverer = Deliverer(Poster(domains.own), acks, failpoints, self.policies)
        watch = AckWatch()
        self.pubkeys = Pubkeys(
            database,
            self.solver,
            self.node,
            clock,
            entropy,
            network,
            failpoints,
            PublishPolicy(config.node.publish_pubkeys),
            network.delay(config.node.pubkey_delay),
            config.node.pubkey_work,
        )
        self.onion_peers = OnionPeerPublisher(database, self.solver, self.node, clock, entropy, network)
        payloads = Payloads(self.policies, domains.own)
        self.sending = Sending(
            database,
            self.solver,
            self.node,
            clock,
            entropy,
            network,
            recorder,
            deliverer,
            payloads,
            watch,
            events,
            SendingOptions(config.pow.max_difficulty),
            self._is_connected,
        )
        lists = MailingLists(self.policies, clock, entropy, self.sending.accepted, config.smtp.queue_limit)
        self.sending.when_delivered(lists.delivered)
        self.receiving = Receiving(
            database,
            self.node,
            clock,
            watch,
            deliverer,
            recorder,
            self.sending,
            self.pubkeys,
            events,
            failpoints,
            KeySet(self.backend.trial, Lookups(config.security.lookups), max(1, lanes // 2)),
            KeySet(self.backend.trial, Lookups(config.security.lookups), 1),
            Responders((Autoresponder(entropy, network.delay(config.node.ack_delay), config.smtp.queue_limit), lists)),
            self.disk.check_room_for_mail,
        )
        self.accounts = Accounts(
            database,
            PasswordSlots(vault, argon2_cost(config)),
            clock,
            entropy,
            domains,
            AccountDefaults(config.level, config.quota_bytes),
            LoginLimits(config.security.failures_per_minute, config.security.failures_per_day),
        )
        self.identities = Identities(database, clock, entropy, network, self._identities_changed, self.policies)
        self.purging = Purging(database, clock, config.accounts.keep_deleted, self._identities_changed)
        writer = QueuedMailWriter(domains.own, network, payloads, self._rate)
        self.outbox = OutboxRules(database, clock, events, self.sending, RowCommands(recorder), writer)
        self.status_words = StatusWords(database, clock, writer)
        self.chans = Chans(database, events, clock, entropy, domains.own, self.receiving.chans_changed)
        self.subscriptions = Subscriptions(database, events, clock, self.receiving.subscriptions_changed)
        self.held_acks = HeldAcks(database, self.node, clock, acks, watch, self.receiving.wake)
        self.contacts = Contacts(database, events, clock, domains, self.policies, self.held_acks, lists)
        self.retention = Retention(database, events, clock, self.policies)
        self.options = AccountOptions(database, self.policies, self._identities_changed)
        self.parsing = Parsing()
        spooled = max(SPOOLED_OCTETS, 4 * config.imap.append_limit)
        self.spools = FileSpools(folder.spool, entropy, self.disk.check_room_for_mail, spooled)
        self.mailboxes = Mailboxes(
            database,
            events,
            clock,
            failpoints,
            config.imap.mailbox_limit,
            rules=[
                self.outbox,
                ChanRules(self.chans),
                SubscriptionRules(self.subscriptions),
                RequestRules(self.policies, self.held_acks, lists),
            ],
            check_room=self.disk.check_room_for_mail,
            parsing=self.parsing,
        )
        files = DiskFiles(folder.path)
        self.imports = Imports(
            database,
            events,
            clock,
            files,
            Applier(self.policies, network),
            domains.own,
            failpoints,
            self._moved_in,
            self.disk.check_room_for_mail,
        )
        self.exports = Exports(
            database, clock, entropy, files, self.policies, network, self.accounts, domain=domains.own
        )
        self.maildrops = Maildrops(database, events, failpoints)
        self.queue = Queue(database, self.sending, self.solver, clock, network)
        self.submissions = Submissions(
            database,
            self.sending,
            self.solver,
            clock,
            entropy,
            network,
            SenderRules(domains, self.policies, config.gateway.operator),
            payloads,
            self.identities,
            events,
            SubmissionOptions(
                ack_stealth=config.accounts.ack_stealth,
                max_queued=config.smtp.queue_limit,
                max_work_seconds=config.pow.max_work,
                max_difficulty=config.pow.max_difficulty,
            ),
            failpoints,
            check_room=self.disk.check_room_for_mail,
            parsing=self.parsing,
            keys_made=self._identities_changed,
            commands=self._commands(events, domains.own),
        )
        self._resources = ExitStack()

    async def close(self) -> None:
        """Leave the database in good order and the folder free."""
        self.accounts.close()
        self.parsing.close()
        self.spools.close()
        await self.database.close()
        self._resources.close()

    def hold(self, resources: ExitStack) -> None:
        """Keep what must be released last: the lock of the folder."""
        self._resources = resources

    def accept(self, caller: PeerTarget) -> PeerProtocol:
        """A peer calls at a hidden place."""
        return self.node.accept(caller.host)

    def named(self, place: PeerTarget) -> None:
        """A hidden place of ours has its name."""
        self.node.add_own_host(place.host)
        if is_onion(place.host):
            self.onion_peers.named(OnionPeer(place.host, place.port))

    def _commands(self, events: MailboxEvents, domain: str) -> MailCommands:
        own = OwnCommands(self.identities, self.options, self.clock, os.urandom, domain)
        others = NetworkCommands(self.chans, self.subscriptions, self.contacts)
        labels = LabelCommands(self.identities, self.chans, self.subscriptions, domain)
        looking = QueueCommands(self.queue, self.solver, self._connected, own, others, self.status_words)
        families = (own, others, labels, looking)
        return MailCommands(self.database, events, self.clock, os.urandom, domain, families)

    def _stored(self, _objects: object) -> None:
        self.receiving.wake()

    def _rate(self) -> float:
        return self.solver.trials_per_second

    def _connected(self) -> int:
        return sum(peer.established for peer in self.node.peers())

    def _is_connected(self) -> bool:
        return any(peer.established for peer in self.node.peers())

    def _moved_in(self) -> None:
        self._identities_changed()
        self.receiving.chans_changed()
        self.receiving.subscriptions_changed()

    def _identities_changed(self) -> None:
        self.receiving.identities_changed()
        self.pubkeys.identities_changed()
