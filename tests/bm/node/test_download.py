"""Whom to ask for what: one request for each object, time-outs, windows, and bounds on what strangers announce."""

import tracemalloc
from dataclasses import replace
from time import process_time

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from bmgate.bm.hashes import InventoryVector
from bmgate.bm.node.download import DownloadLimits, Downloads, PeerId

ALICE, BOB, CAROL = PeerId(1), PeerId(2), PeerId(3)
LIMITS = DownloadLimits()


def vectors(number: int, start: int = 0) -> list[InventoryVector]:
    return [InventoryVector(index.to_bytes(32)) for index in range(start, start + number)]


def downloads(*peers: PeerId, limits: DownloadLimits = LIMITS) -> Downloads:
    made = Downloads(limits)
    for peer in peers:
        made.add_peer(peer, start=0.0)
    return made


def test_an_object_is_asked_of_one_peer_that_announced_it() -> None:
    wanted = downloads(ALICE, BOB, CAROL)
    (vector,) = vectors(1)
    wanted.announced(ALICE, [vector])
    wanted.announced(BOB, [vector])
    assert wanted.requests(CAROL, 1.0) == []
    assert wanted.requests(BOB, 1.0) == [vector]
    assert wanted.requests(ALICE, 1.0) == []
    assert wanted.announcers(vector) == [ALICE, BOB]


def test_nothing_is_asked_before_the_first_delay_is_over() -> None:
    wanted = Downloads()
    wanted.add_peer(ALICE, start=20.0)
    wanted.announced(ALICE, vectors(1))
    assert wanted.requests(ALICE, 19.9) == []
    assert wanted.requests(ALICE, 20.0) == vectors(1)


def test_what_is_delivered_is_no_longer_wanted_of_anybody() -> None:
    wanted = downloads(ALICE, BOB)
    (vector,) = vectors(1)
    wanted.announced(ALICE, [vector])
    wanted.announced(BOB, [vector])
    wanted.requests(ALICE, 1.0)
    assert wanted.delivered(BOB, vector, 2.0)
    assert not wanted.delivered(ALICE, vector, 3.0)
    assert len(wanted) == 0
    assert wanted.requests(BOB, 100.0) == []
    assert wanted.expire(1000.0) == []


def test_p10_an_unanswered_request_goes_to_another_announcer_after_a_minute() -> None:
    wanted = downloads(ALICE, BOB)
    wanted.announced(ALICE, vectors(1))
    wanted.requests(ALICE, 1.0)
    wanted.announced(BOB, vectors(1))
    wanted.expire(60.9)
    assert wanted.requests(BOB, 60.9) == []
    wanted.expire(61.0)
    assert wanted.requests(ALICE, 61.0) == []
    assert wanted.requests(BOB, 61.0) == vectors(1)


def test_the_only_announcer_is_asked_again_after_a_minute() -> None:
    wanted = downloads(ALICE)
    wanted.announced(ALICE, vectors(1))
    wanted.requests(ALICE, 0.0)
    wanted.expire(60.0)
    assert wanted.requests(ALICE, 60.0) == vectors(1)


def test_p9_what_nobody_delivers_within_five_minutes_is_forgotten() -> None:
    wanted = downloads(ALICE)
    wanted.announced(ALICE, vectors(1))
    for minute in range(5):
        assert wanted.requests(ALICE, 60.0 * minute) == vectors(1)
        wanted.expire(60.0 * (minute + 1))
    assert len(wanted) == 0


def test_p10_a_hundred_timeouts_disconnect() -> None:
    wanted = downloads(ALICE, limits=replace(LIMITS, first_window=50))
    wanted.announced(ALICE, vectors(1000))
    wanted.requests(ALICE, 0.0)
    assert wanted.expire(60.0) == []
    wanted.requests(ALICE, 60.0)
    assert wanted.expire(120.0) == [ALICE]


def test_a_peer_that_goes_on_delivering_is_given_time() -> None:
    wanted = downloads(ALICE, BOB)
    wanted.announced(ALICE, vectors(16))
    wanted.requests(ALICE, 0.0)
    for index, vector in enumerate(vectors(5)):
        wanted.delivered(ALICE, vector, 50.0 * (index + 1))
        wanted.expire(50.0 * (index + 1) + 49)
    assert len(wanted) == 11
    wanted.announced(BOB, vectors(16))
    assert wanted.requests(BOB, 299.0) == vectors(5)  # those that ALICE delivered are news again, for the node filters
    wanted.expire(300.0)
    assert len(wanted) == 5


def test_a_small_window_grows_with_deliveries_and_shrinks_with_a_timeout() -> None:
    limits = replace(LIMITS, first_window=4, window=6)
    wanted = downloads(ALICE, limits=limits)
    wanted.announced(ALICE, vectors(100))
    first = wanted.requests(ALICE, 0.0)
    assert first == vectors(4)
    assert wanted.requests(ALICE, 0.0) == []
    for vector in first:
        wanted.delivered(ALICE, vector, 1.0)
    assert len(wanted.requests(ALICE, 1.0)) == 6
    wanted.expire(61.0)
    assert len(wanted.requests(ALICE, 61.0)) == 4


def test_who_was_asked_in_vain_is_asked_again_when_the_others_have_gone() -> None:
    wanted = downloads(ALICE, BOB)
    wanted.announced(ALICE, vectors(1))
    wanted.announced(BOB, vectors(1))
    wanted.requests(ALICE, 0.0)
    wanted.expire(60.0)
    assert wanted.requests(ALICE, 60.0) == []
    wanted.remove_peer(BOB)
    assert wanted.requests(ALICE, 60.0) == vectors(1)


def test_what_a_lost_peer_was_asked_for_is_asked_of_others() -> None:
    wanted = downloads(ALICE, BOB)
    both, alone = vectors(2)
    wanted.announced(ALICE, [both, alone])
    wanted.announced(BOB, [both])
    wanted.requests(ALICE, 0.0)
    wanted.remove_peer(ALICE)
    assert wanted.requests(BOB, 0.0) == [both]
    assert alone not in wanted


def test_p9_the_oldest_announcements_of_a_peer_go_first() -> None:
    wanted = downloads(ALICE, BOB, limits=replace(LIMITS, per_peer=10, first_window=100))
    wanted.announced(ALICE, vectors(30))
    assert len(wanted) == 10
    assert wanted.requests(ALICE, 0.0) == vectors(10, start=20)


def test_p9_all_peers_together_have_a_limit() -> None:
    wanted = downloads(ALICE, BOB, limits=replace(LIMITS, per_peer=10, in_all=15, first_window=100))
    wanted.announced(ALICE, vectors(10))
    wanted.announced(BOB, vectors(10, start=10))
    assert len(wanted) == 15
    assert wanted.requests(ALICE, 0.0) == vectors(5, start=5)
    assert wanted.requests(BOB, 0.0) == vectors(10, start=10)


def test_p9_fifty_thousand_random_hashes_again_and_again_stay_within_the_limits() -> None:
    wanted = downloads(ALICE, BOB)
    for turn in range(2):
        wanted.announced(ALICE, vectors(50_000, start=turn * 50_000))
    assert len(wanted) == 50_000
    assert wanted.requests(ALICE, 0.0) == vectors(16, start=50_000)


def test_p9_a_flood_costs_no_more_for_each_hash_than_what_fits() -> None:
    wanted = downloads(ALICE)
    floods = [vectors(50_000, start=turn * 50_000) for turn in range(5)]
    began = process_time()
    wanted.announced(ALICE, floods[0])
    fitting = process_time() - began
    for flood in floods[1:]:
        wanted.announced(ALICE, flood)
    assert process_time() - began < 25 * fitting + 0.5  # one look for the oldest at each hash made it a hundred times


def test_p9_a_flood_does_not_push_out_what_the_peer_was_asked_for_and_did_not_deliver() -> None:
    wanted = downloads(ALICE, limits=replace(LIMITS, per_peer=100, timeouts_allowed=16))
    wanted.announced(ALICE, vectors(100))
    assert wanted.requests(ALICE, 0.0) == vectors(16)
    wanted.announced(ALICE, vectors(100, start=100))
    assert len(wanted) == 100
    assert wanted.requests(ALICE, 1.0) == []
    assert wanted.expire(60.0) == [ALICE]


def test_p9_the_full_table_of_100_000_costs_less_than_24_megabytes_and_gives_them_back() -> None:
    peers = [PeerId(number) for number in range(4)]
    wanted = downloads(*peers)
    tracemalloc.start()
    try:
        for peer in peers:
            for start in range(0, 50_000, 1_000):
                wanted.announced(peer, vectors(1_000, start=peer * 50_000 + start))
        assert len(wanted) == 100_000
        assert tracemalloc.get_traced_memory()[0] < 24_000_000
        for peer in peers:
            wanted.remove_peer(peer)
        assert tracemalloc.get_traced_memory()[0] < 1_000_000
    finally:
        tracemalloc.stop()


def test_an_object_is_a_stem_one_until_somebody_announces_it_openly() -> None:
    wanted = downloads(ALICE, BOB)
    (vector,) = vectors(1)
    wanted.announced(ALICE, [vector], is_stem=True)
    assert wanted.is_stem(vector)
    wanted.announced(BOB, [vector])
    assert not wanted.is_stem(vector)


def test_announcements_of_a_peer_that_is_gone_count_for_nothing() -> None:
    wanted = downloads()
    wanted.announced(ALICE, vectors(1))
    assert len(wanted) == 0
    assert wanted.requests(ALICE, 0.0) == []


class AnyOrder(RuleBasedStateMachine):
    """Peers come, announce, deliver, time out and go in any order: an object is never asked of two at once."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.downloads = Downloads(DownloadLimits(first_window=2, window=3))
        self.asked: dict[InventoryVector, tuple[PeerId, float]] = {}

    @rule(peer=st.sampled_from([ALICE, BOB, CAROL]))
    def come_or_go(self, peer: PeerId) -> None:
        self.downloads.remove_peer(peer)
        self.asked = {vector: ask for vector, ask in self.asked.items() if ask[0] != peer}
        self.downloads.add_peer(peer, self.now)

    @rule(peer=st.sampled_from([ALICE, BOB, CAROL]), heard=st.lists(st.sampled_from(vectors(8))))
    def announce(self, peer: PeerId, heard: list[InventoryVector]) -> None:
        self.downloads.announced(peer, heard)

    @rule(peer=st.sampled_from([ALICE, BOB, CAROL]))
    def ask(self, peer: PeerId) -> None:
        for vector in self.downloads.requests(peer, self.now):
            assert peer in self.downloads.announcers(vector)
            assert vector not in self.asked
            self.asked[vector] = (peer, self.now)

    @rule(peer=st.sampled_from([ALICE, BOB, CAROL]), vector=st.sampled_from(vectors(8)))
    def deliver(self, peer: PeerId, vector: InventoryVector) -> None:
        self.downloads.delivered(peer, vector, self.now)
        assert vector not in self.downloads
        self.asked.pop(vector, None)

    @rule(seconds=st.sampled_from([1.0, 30.0, 60.0, 300.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.downloads.expire(self.now)
        self.asked = {vector: ask for vector, ask in self.asked.items() if self.now - ask[1] < 60}

    @invariant()
    def whatever_is_wanted_has_an_announcer(self) -> None:
        assert all(self.downloads.announcers(vector) for vector in vectors(8) if vector in self.downloads)


TestAnyOrder = AnyOrder.TestCase
