"""What one account's mail is threaded by: object vectors, names that other programs gave to mails, and subjects.

A row is found by a tag and says which mail is meant. It outlives the mail, so that an answer to something deleted still
joins its thread, but not for ever. Tags are this gateway's own: what they were made of is sealed in the row, so that
another one can make its tags of it. Rows from before that hold a vector, or nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, delete, insert, select, update

from bmgate.bm.addresses import parse_address
from bmgate.domain.thread import Exchange, Thread, ThreadEntry, ThreadKey
from bmgate.storage.repositories.scope import AccountScope
from bmgate.storage.schema import thread as threads
from bmgate.storage.statements import Prepared
from bmgate.units import DAY

VECTOR_SECONDS = 730 * DAY
SUBJECT_SECONDS = 90 * DAY  # (I17)

_SAME = (threads.c.account == bindparam("mine"), threads.c.tag == bindparam("same"))
_ONE = Prepared(select(threads.c.sealed_thread, threads.c.keep_until).where(*_SAME))
_ADD = Prepared(insert(threads))
_CHANGE = Prepared(update(threads).where(*_SAME))
_OF_MAIL = Prepared(
    select(threads.c.sealed_thread, threads.c.tag)
    .where(threads.c.account == bindparam("mine"), threads.c.mail_tag == bindparam("mail"))
    .order_by(threads.c.keep_until)
)
_OUTDATED = Prepared(
    delete(threads).where(threads.c.account == bindparam("mine"), threads.c.keep_until < bindparam("before"))
)


@dataclass(frozen=True, slots=True)
class AccountThreadRepository:
    """One account's threads. Times are Unix seconds."""

    scope: AccountScope

    def add_vector(self, vector: bytes, mail: Thread, exchange: Exchange, now: int) -> None:
        """The object `vector` carried this mail, between these two."""
        self._put(ThreadEntry(ThreadKey.VECTOR, vector, exchange, mail, now + VECTOR_SECONDS))

    def by_vector(self, vector: bytes) -> Thread | None:
        """The mail that an object carried; raises AccountLocked."""
        return self._get(self._tag(b"vector", vector), 0)

    def vectors_of(self, message_id: str, exchange: Exchange) -> list[bytes]:
        """The objects that carried this mail between exactly these two, oldest first; raises AccountLocked."""
        wanted = {"mine": self.scope.account.id, "mail": self._mail_tag(message_id, _ends(exchange))}
        rows = _OF_MAIL.all(self.scope.connection, wanted)
        return [_vector(self._lines(row.sealed_thread, row.tag)[0]) for row in rows]

    def add_alias(self, alias: str, mail: Thread, exchange: Exchange, now: int) -> None:
        """The correspondent's own program calls this mail `alias`, a Message-ID (I8)."""
        word = alias.encode(errors="replace")
        self._put(ThreadEntry(ThreadKey.ALIAS, word, exchange, mail, now + VECTOR_SECONDS))

    def by_alias(self, alias: str, exchange: Exchange) -> Thread | None:
        """What this correspondent calls so; raises AccountLocked."""
        return self._get(self._word_tag(ThreadKey.ALIAS, alias.encode(errors="replace"), _ends(exchange)), 0)

    def add_subject(self, subject: str, mail: Thread, exchange: Exchange, now: int) -> None:
        """The latest mail about `subject`, a base subject, between these two."""
        word = subject.encode(errors="replace")
        self._put(ThreadEntry(ThreadKey.SUBJECT, word, exchange, mail, now + SUBJECT_SECONDS))

    def by_subject(self, subject: str, exchange: Exchange, now: int) -> Thread | None:
        """The latest mail about it, if that is not long ago; raises AccountLocked."""
        return self._get(self._word_tag(ThreadKey.SUBJECT, subject.encode(errors="replace"), _ends(exchange)), now)

    def forget(self, before: int) -> None:
        """Drop what was to be kept until a time before that."""
        _OUTDATED.run(self.scope.connection, {"mine": self.scope.account.id, "before": before})

    def entries(self, limit: int) -> list[ThreadEntry]:
        """What is kept longest, at most `limit` vectors and as many other words; raises AccountLocked."""
        found: list[ThreadEntry] = []
        for those in (threads.c.mail_tag.is_not(None), threads.c.mail_tag.is_(None)):
            query = select(threads).where(threads.c.account == self.scope.account.id, those)
            latest = query.order_by(threads.c.keep_until.desc(), threads.c.tag).limit(limit)
            for row in self.scope.connection.execute(latest):
                entry = _entry(self._lines(row.sealed_thread, row.tag), row.keep_until)
                found += [] if entry is None else [entry]
        return found

    def take_over(self, entries: Iterable[ThreadEntry]) -> int:
        """What another gateway kept, and is not known here; how much that was."""
        mine = select(threads.c.tag).where(threads.c.account == self.scope.account.id)
        known = set(self.scope.connection.execute(mine).scalars())
        rows = (self._row(entry) for entry in entries)
        new = {row["tag"]: row | {"account": self.scope.account.id} for row in rows if row["tag"] not in known}
        if new:
            self.scope.connection.execute(insert(threads), list(new.values()))
        return len(new)

    def _put(self, entry: ThreadEntry) -> None:
        row = self._row(entry)
        values = {name: row[name] for name in ("sealed_thread", "mail_tag", "keep_until")}
        if _CHANGE.run(self.scope.connection, values | {"mine": self.scope.account.id, "same": row["tag"]}) == 0:
            _ADD.run(self.scope.connection, row | {"account": self.scope.account.id})

    def _row(self, entry: ThreadEntry) -> dict[str, Any]:
        mail, exchange = entry.mail, entry.exchange
        ends = b"" if exchange is None else _ends(exchange)
        is_vector = entry.key is ThreadKey.VECTOR
        tag = self._tag(b"vector", entry.word) if is_vector else self._word_tag(entry.key, entry.word, ends)
        plain = "\n".join((f"{entry.key}:{ends.decode()}:{entry.word.hex()}", mail.message_id, *mail.references))
        return {
            "tag": tag,
            "sealed_thread": self.scope.keys.seal(plain.encode(errors="replace"), b"thread", tag),
            "mail_tag": self._mail_tag(mail.message_id, ends) if is_vector and ends else None,
            "keep_until": entry.keep_until,
        }

    def _get(self, tag: bytes, now: int) -> Thread | None:
        row = _ONE.first(self.scope.connection, {"mine": self.scope.account.id, "same": tag})
        if row is None or row.keep_until < now:
            return None
        return _thread(self._lines(row.sealed_thread, tag)[1:])

    def _lines(self, sealed: bytes, tag: bytes) -> list[str]:
        return self.scope.keys.open(sealed, b"thread", tag).decode().split("\n")

    def _tag(self, what: bytes, *parts: bytes) -> bytes:
        return self.scope.vault.tag(b"thread", what, self.scope.account.uuid, *parts)

    def _mail_tag(self, message_id: str, ends: bytes) -> bytes:
        return self._tag(b"mail", ends, message_id.encode(errors="replace"))

    def _word_tag(self, key: ThreadKey, word: bytes, ends: bytes) -> bytes:
        return self._tag(key.value.encode(), ends, word)


def _entry(lines: list[str], keep_until: int) -> ThreadEntry | None:
    """None where a row from before does not say what it is found by."""
    first, *mail = lines
    key, found, rest = first.partition(":")
    if not found:
        word = bytes.fromhex(first)
        return ThreadEntry(ThreadKey.VECTOR, word, None, _thread(mail), keep_until) if word else None
    ends, _, hexadecimal = rest.partition(":")
    exchange = Exchange(*map(parse_address, ends.split(" "))) if ends else None
    return ThreadEntry(ThreadKey(key), bytes.fromhex(hexadecimal), exchange, _thread(mail), keep_until)


def _vector(line: str) -> bytes:
    return bytes.fromhex(line.rpartition(":")[2])


def _thread(lines: list[str]) -> Thread:
    message_id, *references = lines
    return Thread(message_id, tuple(references))


def _ends(exchange: Exchange) -> bytes:
    return f"{exchange.own} {exchange.other}".encode()
