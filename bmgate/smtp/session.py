"""What a client says to submit mail, and what we answer (RFC 6409, 4954, 3207; S-rows): greeting, TLS, logging in.

The mail itself is in `transaction`.
"""

import asyncio
from collections.abc import Mapping
from ipaddress import ip_address
from typing import ClassVar

from bmgate.domain.account import AccountId
from bmgate.errors import LoginFailed, ProtocolError
from bmgate.smtp.credentials import Credentials, decode_response, read_plain
from bmgate.smtp.replies import BAD_SEQUENCE, LOG_IN_FIRST, TLS_FIRST, Reply, Stage
from bmgate.smtp.settings import Plaintext
from bmgate.smtp.submitting import Replies
from bmgate.smtp.transaction import NOT_IMPLEMENTED, Command, MailSession
from bmgate.smtp.trouble import answer

LOGGED_IN = Reply(235, "2.7.0", "welcome")
GREET_FIRST = Reply(503, "5.5.1", "say EHLO first")
ASK_USER_NAME = Reply(334, "", "VXNlcm5hbWU6")  # Username:
ASK_PASSWORD = Reply(334, "", "UGFzc3dvcmQ6")  # Password:
ASK_PLAIN = b"334 \r\n"
TOO_MANY_FAILED_LOGINS = Reply(421, "4.7.0", "too many failed logins")
TOO_MANY_OF_ACCOUNT = Reply(421, "4.7.0", "too many connections of this account")


class Submission(MailSession):
    """The session of one mail program."""

    _failed_logins = 0
    _last_sender = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Comes again after STARTTLS: nothing said before counts any more (RFC 3207 section 4.2)."""
        self.account, self._is_greeted, self._last_sender = None, False, ""
        self._start_anew()
        super().connection_made(transport)

    def _refusal(self) -> Reply | None:
        return LOG_IN_FIRST if self.account is None else None

    async def _account_of(self, sender: str) -> AccountId:
        """The sender of the mail before is not looked up again: he is once more when the mail is stored."""
        assert self.account is not None, "who has not logged in is refused before"
        if sender != self._last_sender:
            await self._services.submissions.check_sender(self.account, sender)
            self._last_sender = sender
        return self.account

    async def _tell(self, replies: Replies, recipients: int) -> Reply:
        return replies[0]

    # -- greeting --------------------------------------------------------------------------------------------------

    async def _helo(self, argument: str) -> Reply:
        if not argument:
            raise ProtocolError("syntax: HELO hostname")
        self._is_greeted = True
        self._start_anew()
        return Reply(250, "", self.hostname)

    async def _ehlo(self, argument: str) -> None:
        if not argument:
            raise ProtocolError("syntax: EHLO hostname")
        offers_tls = self.tls_context is not None and not self._is_encrypted()
        self._say(self._greet(["STARTTLS"] * offers_tls + ["AUTH PLAIN LOGIN"] * self._may_log_in()))

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

    commands: ClassVar[Mapping[bytes, Command]] = {
        b"HELO": _helo,
        b"EHLO": _ehlo,
        b"STARTTLS": _starttls,
        b"AUTH": _auth,
        **MailSession.commands,
    }


def _is_loopback(source: str) -> bool:
    try:
        return ip_address(source).is_loopback
    except ValueError:
        return False
