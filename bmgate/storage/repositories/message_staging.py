"""Mail that comes in large numbers: stored in many transactions, shown in one.

A content without a message is nowhere to be seen. So contents come first, a few at a time, and the rows of messages,
which are small, all together at the end; what a crash leaves between the two is dropped later.
"""

from collections.abc import Sequence

from sqlalchemy import bindparam, exists, func, select

from bmgate.domain.mailbox import MailboxId, MessageRow, StagedMail
from bmgate.errors import MessageMissing
from bmgate.storage.repositories.contents import IS_KEPT, delete_unshown
from bmgate.storage.repositories.message_flags import with_keywords
from bmgate.storage.repositories.message_rows import advance, insert_rows
from bmgate.storage.repositories.scope import AccountScope, portions
from bmgate.storage.schema import content as contents
from bmgate.storage.schema import message as messages

_OWN = (
    select(func.count())
    .select_from(contents)
    .where(contents.c.account == bindparam("account"), contents.c.id.in_(bindparam("ids", expanding=True)), IS_KEPT)
)
_LONELY = select(contents.c.id).where(
    contents.c.account == bindparam("account"), IS_KEPT, ~exists().where(messages.c.content == contents.c.id)
)


def show_staged(scope: AccountScope, mailbox: MailboxId, staged: Sequence[StagedMail], saved_at: int) -> None:
    """One message for each, in their order; raises MailboxMissing, MessageMissing for contents of nobody."""
    wanted = {mail.content for mail in staged}
    for portion in portions(wanted):
        own = scope.connection.execute(_OWN, {"account": scope.account.id, "ids": portion}).scalar_one()
        if own != len(portion):
            raise MessageMissing("this mail is not there any more")
    uidnext, modseq = advance(scope, mailbox, uids=len(staged))
    first = uidnext - len(staged)
    rows = (
        MessageRow(
            first + place,
            modseq,
            mail.flags,
            with_keywords((), mail.keywords),
            mail.internaldate,
            saved_at if mail.saved_at is None else mail.saved_at,
        )
        for place, mail in enumerate(staged)
    )
    insert_rows(scope, mailbox, zip(rows, (mail.content for mail in staged), strict=True))


def has_staged(scope: AccountScope) -> bool:
    """Whether the account has contents that no message shows."""
    return scope.connection.execute(_LONELY.limit(1), {"account": scope.account.id}).first() is not None


def drop_staged(scope: AccountScope) -> int:
    """Contents of the account that no message shows go; how many there were."""
    lonely = list(scope.connection.execute(_LONELY, {"account": scope.account.id}).scalars())
    delete_unshown(scope, lonely)
    return len(lonely)
