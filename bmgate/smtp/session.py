"""What a client says to submit mail, and what we answer (RFC 5321, 6409, 4954, 3207, 3461; S-rows).

Everything true about accounts, addresses and mail comes from the services; this is the order in which they are asked.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import ip_address

from aiosmtpd.smtp import TLSSetupException

from bmgate.errors import LoginFailed, ProtocolError, TooLarge
from bmgate.mail.addresses import Resolved, mail_address
from bmgate.services.submission import Envelope, Recipient
from bmgate.smtp.connection import ClientGone, SmtpConnection
from bmgate.smtp.connections import Connections
from bmgate.smtp.credentials import Credentials, decode_response, read_plain
from bmgate.smtp.data import DataReader, Fault
from bmgate.smtp.limits import SmtpLimits
from bmgate.smtp.parameters import MailArguments, read_mail, read_rcpt
from bmgate.smtp.ports import SmtpServices
from bmgate.smtp.replies import BAD_SEQUENCE, LOG_IN_FIRST, TLS_FIRST, Reply, Stage
from bmgate.smtp.submitting import Submitting
from bmgate.smtp.trouble import answer

LARGE = 256 * 1024  # octets; looking through a mail beyond that leaves the loop

OK = Reply(250, "2.0.0", "ok")
BYE = Reply(221, "2.0.0", "bye")
GO_AHEAD_DATA = Reply(354, "", "end with <CRLF>.<CRLF>")
LOGGED_IN = Reply(235, "2.7.0", "welcome")
GREET_FIRST = Reply(503, "5.5.1", "say EHLO first")
ASK_USER_NAME = Reply(334, "", "VXNlcm5hbWU6")  # Username:
ASK_PASSWORD = Reply(334, "", "UGFzc3dvcmQ6")  # Password:
ASK_PLAIN = b"334 \r\n"
HELP = Reply(214, "2.0.0", "EHLO STARTTLS AUTH MAIL RCPT DATA RSET NOOP QUIT")
NOT_VERIFIED = Reply(252, "2.1.5", "send it and see")
NOT_IMPLEMENTED = Reply(502, "5.5.1", "not implemented")
UNKNOWN_COMMAND = Reply(500, "5.5.1", "unknown command")
NO_REPORTS = Reply(550, "5.7.1", "receipts and reports are not sent over Bitmessage")
NO_RECIPIENTS = Reply(554, "5.5.1", "no valid recipients")
TOO_MANY_FAILED_LOGINS = Reply(421, "4.7.0", "too many failed logins")
TOO_MANY_OF_ACCOUNT = Reply(421, "4.7.0", "too many connections of this account")

_FAULTS = {
    Fault.TOO_LARGE: Reply(552, "5.3.4", "the mail is larger than SIZE says"),
    Fault.NO_ROOM: Reply(452, "4.3.1", "too much mail at once; try again in a moment"),
    Fault.BARE_LINE_END: Reply(500, "5.5.2", "the mail has a bare CR or LF; lines end in CRLF"),
    Fault.LINE_TOO_LONG: Reply(500, "5.5.2", "the mail has a line that is too long"),
    Fault.NUL: Reply(554, "5.6.0", "the mail contains NUL"),
}


class Plaintext(StrEnum):
    """Who may log in without TLS; clients from loopback only where nothing forwards strangers to it (E10)."""

    NOBODY = "nobody"
    LOOPBACK = "loopback"
    ANYBODY = "anybody"


@dataclass(frozen=True, slots=True)
class SessionSettings:
    """What all sessions of a listener have in common. `domain` is that of addresses we write, `hostname` our name."""

    domain: str
    hostname: str
    limits: SmtpLimits
    plaintext: Plaintext = Plaintext.NOBODY


@dataclass(slots=True)
class _Draft:
    """The mail transaction as far as it has got."""

    mail: MailArguments | None = None
    recipients: list[Recipient] = field(default_factory=list)


class Submission(SmtpConnection):
    """The session of one client; `tls_context` is given where STARTTLS is offered."""

    def __init__(
        self,
        services: SmtpServices,
        submitting: Submitting,
        connections: Connections,
        settings: SessionSettings,
        tls_context: ssl.SSLContext | None,
    ) -> None:
        self._services, self._submitting, self._settings = services, submitting, settings
        self._is_greeted = False
        self._failed_logins = 0
        self._draft = _Draft()
        super().__init__(settings.limits, connections, settings.hostname, tls_context)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Comes again after STARTTLS: nothing said before counts any more (RFC 3207 section 4.2)."""
        self.account, self._is_greeted, self._draft = None, False, _Draft()
        super().connection_made(transport)

    async def _reply_to(self, line: bytes) -> Reply | None:
        verb, _, argument = line.partition(b" ")
        command = COMMANDS.get(verb.upper())
        if command is None:
            return UNKNOWN_COMMAND
        stage = STAGES.get(verb.upper(), Stage.COMMAND)
        try:
            return await command(self, argument.strip(b" ").decode("utf-8", "surrogateescape"))
        except (ClientGone, TLSSetupException):
            raise
        except Exception as error:  # noqa: BLE001 - S12: the client is told 451, never what went wrong
            return answer(error, stage)

    # -- greeting --------------------------------------------------------------------------------------------------

    async def _helo(self, argument: str) -> Reply:
        if not argument:
            raise ProtocolError("syntax: HELO hostname")
        self._is_greeted, self._draft = True, _Draft()
        return Reply(250, "", self.hostname)

    async def _ehlo(self, argument: str) -> None:
        if not argument:
            raise ProtocolError("syntax: EHLO hostname")
        self._is_greeted, self._draft = True, _Draft()
        offered = [
            self.hostname,
            f"SIZE {self._limits.submission}",
            "8BITMIME",
            "SMTPUTF8",
            "PIPELINING",
            "ENHANCEDSTATUSCODES",
            "DSN",
        ]
        if self.tls_context is not None and not self._is_encrypted():
            offered.append("STARTTLS")
        if self._may_log_in():
            offered.append("AUTH PLAIN LOGIN")
        lines = [f"250-{word}\r\n" for word in offered[:-1]] + [f"250 {offered[-1]}\r\n"]
        await self._send("".join(lines).encode("ascii"))

    async def _starttls(self, argument: str) -> Reply | None:
        if argument:
            raise ProtocolError("STARTTLS has no argument")
        if self._is_encrypted() or self.account is not None:
            return BAD_SEQUENCE
        if self.tls_context is None:
            return NOT_IMPLEMENTED
        await self._start_tls()
        return None

    def _is_encrypted(self) -> bool:
        return self._writer.get_extra_info("ssl_object") is not None

    def _may_log_in(self) -> bool:
        if self._is_encrypted() or self._settings.plaintext is Plaintext.ANYBODY:
            return True
        return self._settings.plaintext is Plaintext.LOOPBACK and _is_loopback(self.source)

    # -- logging in ------------------------------------------------------------------------------------------------

    async def _auth(self, argument: str) -> Reply:
        if not self._is_greeted:
            return GREET_FIRST
        if self.account is not None or self._draft.mail is not None:
            return BAD_SEQUENCE
        if not self._may_log_in():
            return TLS_FIRST
        mechanism, _, initial = argument.partition(" ")
        ask = {"PLAIN": self._ask_plain, "LOGIN": self._ask_login}.get(mechanism.upper())
        if ask is None:
            return Reply(504, "5.5.4", "PLAIN or LOGIN")
        try:
            credentials = await ask(initial.strip(" "))
            self._stop_timer()
            account = await self._services.accounts.login(credentials.name, credentials.password, self.source)
        except LoginFailed as error:
            self._failed_logins += 1
            is_last = self._failed_logins >= self._limits.failed_logins
            return TOO_MANY_FAILED_LOGINS if is_last else answer(error, Stage.AUTH)
        if not self._connections.has_room_for(account):
            return TOO_MANY_OF_ACCOUNT
        self.account = account
        return LOGGED_IN

    async def _ask_plain(self, initial: str) -> Credentials:
        return read_plain(decode_response(initial or await self._response(ASK_PLAIN)))

    async def _ask_login(self, initial: str) -> Credentials:
        name = decode_response(initial or await self._response(ASK_USER_NAME))
        return Credentials(name, decode_response(await self._response(ASK_PASSWORD)))

    async def _response(self, challenge: Reply | bytes) -> str:
        """What the client says to a challenge, still in base64; raises ProtocolError when it gives up or babbles."""
        await self._send(challenge)
        line = await self._read_line(self._limits.auth_command)
        if isinstance(line, Reply):
            raise ProtocolError(line.text)
        if line == b"*":
            raise ProtocolError("authentication given up")
        return line.decode("ascii", "replace")

    # -- the mail --------------------------------------------------------------------------------------------------

    async def _mail(self, argument: str) -> Reply:
        if self.account is None:
            return LOG_IN_FIRST
        if not self._is_greeted or self._draft.mail is not None:
            return BAD_SEQUENCE
        mail = read_mail(argument)
        if mail.size is not None and mail.size > self._limits.submission:
            raise TooLarge(f"the mail has {mail.size} octets, {self._limits.submission} are the limit")
        if not mail.sender:
            return NO_REPORTS
        self._stop_timer()
        await self._services.submissions.check_sender(self.account, mail.sender)
        self._draft.mail = mail
        return Reply(250, "2.1.0", f"<{mail.sender}> ok")

    async def _rcpt(self, argument: str) -> Reply:
        if self.account is None:
            return LOG_IN_FIRST
        if self._draft.mail is None:
            return BAD_SEQUENCE
        arguments = read_rcpt(argument)
        if len(self._draft.recipients) >= self._limits.recipients:
            return Reply(452, "4.5.3", f"{self._limits.recipients} recipients are the limit of one mail")
        self._stop_timer()
        resolved = await self._services.submissions.resolve(self.account, arguments.recipient)
        self._draft.recipients.append(Recipient(resolved, arguments.notify, arguments.original_recipient))
        return Reply(250, "2.1.5", self._named(resolved, arguments.recipient))

    def _named(self, resolved: Resolved, recipient: str) -> str:
        name = recipient if resolved.address is None else mail_address(resolved.address, self._settings.domain)
        return f"<{name}> ok" + (", letter case repaired" if resolved.is_repaired else "")

    async def _data(self, argument: str) -> Reply:
        if self.account is None:
            return LOG_IN_FIRST
        if argument:
            raise ProtocolError("DATA has no argument")
        if self._draft.mail is None:
            return BAD_SEQUENCE
        if not self._draft.recipients:
            return NO_RECIPIENTS
        mail, recipients, self._draft = self._draft.mail, tuple(self._draft.recipients), _Draft()
        await self._send(GO_AHEAD_DATA)
        envelope = Envelope(self.account, mail.sender, recipients, mail.ret, mail.envelope_id)
        try:
            return await self._take(envelope, DataReader(self._limits.submission, self._limits.text_line))
        finally:
            self._connections.hold(self, 0)

    async def _take(self, envelope: Envelope, reader: DataReader) -> Reply:
        """Read the mail and have it stored; the reply is true whatever becomes of the client meanwhile."""
        await self._receive(reader)
        self._stop_timer()
        self._is_replying_to_data = True
        mail = await asyncio.to_thread(reader.mail) if reader.received > LARGE else reader.mail()
        if isinstance(mail, Fault):
            return _FAULTS[mail]
        reply = await self._submitting.submit(envelope, mail)
        if reply.code == 250:
            self._commands = 0
        return reply

    # -- the rest --------------------------------------------------------------------------------------------------

    async def _rset(self, argument: str) -> Reply:
        if argument:
            raise ProtocolError("RSET has no argument")
        self._draft = _Draft()
        return OK

    async def _noop(self, _argument: str) -> Reply:
        return OK

    async def _quit(self, _argument: str) -> Reply:
        return BYE

    async def _help(self, _argument: str) -> Reply:
        return HELP

    async def _vrfy(self, _argument: str) -> Reply:
        return NOT_IMPLEMENTED if self.account is None else NOT_VERIFIED

    async def _not_implemented(self, _argument: str) -> Reply:
        return NOT_IMPLEMENTED


COMMANDS: dict[bytes, Callable[[Submission, str], Awaitable[Reply | None]]] = {
    b"HELO": Submission._helo,
    b"EHLO": Submission._ehlo,
    b"STARTTLS": Submission._starttls,
    b"AUTH": Submission._auth,
    b"MAIL": Submission._mail,
    b"RCPT": Submission._rcpt,
    b"DATA": Submission._data,
    b"RSET": Submission._rset,
    b"NOOP": Submission._noop,
    b"QUIT": Submission._quit,
    b"HELP": Submission._help,
    b"VRFY": Submission._vrfy,
    b"EXPN": Submission._not_implemented,
    b"ETRN": Submission._not_implemented,
    b"XCLIENT": Submission._not_implemented,
    b"PROXY": Submission._not_implemented,
}
STAGES = {b"AUTH": Stage.AUTH, b"MAIL": Stage.MAIL, b"RCPT": Stage.RCPT, b"DATA": Stage.DATA}


def _is_loopback(source: str) -> bool:
    try:
        return ip_address(source).is_loopback
    except ValueError:
        return False
