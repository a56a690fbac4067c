"""Threads of one account: what a mail answers, and what is remembered so that answers to it will be found (I17)."""

from bmgate.domain.ports.account_store import AccountStore
from bmgate.domain.thread import Exchange, Thread
from bmgate.mail.message_identity import is_message_id, thread_references
from bmgate.mail.reading import Reading
from bmgate.mail.subjects import base_subject


def references_of(
    mine: AccountStore, reading: Reading, exchange: Exchange, now: int, *, by_subject: bool
) -> tuple[str, ...]:
    """The References of a mail that came, the last one being what it answers; empty where it begins a thread.

    It may name objects it answers, or what its sender's program calls them; failing that, the subject may tell.
    """
    found = _parents(mine, reading) or _named(mine, reading, exchange)
    if not found and by_subject:
        found = _about_the_same(mine, reading, exchange, now)
    return thread_references(found[-1].references, tuple(parent.message_id for parent in found)) if found else ()


def note_received(
    mine: AccountStore,
    mail: Thread,
    exchange: Exchange,
    reading: Reading,
    vector: bytes,
    now: int,
    *,
    by_subject: bool,
) -> None:
    """Remember a mail that came in the object `vector`."""
    mine.threads.add_vector(vector, mail, exchange, now)
    if reading.alias:
        mine.threads.add_alias(reading.alias, mail, exchange, now)
    if by_subject:
        _note_subject(mine, mail, exchange, reading.subject, now)


def note_sent(mine: AccountStore, mail: Thread, exchange: Exchange, subject: str, vector: bytes, now: int) -> None:
    """Remember a mail of the account's own that the object `vector` took away."""
    if is_message_id(mail.message_id):
        mail = Thread(mail.message_id, thread_references(mail.references, ()))
        mine.threads.add_vector(vector, mail, exchange, now)
        _note_subject(mine, mail, exchange, subject, now)


def note_copy(mine: AccountStore, message_id: str, exchange: Exchange, vector: bytes, now: int) -> None:
    """Another object brought a mail that came before: a reply may name it as well (I14)."""
    former = mine.threads.vectors_of(message_id, exchange)
    mail = mine.threads.by_vector(former[0]) if former else None
    mine.threads.add_vector(vector, mail or Thread(message_id), exchange, now)


def _parents(mine: AccountStore, reading: Reading) -> list[Thread]:
    found = (mine.threads.by_vector(vector) for vector in reading.parents)
    return [mail for mail in found if mail is not None]


def _named(mine: AccountStore, reading: Reading, exchange: Exchange) -> list[Thread]:
    for name in reading.answers:
        if (mail := mine.threads.by_alias(name, exchange)) is not None:
            return [mail]
    return []


def _about_the_same(mine: AccountStore, reading: Reading, exchange: Exchange, now: int) -> list[Thread]:
    subject, is_answer = base_subject(reading.subject)
    mail = mine.threads.by_subject(subject, exchange, now) if is_answer and subject else None
    return [] if mail is None else [mail]


def _note_subject(mine: AccountStore, mail: Thread, exchange: Exchange, subject: str, now: int) -> None:
    base, _ = base_subject(subject)
    if base:
        mine.threads.add_subject(base, mail, exchange, now)
