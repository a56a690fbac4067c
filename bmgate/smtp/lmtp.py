"""LMTP on a Unix socket, for an MTA in front that has authenticated the sender (RFC 2033).

The reverse-path names the account. As envelope and From must belong to one account, and the service looks at both, it
is the same account that From names. All other checks are those of submission; each recipient gets a reply.

An MTA also reports to its senders what could not be delivered, from the null reverse-path. Such a report goes into the
INBOX of the account whose address it is for, and nowhere else: without it a refusal would never be heard of. Nothing
but a report is taken from there.
"""

from collections.abc import Mapping
from typing import ClassVar

from bmgate.domain.account import AccountId
from bmgate.errors import ProtocolError
from bmgate.smtp.parameters import MailArguments
from bmgate.smtp.replies import BAD_SEQUENCE, Reply
from bmgate.smtp.submitting import Replies
from bmgate.smtp.transaction import NO_RECIPIENTS, Command, Draft, MailSession


class LmtpSession(MailSession):
    """The session of a local MTA; the mode of the socket says who that may be."""

    protocol = "LMTP"
    no_recipients = Reply(503, "5.5.1", NO_RECIPIENTS.text)  # RFC 2033 section 4.2

    async def _lhlo(self, argument: str) -> None:
        if not argument:
            raise ProtocolError("syntax: LHLO hostname")
        self._say(self._greet([]))

    def _refusal(self) -> Reply | None:
        return None if self._is_greeted else BAD_SEQUENCE

    async def _account_of(self, sender: str) -> AccountId:
        account = await self._services.accounts.of_sender(sender)
        await self._services.submissions.check_sender(account, sender)
        return account

    def _begin_report(self, mail: MailArguments) -> Reply:
        self._draft = Draft(mail=mail)
        return Reply(250, "2.1.0", "<> ok")

    async def _tell(self, replies: Replies, recipients: int) -> Reply:
        if len(replies) == 1 and replies[0].code != 421:
            replies *= recipients
        *before, last = replies
        self._say(b"".join(reply.encode() for reply in before))
        return last

    commands: ClassVar[Mapping[bytes, Command]] = {**MailSession.commands, b"LHLO": _lhlo}
