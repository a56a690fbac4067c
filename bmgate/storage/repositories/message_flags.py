"""Flags and keywords of messages, and how they change.

Rows that look alike afterwards are written together; MODSEQ rises only where something changed (RFC 7162).
"""

from collections.abc import Callable, Collection

from sqlalchemy import select, update

from bmgate.domain.mailbox import ContentId, FlagChange, Flags, MailboxId, MessageRow
from bmgate.storage.repositories.message_rows import advance, counters, some_rows
from bmgate.storage.repositories.scope import AccountScope, portions
from bmgate.storage.schema import mailbox as mailboxes
from bmgate.storage.schema import message as messages


def change_rows(
    scope: AccountScope,
    mailbox: MailboxId,
    uids: Collection[int],
    change: Callable[[MessageRow], MessageRow],
    unchanged_since: int | None = None,
) -> list[MessageRow]:
    """The rows after `change` of flags and keywords, without those that changed after `unchanged_since`."""
    counters(scope, mailbox)
    before = some_rows(scope, mailbox, uids)
    if unchanged_since is not None:
        before = [row for row in before if row.modseq <= unchanged_since]
    after = [change(row) for row in before]
    if after == before:
        return after
    _, modseq = advance(scope, mailbox)
    after = [new if new == old else new._replace(modseq=modseq) for old, new in zip(before, after, strict=True)]
    _update(scope, mailbox, [row for row in after if row.modseq == modseq], modseq)
    return after


def exchange_keywords(
    scope: AccountScope, content: ContentId, remove: Collection[str], add: Collection[str]
) -> list[MailboxId]:
    """Change keywords of every message showing `content`, and tell in which mailboxes that changed something."""

    def exchange(row: MessageRow) -> MessageRow:
        kept = changed(row, FlagChange.REMOVE, Flags.NONE, remove)
        return changed(kept, FlagChange.ADD, Flags.NONE, add)

    query = select(messages.c.mailbox, messages.c.uid).join(mailboxes, mailboxes.c.id == messages.c.mailbox)
    mine = (messages.c.content == content, mailboxes.c.account == scope.account.id)
    shown: dict[MailboxId, list[int]] = {}
    for mailbox, uid in scope.connection.execute(query.where(*mine).order_by(messages.c.mailbox)):
        shown.setdefault(MailboxId(mailbox), []).append(uid)
    before = {mailbox: counters(scope, mailbox) for mailbox in shown}
    for mailbox, uids in shown.items():
        change_rows(scope, mailbox, uids, exchange)
    return [mailbox for mailbox in shown if counters(scope, mailbox) != before[mailbox]]


def changed(row: MessageRow, change: FlagChange, flags: Flags, keywords: Collection[str]) -> MessageRow:
    """The row after one of the three forms of STORE; its MODSEQ is not touched."""
    match change:
        case FlagChange.ADD:
            return row._replace(flags=row.flags | flags, keywords=with_keywords(row.keywords, keywords))
        case FlagChange.REMOVE:
            gone = {word.lower() for word in keywords}
            kept = tuple(word for word in row.keywords if word.lower() not in gone)
            return row._replace(flags=row.flags & ~flags, keywords=kept)
        case FlagChange.REPLACE:
            return row._replace(flags=flags, keywords=with_keywords((), keywords))


def with_keywords(present: tuple[str, ...], added: Collection[str]) -> tuple[str, ...]:
    """Both lists without repetition; keywords are alike in any case (RFC 9051 section 2.3.2)."""
    words = {word.lower(): word for word in present}
    for word in added:
        assert word.strip(" ") == word != ""
        words.setdefault(word.lower(), word)
    return tuple(words.values())


def _update(scope: AccountScope, mailbox: MailboxId, rows: list[MessageRow], modseq: int) -> None:
    """Write flags and keywords, one statement for all that look alike."""
    alike: dict[tuple[int, tuple[str, ...]], list[int]] = {}
    for row in rows:
        alike.setdefault((int(row.flags), row.keywords), []).append(row.uid)
    for (flags, keywords), uids in alike.items():
        for portion in portions(uids):
            change = update(messages).where(messages.c.mailbox == mailbox, messages.c.uid.in_(portion))
            scope.connection.execute(change.values(flags=flags, keywords=" ".join(keywords), modseq=modseq))
