"""Which addresses are taken, and which are told to whom."""

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from peers import UNIX_NOW
from strategies import commands

from bmgate.bm.commands import MAX_PEERS, AddrCommand, PeerAddress, Services
from bmgate.bm.hosts import onion_name
from bmgate.bm.network import MAINNET, TESTNET, NetworkParameters
from bmgate.bm.node.download import PeerId
from bmgate.bm.node.gossip import MAX_SHARED, PACKETS_AT_ONCE, RELAY_SECONDS, SAMPLE_SECONDS, Gossip
from bmgate.bm.node.known_nodes import NEW_SLOTS, KnownNodes
from bmgate.bm.node.targets import PeerTarget

HOUR = 3_600
US = "44.44.44.44"
FIRST, SECOND, THIRD = PeerId(1), PeerId(2), PeerId(3)


class CountedNodes(KnownNodes):
    """Known nodes that count what they hear."""

    heard = 0

    def hear(self, target: PeerTarget, source: str, heard_at: int, now: int) -> bool:
        self.heard += 1
        return super().hear(target, source, heard_at, now)


class Talk:
    """Gossip over empty known nodes."""

    def __init__(self, network: NetworkParameters = MAINNET, lan: bool = False) -> None:
        self.known = CountedNodes(Random(1))
        self.known.load(b"key", [], UNIX_NOW)
        self.gossip = Gossip(network, self.known, Random(2), lambda target: target.host != US, lan)

    def peer(self, peer: PeerId, host: str = "66.66.1.1", chosen: bool = True, now: float = 0.0) -> list[AddrCommand]:
        return self.gossip.established(peer, host, chosen, now, UNIX_NOW)

    def hear(self, *addresses: PeerAddress, now: float = 0.0, peer: PeerId = FIRST) -> bool:
        return self.gossip.hear(peer, addresses, now, UNIX_NOW)

    def reach(self, host: str, seen_at: int = UNIX_NOW - 100) -> PeerTarget:
        target = PeerTarget(host, 8444)
        self.known.hear(target, "1.1.0.0/16", UNIX_NOW, UNIX_NOW)
        self.known.reached(target, seen_at)
        return target


def address(host: str = "1.2.3.4", port: int = 8444, time: int = UNIX_NOW - 60, stream: int = 1) -> PeerAddress:
    return PeerAddress(time, stream, Services.NETWORK, host, port)


def many(number: int, first: int = 20) -> list[PeerAddress]:
    return [address(f"{first + index // 65_536}.{index // 256 % 256}.{index % 256}.9") for index in range(number)]


# --- in ---


def test_p13_a_decent_address_is_taken() -> None:
    talk = Talk()
    talk.peer(FIRST)
    assert talk.hear(address(), address("2a00:1450::1"))
    assert {peer.host for peer in talk.known} == {"1.2.3.4", "2a00:1450::1"}
    assert {peer.source for peer in talk.known} == {"66.66.0.0/16"}


@pytest.mark.parametrize(
    "bad",
    [address(host) for host in ("10.0.0.1", "127.0.0.1", "224.0.0.1", "0.0.0.0", "169.254.0.1", "::1", US)]
    + [address(port=port) for port in (0, 25, 6667)]
    + [address(time=UNIX_NOW + seconds) for seconds in (601, HOUR, 1 << 62, -3 * HOUR, -10 * HOUR)]
    + [address(time=0), address(stream=2), address(stream=0), address("quzwelsuziwqgpt2.onion")],
)
def test_p13_other_addresses_are_not(bad: PeerAddress) -> None:
    talk = Talk()
    talk.peer(FIRST)
    talk.hear(bad)
    assert len(talk.known) == 0


def test_p13_a_local_network_knows_private_addresses() -> None:
    for talk in (Talk(lan=True), Talk(replace(TESTNET, gossips=True))):
        talk.peer(FIRST)
        talk.hear(address("192.168.1.7"), address("127.0.0.7"), address("0.0.0.0"), address("224.0.0.1"))
        assert {peer.host for peer in talk.known} == {"192.168.1.7", "127.0.0.7"}


def test_p13_a_peer_we_chose_may_begin_with_a_thousand_and_then_tells_one_in_ten_seconds() -> None:
    talk = Talk()
    talk.peer(FIRST)
    talk.hear(*many(MAX_PEERS))
    assert talk.known.heard == MAX_PEERS
    talk.hear(*many(100, first=60), now=50.0)
    assert talk.known.heard == MAX_PEERS + 5


def test_p13_a_stranger_has_to_be_patient() -> None:
    talk = Talk()
    talk.peer(FIRST, chosen=False)
    talk.hear(*many(MAX_PEERS))
    assert len(talk.known) <= 10
    talk.hear(*many(MAX_PEERS, first=60), now=3_600.0)
    assert len(talk.known) <= 20


def test_p13_one_slash_16_that_floods_us_for_a_day_fills_its_share_and_no_more() -> None:
    talk = Talk()
    for number in range(40):
        peer = PeerId(number)
        talk.peer(peer, f"66.66.{number}.1", now=number * 2_000.0)
        talk.hear(*many(MAX_PEERS, first=20 + number), now=number * 2_000.0, peer=peer)
    assert len(talk.known) <= 64 * NEW_SLOTS


def test_p13_packets_without_end_are_an_offence() -> None:
    talk = Talk()
    talk.peer(FIRST)
    assert all(talk.hear(address()) for _ in range(PACKETS_AT_ONCE))
    assert not talk.hear(address())
    assert talk.hear(address(), now=10.0)


def test_whoever_dials_us_is_worth_a_call() -> None:
    talk = Talk()
    talk.gossip.introduced(PeerTarget("1.2.3.4", 8444), UNIX_NOW)
    talk.gossip.introduced(PeerTarget("1.2.3.4", 25), UNIX_NOW)
    talk.gossip.introduced(PeerTarget("127.0.0.1", 8444), UNIX_NOW)
    assert [(peer.host, peer.port, peer.source) for peer in talk.known] == [("1.2.3.4", 8444, "1.2.0.0/16")]


@given(st.lists(commands(), max_size=20))
def test_whatever_is_told_the_bounds_hold(told: list[object]) -> None:
    talk = Talk()
    talk.peer(FIRST, chosen=False)
    for number, command in enumerate(told):
        if isinstance(command, AddrCommand):
            talk.gossip.hear(FIRST, command.peers, float(number), UNIX_NOW)
    assert len(talk.known) <= 12


# --- out ---


def test_a_peer_is_first_told_what_we_were_connected_to() -> None:
    talk = Talk()
    talk.known.hear(PeerTarget("9.9.9.9", 8444), "1.1.0.0/16", UNIX_NOW, UNIX_NOW)
    talk.reach("1.2.3.4")
    talk.reach("5.6.7.8", UNIX_NOW - 3 * HOUR)
    talk.reach(onion_name(bytes(32)))
    (told,) = talk.peer(FIRST)
    assert told.peers == (PeerAddress(UNIX_NOW - 100, 1, Services.NETWORK, "1.2.3.4", 8444),)
    assert talk.peer(SECOND, "1.2.3.4") == []


def test_pybitmessage_wants_times_before_its_own_present() -> None:
    talk = Talk()
    talk.reach("1.2.3.4", UNIX_NOW)
    (told,) = talk.peer(FIRST)
    assert told.peers[0].time == UNIX_NOW - 60


def test_at_most_500_are_told_and_the_same_for_an_hour() -> None:
    talk = Talk()
    for number in range(1_500):
        talk.reach(f"{20 + number // 256}.{number % 256}.1.1")
    first, second = talk.peer(FIRST), talk.peer(SECOND)
    assert len(first[0].peers) == MAX_SHARED
    assert first == second
    assert talk.peer(THIRD, now=SAMPLE_SECONDS) != first


def test_a_node_we_reached_is_told_to_two_peers_once() -> None:
    talk = Talk()
    for number in range(5):
        talk.peer(PeerId(number), f"66.{number}.1.1")
    talk.gossip.reached(talk.reach("1.2.3.4"))
    talk.gossip.reached(talk.reach("5.6.7.8"))
    told = talk.gossip.relays(0.0, UNIX_NOW)
    assert sum(len(addr.peers) for _, addr in told) == 4
    assert talk.gossip.relays(100.0, UNIX_NOW) == []


def test_relays_wait_so_that_they_share_a_packet() -> None:
    talk = Talk()
    talk.peer(FIRST)
    talk.gossip.reached(talk.reach("1.2.3.4"))
    assert talk.gossip.relays(0.0, UNIX_NOW)
    talk.gossip.reached(talk.reach("5.6.7.8"))
    talk.gossip.reached(talk.reach("5.7.7.8"))
    assert not talk.gossip.relays(RELAY_SECONDS / 2 - 1, UNIX_NOW)
    ((_, addr),) = talk.gossip.relays(RELAY_SECONDS * 1.5, UNIX_NOW)
    assert len(addr.peers) == 2


def test_nobody_is_told_what_he_told_us_or_where_he_is() -> None:
    talk = Talk()
    talk.peer(FIRST)
    talk.hear(address("1.2.3.4"))
    talk.gossip.reached(talk.reach("1.2.3.4"))
    talk.gossip.reached(talk.reach("66.66.1.1"))
    assert talk.gossip.relays(0.0, UNIX_NOW) == []


def test_a_peer_that_has_gone_is_told_nothing() -> None:
    talk = Talk()
    talk.peer(FIRST)
    talk.gossip.closed(FIRST)
    talk.gossip.reached(talk.reach("1.2.3.4"))
    assert talk.gossip.relays(0.0, UNIX_NOW) == []
    assert talk.hear(address())
