"""The rows of a mailbox: reading them, adding to them, and the counters that move with them.

Every change moves the mailbox's counters in the same transaction; one call is one step of MODSEQ (RFC 7162).
"""

from collections.abc import Collection, Iterable
from typing import Any

from sqlalchemy import bindparam, insert, select, update

from bmgate.domain.mailbox import Flags, MailboxId, MessageRow
from bmgate.errors import MailboxMissing
from bmgate.storage.repositories.scope import AccountScope, AnyRow, portions
from bmgate.storage.schema import mailbox as mailboxes
from bmgate.storage.schema import message as messages
from bmgate.storage.statements import Prepared

_FLAGS = tuple(Flags(bits) for bits in range(int(sum(Flags)) + 1))  # calling the enum costs 1 us a row

_COUNTERS = Prepared(
    select(mailboxes.c.uidnext, mailboxes.c.modseq, mailboxes.c.purged_modseq).where(
        mailboxes.c.id == bindparam("mailbox"), mailboxes.c.account == bindparam("account")
    )
)
_ADVANCE = Prepared(
    update(mailboxes)
    .where(mailboxes.c.id == bindparam("row"), mailboxes.c.account == bindparam("owner"))
    .values(uidnext=mailboxes.c.uidnext + bindparam("uids"), modseq=mailboxes.c.modseq + 1)
    .returning(mailboxes.c.uidnext, mailboxes.c.modseq)
)
ROWS = (
    select(
        messages.c.uid,
        messages.c.modseq,
        messages.c.flags,
        messages.c.keywords,
        messages.c.internaldate,
        messages.c.saved_at,
    )
    .where(messages.c.mailbox == bindparam("mailbox"))
    .order_by(messages.c.uid)
)
"""The columns that `read_rows` takes, of one mailbox."""

_SOME_ROWS = ROWS.where(messages.c.uid.in_(bindparam("uids", expanding=True)))
_ALL_ROWS = Prepared(ROWS)
_KEYWORDS = (
    select(messages.c.keywords).where(messages.c.mailbox == bindparam("mailbox"), messages.c.keywords != "").distinct()
)
_SOME_KEYWORDS = _KEYWORDS.where(messages.c.uid.in_(bindparam("uids", expanding=True)))
_INSERT = Prepared(insert(messages))


def counters(scope: AccountScope, mailbox: MailboxId) -> tuple[int, int]:
    """UIDNEXT and MODSEQ; raises MailboxMissing for mailboxes of others, too."""
    return marks(scope, mailbox)[:2]


def marks(scope: AccountScope, mailbox: MailboxId) -> tuple[int, int, int]:
    """UIDNEXT, MODSEQ, and the MODSEQ up to which expunges were forgotten; raises MailboxMissing."""
    where = {"mailbox": mailbox, "account": scope.account.id}
    row = _COUNTERS.first(scope.connection, where)
    return (*_required(row), (row[2] if row is not None else None) or 0)


def advance(scope: AccountScope, mailbox: MailboxId, uids: int = 0) -> tuple[int, int]:
    """UIDNEXT after giving out `uids`, and the next MODSEQ; raises MailboxMissing."""
    where = {"row": mailbox, "owner": scope.account.id, "uids": uids}
    return _required(_ADVANCE.first(scope.connection, where))


def all_rows(scope: AccountScope, mailbox: MailboxId) -> list[MessageRow]:
    """By UID."""
    return read_rows(_ALL_ROWS.all(scope.connection, {"mailbox": mailbox}))


def keywords_of(scope: AccountScope, mailbox: MailboxId, uids: Collection[int] | None) -> set[str]:
    """Of all its messages, or of `uids`; in lower case."""
    found: set[str] = set()
    if uids is None:
        found.update(scope.connection.execute(_KEYWORDS, {"mailbox": mailbox}).scalars())
    for portion in portions(uids or ()):
        found.update(scope.connection.execute(_SOME_KEYWORDS, {"mailbox": mailbox, "uids": portion}).scalars())
    return {word.lower() for words in found for word in words.split()}


def some_rows(scope: AccountScope, mailbox: MailboxId, uids: Collection[int]) -> list[MessageRow]:
    """Those of them that are there, by UID."""
    found: list[MessageRow] = []
    for portion in portions(uids):
        found += read_rows(scope.connection.execute(_SOME_ROWS, {"mailbox": mailbox, "uids": portion}))
    return found


def shown_contents(scope: AccountScope, mailbox: MailboxId, uids: Collection[int]) -> list[tuple[int, int]]:
    """UID and content of those that are there, by UID."""
    query = select(messages.c.uid, messages.c.content).order_by(messages.c.uid)
    found: list[tuple[int, int]] = []
    for portion in portions(uids):
        where = (messages.c.mailbox == mailbox, messages.c.uid.in_(portion))
        found += [(uid, content) for uid, content in scope.connection.execute(query.where(*where))]
    return found


def insert_rows(scope: AccountScope, mailbox: MailboxId, rows: Iterable[tuple[MessageRow, int]]) -> None:
    """Rows with their contents; the counters have been moved for them."""
    values = [
        {
            "mailbox": mailbox,
            "uid": row.uid,
            "modseq": row.modseq,
            "internaldate": row.internaldate,
            "flags": int(row.flags),
            "keywords": " ".join(row.keywords),
            "content": content,
            "saved_at": row.saved_at,
        }
        for row, content in rows
    ]
    _INSERT.run_all(scope.connection, values)


def read_rows(rows: Iterable[Any]) -> list[MessageRow]:
    """Rows of `ROWS` as values."""
    known: dict[str, tuple[str, ...]] = {"": ()}
    found = []
    for uid, modseq, flags, keywords, internaldate, saved_at in rows:
        words = known.get(keywords)
        if words is None:
            words = known[keywords] = tuple(keywords.split(" "))
        found.append(MessageRow(uid, modseq, _FLAGS[flags], words, internaldate, saved_at))
    return found


def _required(row: AnyRow | None) -> tuple[int, int]:
    if row is None:
        raise MailboxMissing("this mailbox is not there any more")
    return row[0], row[1]
