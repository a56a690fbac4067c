"""Mail that clients bring: indexed off the loop, then stored in the transaction that shows it."""

from collections.abc import Sequence

from bmgate.domain.account import AccountId
from bmgate.domain.mailbox import Mailbox, MailboxKind, NewMail, SentCopy
from bmgate.domain.ports.account_store import AccountStore
from bmgate.services.mailboxes.indexed import Indexed, indexed, to_minute
from bmgate.services.mailboxes.large_mail import LargeMails, Staged
from bmgate.services.mailboxes.sent_status import sent_keywords
from bmgate.services.mailboxes.status_flags import words_of_client
from bmgate.services.parsing import Parsing
from bmgate.units import DAY

REPLACEABLE_SECONDS = DAY  # how long our copy in Sent waits for the client's (M7)


class IncomingMails:
    """Makes mail ready to be stored."""

    def __init__(self, large: LargeMails, parsing: Parsing) -> None:
        self._large, self._parsing = large, parsing

    async def prepared(self, account: AccountId, name: str, mails: Sequence[NewMail]) -> list[Indexed | Staged]:
        """The mails with their indexes; large ones are stored as far as they can be before they are shown."""
        new: list[Indexed | Staged] = []
        try:
            for mail in mails:
                if isinstance(mail.raw, bytes):
                    new.append(await self._parsing.run(account, indexed, mail.raw))
                else:
                    new.append(await self._large.stage(account, name, mail.raw))
        except BaseException:
            await self.drop(account, new)
            raise
        return new

    async def drop(self, account: AccountId, mails: Sequence[Indexed | Staged]) -> None:
        """What was stored of mails that nobody will be shown goes again."""
        await self._large.drop(account, mails)


def add_mail(mine: AccountStore, mailbox: Mailbox, mail: NewMail, new: Indexed | Staged, now: int) -> int:
    """The UID of the mail; in Sent, the client's copy of a submission takes the place of ours, and keeps it (M7)."""
    message_id, messages, keywords = new.message_id, mine.messages, mail.keywords
    ours: list[SentCopy] = []
    is_sent = mailbox.kind is MailboxKind.SENT and message_id != ""
    if is_sent:
        copies = messages.sent_copies(mailbox.id, message_id)
        theirs = [copy.uid for copy in copies if copy.is_of_submission and copy.is_of_client]
        if theirs:
            return theirs[0]
        ours = [copy for copy in copies if copy.is_of_submission and copy.internaldate > now - REPLACEABLE_SECONDS]
        keywords = words_of_client(keywords)
        keywords += tuple(word for copy in ours for word in copy.keywords if word not in keywords)
    tag = messages.message_id_tag(message_id) if message_id else b""
    content = new.store(mine, tag, messages.client_copy_tag(message_id) if is_sent else b"")
    if is_sent:
        rows = mine.outbox.replace_sent_content(message_id, content)
        keywords += () if ours or not rows else tuple(sorted(sent_keywords(rows)))
    messages.expunge(mailbox.id, [copy.uid for copy in ours])
    date = now if mail.internaldate is None else mail.internaldate
    saved_at = min(max(to_minute(now), date), now)  # not before it came
    return messages.append(mailbox.id, content, mail.flags, keywords, date, saved_at).uid
