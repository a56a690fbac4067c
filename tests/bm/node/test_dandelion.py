"""Who carries on whose stem."""

from random import Random

from bmgate.bm.node.dandelion import EPOCH_SECONDS, STEMS, Stems
from bmgate.bm.node.download import PeerId

SOURCES = [PeerId(number) for number in range(100, 140)]


def peers(number: int, knowing: bool = True) -> dict[PeerId, bool]:
    return {PeerId(each): knowing for each in range(1, number + 1)}


def test_two_outbound_peers_are_the_stems_of_an_epoch() -> None:
    stems, outbound = Stems(Random(1)), peers(8)
    children = {stems.child(source, outbound, 0.0) for source in SOURCES}
    assert children == set(stems.chosen)
    assert len(children) == STEMS


def test_a_source_keeps_its_child_through_an_epoch_and_others_are_chosen_after_it() -> None:
    stems, outbound = Stems(Random(1)), peers(8)
    ours = {stems.child(None, outbound, float(now)) for now in range(0, int(EPOCH_SECONDS), 10)}
    assert len(ours) == 1
    epochs = {stems.child(None, outbound, EPOCH_SECONDS * epoch) for epoch in range(1, 20)}
    assert len(epochs) > 3


def test_nothing_goes_back_to_its_source() -> None:
    for seed in range(20):
        stems, outbound = Stems(Random(seed)), peers(2)
        for source in outbound:
            assert stems.child(source, outbound, 0.0) not in (source, None)


def test_without_another_outbound_peer_nobody_is_told() -> None:
    stems = Stems(Random(1))
    assert stems.child(None, {}, 0.0) is None
    assert stems.child(PeerId(1), peers(1), 0.0) is None
    assert stems.child(None, peers(1), 0.0) == PeerId(1)


def test_peers_that_know_dandelion_are_preferred() -> None:
    for seed in range(20):
        stems = Stems(Random(seed))
        outbound = peers(8, knowing=False) | {PeerId(3): True, PeerId(6): True}
        assert stems.child(None, outbound, 0.0) in (3, 6)
        assert set(stems.chosen) == {3, 6}


def test_when_a_stem_is_gone_another_takes_its_place_and_the_rest_stays() -> None:
    stems, outbound = Stems(Random(1)), peers(8)
    before = {source: stems.child(source, outbound, 0.0) for source in SOURCES}
    gone, stays = stems.chosen
    stems.closed(gone)
    del outbound[gone]
    after = {source: stems.child(source, outbound, 1.0) for source in SOURCES}
    assert gone not in after.values()
    assert all(after[source] == stays for source in SOURCES if before[source] == stays)
    assert len(stems.chosen) == STEMS


def test_a_tenth_of_the_hops_ends_the_stem() -> None:
    stems = Stems(Random(1))
    assert 860 < sum(stems.goes_on() for _ in range(1_000)) < 940
