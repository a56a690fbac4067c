"""One connection to a peer, from the first byte to the last: bytes and time go in, bytes and events come out.

The handshake, TLS inside it, deadlines, and the answer to every packet that breaks the rules (P1-P3, P5-P9, P12, P15).
No I/O: `bm/node` carries out what comes back. `now` is always monotonic seconds. Leaves to the node which objects to
ask for, to serve and to keep. Source: protocol specification v3; the order of a handshake stands in `handshake`.
"""

import ssl
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from bmgate.bm.commands import (
    AddrCommand,
    Command,
    Dinv,
    ErrorCommand,
    Getdata,
    Inv,
    ObjectCommand,
    Ping,
    Pong,
    Services,
    UnknownCommand,
    Verack,
    VersionCommand,
    encode_command,
    read_command,
)
from bmgate.bm.handshake import (
    MALFORMED,
    TRANSITIONS,
    Ending,
    Heard,
    Phase,
    Refusal,
    Reply,
    both_speak_tls,
    check_version,
)
from bmgate.bm.network import NetworkParameters
from bmgate.bm.packets import BadChecksum, Packet, PacketReader
from bmgate.bm.peer_events import (
    Announced,
    Established,
    HangUp,
    ObjectArrived,
    Output,
    PeersLearned,
    Requested,
    Send,
)
from bmgate.bm.tls import BadTls, TlsLayer
from bmgate.errors import BadCommand, BadPacket

FATAL = 2
MAX_BAD_CHECKSUMS = 3
MAX_ODDITIES = 10  # unknown or misplaced commands, getdata that cannot be read
MAX_EXTRA_VERSIONS = 1
_FORGIVEN = (b"getdata", b"error")  # skipped when malformed, and counted; what else is malformed ends the connection

Direction = Literal["in", "out"]
Trace = Callable[[Direction, Command], None]


@dataclass(frozen=True, slots=True)
class Deadlines:
    """How long a peer may take, in seconds (P3, P12)."""

    handshake: float = 30
    packet: float = 60  # and on top the time its size takes at the slowest rate
    slowest_rate: float = 8_000  # bytes per second
    ping: float = 300
    idle: float = 600
    stall: float = 60


def not_traced(direction: Direction, command: Command) -> None:
    """The trace of a conversation nobody watches."""


class Conversation:
    """Our side of one connection.

    `version` is what we say of ourselves; it offers TLS exactly when `tls_context` is there. `admit` may refuse a peer
    whose version is in order: a stranger too many, a duplicate, ourselves.
    """

    def __init__(
        self,
        network: NetworkParameters,
        version: VersionCommand,
        initiator: bool,
        admit: Callable[[VersionCommand], Refusal | None],
        tls_context: ssl.SSLContext | None = None,
        deadlines: Deadlines = Deadlines(),
        trace: Trace = not_traced,
    ) -> None:
        assert (tls_context is not None) == bool(version.services & Services.SSL)
        self._network, self._version, self._initiator = network, version, initiator
        self._admit, self._tls_context, self._deadlines, self._trace = admit, tls_context, deadlines, trace
        self._phase = Phase.CALLED if initiator else Phase.LISTENING
        self._reader = PacketReader(network.magic)
        self._tls: TlsLayer | None = None
        self._outputs: list[Output] = []
        self._extra_versions = self._bad_checksums = self._oddities = 0
        self._started = self._heard = self._spoke = self._pinged = self._drained_at = 0.0
        self._packet_since, self._packet_missing, self._drained = 0.0, 0, 0
        self.heard_time: int | None = None  # Unix seconds in the peer's version, wanted or not
        self.peer: VersionCommand | None = None
        self.established = self.ended = False
        self.bytes_in = self.bytes_out = 0

    def start(self, now: float) -> list[Output]:
        """The transport is there; to be called once, before anything else."""
        self._started = self._heard = self._spoke = self._pinged = self._drained_at = self._packet_since = now
        if self._initiator:
            self._say(self._version)
        return self._flush(now)

    def receive(self, data: bytes, now: float) -> list[Output]:
        """Bytes from the peer, in any portions; no bytes whatever make this raise."""
        if self.ended:
            return []
        self._heard = now
        self.bytes_in += len(data)
        try:
            self._reader.feed(data if self._tls is None else self._unseal(self._tls, data))
            packets = 0
            while not self.ended and (packet := self._next_packet()) is not None:
                self._read(packet, now)
                packets += 1
        except BadTls as error:
            self._hang_up(Ending.VIOLATION if self.established else Ending.TLS_FAILED, str(error))
        else:
            self._watch_packet(packets > 0, now)
        return self._flush(now)

    def tick(self, now: float, unsent: int = 0, hears: bool = True) -> list[Output]:
        """Time has passed; `unsent` is how many of our bytes the transport still holds, `hears` whether it is read."""
        if not hears:
            self._heard = self._packet_since = now
        if not self.ended:
            self._check_deadlines(now, unsent)
            self._ping_if_quiet(now)
        return self._flush(now)

    def say(self, commands: Iterable[Command], now: float) -> list[Output]:
        """Send commands to an established peer; nothing comes of it once the conversation has ended."""
        if self.ended:
            return []
        assert self.established
        self._say(*commands)
        return self._flush(now)

    def hang_up(self, ending: Ending, detail: str) -> list[Output]:
        """The node has had enough."""
        self._hang_up(ending, detail)
        return self._flush(self._spoke)

    def lost(self) -> Ending:
        """What the end of the transport means at this point; the conversation is over."""
        self.ended = True
        return Ending.TLS_FAILED if self._is_in_tls_handshake else Ending.LOST

    # --- reading ---

    def _next_packet(self) -> Packet | None:
        """The next packet; wrong checksums are passed over (P7), other bad frames end the connection (P1, P2)."""
        while not self.ended:
            try:
                return self._reader.next_packet()
            except BadChecksum as error:
                self._bad_checksums += 1
                if self._bad_checksums == MAX_BAD_CHECKSUMS:
                    self._hang_up(Ending.VIOLATION, str(error))
            except BadPacket as error:
                self._hang_up(Ending.VIOLATION, str(error))
        return None

    def _read(self, packet: Packet, now: float) -> None:
        try:
            command = read_command(packet)
        except BadCommand as error:
            self._malformed(packet, error)
            return
        self._trace("in", command)
        if isinstance(command, VersionCommand):
            self._hear_version(command, now)
        elif isinstance(command, ErrorCommand):
            if command.fatal >= FATAL:
                self._hang_up(Ending.REFUSED_BY_PEER, "the peer sent a fatal error")
        elif self.established:
            self._converse(command)
        elif isinstance(command, Verack):
            self._move(Heard.VERACK)
        else:
            self._hang_up(Ending.VIOLATION, f"{packet.command!r} before the handshake was done")

    def _malformed(self, packet: Packet, error: BadCommand) -> None:
        if packet.command in _FORGIVEN:
            self._count_oddity(str(error))
        elif packet.command == b"version" and self.peer is None:
            self._refuse(Refusal(Ending.REFUSED, MALFORMED))
        else:
            self._hang_up(Ending.VIOLATION, str(error))

    def _hear_version(self, version: VersionCommand, now: float) -> None:
        if self.peer is not None:
            self._extra_versions += 1
            if self._extra_versions > MAX_EXTRA_VERSIONS:
                self._hang_up(Ending.VIOLATION, "version again and again")
            return
        self.heard_time = version.timestamp
        unix_now = self._version.timestamp + int(now - self._started)
        refusal = check_version(version, unix_now) or self._admit(version)
        if refusal is not None:
            self._refuse(refusal)
            return
        self.peer = version
        self._move(Heard.VERSION)

    def _move(self, heard: Heard) -> None:
        if (self._phase, heard) not in TRANSITIONS:
            self._hang_up(Ending.VIOLATION, f"{heard.name.lower()} while {self._phase.name.lower()}")
            return
        self._phase, replies = TRANSITIONS[self._phase, heard]
        for reply in replies:
            self._say(Verack() if reply is Reply.VERACK else self._version)
        if self._phase is Phase.READY:
            self._begin_tls_or_establish()

    def _converse(self, command: Command) -> None:
        match command:
            case Inv(vectors) if vectors:
                self._outputs.append(Announced(vectors))
            case Dinv(vectors) if vectors:
                self._outputs.append(Announced(vectors, stem=True))
            case Getdata(vectors) if vectors:
                self._outputs.append(Requested(vectors))
            case ObjectCommand(encoded):
                self._outputs.append(ObjectArrived(encoded))
            case AddrCommand(peers) if peers:
                self._outputs.append(PeersLearned(peers))
            case Ping():
                self._say(Pong())
            case UnknownCommand() | Verack():
                self._count_oddity("unknown or misplaced commands")

    def _count_oddity(self, detail: str) -> None:
        self._oddities += 1
        if self._oddities == MAX_ODDITIES:
            self._hang_up(Ending.VIOLATION, detail)

    # --- TLS ---

    @property
    def _is_in_tls_handshake(self) -> bool:
        return self._tls is not None and not self.established

    def _begin_tls_or_establish(self) -> None:
        assert self.peer is not None
        if self._tls_context is None or not both_speak_tls(self._version.services, self.peer.services):
            self._establish()
            return
        self._tls = TlsLayer(self._tls_context, server_side=not self._initiator)
        rest = self._reader.take_rest()  # the peer's ClientHello may have come with its verack
        self._reader.feed(self._unseal(self._tls, rest))

    def _unseal(self, tls: TlsLayer, data: bytes) -> bytes:
        passed = tls.receive(data)
        self._emit(passed.wire)
        if tls.established and not self.established:
            self._establish()
        return passed.plain

    def _establish(self) -> None:
        assert self.peer is not None
        self.established = True
        self._outputs.append(Established(self.peer, tls=self._tls is not None))

    # --- deadlines ---

    def _watch_packet(self, complete: bool, now: float) -> None:
        """Note since when a packet has been under way, and how much of it lacked at most."""
        missing = self._reader.missing
        if complete or not self._packet_missing:
            self._packet_since, self._packet_missing = now, missing
        else:
            self._packet_missing = max(self._packet_missing, missing)

    def _check_deadlines(self, now: float, unsent: int) -> None:
        limits = self._deadlines
        drained = self.bytes_out - unsent
        if unsent == 0 or drained > self._drained:
            self._drained, self._drained_at = drained, now
        if not self.established and now - self._started >= limits.handshake:
            self._hang_up(Ending.TLS_FAILED if self._is_in_tls_handshake else Ending.TIMEOUT, "handshake too slow")
        elif now - self._heard >= limits.idle:
            self._hang_up(Ending.TIMEOUT, "nothing heard")
        elif unsent and now - self._drained_at >= limits.stall:
            self._hang_up(Ending.TIMEOUT, f"{unsent} bytes not read by the peer")
        elif self._packet_missing and (
            now - self._packet_since >= limits.packet + self._packet_missing / limits.slowest_rate
        ):
            self._hang_up(Ending.TIMEOUT, "packet too slow")

    def _ping_if_quiet(self, now: float) -> None:
        """Also when only we are quiet: other peers' nodes close what they have not heard of for ten minutes."""
        quiet_since = max(min(self._heard, self._spoke), self._pinged)
        if self.established and not self.ended and now - quiet_since >= self._deadlines.ping:
            self._pinged = now
            self._say(Ping())

    # --- writing ---

    def _say(self, *commands: Command) -> None:
        for command in commands:
            self._trace("out", command)
        data = b"".join(encode_command(command, self._network.magic) for command in commands)
        try:
            self._emit(self._tls.seal(data) if self._tls is not None and data else data)
        except BadTls as error:
            self._hang_up(Ending.VIOLATION, str(error))

    def _emit(self, data: bytes) -> None:
        if data:
            self.bytes_out += len(data)
            self._outputs.append(Send(data))

    def _refuse(self, refusal: Refusal) -> None:
        self._say(ErrorCommand(FATAL, 0, b"", refusal.text))
        self._hang_up(refusal.ending, refusal.text)

    def _hang_up(self, ending: Ending, detail: str) -> None:
        if not self.ended:
            self.ended = True
            self._outputs.append(HangUp(ending, detail))

    def _flush(self, now: float) -> list[Output]:
        outputs, self._outputs = self._outputs, []
        if any(isinstance(output, Send) for output in outputs):
            self._spoke = now
        return outputs
