"""One account's address book, its correspondents, and its duplicate filter. Addresses and labels are sealed."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, bindparam, delete, insert, select, update

from bmgate.bm.addresses import Address, parse_address
from bmgate.domain.contact import Contact
from bmgate.mail.incoming import dedupe_tag
from bmgate.storage.repositories.scope import AccountScope, AnyRow
from bmgate.storage.schema import contact as contacts
from bmgate.storage.schema import dedupe

_ONE = select(contacts).where(
    contacts.c.account == bindparam("account"), contacts.c.address_tag == bindparam("address_tag")
)
_ADD = insert(contacts)
_OUTDATED = delete(dedupe).where(dedupe.c.account == bindparam("account"), dedupe.c.keep_until < bindparam("before"))
_CHANGE = update(contacts).where(contacts.c.id == bindparam("row"))


@dataclass(frozen=True, slots=True)
class AccountContactRepository:
    """One account's address book and correspondents."""

    scope: AccountScope

    def all(self) -> list[Contact]:
        """Oldest first; raises AccountLocked."""
        rows = self.scope.connection.execute(self._mine().where(contacts.c.sealed_label.is_not(None)))
        return [Contact(self._address(row), self._label(row)) for row in rows]

    def save(self, contact: Contact) -> None:
        """Add to the address book, or give another label."""
        sealed = self.scope.keys.seal(contact.label.encode(), b"contact label", self._tag(contact.address))
        self._write(contact.address, self._row(contact.address), sealed_label=sealed)

    def label_of(self, address: Address) -> str:
        """Empty when there is none; raises AccountLocked."""
        row = self._row(address)
        return "" if row is None or row.sealed_label is None else self._label(row)

    def note_correspondent(self, address: Address) -> bool:
        """Remember that mail was exchanged; True the first time."""
        row = self._row(address)
        if row is not None and row.corresponded:
            return False
        self._write(address, row, corresponded=True)
        return True

    def correspondents(self) -> list[Address]:
        """Oldest first; raises AccountLocked."""
        rows = self.scope.connection.execute(self._mine().where(contacts.c.corresponded.is_(True)))
        return [self._address(row) for row in rows]

    def _write(self, address: Address, row: AnyRow | None, **values: object) -> None:
        """Change `row`, or make one for an address that has none."""
        if row is not None:
            self.scope.connection.execute(_CHANGE, values | {"row": row.id})
            return
        tag = self._tag(address)
        new = {
            "account": self.scope.account.id,
            "address_tag": tag,
            "sealed_address": self.scope.keys.seal(str(address).encode(), b"contact", tag),
            "corresponded": False,
        }
        self.scope.connection.execute(_ADD, new | values)

    def _mine(self) -> Select[Any]:
        return select(contacts).where(contacts.c.account == self.scope.account.id).order_by(contacts.c.id)

    def _row(self, address: Address) -> AnyRow | None:
        wanted = {"account": self.scope.account.id, "address_tag": self._tag(address)}
        return self.scope.connection.execute(_ONE, wanted).first()

    def _tag(self, address: Address) -> bytes:
        return self.scope.vault.tag(b"contact", self.scope.account.uuid, str(address).encode())

    def _address(self, row: AnyRow) -> Address:
        return parse_address(self.scope.keys.open(row.sealed_address, b"contact", row.address_tag).decode())

    def _label(self, row: AnyRow) -> str:
        return self.scope.keys.open(row.sealed_label, b"contact label", row.address_tag).decode()


@dataclass(frozen=True, slots=True)
class AccountDuplicateRepository:
    """The duplicate filter of one account (I14)."""

    scope: AccountScope

    def seen(self, content_id: bytes) -> bool:
        query = select(dedupe.c.keep_until).where(*self._same(content_id))
        return self.scope.connection.execute(query).first() is not None

    def remember(self, content_id: bytes, keep_until: int) -> None:
        """Insert, or prolong."""
        if self.seen(content_id):
            longer = update(dedupe).where(*self._same(content_id), dedupe.c.keep_until < keep_until)
            self.scope.connection.execute(longer.values(keep_until=keep_until))
            return
        values = {"account": self.scope.account.id, "content_tag": self._tag(content_id), "keep_until": keep_until}
        self.scope.connection.execute(insert(dedupe).values(values))

    def forget(self, before: int) -> None:
        """Drop what was to be kept until a time before that."""
        self.scope.connection.execute(_OUTDATED, {"account": self.scope.account.id, "before": before})

    def _same(self, content_id: bytes) -> tuple[Any, ...]:
        return dedupe.c.account == self.scope.account.id, dedupe.c.content_tag == self._tag(content_id)

    def _tag(self, content_id: bytes) -> bytes:
        return dedupe_tag(self.scope.secrets.dedupe_key, content_id)
