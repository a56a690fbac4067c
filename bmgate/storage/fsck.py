"""Whether the stored rows keep the promises of the outbox (O rules) and of the mailboxes (U rules).

Only looks. What an account's own key seals is opened for the accounts whose keys are at hand.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import Connection, Select, exists, func, or_, select
from sqlalchemy.exc import DatabaseError, OperationalError

from bmgate.bm.keys import PublicKeys
from bmgate.domain.account import AccountId
from bmgate.domain.mailbox import ContentId, Flags
from bmgate.domain.outbox import FINAL, OutboxId, State
from bmgate.domain.ports.account_store import AccountStore
from bmgate.domain.ports.database import Store
from bmgate.errors import GatewayError
from bmgate.storage.repositories.contents import IS_KEPT, size_class
from bmgate.storage.schema import (
    account,
    content,
    content_blob,
    expunged,
    identity,
    mailbox,
    message,
    outbox,
    submission,
)
from bmgate.storage.store import SealedStore

FILE = "file"  # the rule of what is wrong with SQLite's file


@dataclass(frozen=True, slots=True)
class Problem:
    """A broken promise: the rule's number, and the row that breaks it, without secrets.

    A remark breaks none: it is of what goes at the next start.
    """

    rule: str
    detail: str
    is_remark: bool = False


def check(store: Store) -> list[Problem]:
    """Everything that is wrong, and remarks; an empty list is good news. Reads all mail, so it takes its time."""
    assert isinstance(store, SealedStore)
    problems: list[Problem] = []
    for look in (_files, _breaches, _remarks, _uid_twice, _lonely_submissions, _identities, _recipients, _contents):
        try:
            problems.extend(look(store, store.scope.connection))
        except DatabaseError as error:
            if store.scope.connection.dialect.name != "sqlite" or isinstance(error, OperationalError):
                raise
            problems.append(Problem(FILE, f"{look.__name__.strip('_')}: {error.orig}"))
    return problems


def _describe(words: str, row: Any) -> str:
    return f"{words}: " + ", ".join(f"{name} {value}" for name, value in row._mapping.items())


def _breaches(store: SealedStore, connection: Connection) -> Iterator[Problem]:
    for rule, words, query in _BREACHES:
        for row in connection.execute(query):
            yield Problem(rule, _describe(words, row))


_ALL_FLAGS = int(sum(Flags)) - int(Flags.RECENT)
_FINAL = sorted(state.value for state in FINAL)
_IN_MAILBOX = select(mailbox.c.id.label("mailbox"))
_OF_MESSAGE = _IN_MAILBOX.add_columns(message.c.uid).join_from(mailbox, message, message.c.mailbox == mailbox.c.id)
_OF_EXPUNGED = _IN_MAILBOX.add_columns(expunged.c.uid).join_from(mailbox, expunged, expunged.c.mailbox == mailbox.c.id)
_ROW = select(outbox.c.id.label("row"), outbox.c.state)
_USED = (
    select(func.coalesce(func.sum(content.c.size_class), 0)).where(content.c.account == account.c.id).scalar_subquery()
)
_SHOWN = exists().where(message.c.content == content.c.id)
_UNFINISHED_ROW = exists().where(outbox.c.submission == submission.c.id, outbox.c.state.not_in(_FINAL))

_BREACHES: tuple[tuple[str, str, Select[Any]], ...] = (
    ("O1", "no state of the outbox", _ROW.where(outbox.c.state.not_in([state.value for state in State]))),
    (
        "O2",
        "its payload is not there",
        _ROW.where(outbox.c.state.in_([State.BUILT.value, State.ACK_POW.value]), func.length(outbox.c.payload) == 0),
    ),
    (
        "O2",
        "its expiry is not set",
        _ROW.where(outbox.c.state.in_([State.BUILT.value, State.PUBLISHED.value]), outbox.c.expires_time == 0),
    ),
    ("O4", "failed without a reason", _ROW.where(outbox.c.state == State.FAILED.value, outbox.c.reason == "")),
    (
        "O9",
        "its text is gone, and rows still need it",
        select(submission.c.queue_id).where(submission.c.sealed_text.is_(None), _UNFINISHED_ROW),
    ),
    ("U1", "a UID at or above UIDNEXT", _OF_MESSAGE.where(message.c.uid >= mailbox.c.uidnext)),
    ("U1", "a UID below 1", _OF_MESSAGE.where(message.c.uid < 1)),
    ("U2", "a UIDNEXT below one that was told", _IN_MAILBOX.where(mailbox.c.recent_uid > mailbox.c.uidnext)),
    ("U1", "an expunged UID at or above UIDNEXT", _OF_EXPUNGED.where(expunged.c.uid >= mailbox.c.uidnext)),
    (
        "U3",
        "a UIDVALIDITY above the account's counter",
        _IN_MAILBOX.join(account, account.c.id == mailbox.c.account).where(
            or_(mailbox.c.uidvalidity > account.c.last_uidvalidity, mailbox.c.uidvalidity < 1)
        ),
    ),
    ("U4", "deleted mail that a mailbox shows", select(content.c.id.label("content")).where(_SHOWN, ~IS_KEPT)),
    ("U5", "a MODSEQ above the mailbox's", _OF_MESSAGE.where(message.c.modseq > mailbox.c.modseq)),
    ("U5", "expunges forgotten above its MODSEQ", _IN_MAILBOX.where(mailbox.c.purged_modseq > mailbox.c.modseq)),
    (
        "U5",
        "an expunge remembered that is said to be forgotten",
        _OF_EXPUNGED.where(expunged.c.modseq <= mailbox.c.purged_modseq),
    ),
    ("U5", "a MODSEQ above the mailbox's", _OF_EXPUNGED.where(expunged.c.modseq > mailbox.c.modseq)),
    ("U5", "a MODSEQ below 1", _OF_MESSAGE.where(message.c.modseq < 1)),
    ("U5", "a MODSEQ below 1", _IN_MAILBOX.where(mailbox.c.modseq < 1)),
    ("U7", "flags that no message has", _OF_MESSAGE.where(message.c.flags.not_in(range(_ALL_FLAGS + 1)))),
    (
        "quota",
        "the used room is miscounted",
        select(account.c.id.label("account")).where(account.c.used_bytes != _USED),
    ),
)


_REMARKS: tuple[tuple[str, str, Select[Any]], ...] = (
    (
        "U4",
        "left by an unfinished upload or import; goes at the next start",
        select(content.c.id.label("content")).where(~_SHOWN, IS_KEPT),
    ),
    (
        "U4",
        "left of deleted mail; goes at the next start",
        select(content.c.id.label("content")).where(~_SHOWN, ~IS_KEPT),
    ),
)


def _remarks(store: SealedStore, connection: Connection) -> Iterator[Problem]:
    for rule, words, query in _REMARKS:
        for row in connection.execute(query):
            yield Problem(rule, _describe(words, row), is_remark=True)


def _files(store: SealedStore, connection: Connection) -> Iterator[Problem]:
    if connection.dialect.name != "sqlite":
        return
    for (finding,) in connection.exec_driver_sql("PRAGMA integrity_check"):
        if finding != "ok":
            yield Problem(FILE, finding)
    for table, row, parent, _ in connection.exec_driver_sql("PRAGMA foreign_key_check"):
        yield Problem(FILE, f"row {row} of {table} points to no {parent}")


def _uid_twice(store: SealedStore, connection: Connection) -> Iterator[Problem]:
    same = (expunged.c.mailbox == message.c.mailbox) & (expunged.c.uid == message.c.uid)
    for row in connection.execute(select(message.c.mailbox, message.c.uid).join(expunged, same)):
        yield Problem("U1", _describe("an expunged UID given out again", row))
    repeated = select(mailbox.c.account, mailbox.c.uidvalidity).group_by(mailbox.c.account, mailbox.c.uidvalidity)
    for row in connection.execute(repeated.having(func.count() > 1)):
        yield Problem("U3", _describe("a UIDVALIDITY given out twice", row))


def _lonely_submissions(store: SealedStore, connection: Connection) -> Iterator[Problem]:
    numbers = func.count(outbox.c.id), func.coalesce(func.min(outbox.c.n), 0), func.coalesce(func.max(outbox.c.n), 0)
    query = select(submission.c.queue_id, *numbers).outerjoin(outbox, outbox.c.submission == submission.c.id)
    for queue_id, count, first, last in connection.execute(query.group_by(submission.c.queue_id)):
        if (first, last) != (1, count):
            yield Problem("O1", f"submission {queue_id}: {count} rows, numbered {first} to {last}")


def _identities(store: SealedStore, connection: Connection) -> Iterator[Problem]:
    for row in connection.execute(select(identity).order_by(identity.c.id)):
        if PublicKeys(row.signing_key, row.encryption_key).ripe != row.ripe:
            yield Problem("keys", f"identity {row.id}: its keys are not those of its address")
    yield from _tried("keys", "encryption keys of identities", store.identities.receiving_keys)


def _recipients(store: SealedStore, connection: Connection) -> Iterator[Problem]:
    for row in connection.execute(select(outbox.c.id).order_by(outbox.c.id)).scalars():
        yield from _tried("O1", f"outbox row {row}", partial(store.outbox.get, OutboxId(row)))


def _contents(store: SealedStore, connection: Connection) -> Iterator[Problem]:
    empty = select(content.c.id).where(_SHOWN, ~exists().where(content_blob.c.content == content.c.id))
    for row in connection.execute(empty).scalars():
        yield Problem("U4", f"content {row}: without its bytes")
    for owner in store.accounts.all():
        mine = store.account(AccountId(owner.id))
        if not mine.scope.keys.is_open:
            continue
        yield from _tried("keys", f"names of mailboxes of account {owner.id}", mine.mailboxes.all)
        query = select(content.c.id, content.c.size_class).where(content.c.account == owner.id, _SHOWN, IS_KEPT)
        for row, told in connection.execute(query.order_by(content.c.id)):
            yield from _tried("U4", f"content {row}", partial(_check_content, mine, ContentId(row), told))


def _check_content(mine: AccountStore, row: ContentId, told: int) -> None:
    """Raises ValueError for a mail that is not as large as it was said to be."""
    stored = mine.messages.by_content(row)
    size = 0 if stored is None else len(stored.header) + len(stored.body)
    if size_class(size) != told:
        raise ValueError(f"{size} octets, which is not the size that is told of it")


def _tried(rule: str, what: str, look: Callable[[], object]) -> Iterator[Problem]:
    try:
        look()
    except (GatewayError, ValueError) as error:
        yield Problem(rule, f"{what}: {error}")
