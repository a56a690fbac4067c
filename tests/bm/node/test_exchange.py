"""The trade with peers: what is asked of whom, what is told to whom, and nobody read who is ahead of us."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from random import Random
from typing import Any, cast

import pytest
from fakes import FakeClock
from peers import UNIX_NOW, MemoryDatabase

from bmgate.bm.acceptance import Verdict, judge
from bmgate.bm.commands import Command, Dinv, Getdata, Inv, ObjectCommand, Services
from bmgate.bm.handshake import Ending
from bmgate.bm.hashes import InventoryVector, inventory_vector
from bmgate.bm.network import TESTNET, NetworkParameters
from bmgate.bm.node import exchange as module
from bmgate.bm.node.download import DownloadLimits, PeerId
from bmgate.bm.node.exchange import (
    DIGESTED_AT_ONCE,
    PROMPT_INVS,
    PROMPT_VECTORS,
    SERVED_AT_ONCE,
    Exchange,
    ExchangeSettings,
    always,
)
from bmgate.bm.node.inventory import Inventory
from bmgate.bm.node.peer import Pause, PeerProtocol
from bmgate.bm.node.targets import PeerTarget
from bmgate.bm.node.upload import UploadLimits
from bmgate.bm.objects import (
    BitmessageObject,
    ObjectType,
    OnionPeer,
    encode_object,
    encode_onionpeer,
    read_object,
    with_nonce,
)
from bmgate.bm.peer_events import Announced, ObjectArrived, PeerEvent, Requested
from bmgate.native import choose_backend
from bmgate.pow.target import initial_hash, target


def vectors(number: int, start: int = 0) -> tuple[InventoryVector, ...]:
    return tuple(InventoryVector(index.to_bytes(32)) for index in range(start, start + number))


class RecordingPeer:
    """What the trade needs of a peer, without a connection."""

    def __init__(self, number: int, services: Services = Services.NETWORK) -> None:
        self.id = PeerId(number)
        self.services = services
        self.said: list[Command] = []
        self.pauses: set[Pause] = set()
        self.ending: Ending | None = None
        self.can_write = asyncio.Event()
        self.can_write.set()

    @property
    def protocol(self) -> PeerProtocol:
        return cast(PeerProtocol, self)

    @property
    def asked(self) -> list[InventoryVector]:
        return [vector for each in self.said if isinstance(each, Getdata) for vector in each.vectors]

    def told(self, kind: type[Inv | Dinv] = Inv) -> list[InventoryVector]:
        return [vector for each in self.said if isinstance(each, kind) for vector in each.vectors]

    def given(self) -> list[bytes]:
        return [each.encoded for each in self.said if isinstance(each, ObjectCommand)]

    def say(self, commands: Iterable[Command]) -> None:
        self.said += commands

    def hang_up(self, ending: Ending, detail: str) -> None:
        self.ending = ending

    def pause_reading(self, pause: Pause) -> None:
        self.pauses.add(pause)

    def resume_reading(self, pause: Pause) -> None:
        self.pauses.discard(pause)


@dataclass
class Trade:
    """An exchange, what it stands on, and what it passed on."""

    exchange: Exchange
    database: MemoryDatabase
    clock: FakeClock
    received: list[BitmessageObject]
    hinted: list[PeerTarget]
    complaints: list[tuple[PeerProtocol, Verdict]]

    async def join(self, *peers: RecordingPeer, outbound: bool = False) -> None:
        """They are established, and told of all there is."""
        for peer in peers:
            self.exchange.established(peer.protocol, outbound)
        await turns()

    def hear(self, peer: RecordingPeer, *events: PeerEvent) -> None:
        for event in events:
            self.exchange.handle(peer.protocol, event)

    async def pass_time(self, seconds: float) -> None:
        """In steps, each with its tick."""
        for _ in range(int(seconds)):
            self.clock.advance(1.0)
            self.exchange.tick()
            await turns()


async def turns() -> None:
    """Until everybody waits."""
    for _ in range(10):
        await asyncio.sleep(0)


LIVE = replace(TESTNET, delay_divisor=1, stem_divisor=1)


@asynccontextmanager
async def trading(
    network: NetworkParameters = LIVE,
    database: MemoryDatabase | None = None,
    has_room: Callable[[], bool] = always,
    may_expire: Callable[[], bool] = always,
    **settings: Any,
) -> AsyncIterator[Trade]:
    """An exchange on a clock that is moved by hand."""
    tasks = list[asyncio.Task[None]]()
    database, clock = database or MemoryDatabase(), FakeClock(UNIX_NOW)
    received, hinted = list[BitmessageObject](), list[PeerTarget]()
    complaints = list[tuple[PeerProtocol, Verdict]]()
    given = ExchangeSettings(**{"first_getdata": 0.0} | settings)
    async with asyncio.TaskGroup() as group:

        def spawn(work: Coroutine[None, None, None]) -> asyncio.Task[None]:
            tasks.append(group.create_task(work))
            return tasks[-1]

        exchange = Exchange(
            network,
            given,
            Inventory(database, clock, given.inventory_limit),
            clock,
            Random(1),
            spawn,
            received.extend,
            lambda peer, verdict: complaints.append((peer, verdict)),
            hinted.append,
            has_room=has_room,
            may_expire=may_expire,
        )
        await exchange.start()
        try:
            yield Trade(exchange, database, clock, received, hinted, complaints)
        finally:
            for task in tasks:
                task.cancel()


@asynccontextmanager
async def trade(*peers: RecordingPeer) -> AsyncIterator[Exchange]:
    """An exchange with these peers, which it may ask without limit."""
    async with trading(TESTNET, download=DownloadLimits(first_window=1_000_000)) as made:
        await made.join(*peers)
        yield made.exchange


def an_object(number: int = 0, kind: int = ObjectType.MSG, version: int = 1, payload: bytes = b"") -> bytes:
    """With the work that the test network demands."""
    blank = encode_object(UNIX_NOW + 3_600, kind, version, 1, payload or number.to_bytes(4))
    limit = target(len(blank), 3_600 + 600, TESTNET.nonce_trials_per_byte, TESTNET.payload_length_extra_bytes)
    nonce, _ = choose_backend("hashlib").search(initial_hash(blank), limit, 0, 1 << 40, bytearray(1))
    assert nonce is not None
    return with_nonce(blank, nonce)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - the exchange tells nobody of these things
            await asyncio.sleep(0)


async def test_a_small_inv_is_answered_at_once() -> None:
    alice = RecordingPeer(1)
    async with trade(alice) as exchange:
        exchange.handle(alice.protocol, Announced(vectors(PROMPT_VECTORS)))
        assert alice.asked == list(vectors(PROMPT_VECTORS))
        assert not alice.pauses


async def test_t1_p9_a_peer_that_announces_much_is_not_read_until_it_is_digested_and_others_are_served() -> None:
    flooder, other = RecordingPeer(1), RecordingPeer(2)
    async with trade(flooder, other) as exchange:
        exchange.handle(flooder.protocol, Announced(vectors(50_000)))
        assert flooder.pauses == {Pause.DIGESTING}
        assert not flooder.asked
        exchange.handle(other.protocol, Announced(vectors(10, start=60_000)))
        assert other.asked == list(vectors(10, start=60_000))
        await until(lambda: bool(flooder.asked))
        assert len(flooder.asked) == DIGESTED_AT_ONCE
        assert flooder.pauses
        await until(lambda: not flooder.pauses)
        exchange.tick()
        exchange.handle(flooder.protocol, Announced(vectors(10, start=70_000)))
        assert not flooder.pauses


async def test_t1_peers_that_flood_are_digested_in_turn() -> None:
    flooders = [RecordingPeer(number) for number in range(1, 4)]
    async with trade(*flooders) as exchange:
        for index, flooder in enumerate(flooders):
            exchange.handle(flooder.protocol, Announced(vectors(5 * DIGESTED_AT_ONCE, start=index * 10_000)))
        await until(lambda: all(flooder.asked for flooder in flooders))
        assert all(flooder.pauses for flooder in flooders)
        await until(lambda: not any(flooder.pauses for flooder in flooders))


async def test_t1_many_small_invs_wait_like_a_large_one() -> None:
    alice = RecordingPeer(1)
    async with trade(alice) as exchange:
        for index in range(PROMPT_INVS + 1):
            assert not alice.pauses
            exchange.handle(alice.protocol, Announced(vectors(1, start=index)))
        assert len(alice.asked) == PROMPT_INVS
        assert alice.pauses == {Pause.DIGESTING}
        await until(lambda: not alice.pauses)
        assert alice.asked == list(vectors(PROMPT_INVS + 1))


async def test_t1_the_backlog_of_a_peer_that_went_is_forgotten() -> None:
    alice, bob = RecordingPeer(1), RecordingPeer(2)
    async with trade(alice, bob) as exchange:
        exchange.handle(alice.protocol, Announced(vectors(5_000)))
        exchange.handle(bob.protocol, Announced(vectors(5_000, start=5_000)))
        exchange.closed(alice.protocol)
        await until(lambda: not bob.pauses)
        assert not alice.asked


# --- fetching ---


async def test_p10_what_a_peer_does_not_deliver_is_asked_of_another_that_announced_it() -> None:
    alice, bob, carol = (RecordingPeer(number) for number in range(1, 4))
    async with trading() as made:
        await made.join(alice, bob, carol)
        made.hear(alice, Announced(vectors(3)))
        made.hear(bob, Announced(vectors(2)))
        assert (len(alice.asked), bob.asked, carol.asked) == (3, [], [])
        await made.pass_time(59)
        assert bob.asked == []
        await made.pass_time(2)
        assert sorted(bob.asked) == list(vectors(2))
        assert carol.asked == []


async def test_p10_a_peer_that_never_delivers_is_let_go() -> None:
    alice = RecordingPeer(1)
    async with trading() as made:
        await made.join(alice)
        made.hear(alice, Announced(vectors(5_000)))
        await turns()
        await made.pass_time(60 * 8)
        assert alice.ending is Ending.UNHELPFUL


async def test_p9_a_flood_of_announcements_is_bounded_for_each_peer_and_for_all() -> None:
    flooders = [RecordingPeer(number) for number in range(1, 4)]
    limits = DownloadLimits(per_peer=500, in_all=1_200)
    async with trading(download=limits) as made:
        await made.join(*flooders)
        for second in range(5):
            for index, flooder in enumerate(flooders):
                made.hear(flooder, Announced(vectors(1_000, start=1_000_000 * index + 1_000 * second)))
            await until(lambda: not any(flooder.pauses for flooder in flooders))
            assert made.exchange.state.pending_downloads <= 1_200
        made.exchange.closed(flooders[0].protocol)
        assert made.exchange.state.pending_downloads <= 1_000


async def test_p19_one_object_from_fifty_peers_is_judged_stored_and_processed_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    judged: list[bytes] = []

    def counting(encoded: bytes, now: int, network: NetworkParameters) -> tuple[Verdict, BitmessageObject | None]:
        judged.append(encoded)
        return judge(encoded, now, network)

    monkeypatch.setattr(module, "judge", counting)
    peers = [RecordingPeer(number) for number in range(1, 51)]
    encoded = an_object()
    vector = inventory_vector(encoded)
    async with trading() as made:
        await made.join(*peers)
        for peer in peers:
            made.hear(peer, Announced((vector,)))
        assert sum(len(peer.asked) for peer in peers) == 1
        for peer in peers:
            made.hear(peer, ObjectArrived(encoded))
        await turns()
        for peer in peers:
            made.hear(peer, ObjectArrived(encoded))
        await turns()
        assert judged == [encoded]
        assert list(filter(None, made.database.batches)) == [1]
        assert [each.encoded for each in made.received] == [encoded]
        await made.pass_time(15)
        assert not any(peer.told() for peer in peers)


@pytest.mark.parametrize(
    ("kind", "version", "payload"),
    [(77, 1, b"?"), (0xFFFFFFFF, 2**63, b"?"), (ObjectType.MSG, 9, b"?"), (ObjectType.GETPUBKEY, 4, bytes(300))],
    ids=["type 77", "the last type", "msg version 9", "getpubkey of the wrong size"],
)
async def test_p18_what_we_do_not_read_is_relayed_unchanged(kind: int, version: int, payload: bytes) -> None:
    alice, bob = RecordingPeer(1), RecordingPeer(2)
    encoded = an_object(kind=kind, version=version, payload=payload)
    vector = inventory_vector(encoded)
    async with trading() as made:
        await made.join(alice, bob)
        made.hear(alice, Announced((vector,)), ObjectArrived(encoded))
        await turns()
        await made.pass_time(12)
        assert bob.told() == [vector]
        made.hear(bob, Requested((vector,)))
        await turns()
        assert bob.given() == [encoded]


async def test_p16_an_object_without_its_work_is_dropped_once_and_complained_of_each_time() -> None:
    alice = RecordingPeer(1)
    lazy = encode_object(UNIX_NOW + 3_600, ObjectType.MSG, 1, 1, bytes(8), nonce=1)
    async with trading(replace(LIVE, nonce_trials_per_byte=1_000)) as made:
        await made.join(alice)
        made.hear(alice, Announced((inventory_vector(lazy),)), ObjectArrived(lazy))
        assert made.complaints == [(alice.protocol, Verdict.TOO_LITTLE_WORK)]
        asked = list(alice.asked)
        made.hear(alice, Announced((inventory_vector(lazy),)))
        assert alice.asked == asked
        assert made.database.inventory.objects == {}


async def test_objects_that_name_nodes_are_passed_on_and_relayed() -> None:
    alice, bob, name = RecordingPeer(1), RecordingPeer(2), "a" * 55 + "d.onion"
    payload = read_object(encode_onionpeer(OnionPeer(name, 8444), UNIX_NOW)).payload
    encoded = an_object(kind=ObjectType.ONIONPEER, version=3, payload=payload)
    async with trading() as made:
        await made.join(alice, bob)
        made.hear(alice, ObjectArrived(encoded))
        await turns()
        assert made.hinted == [PeerTarget(name, 8444)]
        await made.pass_time(12)
        assert bob.told() == [inventory_vector(encoded)]


# --- serving ---


async def test_p11_a_request_for_one_object_fifty_thousand_times_brings_it_once() -> None:
    alice, database = RecordingPeer(1), MemoryDatabase()
    encoded = an_object()
    vector = database.store(encoded)
    async with trading(database=database) as made:
        await made.join(alice)
        await made.pass_time(6)
        made.hear(alice, Requested((vector,) * 50_000))
        await turns()
        assert alice.given() == [encoded]


async def test_p11_the_whole_inventory_in_a_loop_is_served_as_the_bucket_allows() -> None:
    alice, database = RecordingPeer(1), MemoryDatabase()
    stored = tuple(database.store(an_object(number)) for number in range(20))
    size = len(an_object())
    bucket = UploadLimits(burst_octets=30 * size, octets_per_second=size)
    async with trading(database=database, upload=bucket) as made:
        await made.join(alice)
        await made.pass_time(6)
        for _ in range(10):
            made.hear(alice, Requested(stored))
            await turns()
        given = len(alice.given())
        assert 30 <= given < 30 + SERVED_AT_ONCE
        await made.pass_time(20)
        assert given < len(alice.given()) < 50 + SERVED_AT_ONCE


async def test_p11_a_request_with_an_unknown_object_is_ignored_for_the_anti_intersection_delay() -> None:
    alice, database = RecordingPeer(1), MemoryDatabase()
    vector = database.store(an_object())
    async with trading(database=database) as made:
        await made.join(alice)
        await made.pass_time(6)
        made.hear(alice, Requested((vector, *vectors(1))))
        made.hear(alice, Requested((vector,)))
        await made.pass_time(5)
        assert alice.given() == []
        await made.pass_time(1)
        made.hear(alice, Requested((vector,)))
        await turns()
        assert len(alice.given()) == 1


# --- Dandelion ---

DANDELION = Services.NETWORK | Services.DANDELION


async def publish(made: Trade, number: int = 0) -> InventoryVector:
    """An own object, as a service has it announced."""
    vector = made.database.store(an_object(number))
    await made.exchange.announce_own([vector])
    return vector


async def test_v22_own_objects_go_to_one_outbound_peer_by_dinv_mostly_and_to_all_when_their_time_is_over() -> None:
    inbound, outbound = RecordingPeer(1, DANDELION), [RecordingPeer(number, DANDELION) for number in (2, 3, 4)]
    async with trading() as made:
        await made.join(inbound)
        await made.join(*outbound, outbound=True)
        own = [await publish(made, number) for number in range(40)]
        await made.pass_time(11)
        (child,) = [peer for peer in outbound if peer.said]
        assert set(child.told(Dinv) + child.told(Inv)) == set(own)
        assert 30 <= len(child.told(Dinv)) < 40
        assert inbound.said == []
        await made.pass_time(300)
        assert set(inbound.told()) == set(own)
        assert not set(child.told()) & set(child.told(Dinv))


async def test_a_peer_without_dandelion_is_never_sent_a_dinv() -> None:
    plain = RecordingPeer(1)
    async with trading() as made:
        await made.join(plain, outbound=True)
        own = [await publish(made, number) for number in range(20)]
        await made.pass_time(11)
        assert plain.told(Dinv) == []
        assert set(plain.told()) == set(own)


async def test_an_own_object_waits_for_a_stem_and_takes_the_first_that_comes() -> None:
    inbound, late = RecordingPeer(1, DANDELION), RecordingPeer(2, DANDELION)
    async with trading() as made:
        await made.join(inbound)
        vector = await publish(made)
        await made.pass_time(10)
        assert inbound.said == []
        await made.join(late, outbound=True)
        await made.pass_time(3)
        assert late.told(Dinv) + late.told() == [vector]
        assert inbound.said == []


async def test_a_stem_goes_on_to_an_outbound_peer_that_is_not_its_source() -> None:
    source, other = RecordingPeer(1, DANDELION), RecordingPeer(2, DANDELION)
    encoded = an_object()
    vector = inventory_vector(encoded)
    async with trading() as made:
        await made.join(source, other, outbound=True)
        made.hear(source, Announced((vector,), stem=True), ObjectArrived(encoded))
        await turns()
        await made.pass_time(4)
        assert source.told(Dinv) == source.told() == []
        assert other.told(Dinv) + other.told() == [vector]
        made.hear(source, Requested((vector,)))
        await made.pass_time(1)
        assert source.given() == []


async def test_without_dandelion_own_objects_and_stems_of_others_are_told_to_everyone() -> None:
    peers = [RecordingPeer(number, DANDELION) for number in (1, 2, 3)]
    encoded = an_object(7)
    async with trading(dandelion=False) as made:
        await made.join(*peers)
        own = await publish(made)
        made.hear(peers[0], Announced((inventory_vector(encoded),), stem=True), ObjectArrived(encoded))
        await made.pass_time(12)
        assert all(own in peer.told() and peer.told(Dinv) == [] for peer in peers)
        assert inventory_vector(encoded) in peers[1].told()


async def test_v22_an_ack_whose_delay_a_restart_cut_short_begins_in_a_stem_after_it() -> None:
    inbound, outbound = RecordingPeer(1, DANDELION), RecordingPeer(2, DANDELION)
    database = MemoryDatabase()
    vector = database.store(an_object(), stem_until=UNIX_NOW + 100)
    async with trading(database=database) as made:
        await made.join(inbound)
        await made.join(outbound, outbound=True)
        await made.pass_time(99)
        assert inbound.said == outbound.said == []
        await made.pass_time(12)
        assert inbound.said == []
        assert outbound.told(Dinv) + outbound.told() == [vector]
        await made.pass_time(300)
        assert inbound.told() == [vector]


async def test_an_own_object_that_is_known_is_not_told_again() -> None:
    alice, database = RecordingPeer(1), MemoryDatabase()
    vector = database.store(an_object())
    async with trading(database=database) as made:
        await made.join(alice)
        await turns()
        assert alice.told() == [vector]
        await made.exchange.announce_own([vector])
        await made.pass_time(100)
        assert alice.told() == [vector]


# --- a disk without room, and a clock nobody should delete by ---


async def test_d1_without_room_nothing_is_fetched_and_all_of_it_later() -> None:
    room = [False]
    peer, encoded = RecordingPeer(1), [an_object(number) for number in range(3)]
    wanted = tuple(map(inventory_vector, encoded))
    async with trading(has_room=lambda: room[0]) as made:
        await made.join(peer)
        made.hear(peer, Announced(wanted))
        await made.pass_time(400)
        assert peer.asked == []
        assert made.exchange.state.pending_downloads == 3
        room[0] = True
        await made.pass_time(1)
        assert set(peer.asked) == set(wanted)
        made.hear(peer, *map(ObjectArrived, encoded))
        await turns()
        assert {each.encoded for each in made.received} == set(encoded)


async def test_d1_what_comes_when_there_is_no_room_any_more_is_asked_for_again() -> None:
    room = [True]
    peer, other, encoded = RecordingPeer(1), RecordingPeer(2), an_object()
    async with trading(has_room=lambda: room[0]) as made:
        await made.join(peer, other)
        made.hear(peer, Announced((inventory_vector(encoded),)))
        room[0] = False
        made.hear(peer, ObjectArrived(encoded))
        made.hear(other, ObjectArrived(an_object(1)))  # nobody had told of it
        await made.pass_time(120)
        assert not made.database.inventory.objects
        assert (peer.ending, made.complaints) == (None, [])
        room[0] = True
        await made.pass_time(1)
        assert peer.asked == [inventory_vector(encoded)] * 2
        made.hear(peer, ObjectArrived(encoded))
        await turns()
        assert list(made.database.inventory.objects) == [inventory_vector(encoded)]


async def test_d6_by_a_clock_that_is_far_off_nothing_expires() -> None:
    database, may_expire = MemoryDatabase(), [False]
    database.store(an_object())
    async with trading(database=database, may_expire=lambda: may_expire[0]) as made:
        await turns()
        made.clock.jump(86_400)
        await made.pass_time(1)
        made.clock.advance(3_600)
        await turns()
        assert len(database.inventory.objects) == 1
        may_expire[0] = True
        made.clock.advance(3_600)
        await turns()
        assert len(database.inventory.objects) == 0
