"""Mail transactions, as SMTP and LMTP have them in common: MAIL, RCPT, and the mail by DATA or BDAT.

RFC 5321, 3030, 3461; S-rows. Everything true about accounts, addresses and mail comes from the services; this is the
order in which they are asked.
"""

import re
import ssl
from abc import abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar

from aiosmtpd.smtp import TLSSetupException

from bmgate.domain.account import AccountId
from bmgate.errors import ProtocolError, TooLarge
from bmgate.mail.addresses import Resolved, mail_address
from bmgate.services.outbound.orders import check_beside
from bmgate.services.outbound.submission import Envelope, Recipient
from bmgate.smtp.connection import ClientGone, SmtpConnection
from bmgate.smtp.connections import Connections
from bmgate.smtp.data import ChunkReader, DataReader
from bmgate.smtp.parameters import MailArguments, read_mail, read_rcpt
from bmgate.smtp.ports import SmtpServices
from bmgate.smtp.replies import BAD_SEQUENCE, Reply, Stage, accepted
from bmgate.smtp.reports import deliver
from bmgate.smtp.settings import SessionSettings
from bmgate.smtp.submitting import FAULTS, Replies, Submitting, Take
from bmgate.smtp.trouble import answer

OK = Reply(250, "2.0.0", "ok")
BYE = Reply(221, "2.0.0", "bye")
GO_AHEAD_DATA = Reply(354, "", "end with <CRLF>.<CRLF>")
NOT_VERIFIED = Reply(252, "2.1.5", "send it and see")
NOT_IMPLEMENTED = Reply(502, "5.5.1", "not implemented")
UNKNOWN_COMMAND = Reply(500, "5.5.1", "unknown command")
NO_REPORTS = Reply(550, "5.7.1", "receipts and reports are not sent over Bitmessage")
NO_RECIPIENTS = Reply(554, "5.5.1", "no valid recipients")
BAD_CHUNK = Reply(501, "5.5.4", "syntax: BDAT octets, and LAST with the last ones")

OFFERED = ("8BITMIME", "SMTPUTF8", "PIPELINING", "ENHANCEDSTATUSCODES", "DSN", "CHUNKING")
"""Extensions that every session has, beside SIZE."""

STAGES = {b"AUTH": Stage.AUTH, b"MAIL": Stage.MAIL, b"RCPT": Stage.RCPT, b"DATA": Stage.DATA, b"BDAT": Stage.DATA}

_CHUNK = re.compile(r"([0-9]{1,20})(?: +(LAST))?", re.IGNORECASE)

Command = Callable[[Any, str], Awaitable[Reply | None]]


@dataclass(slots=True)
class Draft:
    """The mail transaction as far as it has got: `sender` is who pays for it, `chunks` what BDAT has brought.

    A report of an MTA has no sender, and `owners` instead of recipients: accounts of this gateway.
    """

    sender: AccountId | None = None
    mail: MailArguments | None = None
    recipients: list[Recipient] = field(default_factory=list)
    owners: list[AccountId] = field(default_factory=list)
    chunks: ChunkReader | None = None


class MailSession(SmtpConnection):
    """The session of one client; `tls_context` is given where STARTTLS is offered."""

    no_recipients: ClassVar[Reply] = NO_RECIPIENTS

    def __init__(
        self,
        services: SmtpServices,
        submitting: Submitting,
        connections: Connections,
        settings: SessionSettings,
        tls_context: ssl.SSLContext | None = None,
    ) -> None:
        self._services, self._submitting, self._settings = services, submitting, settings
        self._is_greeted = False
        self._draft = Draft()
        super().__init__(settings.limits, connections, submitting.room, settings.hostname, tls_context)

    async def _reply_to(self, line: bytes) -> Reply | None:
        verb, _, argument = line.partition(b" ")
        command = self.commands.get(verb.upper())
        if command is None:
            return UNKNOWN_COMMAND
        stage = STAGES.get(verb.upper(), Stage.COMMAND)
        try:
            return await command(self, argument.strip(b" ").decode("utf-8", "surrogateescape"))
        except (ClientGone, TLSSetupException):
            raise
        except Exception as error:  # noqa: BLE001 - S12: the client is told 451, never what went wrong
            return answer(error, stage)

    def _greet(self, extensions: list[str]) -> bytes:
        """The reply to EHLO and LHLO; whatever was begun is forgotten."""
        self._is_greeted = True
        self._start_anew()
        words = [self.hostname, f"SIZE {self._limits.submission}", *OFFERED, *extensions]
        lines = [f"250-{word}\r\n" for word in words[:-1]] + [f"250 {words[-1]}\r\n"]
        return "".join(lines).encode("ascii")

    def connection_lost(self, error: Exception | None) -> None:
        """However it ended, nothing is left of a mail that was not."""
        self._start_anew()
        super().connection_lost(error)

    def _start_anew(self) -> None:
        """No mail is begun, and nothing of one is held."""
        if self._draft.chunks is not None:
            self._room.release(self._draft.chunks)
        self._draft = Draft()

    # -- what SMTP and LMTP do differently -------------------------------------------------------------------------

    @abstractmethod
    def _refusal(self) -> Reply | None:
        """Why this client may not send now, if so."""

    @abstractmethod
    async def _account_of(self, sender: str) -> AccountId:
        """The account that sends as `sender`; raises NotAllowed when there is none, or it is not this one."""

    def _begin_report(self, mail: MailArguments) -> Reply:
        """MAIL with the null reverse-path."""
        return NO_REPORTS

    @abstractmethod
    async def _tell(self, replies: Replies, recipients: int) -> Reply:
        """The outcome of a mail, said as often as need be before the one that is returned."""

    # -- the mail --------------------------------------------------------------------------------------------------

    async def _mail(self, argument: str) -> Reply:
        refusal = self._refusal()
        if refusal is not None:
            return refusal
        if not self._is_greeted or self._draft.mail is not None:
            return BAD_SEQUENCE
        mail = read_mail(argument)
        if mail.size is not None and mail.size > self._limits.submission:
            raise TooLarge(f"the mail has {mail.size} octets, {self._limits.submission} are the limit")
        self._stop_timer()
        if not mail.sender:
            return self._begin_report(mail)
        self._draft = Draft(await self._account_of(mail.sender), mail)
        return Reply(250, "2.1.0", f"<{mail.sender}> ok")

    async def _rcpt(self, argument: str) -> Reply:
        refusal = self._refusal()
        if refusal is not None:
            return refusal
        draft = self._draft
        if draft.mail is None or draft.chunks is not None:
            return BAD_SEQUENCE
        arguments = read_rcpt(argument)
        if len(draft.recipients) + len(draft.owners) >= self._limits.recipients:
            return Reply(452, "4.5.3", f"{self._limits.recipients} recipients are the limit of one mail")
        self._stop_timer()
        if draft.sender is None:
            draft.owners.append(await self._services.accounts.of_sender(arguments.recipient))
            return Reply(250, "2.1.5", f"<{arguments.recipient}> ok")
        resolved = await self._services.submissions.resolve(draft.sender, arguments.recipient)
        check_beside((each.resolved for each in draft.recipients), resolved)
        draft.recipients.append(Recipient(resolved, arguments.notify, arguments.original_recipient))
        return Reply(250, "2.1.5", self._named(resolved, arguments.recipient))

    def _named(self, resolved: Resolved, recipient: str) -> str:
        name = recipient if resolved.address is None else mail_address(resolved.address, self._settings.domain)
        return f"<{name}> ok" + (", letter case repaired" if resolved.is_repaired else "")

    async def _data(self, argument: str) -> Reply:
        refusal = self._refusal()
        if refusal is not None:
            return refusal
        if argument:
            raise ProtocolError("DATA has no argument")
        if self._draft.chunks is not None:
            return BAD_SEQUENCE
        store = self._store()
        if isinstance(store, Reply):
            return store
        self._draft, draft = Draft(), self._draft
        await self._send(GO_AHEAD_DATA)
        reader = DataReader(self._limits.submission, self._limits.text_line)
        await self._receive(reader)
        return await self._take(draft, store, reader)

    async def _bdat(self, argument: str) -> Reply:
        """RFC 3030; the octets are there already, so they are read whatever the reply will be."""
        chunk = _CHUNK.fullmatch(argument)
        if chunk is None:  # nobody knows how many octets to skip
            self._hang_up(BAD_CHUNK)
            raise ClientGone
        reader = self._draft.chunks
        if reader is None:
            reader = ChunkReader(self._limits.submission, self._limits.text_line, self.loop.time())
            self._draft.chunks = reader
        await self._receive_chunk(reader, int(chunk[1]))
        store = self._refusal() or self._store()
        if isinstance(store, Reply):
            self._start_anew()
            return store
        if chunk[2]:
            self._draft, draft = Draft(), self._draft
            return await self._take(draft, store, reader)
        if reader.fault is not None:
            self._start_anew()
            return FAULTS[reader.fault]
        return Reply(250, "2.0.0", f"{int(chunk[1])} octets")

    def _store(self) -> Take | Reply:
        """What is to be done with the mail, by all that was said before it; or why none may come now."""
        draft, mail = self._draft, self._draft.mail
        if mail is None:
            return BAD_SEQUENCE
        if draft.owners:
            return partial(deliver, self._services.mailboxes, self._settings.domain, draft.owners)
        if draft.sender is None or not draft.recipients:
            return self.no_recipients
        recipients = tuple(draft.recipients)
        return partial(self._submit, Envelope(draft.sender, mail.sender, recipients, mail.ret, mail.envelope_id))

    async def _submit(self, envelope: Envelope, raw: bytes) -> Replies:
        return (accepted(await self._services.submissions.submit(envelope, raw)),)

    async def _take(self, draft: Draft, store: Take, reader: DataReader | ChunkReader) -> Reply:
        """Have the mail stored; the reply is true whatever becomes of the client meanwhile."""
        self._stop_timer()
        self._is_replying_to_data = True
        replies = await self._submitting.submit(store, reader)
        if any(reply.code == 250 for reply in replies):
            self._commands = 0
        return await self._tell(replies, len(draft.recipients) + len(draft.owners))

    # -- the rest --------------------------------------------------------------------------------------------------

    async def _rset(self, argument: str) -> Reply:
        if argument:
            raise ProtocolError("RSET has no argument")
        self._start_anew()
        return OK

    async def _noop(self, _argument: str) -> Reply:
        return OK

    async def _quit(self, _argument: str) -> Reply:
        return BYE

    async def _help(self, _argument: str) -> Reply:
        words = sorted(word.decode("ascii") for word, command in self.commands.items() if command not in _REFUSED)
        return Reply(214, "2.0.0", " ".join(words))

    async def _not_verified(self, _argument: str) -> Reply:
        return NOT_VERIFIED if self._refusal() is None else NOT_IMPLEMENTED

    async def _not_implemented(self, _argument: str) -> Reply:
        return NOT_IMPLEMENTED

    commands: ClassVar[Mapping[bytes, Command]] = {
        b"MAIL": _mail,
        b"RCPT": _rcpt,
        b"DATA": _data,
        b"BDAT": _bdat,
        b"RSET": _rset,
        b"NOOP": _noop,
        b"QUIT": _quit,
        b"HELP": _help,
        b"VRFY": _not_verified,
        b"EXPN": _not_implemented,
        b"ETRN": _not_implemented,
        b"XCLIENT": _not_implemented,
        b"PROXY": _not_implemented,
    }


_REFUSED = (MailSession._not_implemented, MailSession._not_verified)
