"""Responders: what goes out because of what came in, stored in the transaction of its delivery."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from bmgate.domain.outbox import OutgoingMessage
from bmgate.domain.ports.database import Store
from bmgate.services.delivery.arrivals import Arrival


class Responder(Protocol):
    """Looks at each msg that was delivered and wanted."""

    def answer(self, store: Store, arrival: Arrival, now: int) -> list[OutgoingMessage]:
        """The rows it made; tell `Sending.accepted` after the commit."""
        ...


@dataclass(frozen=True, slots=True)
class Responders:
    """Several, one after the other."""

    responders: Sequence[Responder]

    def answer(self, store: Store, arrival: Arrival, now: int) -> list[OutgoingMessage]:
        return [row for responder in self.responders for row in responder.answer(store, arrival, now)]
