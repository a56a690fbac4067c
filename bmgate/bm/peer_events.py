"""What comes out of a conversation: bytes to send, the wish to hang up, and what the node should know of the peer."""

from dataclasses import dataclass

from bmgate.bm.commands import PeerAddress, VersionCommand
from bmgate.bm.handshake import Ending
from bmgate.bm.hashes import InventoryVector


@dataclass(frozen=True, slots=True)
class Send:
    """Bytes for the peer."""

    data: bytes


@dataclass(frozen=True, slots=True)
class HangUp:
    """Close, after what was sent before; nothing follows. `detail` is for the log and holds no payload."""

    ending: Ending
    detail: str


class PeerEvent:
    """What the node should know or decide."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Established(PeerEvent):
    """The handshake is done: `say` may be called from now on."""

    version: VersionCommand
    tls: bool


@dataclass(frozen=True, slots=True)
class Announced(PeerEvent):
    """The peer has these objects; `stem`: in a Dandelion stem."""

    vectors: tuple[InventoryVector, ...]
    stem: bool = False


@dataclass(frozen=True, slots=True)
class Requested(PeerEvent):
    """The peer wants these objects; it may name one twice, or all it can think of."""

    vectors: tuple[InventoryVector, ...]


@dataclass(frozen=True, slots=True)
class ObjectArrived(PeerEvent):
    """Bytes that should be an object, unchecked."""

    encoded: bytes


@dataclass(frozen=True, slots=True)
class PeersLearned(PeerEvent):
    """Nodes that exist, says the peer."""

    peers: tuple[PeerAddress, ...]


Output = Send | HangUp | PeerEvent
