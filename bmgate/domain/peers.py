"""What the gateway remembers of other nodes between its runs: where they are, and who misbehaved."""

from dataclasses import dataclass

FOR_EVER = 1 << 62  # Unix seconds
MAX_RATING = 10  # tenths, as PyBitmessage counts: -1.0 to 1.0


@dataclass(frozen=True, slots=True)
class KnownPeer:
    """A node that exists, or so somebody said. Times are Unix seconds, 0 for never."""

    host: str
    port: int
    source: str  # the network of whoever told us of it first
    tried: bool = False  # we have reached it ourselves
    rating: int = 0
    heard_at: int = 0  # when it was last seen, by what others say
    seen_at: int = 0  # when we were last connected to it
    dialled_at: int = 0
    failures: int = 0  # since it was last reached
    anchor: bool = False  # we were connected to it for long, and begin with it after a restart


@dataclass(frozen=True, slots=True)
class Standing:
    """What is held against a source of connections (an IPv4 address, an IPv6 /64, a name)."""

    source: str
    score: int = 0
    scored_at: int = 0  # Unix seconds
    until: int = 0  # it is refused before that time
    reason: str = ""
    by_operator: bool = False
