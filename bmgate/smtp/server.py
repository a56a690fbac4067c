"""The SMTP door: its listeners, and how it closes.

465 speaks TLS from the start, 587 after STARTTLS, a loopback port not at all; LMTP is spoken on a Unix socket. The
listeners share their limits; a certificate loaded anew into the TLS context holds for the connections that come after.
"""

import asyncio
import contextlib
import logging
import ssl
from pathlib import Path

from bmgate.errors import CannotListen
from bmgate.smtp.connections import Client, Connections, Room
from bmgate.smtp.limits import SmtpLimits
from bmgate.smtp.lmtp import LmtpSession
from bmgate.smtp.ports import SmtpServices
from bmgate.smtp.session import Submission
from bmgate.smtp.settings import Plaintext, SessionSettings
from bmgate.smtp.sockets import bind_for_group, remove
from bmgate.smtp.submitting import Submitting

SPARE_SECONDS = 0.1  # for the loop to carry out what was decided


def server_context(certificate: Path, key: Path | None = None) -> ssl.SSLContext:
    """TLS 1.2 and later from PEM files: the chain, and the key unless it is in the same file. Raises CannotListen."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        raise CannotListen(f"the certificate {certificate} cannot be used: {error.strerror or error}") from error
    return context


class SmtpServer:
    """Takes submissions on any number of listeners."""

    def __init__(
        self,
        services: SmtpServices,
        limits: SmtpLimits,
        domain: str,
        hostname: str,
        tls_context: ssl.SSLContext | None,
        room: Room | None = None,
    ) -> None:
        self._services, self._limits, self._domain, self._hostname = services, limits, domain, hostname
        self._tls_context = tls_context
        self._connections = Connections(limits)
        self._submitting = Submitting(limits.connections, room or Room(limits.waiting))
        self._listeners: list[asyncio.Server] = []
        self._sockets: list[Path] = []
        logging.getLogger("mail.log").setLevel(logging.CRITICAL)  # aiosmtpd writes addresses and mail there (E3, V27)

    async def start(
        self,
        host: str,
        port: int,
        *,
        implicit_tls: bool,
        plaintext: Plaintext = Plaintext.NOBODY,
        offers_starttls: bool = True,
    ) -> int:
        """Listen there and return the port, which is chosen by the system when 0 is given. Raises CannotListen."""
        if implicit_tls and self._tls_context is None:
            raise CannotListen("[smtp] TLS needs a certificate")
        settings = SessionSettings(self._domain, self._hostname, self._limits, plaintext)
        offered = self._tls_context if offers_starttls and not implicit_tls else None

        def session() -> Submission:
            return Submission(self._services, self._submitting, self._connections, settings, offered)

        try:
            listener = await asyncio.get_running_loop().create_server(
                session,
                host,
                port,
                ssl=self._tls_context if implicit_tls else None,
                ssl_handshake_timeout=self._limits.handshake_seconds if implicit_tls else None,
            )
        except OSError as error:
            reason = error.strerror or error
            raise CannotListen(
                f"[smtp] cannot listen on {host}, port {port}: {reason}; stop what uses it, or set another port"
            ) from error
        self._listeners.append(listener)
        return int(listener.sockets[0].getsockname()[1])

    async def start_lmtp(self, path: Path, group: str) -> None:
        """Listen on a Unix socket, mode 0660, for an MTA that has authenticated its senders. Raises CannotListen."""
        settings = SessionSettings(self._domain, self._hostname, self._limits)

        def session() -> LmtpSession:
            return LmtpSession(self._services, self._submitting, self._connections, settings)

        bound = bind_for_group(path, group)
        self._sockets.append(path)
        self._listeners.append(await asyncio.get_running_loop().create_unix_server(session, sock=bound))

    async def close(self) -> None:
        """Stop listening, let submissions in flight finish, tell every client 421, and see them off."""
        for listener in self._listeners:
            listener.close()
        for path in self._sockets:
            remove(path)
        self._connections.close()
        clients = self._connections.all()
        for client in clients:
            client.leave()
        await self._submitting.finish(self._limits.finish_seconds)
        await self._see_off(clients)
        for client in self._connections.all():
            client.leave_now()
        await self._submitting.cancel()
        await self._see_off(clients)

    async def _see_off(self, clients: list[Client]) -> None:
        """Wait until they are gone, a little longer than they are given to take our last words."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._limits.close_seconds + SPARE_SECONDS):
                await asyncio.gather(*(client.wait_closed() for client in clients))
