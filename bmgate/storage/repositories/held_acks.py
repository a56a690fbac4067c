"""Acks that wait for their reader's word. Whose they are is not told: HMAC tags find them, and they are sealed."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import ColumnElement, delete, func, insert, select

from bmgate.bm.addresses import Address
from bmgate.domain.contact import HeldAck
from bmgate.mail.message_identity import dedupe_tag
from bmgate.storage.repositories.scope import AccountScope, AnyRow
from bmgate.storage.schema import held_ack as held
from bmgate.storage.vault import Purpose

MAX_HELD = 1_000  # of one account; an ack is some 100 bytes


@dataclass(frozen=True, slots=True)
class AccountHeldAckRepository:
    """One account's held acks."""

    scope: AccountScope

    def hold(self, sender: Address, content_id: bytes, packet: bytes, keep_until: int) -> None:
        """In place of an earlier one for the same mail; beyond a thousand the first to end goes."""
        self._hold(sender, dedupe_tag(self.scope.secrets.dedupe_key, content_id), packet, keep_until)

    def _hold(self, sender: Address, tag: bytes, packet: bytes, keep_until: int) -> None:
        self.scope.connection.execute(delete(held).where(self._mine(), held.c.content_tag == tag))
        self._make_room()
        values = {
            "account": self.scope.account.id,
            "content_tag": tag,
            "sender_tag": self._sender_tag(sender),
            "keep_until": keep_until,
            "sealed_packet": self.scope.vault.seal(Purpose.SECRETS, packet, *self._place(tag)),
        }
        self.scope.connection.execute(insert(held).values(values))

    def take(self, sender: Address) -> list[bytes]:
        """The packets for mail of this sender, first those that end first; they are held no longer."""
        theirs = (self._mine(), held.c.sender_tag == self._sender_tag(sender))
        rows = self.scope.connection.execute(select(held).where(*theirs).order_by(held.c.keep_until)).all()
        self.scope.connection.execute(delete(held).where(*theirs))
        return [self._packet(row) for row in rows]

    def held_for(self, senders: Iterable[Address]) -> list[HeldAck]:
        """Those for mail of these senders: a tag finds a sender, but does not tell him."""
        rows = self.scope.connection.execute(select(held).where(self._mine()).order_by(held.c.keep_until)).all()
        known = {self._sender_tag(sender): sender for sender in senders} if rows else {}
        return [
            HeldAck(known[row.sender_tag], row.content_tag, self._packet(row), row.keep_until)
            for row in rows
            if row.sender_tag in known
        ]

    def take_over(self, acks: Iterable[HeldAck]) -> None:
        """What another gateway held, under the dedupe key that this account has now."""
        for ack in acks:
            self._hold(ack.sender, ack.content_tag, ack.packet, ack.keep_until)

    def forget(self, before: int) -> None:
        """Drop what was to be kept until a time before that."""
        self.scope.connection.execute(delete(held).where(self._mine(), held.c.keep_until < before))

    def _make_room(self) -> None:
        count = select(func.count()).select_from(held).where(self._mine())
        if self.scope.connection.execute(count).scalar_one() < MAX_HELD:
            return
        first = select(held.c.content_tag).where(self._mine()).order_by(held.c.keep_until).limit(1)
        tag = self.scope.connection.execute(first).scalar_one()
        self.scope.connection.execute(delete(held).where(self._mine(), held.c.content_tag == tag))

    def _mine(self) -> ColumnElement[bool]:
        return held.c.account == self.scope.account.id

    def _packet(self, row: AnyRow) -> bytes:
        return self.scope.vault.open(Purpose.SECRETS, row.sealed_packet, *self._place(row.content_tag))

    def _place(self, tag: bytes) -> tuple[bytes, ...]:
        return b"held ack", self.scope.account.uuid, tag

    def _sender_tag(self, sender: Address) -> bytes:
        return self.scope.vault.tag(b"held ack", self.scope.account.uuid, str(sender).encode())
