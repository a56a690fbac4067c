"""When whom is told: short delays, stems, and what stays hidden meanwhile."""

from random import Random

from bmgate.bm.hashes import InventoryVector
from bmgate.bm.network import MAINNET, TESTNET
from bmgate.bm.node.announcements import Announcements, Due
from bmgate.bm.node.download import PeerId

A, B = InventoryVector(b"a" * 32), InventoryVector(b"b" * 32)
ALICE, BOB, CAROL = PeerId(1), PeerId(2), PeerId(3)


def announcements() -> Announcements:
    return Announcements(MAINNET, Random(1))


def due_in_the_end(told: Announcements) -> list[Due]:
    due = []
    while (time := told.next_due()) is not None:
        due += told.take_due(time, 100)
    return due


def test_others_objects_are_told_within_ten_seconds_to_all_who_do_not_know_them() -> None:
    told = announcements()
    told.spread(A, [ALICE], 100.0)
    told.heard_from(BOB, [A, B])
    assert not told.is_hidden(A)
    time = told.next_due()
    assert time is not None
    assert 100.0 < time < 110.0
    assert told.take_due(time - 0.001, 100) == []
    assert told.take_due(time, 100) == [Due(A, False, frozenset({ALICE, BOB}))]
    assert told.next_due() is None


def test_delays_differ() -> None:
    told = announcements()
    for index in range(100):
        told.spread(InventoryVector(index.to_bytes(32)), (), 0.0)
    times = []
    while (time := told.next_due()) is not None:
        times.append(time)
        told.take_due(time, 100)
    assert len(set(times)) == 100
    assert min(times) < 1
    assert max(times) > 9


def test_the_test_network_waits_a_thousandth() -> None:
    told = Announcements(TESTNET, Random(1))
    told.spread(A, (), 0.0)
    time = told.next_due()
    assert time is not None
    assert time <= 0.01


def test_v22_an_own_object_goes_to_the_stem_first_and_is_hidden_until_its_time_is_over() -> None:
    told = announcements()
    told.begin_stem(A, None, 0.0)
    assert told.is_hidden(A)
    assert not told.is_shown_to(ALICE, A)
    first = told.next_due()
    assert first is not None
    assert 0 < first < 10
    assert told.take_due(first, 100) == [Due(A, True, frozenset())]
    told.told_to_child(A, ALICE)
    assert told.is_shown_to(ALICE, A)
    assert not told.is_shown_to(BOB, A)
    second = told.next_due()
    assert second is not None
    assert second > first + 10
    assert told.take_due(second, 100) == [Due(A, False, frozenset({ALICE}))]
    assert not told.is_hidden(A)
    assert told.is_shown_to(BOB, A)


def test_a_stem_is_begun_once() -> None:
    told = announcements()
    told.begin_stem(A, None, 0.0)
    told.begin_stem(A, BOB, 1.0)
    assert told.source_of(A) is None
    assert due_in_the_end(told) == [Due(A, True, frozenset()), Due(A, False, frozenset())]


def test_a_stem_that_came_round_is_spread_and_told_once() -> None:
    told = announcements()
    told.begin_stem(A, None, 0.0)
    told.spread(A, [CAROL], 1.0)
    assert not told.is_hidden(A)
    assert [due for due in due_in_the_end(told) if not due.to_stem] == [Due(A, False, frozenset({CAROL}))]


def test_a_restart_keeps_objects_hidden_until_their_stem_time_is_over() -> None:
    told = announcements()
    told.hide(A, 50.0)
    assert told.is_hidden(A)
    assert told.next_due() == 50.0
    assert told.take_due(50.0, 100) == [Due(A, False, frozenset())]
    assert not told.is_hidden(A)


def test_what_is_forgotten_is_not_told() -> None:
    told = announcements()
    told.spread(A, (), 0.0)
    told.begin_stem(B, ALICE, 0.0)
    assert told.source_of(B) == ALICE
    told.forget([A, B])
    assert due_in_the_end(told) == []


def test_a_stem_whose_turn_came_while_nobody_was_there_takes_the_next_chance() -> None:
    told = announcements()
    told.begin_stem(A, None, 0.0)
    first = told.next_due()
    assert first is not None
    assert told.take_due(first, 100) == [Due(A, True, frozenset())]
    told.told_to_child(A, None)
    told.try_again(first)
    second = told.next_due()
    assert second is not None
    assert first < second < first + 2
    assert told.take_due(second, 100) == [Due(A, True, frozenset())]
    told.told_to_child(A, ALICE)
    told.try_again(second)
    assert due_in_the_end(told) == [Due(A, False, frozenset({ALICE}))]


def test_stems_of_others_go_on_sooner_than_our_own_begin() -> None:
    told = announcements()
    for index in range(100):
        told.begin_stem(InventoryVector(index.to_bytes(32)), BOB, 0.0)
    assert len(told.take_due(2.0, 1_000)) == 100


def test_what_is_due_comes_in_portions() -> None:
    told = announcements()
    for index in range(10):
        told.spread(InventoryVector(index.to_bytes(32)), (), 0.0)
    assert [len(told.take_due(20.0, 4)) for _ in range(4)] == [4, 4, 2, 0]
