"""The doors of a gateway: which listeners there are, where, and with which certificate."""

import logging
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import cast

from twisted.internet.address import IPv4Address

from bmgate.certificates import CertificateFiles, own_files
from bmgate.config import Config, DoorSection
from bmgate.datafolder import DataFolder
from bmgate.errors import ConfigError
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

log = logging.getLogger("bmgate.doors")

UNPRIVILEGED_OFFSET = 10_000


@dataclass(frozen=True, slots=True)
class Listener:
    """Where something listens: `imap` and `smtp` speak TLS from the first octet, `imap starttls` and `smtp starttls` on
    demand; `bitmessage` is the node."""

    name: str
    host: str
    port: int


class Doors:
    """All servers that face users."""

    def __init__(
        self,
        config: Config,
        folder: DataFolder,
        accounts: Accounts,
        mailboxes: Mailboxes,
        submissions: Submissions,
    ) -> None:
        self._config, self._folder = config, folder
        self._imap = ImapServices(accounts, mailboxes)
        self._smtp = SmtpServices(accounts, submissions)
        self._closing: list[Callable[[], Awaitable[None]]] = []

    async def open(self) -> tuple[Listener, ...]:
        """Listen everywhere; raises ConfigError for a port in use or a certificate that cannot be read (E6)."""
        files = certificate_files(self._config, self._folder)
        return (*self._open_imap(files), *await self._open_smtp(files))

    async def close(self) -> None:
        """Take no new clients, say goodbye to those there are, and wait for them a moment."""
        for close in self._closing:
            await close()

    def _open_imap(self, files: CertificateFiles) -> list[Listener]:
        section = self._config.imap
        limits = ImapLimits(
            append_limit=section.append_limit,
            connections=section.connections,
            connections_per_source=section.connections_per_source,
            connections_per_user=section.connections_per_user,
        )
        options = tls_options(files.key, files.chain)
        reactor, listeners = guest_reactor(), []
        for host in section.listen:
            factory = ImapFactory(self._imap, limits, options, _admits_plaintext(section, host))
            self._closing.append(factory.stop)
            for name, usual, wanted, context in (
                ("imap", 993, section.tls_port, options),
                ("imap starttls", 143, section.starttls_port, None),
            ):
                port = chosen_port(host, wanted, usual)
                if port is None:
                    continue
                try:
                    listening = listen_imap(reactor, host, port, factory, context)
                except OSError as error:
                    raise _port_taken("imap", host, port, error) from error
                self._closing.insert(0, partial(close_port, listening))
                listeners.append(Listener(name, host, cast(IPv4Address, listening.getHost()).port))
        return listeners

    async def _open_smtp(self, files: CertificateFiles) -> list[Listener]:
        section = self._config.smtp
        limits = SmtpLimits(
            submission=section.submission_limit,
            recipients=section.recipients,
            connections=section.connections,
            connections_per_source=section.connections_per_source,
            connections_per_user=section.connections_per_user,
        )
        domain = self._config.gateway.domain
        server = SmtpServer(self._smtp, limits, domain, domain, server_context(files.chain, files.key))
        self._closing.append(server.close)
        listeners = []
        for host in section.listen:
            for name, usual, wanted in (
                ("smtp", 465, section.tls_port),
                ("smtp starttls", 587, section.starttls_port),
            ):
                port = chosen_port(host, wanted, usual)
                if port is None:
                    continue
                plaintext = Plaintext.ANYBODY if section.allow_plaintext else Plaintext.LOOPBACK
                bound = await server.start(host, port, implicit_tls=name == "smtp", plaintext=plaintext)
                listeners.append(Listener(name, host, bound))
        return listeners


def certificate_files(config: Config, folder: DataFolder) -> CertificateFiles:
    """The operator's certificate, or our own; raises ConfigError when it is not there."""
    files = own_files(folder.tls)
    if config.tls.certificate:
        files = replace(files, chain=Path(config.tls.certificate), key=Path(config.tls.key))
    if not files.exist:
        raise ConfigError(f"no certificate at {files.chain}; run: bmgate quickstart, or set [tls] certificate and key")
    return files


def chosen_port(host: str, wanted: int | str, usual: int) -> int | None:
    """The port to listen on: None for off; for auto the usual one, or 10,000 higher where that may not be bound."""
    if wanted == "off":
        return None
    if wanted != "auto":
        return int(wanted)
    return usual if can_bind(host, usual) else usual + UNPRIVILEGED_OFFSET


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


def _admits_plaintext(section: DoorSection, host: str) -> bool:
    return section.allow_plaintext or ip_address(host).is_loopback


def _port_taken(section: str, host: str, port: int, error: OSError) -> ConfigError:
    reason = error.strerror or error
    return ConfigError(
        f"cannot listen on {host} port {port} ({reason}); stop what uses it, or set another port in [{section}]"
    )
