"""What people are told of a running node."""

from dataclasses import dataclass

from bmgate.bm.node.exchange import ExchangeState


@dataclass(frozen=True, slots=True)
class NodeState:
    """Figures for people."""

    known: int
    tried: int  # of the known nodes: we have reached them ourselves
    banned: int
    bytes_in: int
    bytes_out: int
    clock_offset: int | None
    exchange: ExchangeState

    @property
    def stored_bytes(self) -> int:
        """What all stored objects take together."""
        return self.exchange.stored_bytes

    @property
    def pending_downloads(self) -> int:
        """Objects that were announced and have not come yet."""
        return self.exchange.pending_downloads

    @property
    def in_stem(self) -> int:
        """Objects hidden in a Dandelion stem."""
        return self.exchange.in_stem

    @property
    def stems(self) -> int:
        """Outbound peers to which stems lead now."""
        return len(self.exchange.stems)


@dataclass(frozen=True, slots=True)
class PeerNews:
    """What happened to a connection: `established`, or `closed` and why. `at` in Unix seconds."""

    at: int
    event: str
    host: str
    port: int
    kind: str
    detail: str
