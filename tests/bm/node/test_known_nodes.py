"""The tables of known nodes: bounds whatever is fed, shares of attackers, restarts, and what is drawn."""

from collections import Counter
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from peers import UNIX_NOW

from bmgate.bm.node.known_nodes import (
    FEW,
    FORGET_SECONDS,
    FRESH_SECONDS,
    LASTING_SECONDS,
    NEW_BUCKETS,
    NEW_SLOTS,
    TRIED_BUCKETS,
    TRIED_SLOTS,
    KnownNodes,
)
from bmgate.bm.node.targets import PeerTarget, network_group
from bmgate.domain.peers import KnownPeer

KEY = b"k" * 32
DAY = 86_400


def nodes(seed: int = 1, key: bytes = KEY) -> KnownNodes:
    known = KnownNodes(Random(seed))
    known.load(key, [], UNIX_NOW)
    return known


def place(number: int, first: int = 20) -> PeerTarget:
    """Distinct public places; 256 of them share a /16."""
    return PeerTarget(f"{first + number // 65_536}.{number // 256 % 256}.{number % 256}.7", 8444)


def everybody(_: PeerTarget) -> bool:
    return True


def buckets(known: KnownNodes, source: str) -> set[int]:
    """The new buckets in which hearsay of this source stands."""
    return {known._place(peer)[0] for peer in known if peer.source == source and not peer.tried}


def stored(known: KnownNodes) -> dict[PeerTarget, KnownPeer]:
    """What a database has after every portion was written."""
    rows: dict[PeerTarget, KnownPeer] = {}
    while changes := known.take_changes(100):
        for gone in changes.gone:
            rows.pop(gone, None)
        rows |= {PeerTarget(peer.host, peer.port): peer for peer in changes.changed}
    return rows


# --- bounds ---


def test_p13_one_slash_16_fills_at_most_64_of_1024_new_buckets() -> None:
    known, source = nodes(), network_group("6.6.1.1")
    for number in range(60_000):
        known.hear(place(number), source, UNIX_NOW, UNIX_NOW)
    assert len(buckets(known, source)) <= 64
    assert len(known) <= 64 * NEW_SLOTS


def test_p13_what_honest_peers_told_before_is_not_pushed_out_by_a_flood() -> None:
    known = nodes()
    honest = [
        target
        for number in range(300)
        if known.hear(target := place(number * 256), f"{number}.0.0.0/16", *[UNIX_NOW] * 2)
    ]
    for number in range(40_000):
        known.hear(place(number, first=100), network_group("6.6.1.1"), UNIX_NOW, UNIX_NOW)
    assert all(target in known for target in honest)


def test_t2_an_eclipse_from_one_slash_16_wins_few_of_the_nodes_that_are_dialled() -> None:
    """200 honest nodes known from 20 sources; the attacker tells as much as he likes, before and after."""
    known, random = nodes(), Random(5)
    for number in range(20_000):
        known.hear(place(number, first=100), network_group("6.6.1.1"), UNIX_NOW, UNIX_NOW)
    for number in range(200):
        known.hear(place(number * 256), network_group(f"{random.randrange(20) + 30}.1.1.1"), UNIX_NOW, UNIX_NOW)
    drawn = Counter(
        "evil" if int(target.host.split(".")[0]) >= 100 else "honest"
        for _ in range(2_000)
        if (target := known.pick(UNIX_NOW, everybody)) is not None
    )
    assert drawn["evil"] / drawn.total() < 0.35
    assert drawn.total() == 2_000


def test_t2_once_honest_nodes_were_reached_half_of_all_draws_are_theirs() -> None:
    known = nodes()
    for number in range(20):
        known.hear(place(number * 256), "30.1.0.0/16", UNIX_NOW, UNIX_NOW)
        known.reached(place(number * 256), UNIX_NOW)
    for number in range(100_000):
        known.hear(place(number, first=100), f"{number % 200}.1.0.0/16", UNIX_NOW, UNIX_NOW)
    later = UNIX_NOW + DAY
    targets = [known.pick(later, everybody) for _ in range(1_000)]
    assert sum(target is not None and int(target.host.split(".")[0]) < 100 for target in targets) > 400


def test_both_tables_have_an_end_however_many_nodes_there_are() -> None:
    known = nodes()
    for number in range(40_000):
        known.hear(place(number), f"{number % 251}.{number % 13}.0.0/16", UNIX_NOW, UNIX_NOW)
        if number % 4 == 0:
            known.reached(place(number), UNIX_NOW)
    assert known.tried_count <= TRIED_BUCKETS * TRIED_SLOTS
    assert len(known) - known.tried_count <= NEW_BUCKETS * NEW_SLOTS
    assert len(known) > 8_000


def test_the_places_depend_on_the_secret_of_the_data_folder() -> None:
    peer = KnownPeer("1.2.3.4", 8444, "5.6.0.0/16")
    assert len({nodes(key=bytes([number]) * 32)._place(peer) for number in range(50)}) > 40


places = st.builds(place, st.integers(0, 400))
sources = st.sampled_from(["1.1.0.0/16", "2.2.0.0/16", "onion/3", "bootstrap"])


class AnyLife(RuleBasedStateMachine):
    """Whatever happens: each node stands in one place, counts are right, and storage follows."""

    def __init__(self) -> None:
        super().__init__()
        self.known, self.now, self.rows = nodes(), UNIX_NOW, dict[PeerTarget, KnownPeer]()

    @rule(node=places, source=sources, age=st.integers(-DAY, 60 * DAY))
    def hear(self, node: PeerTarget, source: str, age: int) -> None:
        self.known.hear(node, source, self.now - age, self.now)

    @rule(node=places)
    def reach(self, node: PeerTarget) -> None:
        self.known.dialled(node, self.now)
        self.known.reached(node, self.now)

    @rule(node=places, tenths=st.integers(1, 3))
    def fail(self, node: PeerTarget, tenths: int) -> None:
        self.known.failed(node, tenths)

    @rule(node=places)
    def forget(self, node: PeerTarget) -> None:
        self.known.forget(node)

    @rule(seconds=st.integers(-DAY, 40 * DAY))
    def pass_time(self, seconds: int) -> None:
        self.now += seconds

    @rule()
    def clean(self) -> None:
        self.known.forget_hopeless(self.now)

    @rule(chosen=st.lists(places, max_size=3))
    def anchor(self, chosen: list[PeerTarget]) -> None:
        self.known.keep_anchors(chosen)

    @rule()
    def draw(self) -> None:
        self.known.pick(self.now, everybody)
        self.known.pick_to_test(self.now, everybody)

    @rule(is_lost=st.booleans())
    def save(self, is_lost: bool) -> None:
        changes = self.known.take_changes(5)
        if is_lost:
            self.known.put_back(changes)
            return
        for target in changes.gone:
            self.rows.pop(target, None)
        self.rows |= {PeerTarget(peer.host, peer.port): peer for peer in changes.changed}

    @rule()
    def restart(self) -> None:
        while changes := self.known.take_changes(50):
            for target in changes.gone:
                self.rows.pop(target, None)
            self.rows |= {PeerTarget(peer.host, peer.port): peer for peer in changes.changed}
        assert self.rows == {PeerTarget(peer.host, peer.port): peer for peer in self.known}
        self.known = KnownNodes(Random(1))
        self.known.load(KEY, self.rows.values(), self.now)

    @invariant()
    def tables_and_names_agree(self) -> None:
        standing = [
            (target, is_tried, (bucket, slot))
            for is_tried, table in ((False, self.known._new), (True, self.known._tried))
            for bucket, slots in table.items()
            for slot, target in slots.items()
        ]
        assert len(standing) == len(self.known)
        for target, is_tried, where in standing:
            assert self.known[target].tried == is_tried
            assert self.known._place(self.known[target]) == where
        assert self.known.tried_count == sum(peer.tried for peer in self.known)
        assert all(-10 <= peer.rating <= 10 for peer in self.known)


TestAnyLife = AnyLife.TestCase
TestAnyLife.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)


# --- restarts ---


def test_everything_is_there_after_a_restart() -> None:
    known = nodes()
    for number in range(500):
        known.hear(place(number), f"{number % 50}.0.0.0/16", UNIX_NOW, UNIX_NOW)
    for number in range(0, 500, 7):
        known.reached(place(number), UNIX_NOW)
    known.keep_anchors([place(0), place(7)])
    rows = stored(known)
    again = KnownNodes(Random(2))
    again.load(KEY, rows.values(), UNIX_NOW)
    assert {PeerTarget(peer.host, peer.port): peer for peer in again} == rows
    assert set(again.anchors()) == {place(0), place(7)}
    assert not again.take_changes()


def test_with_another_secret_most_are_kept_and_the_rest_is_deleted() -> None:
    known = nodes()
    for number in range(2_000):
        known.hear(place(number), f"{number % 50}.0.0.0/16", UNIX_NOW, UNIX_NOW)
    rows = stored(known)
    again = KnownNodes(Random(2))
    again.load(b"other", rows.values(), UNIX_NOW)
    gone = {target for changes in iter(again.take_changes, again.take_changes(0)) for target in changes.gone}
    assert len(again) + len(gone) == len(rows)
    assert len(again) > len(rows) * 0.8


# --- ratings ---


def test_p10_a_node_of_no_use_is_drawn_less_often() -> None:
    known = nodes()
    for number in range(2):
        known.hear(place(number * 256), f"{number}.0.0.0/16", UNIX_NOW, UNIX_NOW)
        known.reached(place(number * 256), UNIX_NOW)
    known.failed(place(0), 3)
    known.failed(place(0), 3)
    drawn = Counter(known.pick(UNIX_NOW + 30 * DAY, everybody) for _ in range(1_000))
    assert drawn[place(0)] < 0.5 * drawn[place(256)]


def test_pauses_between_attempts_grow() -> None:
    known = nodes()
    known.hear(place(0), "1.1.0.0/16", UNIX_NOW, UNIX_NOW)
    known.reached(place(0), UNIX_NOW)
    for failures, seconds in enumerate([60, 120, 240, 480]):
        known.dialled(place(0), UNIX_NOW)
        assert known.pick(UNIX_NOW + int(seconds * 0.4), everybody) is None, failures
        assert known.pick(UNIX_NOW + int(seconds * 1.6), everybody) == place(0)
        known.failed(place(0))


def test_what_never_answers_or_was_not_seen_for_long_gives_way() -> None:
    known = nodes()
    for number in range(FEW + 3):
        known.hear(place(number), f"{number}.1.0.0/16", UNIX_NOW, UNIX_NOW)
    for _ in range(3):
        known.failed(place(1))
    known.reached(place(2), UNIX_NOW)
    known.forget_hopeless(UNIX_NOW + 60)
    assert place(1) not in known
    assert place(2) in known
    known.forget_hopeless(UNIX_NOW + FORGET_SECONDS + 1)
    assert len(known) == FEW


def test_a_reached_node_keeps_its_place_until_a_test_shows_that_it_is_gone() -> None:
    known = nodes()
    holder, challenger = _two_for_one_tried_place(known)
    known.reached(holder, UNIX_NOW)
    known.reached(challenger, UNIX_NOW + 60)
    assert known[holder].tried
    assert not known[challenger].tried
    later = UNIX_NOW + LASTING_SECONDS + 60
    known.reached(challenger, later)
    assert known.pick_to_test(later + 600, everybody) == holder
    known.failed(holder)
    assert known[challenger].tried
    assert not known[holder].tried


def test_a_reached_node_that_is_still_there_wins_the_test() -> None:
    known = nodes()
    holder, challenger = _two_for_one_tried_place(known)
    later = UNIX_NOW + LASTING_SECONDS + 60
    known.reached(holder, UNIX_NOW)
    known.reached(challenger, later)
    known.reached(holder, later + 1)
    known.failed(holder)
    assert known[holder].tried
    assert not known[challenger].tried


def _two_for_one_tried_place(known: KnownNodes) -> tuple[PeerTarget, PeerTarget]:
    seen: dict[tuple[int, int], PeerTarget] = {}
    for number in range(100_000):
        target = place(number)
        where = known._place(KnownPeer(target.host, target.port, "1.1.0.0/16", tried=True))
        if where in seen:
            for source, each in (("1.1.0.0/16", seen[where]), ("2.2.0.0/16", target)):
                assert known.hear(each, source, UNIX_NOW, UNIX_NOW)
            return seen[where], target
        seen[where] = target
    raise AssertionError


def test_only_what_we_were_connected_to_lately_is_told_to_others() -> None:
    known = nodes()
    for number in range(4):
        known.hear(place(number * 256), "1.1.0.0/16", UNIX_NOW, UNIX_NOW)
    for number in range(1, 4):
        known.reached(place(number * 256), UNIX_NOW - (FRESH_SECONDS if number == 1 else 0))
    known.failed(place(512), 3)
    assert [peer.host for peer in known.fresh(UNIX_NOW)] == [place(768).host]


@given(st.integers(-(1 << 40), 1 << 63))
def test_no_time_that_anybody_tells_lies_in_our_future(heard_at: int) -> None:
    known = nodes()
    known.hear(place(1), "1.1.0.0/16", heard_at, UNIX_NOW)
    assert known[place(1)].heard_at <= UNIX_NOW


def test_a_loaded_row_that_is_hopeless_is_let_go() -> None:
    peer = KnownPeer("1.2.3.4", 8444, "1.1.0.0/16", heard_at=UNIX_NOW - 60 * DAY)
    known = KnownNodes(Random(1))
    known.load(KEY, [peer, replace(peer, host="1.2.3.5", heard_at=UNIX_NOW)], UNIX_NOW)
    assert [each.host for each in known] == ["1.2.3.5"]
    assert known.take_changes().gone == (PeerTarget("1.2.3.4", 8444),)


@pytest.mark.parametrize("only_new", [False, True])
def test_nobody_known_nobody_drawn(only_new: bool) -> None:
    assert nodes().pick(UNIX_NOW, everybody, only_new) is None
