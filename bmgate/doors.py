"""The doors of a gateway: which listeners there are, where, and with which certificate."""

import socket
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal, cast

from twisted.internet.address import IPv4Address

from bmgate.certificates import CertificateFiles, own_files
from bmgate.config import Config, ImapSection, SmtpSection
from bmgate.config.values import is_loopback
from bmgate.datafolder import DataFolder
from bmgate.errors import CannotListen
from bmgate.imap.limits import ImapLimits
from bmgate.imap.ports import ImapServices
from bmgate.imap.server import ImapFactory, tls_options
from bmgate.imap.server import close as close_port
from bmgate.imap.server import listen as listen_imap
from bmgate.reactor import guest_reactor
from bmgate.services.accounts import Accounts
from bmgate.services.mailboxes import Mailboxes
from bmgate.services.submission import Submissions
from bmgate.smtp.limits import SmtpLimits
from bmgate.smtp.ports import SmtpServices
from bmgate.smtp.server import SmtpServer, server_context
from bmgate.smtp.session import Plaintext

MAIL_PORTS = {
    ("imap", "tls_port"): 993,
    ("smtp", "tls_port"): 465,
    ("smtp", "starttls_port"): 587,
    ("imap", "starttls_port"): 143,
}
"""Section and key of each port for mail programs, and the port that `auto` means where it may be bound."""
UNPRIVILEGED_OFFSET = 10_000


@dataclass(frozen=True, slots=True)
class Listener:
    """Where something listens: `imap`, `imap starttls`, `smtp`, `smtp starttls`; `bitmessage` is the node."""

    name: str
    host: str
    port: int

    @property
    def speaks_tls(self) -> bool:
        """Whether a mail program begins with TLS there."""
        return self.name in ("imap", "smtp")


class Doors:
    """All servers that face users. Raises CannotListen when the certificate cannot be used."""

    def __init__(
        self,
        config: Config,
        folder: DataFolder,
        accounts: Accounts,
        mailboxes: Mailboxes,
        submissions: Submissions,
    ) -> None:
        self._config = config
        self._imap = ImapServices(accounts, mailboxes)
        self._smtp = SmtpServices(accounts, submissions)
        files = certificate_files(config, folder)
        self._imap_tls, self._smtp_tls = tls_options(files.key, files.chain), server_context(files.chain, files.key)
        self._closing: list[Callable[[], Awaitable[None]]] = []

    async def open(self) -> tuple[Listener, ...]:
        """Listen everywhere; raises CannotListen for a port in use (E6)."""
        return (*self._open_imap(), *await self._open_smtp())

    async def close(self) -> None:
        """Take no new clients, say goodbye to those there are, and wait for them a moment."""
        for close in self._closing:
            await close()

    def _open_imap(self) -> list[Listener]:
        section = self._config.imap
        limits = ImapLimits(
            append_limit=section.append_limit,
            connections=section.connections,
            connections_per_source=section.connections_per_source,
            connections_per_user=section.connections_per_user,
        )
        reactor, listeners = guest_reactor(), []
        factories: dict[str, ImapFactory] = {}
        for host in section.listen:
            admits_plaintext = section.allow_plaintext or is_loopback(host)
            factories[host] = ImapFactory(self._imap, limits, self._imap_tls, admits_plaintext)
            self._closing.append(factories[host].stop)
        for wanted in wanted_listeners("imap", section):
            context = self._imap_tls if wanted.speaks_tls else None
            listening = listen_imap(reactor, wanted.host, wanted.port, factories[wanted.host], context)
            self._closing.insert(0, partial(close_port, listening))
            listeners.append(replace(wanted, port=cast(IPv4Address, listening.getHost()).port))
        return listeners

    async def _open_smtp(self) -> list[Listener]:
        section = self._config.smtp
        limits = SmtpLimits(
            submission=section.submission_limit,
            recipients=section.recipients,
            connections=section.connections,
            connections_per_source=section.connections_per_source,
            connections_per_user=section.connections_per_user,
        )
        domain = self._config.gateway.domain
        server = SmtpServer(self._smtp, limits, domain, domain, self._smtp_tls)
        self._closing.append(server.close)
        listeners = []
        for wanted in wanted_listeners("smtp", section):
            admits_plaintext = section.allow_plaintext or is_loopback(wanted.host)
            plaintext = Plaintext.ANYBODY if admits_plaintext else Plaintext.NOBODY
            port = await server.start(wanted.host, wanted.port, implicit_tls=wanted.speaks_tls, plaintext=plaintext)
            listeners.append(replace(wanted, port=port))
        return listeners


def certificate_files(config: Config, folder: DataFolder) -> CertificateFiles:
    """The operator's certificate, or our own; raises CannotListen when it is not there."""
    files = own_files(folder.tls)
    if config.tls.certificate:
        files = replace(files, chain=Path(config.tls.certificate), key=Path(config.tls.key))
    if not files.exist:
        raise CannotListen(f"no certificate at {files.chain}; run: bmgate quickstart, or set [tls] certificate and key")
    return files


def wanted_listeners(door: Literal["imap", "smtp"], section: ImapSection | SmtpSection) -> Iterator[Listener]:
    """Where a door is to listen, port 0 being any free one; `auto` is decided when its listener is asked for."""
    ports = ((door, "tls_port", section.tls_port), (f"{door} starttls", "starttls_port", section.starttls_port))
    for host in section.listen:
        for name, key, wanted in ports:
            port = _chosen_port(host, wanted, MAIL_PORTS[door, key])
            if port is not None:
                yield Listener(name, host, port)


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
