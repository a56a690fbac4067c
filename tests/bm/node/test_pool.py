"""Who may connect, and nobody twice."""

from peers import UNIX_NOW, version

from bmgate.bm.commands import VersionCommand
from bmgate.bm.handshake import MYSELF, SERVER_FULL, Ending, Refusal
from bmgate.bm.network import MAINNET, TESTNET, NetworkParameters
from bmgate.bm.node.bans import Bans
from bmgate.bm.node.download import PeerId
from bmgate.bm.node.pool import MAX_LEAVING, MAX_NOTES, Connection, DayNotes, Kind, Pool
from bmgate.bm.node.targets import network_group

US = "203.0.113.50"
FULL = Refusal(Ending.DUPLICATE, SERVER_FULL)


class Table:
    """A pool, and what it hung up on."""

    def __init__(self, network: NetworkParameters = MAINNET, lan: bool = False) -> None:
        self.bans = Bans()
        self.pool = Pool(network, lan, self.bans, b"key")
        self.hung_up: list[PeerId] = []
        self._last = 0

    def connect(self, host: str, inbound: bool, nonce: bytes = b"") -> Connection:
        self._last += 1
        peer = PeerId(self._last)
        kind, own_nonce = Kind.INBOUND if inbound else Kind.OUTBOUND, nonce or self._last.to_bytes(8)
        connection = Connection(
            peer, host, 40_000, US, kind, own_nonce, 0, lambda *_: self.hung_up.append(peer), float(self._last)
        )
        self.pool.add(connection)
        return connection

    def admit(self, connection: Connection, offer: VersionCommand | None = None) -> Refusal | None:
        return self.pool.admit(connection.id, offer or version(nonce=b"stranger"))

    def accept(self, host: str) -> bool:
        if self.pool.may_accept(host, UNIX_NOW):
            self.connect(host, inbound=True)
            return True
        return False


def test_p4_a_host_has_two_inbound_connections() -> None:
    table = Table()
    assert [table.accept("198.51.100.1") for _ in range(1000)].count(True) == 2
    assert table.accept("198.51.100.2")


def test_p4_an_ipv6_host_is_its_slash_64() -> None:
    table = Table()
    assert [table.accept(f"2001:db8::{index:x}") for index in range(1, 100)].count(True) == 2
    assert table.accept("2001:db8:0:1::1")


def test_p4_a_network_group_has_eight() -> None:
    table = Table()
    assert [table.accept(f"198.51.{index}.1") for index in range(100)].count(True) == 8
    assert table.accept("198.52.0.1")


def test_p4_all_strangers_together_have_128_and_explicit_peers_still_get_in() -> None:
    table = Table()
    table.pool.exempt.add("192.0.2.9")
    assert [table.accept(f"10.{index % 250}.{index // 250}.1") for index in range(1000)].count(
        True
    ) == 128 + MAX_LEAVING
    assert len(table.hung_up) == MAX_LEAVING  # so many give way before their sockets are closed
    assert table.accept("192.0.2.9")


def test_p4_a_newcomer_takes_the_place_of_the_youngest_and_never_of_the_oldest() -> None:
    table = Table()
    for index in range(128):
        assert table.accept(f"10.{index}.0.1")
    for index in range(1_000):
        assert table.accept(f"10.{index % 120}.{1 + index // 120}.1")
        table.pool.remove(table.hung_up[-1])
    assert len([each for each in table.pool if each.inbound]) == 128
    assert all(PeerId(number) not in table.hung_up for number in range(1, 63))


def test_p4_an_explicit_peer_is_never_sent_away() -> None:
    table = Table()
    for index in range(128):
        table.pool.exempt.add(f"10.{index}.0.1")
        assert table.accept(f"10.{index}.0.1")
    assert not table.accept("198.51.100.1")


def test_p4_outbound_connections_take_no_inbound_place() -> None:
    table = Table()
    for index in range(200):
        table.connect(f"10.{index}.0.1", inbound=False)
    assert table.accept("198.51.100.1")


def test_a_closed_connection_frees_its_place() -> None:
    table = Table()
    first = table.connect("198.51.100.1", inbound=True)
    table.connect("198.51.100.1", inbound=True)
    assert not table.accept("198.51.100.1")
    table.pool.remove(first.id)
    assert table.accept("198.51.100.1")


def test_lan_mode_exempts_private_and_loopback_hosts_only() -> None:
    table = Table(lan=True)
    assert [table.accept("127.0.0.5") for _ in range(20)].count(True) == 20
    assert [table.accept("192.168.1.5") for _ in range(20)].count(True) == 20
    assert [table.accept("1.2.3.4") for _ in range(20)].count(True) == 2


def test_the_test_network_has_no_limits_per_host_or_group() -> None:
    table = Table(TESTNET)
    assert [table.accept("127.0.0.5") for _ in range(128)].count(True) == 128


def test_p16_a_discouraged_host_is_not_accepted_for_a_day() -> None:
    table = Table()
    table.bans.discourage("198.51.100.1", "too little work", UNIX_NOW)
    assert not table.pool.may_accept("198.51.100.1", UNIX_NOW + 86_399)
    assert table.pool.may_accept("198.51.100.1", UNIX_NOW + 86_400)


def test_explicit_peers_are_not_refused_but_for_the_operator() -> None:
    table = Table()
    table.pool.exempt.add("198.51.100.1")
    table.bans.discourage("198.51.100.1", "too little work", UNIX_NOW)
    assert table.accept("198.51.100.1")
    table.bans.ban("198.51.100.1", UNIX_NOW)
    assert not table.accept("198.51.100.1")


def test_peers_of_an_anonymous_network_arrive_from_one_address_without_limit() -> None:
    pool = Pool(MAINNET, False, Bans(), b"key", proxies=("127.0.0.1",))
    for number in range(20):
        assert pool.may_accept("127.0.0.1", UNIX_NOW)
        nonce = number.to_bytes(8)
        connection = Connection(
            PeerId(number), "127.0.0.1", 40_000, "127.0.0.1", Kind.INBOUND, nonce, 0, lambda *_: None
        )
        pool.add(connection)
        assert pool.admit(connection.id, version(nonce=b"stranger")) is None


def test_p14_our_own_nonce_is_ourselves() -> None:
    table = Table()
    out = table.connect(US, inbound=False, nonce=b"selfself")
    back = table.connect(US, inbound=True)
    assert table.admit(back, version(nonce=b"selfself")) == Refusal(Ending.SELF, MYSELF)
    assert table.hung_up == [out.id]


def test_p14_a_stranger_who_repeats_our_nonce_does_not_end_the_connection_it_is_from() -> None:
    table = Table()
    table.connect("198.51.100.1", inbound=False, nonce=b"selfself")
    stranger = table.connect("198.51.100.2", inbound=True)
    assert table.admit(stranger, version(nonce=b"selfself")) == Refusal(Ending.SELF, MYSELF)
    assert table.hung_up == []


def test_p14_a_host_we_dialled_may_not_connect_to_us_too() -> None:
    table = Table()
    out = table.connect("198.51.100.1", inbound=False)
    assert table.admit(out) is None
    out.established = True
    assert table.pool.is_connected("198.51.100.1")
    assert table.admit(table.connect("198.51.100.1", inbound=True)) == FULL


def test_p14_a_host_connected_to_us_is_not_kept_when_dialled() -> None:
    table = Table()
    assert table.admit(table.connect("198.51.100.1", inbound=True)) is None
    assert table.admit(table.connect("198.51.100.1", inbound=False)) == FULL


def test_p14_one_inbound_node_is_not_admitted_twice_but_its_neighbour_is() -> None:
    table = Table()
    assert table.admit(table.connect("198.51.100.1", inbound=True), version(port=8444)) is None
    assert table.admit(table.connect("198.51.100.1", inbound=True), version(port=8444)) == FULL
    assert table.admit(table.connect("198.51.100.1", inbound=True), version(port=8445)) is None


def test_two_nodes_that_dial_each_other_at_once_keep_what_the_higher_address_began() -> None:
    higher, lower = "203.0.113.60", "203.0.113.40"
    table = Table()
    ours = table.connect(higher, inbound=False)
    assert table.admit(table.connect(higher, inbound=True)) is None
    assert table.hung_up == [ours.id]
    table = Table()
    table.connect(lower, inbound=False)
    assert table.admit(table.connect(lower, inbound=True)) == FULL
    assert table.hung_up == []


def test_groups_are_slash_16_and_slash_32() -> None:
    assert network_group("198.51.100.1") == "198.51.0.0/16"
    assert network_group("2001:db8:1::1") == "2001:db8::/32"


def test_notes_last_a_day_and_are_bounded() -> None:
    notes = DayNotes()
    for index in range(MAX_NOTES + 1):
        notes.add(str(index), float(index))
    assert not notes.has("0", 10.0)
    assert notes.has("1", 10.0)
    assert not notes.has("1", 86_401.0)
