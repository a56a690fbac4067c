"""The composition of a gateway, in one place: what each part needs, it is given here.

`open_gateway` makes the services over a data folder, which is all that a command needs; `Gateway.serve` adds what
lives: solver, node, doors, control socket.
"""

import asyncio
import logging
import os
import random
import shutil
import signal
from collections.abc import Callable
from contextlib import AsyncExitStack, ExitStack
from typing import TYPE_CHECKING

from bmgate.bm.hosts import is_onion
from bmgate.bm.network import NetworkParameters
from bmgate.bm.node.exchange import ExchangeSettings
from bmgate.bm.node.node import Node, NodeSettings, Trace, not_traced
from bmgate.bm.node.peer import PeerProtocol
from bmgate.bm.node.pool import PoolLimits
from bmgate.bm.node.targets import PeerTarget
from bmgate.bm.objects import OnionPeer
from bmgate.bm.trial import KeySet, Lookups
from bmgate.clock import SystemClock
from bmgate.config import Config
from bmgate.control.server import ControlServer
from bmgate.datafolder import DataFolder
from bmgate.domain.ports.database import Failpoints
from bmgate.doors import Doors, Listener
from bmgate.errors import CannotListen, ConfigError
from bmgate.foreign.adapter import DiskFiles
from bmgate.hidden import HiddenPlaces
from bmgate.mail.addresses import Domains
from bmgate.metrics.server import MetricsServer
from bmgate.native import choose_backend
from bmgate.pow.local import Engine, LocalEngine
from bmgate.pow.opencl import OpenclEngine
from bmgate.pow.permission import Permission, PowerSupplies
from bmgate.pow.solver import LocalSolver
from bmgate.services.accounts.accounts import AccountDefaults, Accounts
from bmgate.services.accounts.purging import Purging
from bmgate.services.chans.chans import Chans
from bmgate.services.chans.mailboxes import ChanRules, SubscriptionRules
from bmgate.services.chans.subscriptions import Subscriptions
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
from bmgate.services.outbound.submission import SubmissionOptions, Submissions
from bmgate.services.parsing import Parsing
from bmgate.services.policies import AccountOptions, Policies
from bmgate.storage.database import SealedDatabase, open_database
from bmgate.storage.failpoints import NoFailpoints, read_failpoint
from bmgate.storage.masterkey import read_master_key
from bmgate.storage.passwords import Argon2Cost, PasswordSlots
from bmgate.storage.vault import Vault

if TYPE_CHECKING:  # imported with its libraries only where it is on
    from bmgate.api.server import ApiServer

log = logging.getLogger(__name__)

STOP_SECONDS = 5.0
LOW_MEMORY_BYTES = 19 * 1024 * 1024


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
        self.disk = DiskSpace(lambda: shutil.disk_usage(folder.path).free, self.clock, config.storage.keep_free)
        self.policies = Policies(config.accounts.policy)
        self.listeners: tuple[Listener, ...] = ()
        clock, entropy, network = self.clock, os.urandom, self.network
        domains = Domains(
            config.gateway.domain, frozenset(config.gateway.extra_domains), frozenset(config.gateway.synonym_domains)
        )
        events = MailboxEvents()
        self.backend = choose_backend()
        self.kernels = self.backend.report(constant_time=config.security.lookups == "constant_time")
        lanes = (os.cpu_count() or 1) if config.pow.threads == "auto" else config.pow.threads
        engine: Engine = LocalEngine(self.backend, lanes, config.pow.nice)
        if config.pow.opencl not in ("", "off"):
            engine = OpenclEngine(config.pow.opencl, engine)
        power = PowerSupplies() if config.pow.on_battery == "pause" else None
        self.solver = LocalSolver(engine, clock, Permission(clock, config.pow.schedule, power))
        self.hidden = HiddenPlaces(config, folder.path, clock, entropy)
        self.node = Node(
            _node_settings(config, self.hidden),
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
            PasswordSlots(vault, _argon2_cost(config)),
            clock,
            entropy,
            domains,
            AccountDefaults(config.level, config.quota_bytes),
            LoginLimits(config.security.failures_per_minute, config.security.failures_per_day),
        )
        self.identities = Identities(database, clock, entropy, network, self._identities_changed, self.policies)
        self.purging = Purging(database, clock, config.accounts.keep_deleted, self._identities_changed)
        self.outbox = OutboxRules(
            database,
            clock,
            events,
            self.sending,
            RowCommands(recorder),
            QueuedMailWriter(domains.own, network, payloads, self._rate),
        )
        self.chans = Chans(database, events, clock, entropy, domains.own, self.receiving.chans_changed)
        self.subscriptions = Subscriptions(database, events, clock, self.receiving.subscriptions_changed)
        self.held_acks = HeldAcks(database, self.node, clock, acks, watch, self.receiving.wake)
        self.contacts = Contacts(database, events, clock, domains, self.policies, self.held_acks, lists)
        self.retention = Retention(database, events, clock, self.policies)
        self.options = AccountOptions(database, self.policies, self._identities_changed)
        self.parsing = Parsing()
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
        self.exports = Exports(database, clock, entropy, files, self.policies, network, self.accounts)
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

    async def serve(
        self,
        control: ControlServer | None,
        metrics: MetricsServer | None,
        ready: Callable[[], None],
        stop: asyncio.Event,
        api: "ApiServer | None" = None,
    ) -> None:
        """Be a gateway until `stop` is set; `ready` is called once everything listens.

        Stops within five seconds: doors first, so that nobody is promised anything any more.
        """
        self._tell_kernels()
        doors = Doors(self.config, self.folder, self.accounts, self.mailboxes, self.maildrops, self.submissions)
        await self.outbox.prepare_accounts()
        await self.receiving.load()
        await self.identities.show_behavior()
        async with asyncio.TaskGroup() as tasks, AsyncExitStack() as running:
            await self.solver.start()
            running.push_async_callback(self.solver.close)
            parts = (
                self.receiving,
                self.sending,
                self.pubkeys,
                self.onion_peers,
                self.held_acks,
                self.retention,
                self.purging,
            )
            workers = [tasks.create_task(part.run()) for part in parts]
            workers.append(tasks.create_task(self.imports.sweep()))
            running.push_async_callback(_cancel, workers)
            try:
                await self.node.start(tasks)
            except OSError as error:
                raise CannotListen(f"[node] listen: {error.strerror or error}; is another node running?") from error
            running.push_async_callback(self.node.stop)
            running.push_async_callback(doors.close)
            self.listeners = (*await doors.open(), *self._node_listeners())
            if api is not None:
                running.push_async_callback(api.close)
                self.listeners += await self._api_listeners(api)
            if metrics is not None:
                running.push_async_callback(metrics.close)
                self.listeners += await self._metrics_listeners(metrics)
            names = self.hidden.start(tasks, self._accept, self._named, self.node.listening, self.listeners)
            running.push_async_callback(_cancel, names)
            if control is not None:
                await control.start(self.folder.socket)
                running.push_async_callback(control.close)
            ready()
            await stop.wait()
            log.info("stopping")

    async def close(self) -> None:
        """Leave the database in good order and the folder free."""
        self.accounts.close()
        self.parsing.close()
        await self.database.close()
        self._resources.close()

    def hold(self, resources: ExitStack) -> None:
        """Keep what must be released last: the lock of the folder."""
        self._resources = resources

    def _tell_kernels(self) -> None:
        if self.backend.lacking:
            log.warning("%s; slower than they could be: %s", self.kernels, self.backend.lacking)
        else:
            log.info("%s", self.kernels)

    def _commands(self, events: MailboxEvents, domain: str) -> MailCommands:
        own = OwnCommands(self.identities, self.options, self.clock, os.urandom, domain)
        others = NetworkCommands(self.chans, self.subscriptions, self.contacts)
        looking = QueueCommands(self.queue, self.solver, self._connected, own, others)
        return MailCommands(self.database, events, self.clock, os.urandom, domain, (own, others, looking))

    def _stored(self, _objects: object) -> None:
        self.receiving.wake()

    def _accept(self, caller: PeerTarget) -> PeerProtocol:
        return self.node.accept(caller.host)

    def _named(self, place: PeerTarget) -> None:
        self.node.add_own_host(place.host)
        if is_onion(place.host):
            self.onion_peers.named(OnionPeer(place.host, place.port))

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

    async def _metrics_listeners(self, metrics: MetricsServer) -> tuple[Listener, ...]:
        place = self.config.metrics.listener
        if place is None:
            return ()
        try:
            return (Listener("metrics", place[0], await metrics.start(*place)),)
        except OSError as error:
            raise CannotListen(f"[metrics] listen: {error.strerror or error}") from error

    async def _api_listeners(self, api: "ApiServer") -> tuple[Listener, ...]:
        section = self.config.api
        try:
            return (Listener("api", section.listen, await api.start(section.listen, section.port or 0)),)
        except OSError as error:
            raise CannotListen(f"[api] listen: {error.strerror or error}; set another port") from error

    def _node_listeners(self) -> tuple[Listener, ...]:
        return tuple(Listener("bitmessage", bound.host, bound.port) for bound in self.node.listening)


def open_gateway(folder: DataFolder, config: Config, purpose: str, trace: Trace = not_traced) -> Gateway:
    """The services over `folder`, which is locked for `purpose` until `close`. Blocks; needs a running loop.

    Raises ConfigError, and FolderHeld (Unavailable) when another process works there.
    """
    folder.check()
    with ExitStack() as resources:
        resources.enter_context(folder.locked(purpose))
        folder.check_sealed()
        vault = Vault(read_master_key(folder.master_key), os.urandom)
        failpoints = _failpoints(config)
        database = open_database(folder.database, vault, config.node.network, failpoints, _storage_failed, create=False)
        gateway = Gateway(folder, config, database, vault, failpoints, trace)
        gateway.hold(resources.pop_all())
    return gateway


def stop_on_signals(stop: asyncio.Event) -> None:
    """SIGTERM and Ctrl-C set `stop`; one is enough."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)


def _failpoints(config: Config) -> Failpoints:
    text = os.environ.get("BMGATE_FAILPOINT", "")
    if not text:
        return NoFailpoints()
    if config.node.network == "main":
        raise ConfigError("BMGATE_FAILPOINT is set: failpoints are refused on the main network")
    return read_failpoint(text)


def _argon2_cost(config: Config) -> Argon2Cost:
    return Argon2Cost() if config.security.argon2 == "normal" else Argon2Cost(memory_bytes=LOW_MEMORY_BYTES)


def _storage_failed(failure: Exception) -> None:
    """Fail-stop: what the disk did not take was not promised, and a clean start looks at what is there (D2)."""
    log.critical("%s; the gateway ends here, start it again when the disk is well", failure)
    os._exit(1)


async def _cancel(workers: list[asyncio.Task[None]]) -> None:
    for worker in workers:
        worker.cancel()
    if workers:
        await asyncio.wait(workers, timeout=STOP_SECONDS)


def _node_settings(config: Config, hidden: HiddenPlaces) -> NodeSettings:
    listeners = tuple(PeerTarget(host, port) for host, port in config.node.listeners)
    return NodeSettings(
        network=config.node.parameters,
        listen=(*listeners, *hidden.node_listener),
        proxies=hidden.proxies,
        peers=tuple(PeerTarget(host, port) for host, port in config.node.fixed_peers),
        outbound=config.node.outbound,
        only_peers=config.node.only_peers,
        bootstrap=config.node.bootstrap,
        lan=config.node.lan,
        tls_inbound=config.node.tls_inbound,
        exchange=ExchangeSettings(
            first_getdata=config.node.first_getdata,
            dandelion=config.node.dandelion,
            inventory_limit=config.storage.inventory_limit,
        ),
        pool=PoolLimits(inbound=config.node.inbound),
    )
