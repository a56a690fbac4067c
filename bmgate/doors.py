"""The doors of a gateway: which listeners there are, where, and with which certificate."""

import socket
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal, cast

from twisted.internet.address import IPv4Address

from bmgate.certificates import CertificateFiles, own_files
from bmgate.config import Config, ImapSection, Pop3Section, SmtpSection
from bmgate.config.values import is_loopback
from bmgate.datafolder import DataFolder
from bmgate.domain.ports.spool import Spools
from bmgate.domain.sources import ONION_SOURCE
from bmgate.errors import CannotListen
from bmgate.imap.limits import ImapLimits
from bmgate.imap.ports import ImapServices
from bmgate.imap.server import ImapFactory
from bmgate.pop3.limits import Pop3Limits
from bmgate.pop3.ports import Pop3Services
from bmgate.pop3.server import Pop3Factory
from bmgate.reactor import guest_reactor
from bmgate.services.accounts.accounts import Accounts
from bmgate.services.mailboxes.mailboxes import Mailboxes
from bmgate.services.mailboxes.maildrops import Maildrops
from bmgate.services.outbound.submission import Submissions
from bmgate.smtp.connections import Room
from bmgate.smtp.limits import SmtpLimits
from bmgate.smtp.ports import SmtpServices
from bmgate.smtp.server import SmtpServer, server_context
from bmgate.smtp.settings import Plaintext
from bmgate.tcp.listening import close as close_port
from bmgate.tcp.listening import listen, tls_options

Door = Literal["imap", "smtp", "pop3"]
MailSection = ImapSection | SmtpSection | Pop3Section
TwistedFactory = ImapFactory | Pop3Factory
MAIL_PORTS: dict[tuple[str, str], int] = {
    ("imap", "tls_port"): 993,
    ("smtp", "tls_port"): 465,
    ("smtp", "starttls_port"): 587,
    ("imap", "starttls_port"): 143,
    ("pop3", "tls_port"): 995,
    ("pop3", "starttls_port"): 110,
}
"""Section and key of each port for mail programs, and the port that `auto` means where it may be bound."""
UNPRIVILEGED_OFFSET = 10_000
ONION_OFFSET = 20_000
"""Where the onion service of a torrc leads: the port it stands for, and so many more."""
ONION = "onion "
"""Begins the names of the listeners behind our onion service for mail programs."""


@dataclass(frozen=True, slots=True)
class Listener:
    """Where something listens: `imap`, `imap starttls`, the same of `smtp` and `pop3`, these with `onion` before them;
    `smtp loopback`; `lmtp`, whose host is the path of its socket; `bitmessage`, the node; `metrics`; `api`.
    """

    name: str
    host: str
    port: int

    @property
    def speaks_tls(self) -> bool:
        """Whether a mail program begins with TLS there."""
        return self.name.removeprefix(ONION) in ("imap", "smtp", "pop3")


class Doors:
    """All servers that face users. Raises CannotListen when the certificate cannot be used."""

    def __init__(
        self,
        config: Config,
        folder: DataFolder,
        accounts: Accounts,
        mailboxes: Mailboxes,
        maildrops: Maildrops,
        submissions: Submissions,
        spools: Spools,
    ) -> None:
        self._config = config
        self._imap = ImapServices(accounts, mailboxes, spools)
        self._pop3 = Pop3Services(accounts, maildrops)
        self._smtp = SmtpServices(accounts, submissions, mailboxes)
        files = certificate_files(config, folder)
        self._twisted_tls, self._smtp_tls = tls_options(files.key, files.chain), server_context(files.chain, files.key)
        self._smtp_room = Room(max(SmtpLimits().waiting, 2 * config.smtp.submission_limit))
        self._closing: list[Callable[[], Awaitable[None]]] = []

    async def open(self) -> tuple[Listener, ...]:
        """Listen everywhere; raises CannotListen for a port in use (E6)."""
        listeners = [*self._open_imap(), *self._open_pop3(), *await self._open_smtp()]
        if self._config.tor.mail_service != "off":
            listeners += [*self._open_imap(ONION_SOURCE), *self._open_pop3(ONION_SOURCE)]
            listeners += await self._open_smtp(ONION_SOURCE)
        return tuple(listeners)

    async def close(self) -> None:
        """Take no new clients, say goodbye to those there are, and wait for them a moment."""
        for close in self._closing:
            await close()

    def _open_imap(self, source: str = "") -> list[Listener]:
        section = self._config.imap
        limits = ImapLimits(
            append_limit=section.append_limit,
            connections=section.connections,
            connections_per_source=section.connections if source else section.connections_per_source,
            connections_per_user=section.connections_per_user,
            source=source,
        )
        return self._open_twisted("imap", section, source, partial(ImapFactory, self._imap, limits, self._twisted_tls))

    def _open_pop3(self, source: str = "") -> list[Listener]:
        section = self._config.pop3
        limits = Pop3Limits(
            connections=section.connections,
            connections_per_source=section.connections if source else section.connections_per_source,
            source=source,
        )
        return self._open_twisted("pop3", section, source, partial(Pop3Factory, self._pop3, limits, self._twisted_tls))

    def _open_twisted(
        self, door: Door, section: MailSection, source: str, factory_for: Callable[[bool], TwistedFactory]
    ) -> list[Listener]:
        """`factory_for` makes the connections of a host, given whether passwords are admitted there without TLS."""
        reactor, listeners = guest_reactor(), []
        factories: dict[str, TwistedFactory] = {}
        places = self._wanted(door, section, source)
        for host in {place.host for place in places}:
            factories[host] = factory_for(section.allow_plaintext or is_loopback(host))
            self._closing.append(factories[host].stop)
        for wanted in places:
            context = self._twisted_tls if wanted.speaks_tls else None
            listening = listen(reactor, door, wanted.host, wanted.port, factories[wanted.host], context)
            self._closing.insert(0, partial(close_port, listening))
            listeners.append(replace(wanted, port=cast(IPv4Address, listening.getHost()).port))
        return listeners

    async def _open_smtp(self, source: str = "") -> list[Listener]:
        section = self._config.smtp
        limits = SmtpLimits(
            submission=section.submission_limit,
            recipients=section.recipients,
            connections=section.connections,
            connections_per_source=section.connections if source else section.connections_per_source,
            connections_per_user=section.connections_per_user,
            source=source,
        )
        domain = self._config.gateway.domain
        server = SmtpServer(self._smtp, limits, domain, domain, self._smtp_tls, self._smtp_room)
        self._closing.append(server.close)
        listeners = []
        for wanted in self._wanted("smtp", section, source):
            admits_plaintext = section.allow_plaintext or is_loopback(wanted.host)
            plaintext = Plaintext.ANYBODY if admits_plaintext else Plaintext.NOBODY
            port = await server.start(wanted.host, wanted.port, implicit_tls=wanted.speaks_tls, plaintext=plaintext)
            listeners.append(replace(wanted, port=port))
        return listeners if source else [*listeners, *await self._open_local_smtp(server)]

    async def _open_local_smtp(self, server: SmtpServer) -> list[Listener]:
        """What only this machine reaches: submission without TLS, and LMTP for an MTA in front."""
        section, listeners = self._config.smtp, []
        for host in section.loopback_hosts:
            port = await server.start(
                host, section.loopback_port or 0, implicit_tls=False, plaintext=Plaintext.ANYBODY, offers_starttls=False
            )
            listeners.append(Listener("smtp loopback", host, port))
        if section.lmtp_socket is not None:
            await server.start_lmtp(section.lmtp_socket, section.lmtp_group)
            listeners.append(Listener("lmtp", str(section.lmtp_socket), 0))
        return listeners

    def _wanted(self, door: Door, section: MailSection, source: str) -> list[Listener]:
        if not source:
            return list(wanted_listeners(door, section))
        tor = self._config.tor
        return list(onion_listeners(door, tor.host, fixed=tor.mail_service == "torrc"))


def certificate_files(config: Config, folder: DataFolder) -> CertificateFiles:
    """The operator's certificate, or our own; raises CannotListen when it is not there."""
    files = own_files(folder.tls)
    if config.tls.certificate:
        files = replace(files, chain=Path(config.tls.certificate), key=Path(config.tls.key))
    if not files.exist:
        raise CannotListen(f"no certificate at {files.chain}; run: bmgate quickstart, or set [tls] certificate and key")
    return files


def wanted_listeners(door: Door, section: MailSection) -> Iterator[Listener]:
    """Where a door is to listen, port 0 being any free one; `auto` is decided when its listener is asked for."""
    ports = ((door, "tls_port", section.tls_port), (f"{door} starttls", "starttls_port", section.starttls_port))
    for host in section.listen:
        for name, key, wanted in ports:
            port = _chosen_port(host, wanted, MAIL_PORTS[door, key])
            if port is not None:
                yield Listener(name, host, port)


def onion_listeners(door: Door, host: str, fixed: bool) -> Iterator[Listener]:
    """Where Tor is to lead; on free ports unless they are fixed in a torrc."""
    for key, name in (("tls_port", door), ("starttls_port", f"{door} starttls")):
        yield Listener(ONION + name, host, MAIL_PORTS[door, key] + ONION_OFFSET if fixed else 0)


def _chosen_port(host: str, wanted: int | Literal["auto", "off"], usual: int) -> int | None:
    """None for off; for auto the usual port, or 10,000 higher where that may not be bound."""
    match wanted:
        case "off":
            return None
        case "auto":
            return usual if can_bind(host, usual) else usual + UNPRIVILEGED_OFFSET
        case _:
            return wanted


def can_bind(host: str, port: int) -> bool:
    """Whether this process may listen on `port` now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True
