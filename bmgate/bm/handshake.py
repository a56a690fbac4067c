"""How two peers come to trust each other's framing: the order of version and verack, and the checks on version.

Leaves bytes, TLS and deadlines to `conversation`, and who may connect at all to the node's pool.
Source: protocol specification v3, "version" and "verack". Texts of refusals are PyBitmessage's: nobody stands out.
"""

from dataclasses import dataclass
from enum import Enum, auto

from bmgate.bm.commands import PROTOCOL_VERSION, Services, VersionCommand
from bmgate.bm.network import CLOCK_TOLERANCE_SECONDS, STREAM

TOO_OLD = "Your is using an old protocol. Closing connection."
CLOCK_AHEAD = "Your time is too far in the future compared to mine. Closing connection."
CLOCK_BEHIND = "Your time is too far in the past compared to mine. Closing connection."
NO_COMMON_STREAM = "We don't have shared stream interests. Closing connection."
MALFORMED = "Your version is malformed. Closing connection."
SERVER_FULL = "Server full, please try again later."
MYSELF = "I'm connected to myself. Closing connection."


class Phase(Enum):
    """Where a handshake stands. CALLED: we dialled and sent version. ANSWERED: our verack and version are sent."""

    LISTENING = auto()
    CALLED = auto()
    CALLED_AND_VERACKED = auto()
    ANSWERED = auto()
    READY = auto()


class Heard(Enum):
    """What the peer may say during the handshake."""

    VERSION = auto()
    VERACK = auto()


class Reply(Enum):
    """What we owe the peer then."""

    VERSION = auto()
    VERACK = auto()


TRANSITIONS: dict[tuple[Phase, Heard], tuple[Phase, tuple[Reply, ...]]] = {
    # notbit and MiNode, as initiators, break unless verack comes before version.
    (Phase.LISTENING, Heard.VERSION): (Phase.ANSWERED, (Reply.VERACK, Reply.VERSION)),
    (Phase.CALLED, Heard.VERACK): (Phase.CALLED_AND_VERACKED, ()),
    (Phase.CALLED, Heard.VERSION): (Phase.ANSWERED, (Reply.VERACK,)),  # bmd answers in this order
    (Phase.CALLED_AND_VERACKED, Heard.VERSION): (Phase.READY, (Reply.VERACK,)),
    (Phase.ANSWERED, Heard.VERACK): (Phase.READY, ()),
}


class Ending(Enum):
    """Why a connection ends; the node decides by it whom to dial again, and how."""

    VIOLATION = auto()  # the peer broke the protocol
    REFUSED = auto()  # we refused the peer's version
    REFUSED_BY_PEER = auto()  # it sent a fatal error
    DUPLICATE = auto()
    FULL = auto()
    SELF = auto()
    TIMEOUT = auto()
    TLS_FAILED = auto()
    LOST = auto()  # the transport closed
    UNHELPFUL = auto()  # it announces what it never delivers
    MISBEHAVED = auto()  # it sent too much that is bad, and nothing more can be held against it
    EVICTED = auto()  # its place is given to somebody else
    BANNED = auto()  # by the operator, or for a day
    DONE = auto()  # we learnt what we wanted to know
    STOPPED = auto()


@dataclass(frozen=True, slots=True)
class Refusal:
    """A reason to end a connection, and the text of the fatal `error` that tells the peer."""

    ending: Ending
    text: str


def check_version(version: VersionCommand, now: int) -> Refusal | None:
    """What is wrong with the peer's version, if anything; `now` in Unix seconds. Our clock is never adjusted (P15)."""
    if version.protocol_version < PROTOCOL_VERSION:
        return Refusal(Ending.REFUSED, TOO_OLD)
    if version.timestamp - now > CLOCK_TOLERANCE_SECONDS:
        return Refusal(Ending.REFUSED, CLOCK_AHEAD)
    if now - version.timestamp > CLOCK_TOLERANCE_SECONDS:
        return Refusal(Ending.REFUSED, CLOCK_BEHIND)
    if STREAM not in version.streams:
        return Refusal(Ending.REFUSED, NO_COMMON_STREAM)
    return None


def both_speak_tls(ours: Services, theirs: Services) -> bool:
    return bool(ours & theirs & Services.SSL)
