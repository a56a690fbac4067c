"""Objects of the network as they are stored."""

from dataclasses import dataclass

from bmgate.bm.objects import BitmessageObject


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object on its way into the inventory.

    `to_process`: receiving has yet to look at it. `own`: we made it (or it is an ack we send for somebody).
    `stem_until`: Unix time before which it is neither announced nor served, 0 for at once.
    """

    object: BitmessageObject
    to_process: bool = True
    own: bool = False
    stem_until: int = 0
