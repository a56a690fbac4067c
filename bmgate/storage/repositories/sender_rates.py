"""How much senders wrote to an account lately. Who they are is not told: an HMAC tag finds them by their address."""

from dataclasses import dataclass

from sqlalchemy import bindparam, delete, insert, select

from bmgate.bm.addresses import Address
from bmgate.storage.repositories.scope import AccountScope
from bmgate.storage.schema import sender_rate as rates

_OF = (rates.c.account == bindparam("of"), rates.c.sender_tag == bindparam("tag"))
_UNTIL = select(rates.c.until).where(*_OF)
_FORGET = delete(rates).where(*_OF)
_FORGET_PAST = delete(rates).where(rates.c.account == bindparam("of"), rates.c.until <= bindparam("now"))
_ADD = insert(rates)


@dataclass(frozen=True, slots=True)
class AccountSenderRepository:
    """One moment for each sender, until it has passed; what has passed is deleted when the account's next is kept."""

    scope: AccountScope

    def until(self, sender: Address) -> int:
        """What was kept for this sender; 0 when there is nothing."""
        return int(self.scope.connection.execute(_UNTIL, self._place(sender)).scalar() or 0)

    def keep(self, sender: Address, until: int, now: int) -> None:
        """Keep `until` (Unix seconds) for this sender."""
        place = self._place(sender)
        self.scope.connection.execute(_FORGET, place)
        self.scope.connection.execute(_FORGET_PAST, {"of": place["of"], "now": now})
        row = {"account": self.scope.account.id, "sender_tag": place["tag"], "until": until}
        self.scope.connection.execute(_ADD, row)

    def _place(self, sender: Address) -> dict[str, object]:
        tag = self.scope.vault.tag(b"sender", self.scope.account.uuid, str(sender).encode())
        return {"of": self.scope.account.id, "tag": tag}
