"""What one account's mail is threaded by: object vectors, names that other programs gave to mails, and subjects.

A row is found by a tag and says which mail is meant. It outlives the mail, so that an answer to something deleted still
joins its thread, but not for ever.
"""

from dataclasses import dataclass

from sqlalchemy import bindparam, delete, insert, select, update

from bmgate.domain.thread import Exchange, Thread
from bmgate.storage.repositories.scope import AccountScope
from bmgate.storage.schema import thread as threads
from bmgate.storage.statements import Prepared

DAY = 86_400
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
        mail_tag = self._mail_tag(mail.message_id, exchange)
        self._put(self._tag(b"vector", vector), mail, now + VECTOR_SECONDS, vector, mail_tag)

    def by_vector(self, vector: bytes) -> Thread | None:
        """The mail that an object carried; raises AccountLocked."""
        return self._get(self._tag(b"vector", vector), 0)

    def vectors_of(self, message_id: str, exchange: Exchange) -> list[bytes]:
        """The objects that carried this mail between exactly these two, oldest first; raises AccountLocked."""
        wanted = {"mine": self.scope.account.id, "mail": self._mail_tag(message_id, exchange)}
        rows = _OF_MAIL.all(self.scope.connection, wanted)
        return [self._opened(row.sealed_thread, row.tag)[0] for row in rows]

    def add_alias(self, alias: str, mail: Thread, exchange: Exchange, now: int) -> None:
        """The correspondent's own program calls this mail `alias`, a Message-ID (I8)."""
        self._put(self._alias_tag(alias, exchange), mail, now + VECTOR_SECONDS)

    def by_alias(self, alias: str, exchange: Exchange) -> Thread | None:
        """What this correspondent calls so; raises AccountLocked."""
        return self._get(self._alias_tag(alias, exchange), 0)

    def add_subject(self, subject: str, mail: Thread, exchange: Exchange, now: int) -> None:
        """The latest mail about `subject`, a base subject, between these two."""
        self._put(self._subject_tag(subject, exchange), mail, now + SUBJECT_SECONDS)

    def by_subject(self, subject: str, exchange: Exchange, now: int) -> Thread | None:
        """The latest mail about it, if that is not long ago; raises AccountLocked."""
        return self._get(self._subject_tag(subject, exchange), now)

    def forget(self, before: int) -> None:
        """Drop what was to be kept until a time before that."""
        _OUTDATED.run(self.scope.connection, {"mine": self.scope.account.id, "before": before})

    def _put(
        self, tag: bytes, mail: Thread, keep_until: int, vector: bytes = b"", mail_tag: bytes | None = None
    ) -> None:
        plain = "\n".join((vector.hex(), mail.message_id, *mail.references))
        values: dict[str, object] = {
            "sealed_thread": self.scope.keys.seal(plain.encode(errors="replace"), b"thread", tag),
            "mail_tag": mail_tag,
            "keep_until": keep_until,
        }
        if _CHANGE.run(self.scope.connection, values | {"mine": self.scope.account.id, "same": tag}) == 0:
            _ADD.run(self.scope.connection, values | {"account": self.scope.account.id, "tag": tag})

    def _get(self, tag: bytes, now: int) -> Thread | None:
        row = _ONE.first(self.scope.connection, {"mine": self.scope.account.id, "same": tag})
        return None if row is None or row.keep_until < now else self._opened(row.sealed_thread, tag)[1]

    def _opened(self, sealed: bytes, tag: bytes) -> tuple[bytes, Thread]:
        vector, message_id, *references = self.scope.keys.open(sealed, b"thread", tag).decode().split("\n")
        return bytes.fromhex(vector), Thread(message_id, tuple(references))

    def _tag(self, what: bytes, *parts: bytes) -> bytes:
        return self.scope.vault.tag(b"thread", what, self.scope.account.uuid, *parts)

    def _mail_tag(self, message_id: str, exchange: Exchange) -> bytes:
        return self._tag(b"mail", _ends(exchange), message_id.encode(errors="replace"))

    def _alias_tag(self, alias: str, exchange: Exchange) -> bytes:
        return self._tag(b"alias", _ends(exchange), alias.encode(errors="replace"))

    def _subject_tag(self, subject: str, exchange: Exchange) -> bytes:
        return self._tag(b"subject", _ends(exchange), subject.encode(errors="replace"))


def _ends(exchange: Exchange) -> bytes:
    return f"{exchange.own} {exchange.other}".encode()
