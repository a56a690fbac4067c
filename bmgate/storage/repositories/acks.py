"""How often senders of mail were confirmed. Who they are is not told: an HMAC tag finds them by their address."""

from dataclasses import dataclass

from sqlalchemy import delete, func, insert, select

from bmgate.bm.addresses import Address
from bmgate.storage.repositories.pubkeys import address_tag
from bmgate.storage.repositories.scope import GatewayScope
from bmgate.storage.schema import ack as acks
from bmgate.units import DAY

KEEP_SECONDS = 7 * DAY


@dataclass(frozen=True, slots=True)
class AckRepository:
    """The acks of the last days, whichever identity confirmed."""

    scope: GatewayScope

    def add(self, sender: Address, now: int) -> None:
        """One more ack for what `sender` wrote."""
        connection = self.scope.connection
        connection.execute(insert(acks).values(sender_tag=address_tag(self.scope.vault, sender), at=now))
        connection.execute(delete(acks).where(acks.c.at < now - KEEP_SECONDS))

    def since(self, sender: Address, since: int) -> int:
        """How many acks `sender` got at or after `since`."""
        ours = (acks.c.sender_tag == address_tag(self.scope.vault, sender), acks.c.at >= since)
        query = select(func.count()).select_from(acks).where(*ours)
        return self.scope.connection.execute(query).scalar_one()
