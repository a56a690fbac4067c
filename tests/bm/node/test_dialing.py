"""How long to wait before a peer is dialled again, and how it is written."""

from random import Random

from bmgate.bm.node.dialing import Backoff
from bmgate.bm.node.targets import PeerTarget


def test_pauses_double_up_to_the_longest_and_vary_by_half() -> None:
    backoff, random = Backoff(first=2.0, longest=300.0), Random(1)
    for failures, middle in [(0, 2.0), (1, 4.0), (5, 64.0), (8, 300.0), (10_000, 300.0)]:
        pauses = [backoff.pause(failures, random) for _ in range(200)]
        assert middle * 0.5 <= min(pauses) < middle * 0.6
        assert middle * 1.4 < max(pauses) <= middle * 1.5


def test_targets_are_written_as_in_the_configuration() -> None:
    assert str(PeerTarget("192.0.2.1", 8444)) == "192.0.2.1:8444"
    assert str(PeerTarget("2001:db8::1", 8444)) == "[2001:db8::1]:8444"
