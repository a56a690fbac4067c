"""What a mailbox remembers of its past: which messages changed after a MODSEQ, and which were expunged (RFC 7162).

The memory of expunges is bounded; where it does not reach back, whatever is not there counts as expunged.
"""

from collections.abc import Collection

from sqlalchemy import bindparam, delete, insert, select, update

from bmgate.domain.mailbox import Changes, MailboxId
from bmgate.storage.repositories.contents import delete_unshown
from bmgate.storage.repositories.message_rows import ROWS, advance, counters, marks, read_rows, shown_contents
from bmgate.storage.repositories.scope import AccountScope, portions
from bmgate.storage.schema import expunged
from bmgate.storage.schema import mailbox as mailboxes
from bmgate.storage.schema import message as messages
from bmgate.storage.statements import Prepared

EXPUNGES_KEPT = 20_000  # per mailbox, and as many more as one expunge or so removes
_EXPUNGES_BETWEEN = 64

_CHANGED_ROWS = Prepared(ROWS.where(messages.c.modseq > bindparam("since")))
_EXPUNGED = Prepared(
    select(expunged.c.uid)
    .where(expunged.c.mailbox == bindparam("mailbox"), expunged.c.modseq > bindparam("since"))
    .order_by(expunged.c.uid)
)
_UIDS = Prepared(select(messages.c.uid).where(messages.c.mailbox == bindparam("mailbox")))
_ADD_EXPUNGED = Prepared(insert(expunged))
_OLDEST_KEPT = Prepared(
    select(expunged.c.modseq)
    .where(expunged.c.mailbox == bindparam("mailbox"))
    .order_by(expunged.c.modseq.desc())
    .limit(1)
    .offset(bindparam("kept"))
)


def changes_since(scope: AccountScope, mailbox: MailboxId, since_modseq: int) -> Changes:
    """Where the memory of expunges does not reach back so far, all UIDs that are not there count as expunged.

    Raises MailboxMissing.
    """
    uidnext, modseq, purged = marks(scope, mailbox)
    where = {"mailbox": mailbox, "since": since_modseq}
    updated = read_rows(_CHANGED_ROWS.all(scope.connection, where))
    if since_modseq >= purged:
        return Changes(modseq, uidnext, updated, [uid for (uid,) in _EXPUNGED.all(scope.connection, where)])
    present = {uid for (uid,) in _UIDS.all(scope.connection, {"mailbox": mailbox})}
    return Changes(modseq, uidnext, updated, [uid for uid in range(1, uidnext) if uid not in present])


def expunge(scope: AccountScope, mailbox: MailboxId, uids: Collection[int]) -> list[int]:
    """Which of them were there; contents nobody shows any more go too."""
    counters(scope, mailbox)
    doomed = shown_contents(scope, mailbox, uids)
    if not doomed:
        return []
    _, modseq = advance(scope, mailbox)
    for portion in portions([uid for uid, _ in doomed]):
        where = (messages.c.mailbox == mailbox, messages.c.uid.in_(portion))
        scope.connection.execute(delete(messages).where(*where))
    gone = [{"mailbox": mailbox, "uid": uid, "modseq": modseq} for uid, _ in doomed]
    _ADD_EXPUNGED.run_all(scope.connection, gone)
    _forget_expunged(scope, mailbox, modseq, len(gone))
    delete_unshown(scope, [content for _, content in doomed])
    return [uid for uid, _ in doomed]


def _forget_expunged(scope: AccountScope, mailbox: MailboxId, modseq: int, added: int) -> None:
    """Keep the memory of expunges bounded (RFC 7162 3.2.5.2); looked at now and then, for counting costs."""
    if modseq % _EXPUNGES_BETWEEN and added < _EXPUNGES_BETWEEN:
        return
    where = {"mailbox": mailbox, "kept": EXPUNGES_KEPT}
    oldest = _OLDEST_KEPT.scalar(scope.connection, where)
    if oldest is None:
        return
    gone = (expunged.c.mailbox == mailbox, expunged.c.modseq <= oldest)
    scope.connection.execute(delete(expunged).where(*gone))
    scope.connection.execute(update(mailboxes).where(mailboxes.c.id == mailbox).values(purged_modseq=oldest))
