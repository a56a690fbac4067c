"""Large announcements wait their turn, within the bounds of P9, and no peer waits for another's flood."""

from bmgate.bm.hashes import InventoryVector
from bmgate.bm.node.backlog import Backlog, Portion
from bmgate.bm.node.download import PeerId

ALICE, BOB, CAROL = PeerId(1), PeerId(2), PeerId(3)


def vectors(number: int, start: int = 0) -> tuple[InventoryVector, ...]:
    return tuple(InventoryVector(index.to_bytes(32)) for index in range(start, start + number))


def everything(backlog: Backlog) -> dict[PeerId, list[InventoryVector]]:
    taken: dict[PeerId, list[InventoryVector]] = {}
    while (portion := backlog.take(3)) is not None:
        taken.setdefault(portion.peer, []).extend(portion.vectors)
    return taken


def test_t1_peers_have_their_turns_one_after_the_other() -> None:
    backlog = Backlog(per_peer=100, in_all=100)
    backlog.add(ALICE, vectors(5), is_stem=False)
    backlog.add(BOB, vectors(2, start=50), is_stem=False)
    assert backlog.take(3) == Portion(ALICE, vectors(3), is_stem=False)
    assert backlog.take(3) == Portion(BOB, vectors(2, start=50), is_stem=False)
    assert ALICE in backlog
    assert BOB not in backlog
    assert backlog.take(3) == Portion(ALICE, vectors(2, start=3), is_stem=False)
    assert backlog.take(3) is None
    assert len(backlog) == 0


def test_what_came_in_a_stem_is_told_apart() -> None:
    backlog = Backlog(per_peer=100, in_all=100)
    backlog.add(ALICE, vectors(2), is_stem=True)
    backlog.add(ALICE, vectors(2, start=2), is_stem=False)
    portions = [backlog.take(100), backlog.take(100)]
    assert Portion(ALICE, vectors(2), is_stem=True) in portions
    assert Portion(ALICE, vectors(2, start=2), is_stem=False) in portions


def test_p9_the_oldest_of_a_peer_go_when_it_announces_more_than_its_share() -> None:
    backlog = Backlog(per_peer=10, in_all=100)
    backlog.add(ALICE, vectors(8), is_stem=True)
    backlog.add(ALICE, vectors(8, start=8), is_stem=True)
    assert len(backlog) == 10
    assert everything(backlog) == {ALICE: list(vectors(10, start=6))}


def test_p9_those_with_most_lose_when_all_together_are_too_many() -> None:
    backlog = Backlog(per_peer=50, in_all=60)
    backlog.add(ALICE, vectors(5), is_stem=False)
    backlog.add(BOB, vectors(50, start=100), is_stem=False)
    backlog.add(CAROL, vectors(50, start=200), is_stem=False)
    assert len(backlog) == 60
    taken = everything(backlog)
    assert taken[ALICE] == list(vectors(5))
    assert len(taken[BOB]) + len(taken[CAROL]) == 55
    assert taken[CAROL][-1] == vectors(50, start=200)[-1]


def test_a_peer_that_lost_everything_still_has_its_turn() -> None:
    backlog = Backlog(per_peer=10, in_all=0)
    backlog.add(ALICE, vectors(5), is_stem=False)
    assert backlog.take(3) == Portion(ALICE, (), is_stem=True)
    assert ALICE not in backlog


def test_a_peer_that_is_gone_has_no_backlog() -> None:
    backlog = Backlog(per_peer=10, in_all=10)
    backlog.add(ALICE, vectors(5), is_stem=False)
    backlog.remove(ALICE)
    backlog.remove(BOB)
    assert len(backlog) == 0
    assert backlog.take(3) is None
