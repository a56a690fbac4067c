"""Flags as clients store them where the gateway shows a mail's status: its keywords are not theirs to change."""

from collections.abc import Collection

from bmgate.domain.mailbox import FlagChange, Flags, MailboxId, MailboxKind, MessageRow
from bmgate.domain.ports.account_mail import AccountMessages

WITH_STATUS = frozenset({MailboxKind.SENT, MailboxKind.OUTBOX})
_PREFIX = "bm-"


def set_flags_of_client(
    messages: AccountMessages,
    mailbox: MailboxId,
    uids: Collection[int],
    change: FlagChange,
    flags: Flags,
    keywords: Collection[str],
    unchanged_since: int | None,
) -> list[MessageRow]:
    """STORE where the gateway's keywords are not the client's to change: they are ignored, and stay."""
    wanted = words_of_client(keywords)
    before = {row.uid: row for row in messages.rows(mailbox)} if change is FlagChange.REPLACE else {}
    rows = messages.set_flags(mailbox, uids, change, flags, wanted, unchanged_since)
    lost: dict[tuple[str, ...], list[int]] = {}
    for row in rows:
        if row.uid in before and (words := tuple(word for word in before[row.uid].keywords if _is_ours(word))):
            lost.setdefault(words, []).append(row.uid)
    restored = {
        row.uid: row
        for words, uids_of in lost.items()
        for row in messages.set_flags(mailbox, uids_of, FlagChange.ADD, Flags.NONE, words)
    }
    return [restored.get(row.uid, row) for row in rows]


def words_of_client(keywords: Collection[str]) -> tuple[str, ...]:
    """Those that are not the gateway's."""
    return tuple(word for word in keywords if not _is_ours(word))


def _is_ours(keyword: str) -> bool:
    return keyword.lower().startswith(_PREFIX)
