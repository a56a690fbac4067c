"""A peer's TCP connection: carries out what its conversation says, and decides nothing."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum, auto
from typing import cast

from bmgate.bm.commands import Command, Services
from bmgate.bm.conversation import Conversation
from bmgate.bm.handshake import Ending
from bmgate.bm.node.download import PeerId
from bmgate.bm.peer_events import HangUp, Output, PeerEvent, Send
from bmgate.domain.ports.world import Clock

WRITE_HIGH_WATER = 512 * 1024  # bytes held for a peer; above it we stop reading what it asks (P11)
READ_AT_ONCE = 16 * 1024
CLOSE_SECONDS = 1.0  # for what is still to be sent to a peer that is hung up on


class Pause(Enum):
    """Why a peer is not read."""

    WRITING = auto()  # it does not read what we send
    DIGESTING = auto()  # it announces faster than we look at it
    STORING = auto()  # we do not keep up with what all peers send
    TURN = auto()  # others have theirs first


@dataclass(frozen=True, slots=True)
class PeerHooks:
    """What the node does for a peer's transport. `begin` returns None for a connection that is not wanted."""

    begin: Callable[["PeerProtocol", asyncio.Transport], Conversation | None]
    deliver: Callable[["PeerProtocol", PeerEvent], None]
    closed: Callable[["PeerProtocol", Ending, str], None]


class PeerProtocol(asyncio.BufferedProtocol):
    """Carries one conversation over a transport. Reads little at a time, so that others have their turn in between."""

    conversation: Conversation
    _transport: asyncio.Transport

    def __init__(self, peer_id: PeerId, clock: Clock, hooks: PeerHooks) -> None:
        self.id = peer_id
        self._clock, self._hooks = clock, hooks
        self._pauses: set[Pause] = set()
        self._ending: tuple[Ending, str] | None = None
        self._is_wanted = False
        self.useful_at = 0.0  # monotonic seconds of the last object it was first to bring, 0 for never
        self._buffer = bytearray()
        self.can_write = asyncio.Event()
        self.can_write.set()
        self.closed: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        conversation = self._hooks.begin(self, self._transport)
        if conversation is None:
            self._transport.abort()
            return
        self._is_wanted, self.conversation = True, conversation
        self._transport.set_write_buffer_limits(high=WRITE_HIGH_WATER)
        self._carry_out(conversation.start(self._clock.monotonic()))

    def get_buffer(self, sizehint: int) -> bytearray:
        if not self._buffer:
            self._buffer = bytearray(READ_AT_ONCE)
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """A full buffer has more behind it, of which uvloop would bring us 32 in one turn."""
        if nbytes == READ_AT_ONCE:
            self.pause_reading(Pause.TURN)
            asyncio.get_running_loop().call_soon(self.resume_reading, Pause.TURN)
        data = bytes(memoryview(self._buffer)[:nbytes])
        self._buffer = bytearray()  # hundreds of peers are silent most of the time
        self.data_received(data)

    def data_received(self, data: bytes) -> None:
        """From the transport, or from whoever has read a few bytes of the peer's before us."""
        if self._is_wanted:
            self._carry_out(self.conversation.receive(data, self._clock.monotonic()))

    def connection_lost(self, error: Exception | None) -> None:
        self.can_write.set()
        ending = Ending.FULL
        if self._is_wanted:
            ending, detail = self._ending or (self.conversation.lost(), str(error or "closed by the peer"))
            self._hooks.closed(self, ending, detail)
        if not self.closed.done():
            self.closed.set_result(ending)

    @property
    def was_established(self) -> bool:
        """Whether the handshake was ever done."""
        return self._is_wanted and self.conversation.established

    @property
    def services(self) -> Services:
        """What an established peer offers."""
        version = self.conversation.peer
        return version.services if version is not None else Services(0)

    def pause_writing(self) -> None:
        self.can_write.clear()
        self.pause_reading(Pause.WRITING)

    def resume_writing(self) -> None:
        self.can_write.set()
        self.resume_reading(Pause.WRITING)

    def pause_reading(self, pause: Pause) -> None:
        """Leave what the peer sends to TCP's flow control, until every pause is over."""
        self._pauses.add(pause)
        if self._transport.is_reading():
            self._transport.pause_reading()

    def resume_reading(self, pause: Pause) -> None:
        self._pauses.discard(pause)
        if not self._pauses and not self._transport.is_closing():
            self._transport.resume_reading()

    def say(self, commands: Iterable[Command]) -> None:
        """To an established peer."""
        self._carry_out(self.conversation.say(commands, self._clock.monotonic()))

    def tick(self) -> None:
        """Look at the deadlines."""
        unsent = self._transport.get_write_buffer_size()
        self._carry_out(self.conversation.tick(self._clock.monotonic(), unsent, hears=not self._pauses))

    def hang_up(self, ending: Ending, detail: str) -> None:
        """Close after what was said before."""
        self._carry_out(self.conversation.hang_up(ending, detail))

    def abort(self) -> None:
        """Close at once, whatever is unsent."""
        self._transport.abort()

    def _carry_out(self, outputs: list[Output]) -> None:
        """What is to be sent goes together: of each write the transport keeps more than the 24 bytes of a pong."""
        to_send: list[bytes] = []
        for output in outputs:
            if isinstance(output, Send):
                to_send.append(output.data)
                continue
            self._write(to_send)
            match output:
                case HangUp(ending, detail):
                    self._ending = (ending, detail)
                    self._transport.close()
                    asyncio.get_running_loop().call_later(CLOSE_SECONDS, self._transport.abort)
                case PeerEvent():
                    self._hooks.deliver(self, output)
        self._write(to_send)

    def _write(self, to_send: list[bytes]) -> None:
        if to_send:
            self._transport.write(b"".join(to_send))
            to_send.clear()
