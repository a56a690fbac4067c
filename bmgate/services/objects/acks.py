"""Acks we wait for, and acks we send."""

from dataclasses import dataclass
from typing import Literal

from bmgate.bm.acceptance import KEPT, judge
from bmgate.bm.acks import ack_data_of, read_ack
from bmgate.bm.addresses import Address
from bmgate.bm.keys import Entropy
from bmgate.bm.network import NetworkParameters
from bmgate.domain.objects import StoredObject
from bmgate.domain.outbox import OutboxId
from bmgate.domain.ports.database import Store
from bmgate.errors import BadObject
from bmgate.services.objects.own_objects import random_delay
from bmgate.units import DAY


class AckWatch:
    """Ack data of own msgs on their way, each with its row; filled before the node opens its port (O5)."""

    def __init__(self) -> None:
        self._rows: dict[bytes, OutboxId] = {}

    def add(self, ack_data: bytes, row: OutboxId) -> None:
        """Watch for `ack_data` unless it is empty."""
        if ack_data:
            self._rows[ack_data] = row

    def remove(self, ack_data: bytes) -> None:
        """It came, or nobody cares any more."""
        self._rows.pop(ack_data, None)

    def match(self, encoded: bytes) -> OutboxId | None:
        """The row that this object acknowledges."""
        return self._rows.get(ack_data_of(encoded))


@dataclass(frozen=True, slots=True)
class AckSender:
    """Judges the ack inside a msg and delays it; `mean_delay` in seconds, already of this network (P26, P27).

    `per_day` is how many a sender gets who is no contact, from all identities together.
    """

    network: NetworkParameters
    entropy: Entropy
    mean_delay: float
    per_day: int = 20

    def wants(self, *, is_contact: bool, policy: Literal["all", "contacts", "never"]) -> bool:
        """Whether the recipient's policy confirms mail of such a sender (V15)."""
        return policy == "all" or (policy == "contacts" and is_contact)

    def has_left(self, store: Store, sender: Address, now: int) -> bool:
        """Whether this sender has had fewer acks than one gets in a day (P26)."""
        return store.acks.since(sender, now - DAY) < self.per_day

    def prepared(self, packet: bytes, now: int) -> StoredObject | None:
        """The ack object to publish, with the time until which it waits; None for what may not be published."""
        try:
            encoded = read_ack(packet, self.network.magic).encoded
        except BadObject:
            return None
        verdict, obj = judge(encoded, now, self.network)
        if obj is None or verdict not in KEPT:
            return None
        return StoredObject(obj, own=True, stem_until=now + int(random_delay(self.mean_delay, self.entropy)))
