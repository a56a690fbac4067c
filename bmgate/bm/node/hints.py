"""Nodes that objects name: onion services and I2P destinations.

Nobody signs such objects, so anyone can name anyone: what comes out here is a hint, and only so many an hour.
Source: protocol specification v3, "onionpeer"; MiNode for I2P.
"""

import base64
from collections import deque
from collections.abc import Callable
from hashlib import sha256

from bmgate.bm.node.targets import PeerTarget
from bmgate.bm.objects import BitmessageObject, ObjectType, read_onionpeer
from bmgate.errors import BadObject

MAX_HINTS = 60  # an hour; work is cheap for such small objects
HOUR_SECONDS = 3_600.0
I2P_DESTINATION = range(387, 1_024)  # bytes: two keys and a certificate


class Hints:
    """Passes on what objects name, within the limit."""

    def __init__(self, hinted: Callable[[PeerTarget], None]) -> None:
        self._hinted = hinted
        self._times: deque[float] = deque(maxlen=MAX_HINTS)

    def look_at(self, obj: BitmessageObject, now: float) -> None:
        """`now` is monotonic seconds."""
        hint = read_hint(obj)
        if hint is None or (len(self._times) == MAX_HINTS and now - self._times[0] < HOUR_SECONDS):
            return
        self._times.append(now)
        self._hinted(hint)


def read_hint(obj: BitmessageObject) -> PeerTarget | None:
    """The node that an object names, if it names one; names of Tor's dead second version are none."""
    match obj.object_type, obj.version:
        case ObjectType.ONIONPEER, 3:
            try:
                peer = read_onionpeer(obj)
            except BadObject:
                return None
            return PeerTarget(peer.host, peer.port)
        case ObjectType.I2P, 1 if len(obj.payload) in I2P_DESTINATION:
            return PeerTarget(i2p_name(obj.payload), 0)
        case _:
            return None


def i2p_name(destination: bytes) -> str:
    """The short name of a destination: a hash in base 32."""
    return base64.b32encode(sha256(destination).digest()).decode("ascii").lower().rstrip("=") + ".b32.i2p"
