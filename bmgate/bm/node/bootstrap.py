"""First peers, for a node that knows none: the names and addresses that other Bitmessage programs bring along.

Asked only when nothing else helps, and then seldom: whoever answers them learns that we are new, and could choose our
peers. What they say is hearsay like any other, each source with its own share of the known nodes.
Source: PyBitmessage's network/knownnodes and MiNode, notbit. Whether these nodes live is not known.
"""

from bmgate.bm.node.targets import PeerTarget

NAMES = (
    PeerTarget("bootstrap8080.bitmessage.org", 8080),
    PeerTarget("bootstrap8444.bitmessage.org", 8444),
)
NODES = tuple(
    PeerTarget(host, port)
    for host, port in (
        ("5.45.99.75", 8444),
        ("75.167.159.54", 8444),
        ("95.165.168.168", 8444),
        ("85.180.139.241", 8444),
        ("158.222.217.190", 8080),
        ("178.62.12.187", 8448),
        ("24.188.198.204", 8111),
        ("109.147.204.113", 1195),
        ("178.11.46.221", 8444),
        ("89.36.218.202", 8444),
        ("158.222.217.190", 8444),
        ("92.78.49.39", 8444),
        ("78.55.217.23", 8844),
        ("158.222.211.81", 8080),
        ("176.31.246.114", 8444),
        ("109.229.197.133", 8444),
        ("174.3.101.111", 8444),
        ("90.188.238.79", 7829),
        ("184.75.69.2", 8444),
        ("60.225.209.243", 8444),
        ("5.145.140.218", 8444),
        ("5.19.255.216", 8444),
        ("193.159.162.189", 8444),
        ("86.26.15.171", 8444),
    )
)
SOURCE = "bootstrap"

PATIENCE_SECONDS = 60.0  # without any connection, before others are asked
AGAIN_SECONDS = 3_600.0


class Need:
    """Whether it is time to ask. `now` is monotonic seconds."""

    def __init__(self) -> None:
        self._lonely_since: float | None = None
        self._asked_at: float | None = None

    def is_due(self, knows_any: bool, is_connected: bool, now: float) -> bool:
        """At once when we know nobody, after a while when none of those we know answers; True once each time."""
        if is_connected:
            self._lonely_since = None
            return False
        if self._lonely_since is None:
            self._lonely_since = now
        if self._asked_at is not None and now - self._asked_at < AGAIN_SECONDS:
            return False
        if knows_any and now - self._lonely_since < PATIENCE_SECONDS:
            return False
        self._asked_at = now
        return True
