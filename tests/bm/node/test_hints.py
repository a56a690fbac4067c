"""Nodes that objects name."""

import pytest

from bmgate.bm.node.hints import HOUR_SECONDS, MAX_HINTS, Hints, i2p_name, read_hint
from bmgate.bm.node.targets import PeerTarget
from bmgate.bm.objects import (
    BitmessageObject,
    ObjectType,
    OnionPeer,
    encode_object,
    encode_onionpeer,
    read_object,
)

NOW = 1_795_300_000
NAME = "a" * 55 + "d.onion"


def onionpeer(port: int = 8444, host: str = NAME) -> BitmessageObject:
    return read_object(encode_onionpeer(OnionPeer(host, port), NOW))


def test_an_onionpeer_names_a_node() -> None:
    assert read_hint(onionpeer()) == PeerTarget(NAME, 8444)


def test_an_i2p_destination_is_named_by_its_hash() -> None:
    destination = bytes(391)
    obj = read_object(encode_object(NOW, ObjectType.I2P, 1, 1, destination))
    assert read_hint(obj) == PeerTarget(i2p_name(destination), 0)
    assert len(i2p_name(destination)) == 52 + len(".b32.i2p")


@pytest.mark.parametrize(
    ("kind", "version", "payload"),
    [
        (ObjectType.ONIONPEER, 2, bytes.fromhex("fd20fcfd87d87eeb438533622e54ca2d033e7a")),  # of Tor's second version
        (ObjectType.ONIONPEER, 3, b""),
        (ObjectType.ONIONPEER, 3, b"\x00" + bytes(16)),
        (ObjectType.ONIONPEER, 3, bytes(range(1, 61))),
        (ObjectType.ONIONPEER, 4, bytes(41)),
        (ObjectType.I2P, 1, bytes(386)),
        (ObjectType.I2P, 1, bytes(5_000)),
        (ObjectType.I2P, 2, bytes(391)),
        (ObjectType.MSG, 1, bytes(391)),
    ],
)
def test_other_objects_name_nobody(kind: int, version: int, payload: bytes) -> None:
    assert read_hint(read_object(encode_object(NOW, kind, version, 1, payload))) is None


def test_p13_only_so_many_hints_an_hour_are_passed_on() -> None:
    heard: list[PeerTarget] = []
    hints = Hints(heard.append)
    for number in range(2 * MAX_HINTS):
        hints.look_at(onionpeer(8_000 + number), float(number))
    assert len(heard) == MAX_HINTS
    hints.look_at(onionpeer(9_000), HOUR_SECONDS + 1)
    assert heard[-1] == PeerTarget(NAME, 9_000)
