"""One account's address book, its correspondents, and its duplicate filter. Addresses and labels are sealed."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, bindparam, delete, func, insert, or_, select, update

from bmgate.bm.addresses import Address, parse_address
from bmgate.domain.contact import Contact, Standing
from bmgate.domain.policy import Reads
from bmgate.mail.message_identity import dedupe_tag
from bmgate.storage.repositories.scope import AccountScope, AnyRow
from bmgate.storage.schema import contact as contacts
from bmgate.storage.schema import dedupe
from bmgate.storage.statements import Prepared

_ONE = Prepared(
    select(contacts).where(
        contacts.c.account == bindparam("account"), contacts.c.address_tag == bindparam("address_tag")
    )
)
_COUNT = Prepared(
    select(func.count().label("number")).where(
        contacts.c.account == bindparam("account"), contacts.c.sealed_label.is_not(None)
    )
)
_ADD = Prepared(insert(contacts))
_OUTDATED = delete(dedupe).where(dedupe.c.account == bindparam("account"), dedupe.c.keep_until < bindparam("before"))
_CHANGE = Prepared(update(contacts).where(contacts.c.id == bindparam("row")))


@dataclass(frozen=True, slots=True)
class AccountContactRepository:
    """One account's address book and correspondents."""

    scope: AccountScope

    def all(self) -> list[Contact]:
        """Oldest first; raises AccountLocked."""
        rows = self.scope.connection.execute(self._mine().where(contacts.c.sealed_label.is_not(None)))
        return [self._contact(row) for row in rows]

    def count(self) -> int:
        """How many are in the address book."""
        return int(_COUNT.scalar(self.scope.connection, {"account": self.scope.account.id}) or 0)

    def entries(self) -> list[Contact]:
        """With those that were only allowed or blocked; raises AccountLocked."""
        known = or_(contacts.c.sealed_label.is_not(None), contacts.c.standing.is_not(None))
        return [self._contact(row) for row in self.scope.connection.execute(self._mine().where(known))]

    def save(self, contact: Contact) -> None:
        """Add to the address book, or give another label."""
        sealed = self.scope.keys.seal(contact.label.encode(), b"contact label", self._tag(contact.address))
        self._write(contact.address, self._row(contact.address), sealed_label=sealed)

    def known(self) -> list[Address]:
        """Every address about which something is remembered, oldest first; raises AccountLocked."""
        return [self._address(row) for row in self.scope.connection.execute(self._mine())]

    def remove(self, address: Address) -> None:
        """Take out of the address book, and forget whether it was allowed or blocked."""
        row = self._row(address)
        if row is not None:
            self._write(address, row, sealed_label=None, standing=None)

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

    def note_written(self, address: Address) -> None:
        """Remember that the account wrote there."""
        row = self._row(address)
        if row is None or not row.wrote:
            self._write(address, row, corresponded=True, wrote=True)

    def was_written_to(self, address: Address) -> bool:
        row = self._row(address)
        return row is not None and bool(row.wrote)

    def correspondents(self) -> list[Address]:
        """Oldest first; raises AccountLocked."""
        rows = self.scope.connection.execute(self._mine().where(contacts.c.corresponded.is_(True)))
        return [self._address(row) for row in rows]

    def reads_of(self, address: Address) -> Reads:
        """What this address showed that it reads: FILES, MIME, or AUTO where nothing is known (O11)."""
        row = self._row(address)
        return Reads(row.reads) if row is not None and row.reads else Reads.AUTO

    def learn_reads(self, address: Address, reads: Reads) -> None:
        """What mail signed by this address shows; the latest wins."""
        row = self._row(address)
        if (None if row is None else row.reads) != (reads.value if reads is not Reads.AUTO else None):
            self._write(address, row, reads=None if reads is Reads.AUTO else reads.value)

    def standing_of(self, address: Address) -> Standing:
        """What the owner decided about mail from this address."""
        row = self._row(address)
        return Standing(row.standing) if row is not None and row.standing else Standing.NONE

    def set_standing(self, address: Address, standing: Standing) -> None:
        """Decide about mail from this address."""
        self._write(address, self._row(address), standing=standing.value or None)

    def ref_of(self, address: Address) -> int:
        """The number of an address in the account's settings; 0 when it was never heard of."""
        row = self._row(address)
        return 0 if row is None else row.id

    def make_ref(self, address: Address) -> int:
        """The same, for an address about which something is to be remembered."""
        if not self.ref_of(address):
            self._write(address, None)
        return self.ref_of(address)

    def _write(self, address: Address, row: AnyRow | None, **values: object) -> None:
        """Change `row`, or make one for an address that has none."""
        if row is not None:
            _CHANGE.run(self.scope.connection, values | {"row": row.id})
            return
        tag = self._tag(address)
        new = {
            "account": self.scope.account.id,
            "address_tag": tag,
            "sealed_address": self.scope.keys.seal(str(address).encode(), b"contact", tag),
            "corresponded": False,
        }
        _ADD.run(self.scope.connection, new | values)

    def _mine(self) -> Select[Any]:
        return select(contacts).where(contacts.c.account == self.scope.account.id).order_by(contacts.c.id)

    def _row(self, address: Address) -> AnyRow | None:
        wanted = {"account": self.scope.account.id, "address_tag": self._tag(address)}
        return _ONE.first(self.scope.connection, wanted)

    def _tag(self, address: Address) -> bytes:
        return self.scope.vault.tag(b"contact", self.scope.account.uuid, str(address).encode())

    def _contact(self, row: AnyRow) -> Contact:
        label = "" if row.sealed_label is None else self._label(row)
        return Contact(self._address(row), label, Standing(row.standing or ""))

    def _address(self, row: AnyRow) -> Address:
        return parse_address(self.scope.keys.open(row.sealed_address, b"contact", row.address_tag).decode())

    def _label(self, row: AnyRow) -> str:
        return self.scope.keys.open(row.sealed_label, b"contact label", row.address_tag).decode()


@dataclass(frozen=True, slots=True)
class AccountDuplicateRepository:
    """The duplicate filter of one account (I14)."""

    scope: AccountScope

    def tags(self) -> list[tuple[bytes, int]]:
        """All of it, each with its end of time."""
        query = select(dedupe.c.content_tag, dedupe.c.keep_until).where(dedupe.c.account == self.scope.account.id)
        return [(tag, until) for tag, until in self.scope.connection.execute(query.order_by(dedupe.c.content_tag))]

    def take_over(self, tags: Iterable[tuple[bytes, int]]) -> None:
        """What another gateway's filter held under the dedupe key that this account has now."""
        known = {tag for tag, _ in self.tags()}
        rows = [
            {"account": self.scope.account.id, "content_tag": tag, "keep_until": until}
            for tag, until in dict(tags).items()
            if tag not in known
        ]
        if rows:
            self.scope.connection.execute(insert(dedupe), rows)

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
