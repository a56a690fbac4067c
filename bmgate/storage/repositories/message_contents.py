"""Reading mail out of a mailbox: headers, whole messages as many as a budget allows, or a large body piece by piece.

Which messages there are, and what they show, is asked of the database each time; contents never change.
"""

from collections.abc import Collection
from typing import NamedTuple

from sqlalchemy import bindparam, literal, select

from bmgate.domain.mailbox import ContentId, MailboxId, MessageHead, StoredMessage
from bmgate.errors import MessageMissing
from bmgate.storage.repositories.contents import CHUNK_SIZE, IS_KEPT, split_header
from bmgate.storage.repositories.message_rows import counters
from bmgate.storage.repositories.opening import Among, ContentOpener, content_opener
from bmgate.storage.repositories.scope import MAX_PARAMETERS, AccountScope
from bmgate.storage.schema import content as contents
from bmgate.storage.schema import message as messages
from bmgate.storage.sealing import Damaged
from bmgate.storage.statements import Prepared


class Shown(NamedTuple):
    """A message and the content it shows, in the order the queries select."""

    uid: int
    internaldate: int
    content: int
    uuid: bytes
    size_class: int


_CONTENT = (contents.c.id, contents.c.uuid, contents.c.size_class)
_SHOWN = Among(
    select(messages.c.uid, messages.c.internaldate, *_CONTENT)
    .select_from(messages.join(contents, contents.c.id == messages.c.content))
    .where(messages.c.mailbox == bindparam("mailbox"), contents.c.account == bindparam("account"))
    .order_by(messages.c.uid),
    messages.c.uid,
    others=MAX_PARAMETERS,
)
_ALONE = Prepared(
    select(literal(0).label("uid"), literal(0).label("internaldate"), *_CONTENT).where(
        contents.c.id == bindparam("content"), contents.c.account == bindparam("account"), IS_KEPT
    )
)


def read_heads(
    scope: AccountScope, mailbox: MailboxId, uids: Collection[int], budget_octets: int | None = None
) -> list[MessageHead]:
    """With a budget the first that fit, but at least one (I7). Raises MailboxMissing, AccountLocked."""
    counters(scope, mailbox)
    opener, shown = content_opener(scope), _shown(scope, mailbox, uids, None)
    return _heads(opener, shown) if budget_octets is None else _fitting_heads(opener, shown, budget_octets)


def read_messages(
    scope: AccountScope, mailbox: MailboxId, uids: Collection[int], budget_octets: int | None = None
) -> list[StoredMessage]:
    """With a budget the first whose sizes fit, but at least one (I7). Raises MailboxMissing, AccountLocked."""
    counters(scope, mailbox)
    return _whole(content_opener(scope), _shown(scope, mailbox, uids, budget_octets))


def read_portion(
    scope: AccountScope, mailbox: MailboxId, uids: Collection[int], budget_octets: int
) -> list[StoredMessage] | list[MessageHead]:
    """The first whose sizes fit; one that is larger than the budget comes alone, as its head (I7).

    Raises MailboxMissing, AccountLocked.
    """
    counters(scope, mailbox)
    opener = content_opener(scope)
    shown = _shown(scope, mailbox, uids, budget_octets)
    if len(shown) == 1 and shown[0].size_class > budget_octets:
        return _heads(opener, shown)
    return _whole(opener, shown)


def read_body(scope: AccountScope, uuid: bytes, start: int, end: int) -> bytes:
    """Octets of a body from `start` on, as far as one chunk has them and not beyond `end`.

    Raises MessageMissing when no message shows this content any more, AccountLocked.
    """
    n, offset = divmod(start, CHUNK_SIZE)
    chunk = content_opener(scope).body_chunk(uuid, n)
    if chunk is None:
        raise MessageMissing("this message is not there any more")
    portion = chunk[offset : offset + end - start]
    if not portion:
        raise Damaged("a stored mail is shorter than its index says")
    return portion


def read_content(scope: AccountScope, content: ContentId) -> StoredMessage | None:
    """A mail by its content, with UID 0; None when it is gone. Raises AccountLocked."""
    opener = content_opener(scope)
    shown = _ALONE.all(scope.connection, {"content": content, "account": scope.account.id})
    return next(iter(_whole(opener, [Shown(*row) for row in shown])), None)


def _heads(opener: ContentOpener, shown: list[Shown]) -> list[MessageHead]:
    opened = opener.heads({content: uuid for _, _, content, uuid, _ in shown})
    return [MessageHead(uid, date, *split_header(opened[uuid].blob), uuid) for uid, date, _, uuid, _ in shown]


def _fitting_heads(opener: ContentOpener, shown: list[Shown], budget_octets: int) -> list[MessageHead]:
    """The first that fit, but at least one."""
    opened = opener.heads({content: uuid for _, _, content, uuid, _ in shown}, budget_octets)
    heads, left = list[MessageHead](), budget_octets
    for uid, date, _, uuid, _ in shown:
        head = opened.get(uuid)
        if head is None:
            break
        left -= len(head.blob)
        if left < 0 and heads:
            break
        heads.append(MessageHead(uid, date, *split_header(head.blob), uuid))
    return heads


def _whole(opener: ContentOpener, shown: list[Shown]) -> list[StoredMessage]:
    uuids = {content: uuid for _, _, content, uuid, _ in shown}
    opened = opener.heads(uuids)
    bodies = opener.bodies(uuids, opened)
    return [
        StoredMessage(uid, date, *split_header(opened[uuid].blob), bodies[content], uuid)
        for uid, date, content, uuid, _ in shown
    ]


def _shown(scope: AccountScope, mailbox: MailboxId, uids: Collection[int], budget_octets: int | None) -> list[Shown]:
    """What is there of these UIDs; with a budget the first that fit together, where a size counts as its size class."""
    where = {"mailbox": mailbox, "account": scope.account.id}
    found: list[Shown] = []
    left = budget_octets
    for rows in _SHOWN.rows(scope, uids, where):
        if left is None:
            found += rows
            continue
        for row in rows:
            if found and row[4] > left:
                return found
            found.append(row)
            left -= row[4]
    return found
