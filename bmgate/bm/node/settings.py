"""What an operator decides about the node, as values."""

from dataclasses import dataclass, field

from bmgate.bm.conversation import Deadlines
from bmgate.bm.network import NetworkParameters
from bmgate.bm.node.dialing import Backoff
from bmgate.bm.node.exchange import ExchangeSettings
from bmgate.bm.node.lan import EVERYBODY
from bmgate.bm.node.pool import PoolLimits
from bmgate.bm.node.targets import PeerTarget


@dataclass(frozen=True, slots=True)
class NodeSettings:
    """`listen`: none for no inbound connections, port 0 for a free one. `outbound`: connections of the node's own
    choice; `only_peers`: none but to `peers`. `proxies`: addresses from which proxies bring peers that have none.
    `lan`: private and loopback addresses are peers like others, and looked for by `lan_broadcast`.
    """

    network: NetworkParameters
    listen: tuple[PeerTarget, ...]
    peers: tuple[PeerTarget, ...] = ()
    outbound: int = 8
    only_peers: bool = False
    bootstrap: bool = False
    lan: bool = False
    lan_broadcast: str = EVERYBODY
    tls_inbound: bool = False
    proxies: tuple[str, ...] = ()
    exchange: ExchangeSettings = field(default_factory=ExchangeSettings)
    pool: PoolLimits = field(default_factory=PoolLimits)
    deadlines: Deadlines = field(default_factory=Deadlines)
    backoff: Backoff = field(default_factory=Backoff)
    tick_seconds: float = 1.0

    @property
    def finds_peers(self) -> bool:
        """Whether the node chooses peers by itself."""
        return self.outbound > 0 and not self.only_peers

    @property
    def gossips(self) -> bool:
        """Whether it listens to what others tell of other nodes."""
        return self.network.gossips and not self.only_peers

    @property
    def bootstraps(self) -> bool:
        return self.bootstrap and self.network.bootstraps and self.finds_peers
