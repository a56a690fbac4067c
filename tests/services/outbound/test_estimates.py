import pytest

from bmgate.bm.network import MAINNET
from bmgate.errors import TooLarge
from bmgate.services.objects.keys import Demand
from bmgate.services.outbound.estimates import Estimate, Estimates

ACK = bytes(38)
DAY = 86_400
USUAL = Demand(1000, 1000)
MACHINE = Estimates(MAINNET, 1e6, 2 * 3600)


def test_the_example_of_the_page() -> None:
    """30 bytes for four days: 9.36 M trials, 10.78 M for the ack, 20 s."""
    assert MACHINE.seconds(Estimate(30, 4 * DAY, ACK, USUAL)) == pytest.approx(20.1, abs=0.1)


def test_what_is_within_the_limit_passes() -> None:
    MACHINE.check(Estimate(250_000, 4 * DAY, ACK, USUAL))


def test_what_is_not_is_told_what_would_be() -> None:
    with pytest.raises(
        TooLarge,
        match=r"^would take about 4 h 3\d min \(the recipient demands 10 times the usual work\); "
        r"within the limit are 11\d kB at this TTL, or a TTL of 1 d$",
    ):
        MACHINE.check(Estimate(260_000, 4 * DAY, ACK, Demand(10_000, 1000)))


def test_the_text_that_is_named_is_within_the_limit_and_the_longest() -> None:
    of = Estimate(260_000, 28 * DAY, ACK, USUAL)
    with pytest.raises(TooLarge, match="; within the limit") as caught:
        Estimates(MAINNET, 1e5, 3600).check(of)
    told = str(caught.value).partition("within the limit are ")[2]
    size, _, ttl = told.replace(" kB at this TTL, or a TTL of ", "|").partition("|")
    machine = Estimates(MAINNET, 1e5, 3600)
    for factor, fits in ((0, True), (1, False)):
        nearby = Estimate((int(size) + factor) * 1000 if factor else int(size) * 1000, of.ttl_seconds, ACK, USUAL)
        assert (machine.seconds(nearby) <= 3600) == fits
    assert ttl


def test_where_nothing_helps_that_is_said() -> None:
    with pytest.raises(TooLarge, match=r"; no text is short enough$"):
        Estimates(MAINNET, 10.0, 60).check(Estimate(1000, 4 * DAY, ACK, USUAL))
