"""To whom TLS is offered."""

from bmgate.bm.hosts import onion_name
from bmgate.bm.node.targets import PeerTarget
from bmgate.bm.node.tls_offers import TlsOffers

DAY = 86_400.0
TARGET = PeerTarget("1.2.3.4", 8444)


def offers(inbound: bool = False) -> TlsOffers:
    made = TlsOffers(inbound)
    made.start()
    return made


def test_peers_we_dial_are_offered_it_until_it_fails_and_again_after_a_day() -> None:
    made = offers()
    assert made.context(TARGET, "1.2.3.4", 0.0) is not None
    made.failed(TARGET, "1.2.3.4", 0.0)
    assert made.context(TARGET, "1.2.3.4", DAY - 1) is None
    assert made.context(PeerTarget("1.2.3.4", 8445), "1.2.3.4", 0.0) is not None
    assert made.context(TARGET, "1.2.3.4", DAY) is not None


def test_peers_that_dial_us_are_offered_it_only_where_the_operator_says_so() -> None:
    assert offers().context(None, "1.2.3.4", 0.0) is None
    made = offers(inbound=True)
    assert made.context(None, "1.2.3.4", 0.0) is not None
    made.failed(None, "2a00:1450::1", 0.0)
    assert made.context(None, "2a00:1450::2", 0.0) is None  # the same /64
    assert made.context(None, "1.2.3.4", 0.0) is not None


def test_onion_services_need_none() -> None:
    host = onion_name(bytes(32))
    assert offers().context(PeerTarget(host, 8444), host, 0.0) is None
