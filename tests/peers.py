"""Two ends of a connection in memory, and what peers say to each other in tests."""

import ssl
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from itertools import count
from typing import TypeVar, cast

from bmgate.bm.commands import Command, NetAddress, Services, VersionCommand, encode_command
from bmgate.bm.conversation import Conversation, Deadlines, Direction
from bmgate.bm.handshake import Refusal
from bmgate.bm.hashes import InventoryVector
from bmgate.bm.network import TESTNET, NetworkParameters
from bmgate.bm.objects import ObjectType, encode_object, read_object, with_nonce
from bmgate.bm.peer_events import HangUp, Output, PeerEvent, Send
from bmgate.bm.tls import peer_context
from bmgate.domain.objects import StoredObject
from bmgate.domain.peers import KnownPeer, Standing
from bmgate.domain.ports.database import Store
from bmgate.pow.target import is_work_sufficient

T = TypeVar("T")
UNIX_NOW = 1_795_300_000
CLIENT, SERVER = peer_context(server_side=False), peer_context(server_side=True)


def version(
    nonce: bytes = b"12345678",
    services: Services = Services.NETWORK,
    timestamp: int = UNIX_NOW,
    protocol_version: int = 3,
    user_agent: bytes = b"/peer:1.0/",
    streams: tuple[int, ...] = (1,),
    port: int = 8444,
) -> VersionCommand:
    """What a decent peer says of itself."""
    return VersionCommand(
        protocol_version,
        services,
        timestamp,
        NetAddress(Services.NETWORK, "127.0.0.2", 18444),
        NetAddress(services, "127.0.0.1", port),
        nonce,
        user_agent,
        streams,
    )


def everyone(_: VersionCommand) -> Refusal | None:
    """Admits all peers."""
    return None


def conversation(
    initiator: bool,
    tls: bool = False,
    admit: Callable[[VersionCommand], Refusal | None] = everyone,
    network: NetworkParameters = TESTNET,
    unix_now: int = UNIX_NOW,
    trace: Callable[[Direction, Command], None] = lambda _direction, _command: None,
) -> Conversation:
    """Our side of a connection, with the deadlines of the live network."""
    context: ssl.SSLContext | None = (CLIENT if initiator else SERVER) if tls else None
    services = Services.NETWORK | (Services.SSL if tls else Services(0))
    ours = version(nonce=b"ournonce", services=services, timestamp=unix_now)
    return Conversation(network, ours, initiator, admit, context, Deadlines(), trace)


def sent(outputs: Iterable[Output]) -> bytes:
    """The bytes among `outputs`, in order."""
    return b"".join(output.data for output in outputs if isinstance(output, Send))


def events(outputs: Iterable[Output]) -> list[PeerEvent]:
    return [output for output in outputs if isinstance(output, PeerEvent)]


def hang_ups(outputs: Iterable[Output]) -> list[HangUp]:
    return [output for output in outputs if isinstance(output, HangUp)]


def packed(*commands: Command, network: NetworkParameters = TESTNET) -> bytes:
    return b"".join(encode_command(command, network.magic) for command in commands)


@dataclass
class Ends:
    """Two conversations joined by lists of bytes, under one clock that stands still until it is moved."""

    left: Conversation
    right: Conversation
    now: float = 1_000.0
    outputs: dict[str, list[Output]] = field(default_factory=lambda: {"left": [], "right": []})

    def start(self, chunk: int = 1 << 20) -> None:
        """Connect, and let both talk until nobody has anything to say; bytes arrive in pieces of `chunk`."""
        self._carry("left", self.left.start(self.now), chunk)
        self._carry("right", self.right.start(self.now), chunk)

    def say(self, side: str, *commands: Command) -> None:
        speaker = self.left if side == "left" else self.right
        self._carry(side, speaker.say(commands, self.now), 1 << 20)

    def tick(self, seconds: float) -> None:
        """Move the clock on."""
        self.now += seconds
        self._carry("left", self.left.tick(self.now), 1 << 20)
        self._carry("right", self.right.tick(self.now), 1 << 20)

    def events(self, side: str) -> list[PeerEvent]:
        return events(self.outputs[side])

    def _carry(self, side: str, outputs: list[Output], chunk: int) -> None:
        self.outputs[side] += outputs
        other = "right" if side == "left" else "left"
        listener = self.right if side == "left" else self.left
        data = sent(outputs)
        for at in range(0, len(data), chunk):
            self._carry(other, listener.receive(data[at : at + chunk], self.now), chunk)


def worked_object(payload: bytes, expires_time: int, now: int, network: NetworkParameters = TESTNET) -> bytes:
    """A msg object with the work that `network` demands."""
    blank = encode_object(expires_time, ObjectType.MSG, 1, 1, payload)
    nonces = (
        nonce
        for nonce in count()
        if is_work_sufficient(
            with_nonce(blank, nonce), now, network.nonce_trials_per_byte, network.payload_length_extra_bytes
        )
    )
    return with_nonce(blank, next(nonces))


class MemoryInventory:
    """The `Inventory` port over a dict, as far as the node uses it."""

    def __init__(self) -> None:
        self.objects: dict[InventoryVector, StoredObject] = {}

    def add(self, objects: Iterable[StoredObject]) -> list[InventoryVector]:
        new = {stored.object.vector: stored for stored in objects if stored.object.vector not in self.objects}
        self.objects |= new
        return list(new)

    def vectors(self) -> list[tuple[InventoryVector, int, int]]:
        return [(vector, each.object.expires_time, each.stem_until) for vector, each in self.objects.items()]

    def get(self, vectors: Collection[InventoryVector]) -> dict[InventoryVector, bytes]:
        return {vector: self.objects[vector].object.encoded for vector in vectors if vector in self.objects}

    def purge(self, expired_before: int) -> dict[InventoryVector, int]:
        return self._delete([each for each in self.objects.values() if each.object.expires_time < expired_before])

    def evict(self, surplus: int) -> dict[InventoryVector, int]:
        gone: dict[InventoryVector, int] = {}
        for each in sorted(self.objects.values(), key=lambda each: (each.own, each.object.expires_time)):
            if sum(gone.values()) < surplus and not each.to_process:
                gone |= self._delete([each])
        return gone

    def size(self) -> int:
        return sum(len(each.object.encoded) for each in self.objects.values())

    def _delete(self, gone: list[StoredObject]) -> dict[InventoryVector, int]:
        for each in gone:
            del self.objects[each.object.vector]
        return {each.object.vector: len(each.object.encoded) for each in gone}


class MemoryPeers:
    """The `Peers` port over dicts."""

    def __init__(self) -> None:
        self.by_place: dict[tuple[str, int], KnownPeer] = {}
        self.by_source: dict[str, Standing] = {}

    def bucket_key(self) -> bytes:
        return b"k" * 32

    def known(self) -> list[KnownPeer]:
        return list(self.by_place.values())

    def save_known(self, changed: Collection[KnownPeer], gone: Collection[tuple[str, int]]) -> None:
        for place in gone:
            self.by_place.pop(place, None)
        self.by_place |= {(peer.host, peer.port): peer for peer in changed}

    def standings(self) -> list[Standing]:
        return list(self.by_source.values())

    def save_standings(self, changed: Collection[Standing], gone: Collection[str]) -> None:
        for source in gone:
            self.by_source.pop(source, None)
        self.by_source |= {standing.source: standing for standing in changed}


class MemoryDatabase:
    """The `Database` port with an inventory and peers alone; `failures` are raised first, one for each unit of work."""

    def __init__(self) -> None:
        self.inventory = MemoryInventory()
        self.peers = MemoryPeers()
        self.failures: list[Exception] = []
        self.batches: list[int] = []

    async def transact(self, work: Callable[[Store], T]) -> T:
        if self.failures:
            raise self.failures.pop(0)
        before = len(self.inventory.objects)
        result = work(cast(Store, self))
        self.batches.append(len(self.inventory.objects) - before)
        return result

    async def read(self, work: Callable[[Store], T]) -> T:
        return work(cast(Store, self))

    def store(self, encoded: bytes, stem_until: int = 0) -> InventoryVector:
        """What a service does before it has an own object announced."""
        stored = StoredObject(read_object(encoded), own=True, stem_until=stem_until)
        self.inventory.add([stored])
        return stored.object.vector
