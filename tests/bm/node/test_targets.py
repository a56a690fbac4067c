"""Where nodes can be, and which of them are neighbours."""

import pytest

from bmgate.bm.hosts import onion_name
from bmgate.bm.node.targets import PeerTarget, is_private, is_public, network_group

ONION = onion_name(bytes(range(32)))
I2P = "a" * 52 + ".b32.i2p"


@pytest.mark.parametrize(
    "host",
    [
        "10.0.0.1",
        "192.168.1.1",
        "172.16.0.1",
        "127.0.0.1",
        "0.0.0.0",
        "0.1.2.3",
        "169.254.1.1",
        "100.64.0.1",
        "224.0.0.1",
        "239.1.1.1",
        "255.255.255.255",
        "240.0.0.1",
        "::",
        "::1",
        "fe80::1",
        "fc00::1",
        "ff02::1",
        "::ffff:10.0.0.1",
        "::ffff:127.0.0.1",
        "bootstrap8080.bitmessage.org",
        "quzwelsuziwqgpt2.onion",
        "x.i2p.",
        "nonsense",
    ],
)
def test_p13_no_node_of_a_stranger_is_at(host: str) -> None:
    assert not is_public(PeerTarget(host, 8444))


@pytest.mark.parametrize("host", ["1.2.3.4", "2a00:1450:4001::1", "::ffff:1.2.3.4", ONION, I2P])
def test_a_node_may_be_at(host: str) -> None:
    assert is_public(PeerTarget(host, 8444))


@pytest.mark.parametrize("port", [0, 22, 25, 110, 143, 465, 587, 993, 995, 6667, 65_536, -1])
def test_p13_nobody_makes_us_knock_at_the_doors_of_other_services(port: int) -> None:
    assert not is_public(PeerTarget("1.2.3.4", port))


def test_destinations_of_i2p_have_no_ports() -> None:
    assert is_public(PeerTarget(I2P, 0))


@pytest.mark.parametrize(
    ("host", "group"),
    [
        ("1.2.3.4", "1.2.0.0/16"),
        ("::ffff:1.2.3.4", "1.2.0.0/16"),
        ("2002:102:304::1", "1.2.0.0/16"),  # 6to4
        ("64:ff9b::102:304", "1.2.0.0/16"),  # NAT64
        ("2001:0:4136:e378:8000:63bf:fefd:fcfb", "1.2.0.0/16"),  # Teredo: the client's, inverted
        ("2a00:1450:4001::1", "2a00:1450::/32"),
        ("peer.example", "peer.example"),
        (I2P, "i2p/0"),
    ],
)
def test_groups_are_what_an_attacker_pays_for(host: str, group: str) -> None:
    assert network_group(host) == group


def test_names_that_cost_nothing_are_sixteen_groups() -> None:
    groups = {network_group(letter + "a" * 51 + ".b32.i2p") for letter in "abcdefghijklmnopqrstuvwxyz234567"}
    assert len(groups) == 16


def test_names_are_not_private() -> None:
    assert is_private("192.168.1.1")
    assert not is_private(ONION)
    assert not is_private("1.2.3.4")
