"""Whom to dial: networks apart, anchors first, feelers for those nobody has reached."""

from dataclasses import replace
from random import Random

from peers import UNIX_NOW

from bmgate.bm.handshake import Ending
from bmgate.bm.network import MAINNET, TESTNET, NetworkParameters
from bmgate.bm.node.known_nodes import KnownNodes
from bmgate.bm.node.outbound import FEELER_SECONDS, Attempt, Held, Outbound
from bmgate.bm.node.pool import Kind
from bmgate.bm.node.targets import PeerTarget, network_group

SLOTS = 8


class Plan:
    """An `Outbound` and the connections it has."""

    def __init__(self, network: NetworkParameters = MAINNET, seed: int = 1) -> None:
        self.known = KnownNodes(Random(seed))
        self.known.load(b"key", [], UNIX_NOW)
        self.banned: set[str] = set()
        self.outbound = Outbound(network, self.known, Random(seed), SLOTS, lambda host: host not in self.banned)
        self.held: list[Held] = []

    def learn(self, number: int, first: int = 20, in_one_group: bool = False) -> None:
        for index in range(number):
            host = f"{first}.1.{index}.1" if in_one_group else f"{first + index // 250}.{index % 250}.1.1"
            self.known.hear(PeerTarget(host, 8444), f"{index % 100}.0.0.0/16", UNIX_NOW, UNIX_NOW)

    def attempts(self, now: float = 0.0, unix_now: int = UNIX_NOW) -> list[Attempt]:
        return self.outbound.attempts(self.held, now, unix_now)

    def connect(self, attempt: Attempt) -> None:
        self.held.append(Held(attempt.target.host, attempt.kind, established=True))
        self.outbound.established(attempt.target, UNIX_NOW)

    def close(self, attempt: Attempt, ending: Ending = Ending.LOST) -> None:
        self.held = [each for each in self.held if each.host != attempt.target.host]
        self.outbound.ended(attempt, ending, was_established=True, is_online=True)

    def fill(self) -> list[Attempt]:
        made: list[Attempt] = []
        for _ in range(50):
            for attempt in self.attempts():
                self.connect(attempt)
                made.append(attempt)
        return made


def kinds(attempts: list[Attempt]) -> list[Kind]:
    return [attempt.kind for attempt in attempts]


def test_eight_places_are_filled_and_not_more() -> None:
    plan = Plan()
    plan.learn(500)
    made = plan.fill()
    assert kinds(made) == [Kind.OUTBOUND] * SLOTS
    plan.close(made[0])
    assert kinds(plan.attempts()) == [Kind.OUTBOUND]


def test_t2_all_are_of_different_networks() -> None:
    plan = Plan()
    plan.learn(200, first=66, in_one_group=True)
    plan.learn(30)
    groups = [network_group(attempt.target.host) for attempt in plan.fill()]
    assert len(groups) == len(set(groups)) == SLOTS


def test_t2_one_network_gets_one_place_however_many_nodes_it_has() -> None:
    plan = Plan()
    plan.learn(200, first=66, in_one_group=True)
    assert len(plan.fill()) == 1


def test_t2_the_network_of_an_explicit_peer_is_taken() -> None:
    plan = Plan()
    plan.learn(20, first=66, in_one_group=True)
    plan.held.append(Held("66.1.200.1", Kind.EXPLICIT, established=True))
    assert plan.fill() == []


def test_the_test_network_has_no_groups() -> None:
    plan = Plan(TESTNET)
    plan.learn(50, first=66, in_one_group=True)
    assert len(plan.fill()) == SLOTS


def test_t2_inbound_connections_fill_no_place() -> None:
    plan = Plan()
    plan.learn(100)
    plan.held += [Held(f"90.{number}.1.1", Kind.INBOUND, established=True) for number in range(100)]
    assert len(plan.fill()) == SLOTS


def test_p14_nobody_is_dialled_who_is_connected_or_banned_or_ourselves() -> None:
    plan = Plan()
    plan.learn(3)
    hosts = [peer.host for peer in plan.known]
    plan.held.append(Held(hosts[0], Kind.INBOUND, established=False))
    plan.banned.add(hosts[1])
    ours = PeerTarget(hosts[2], 8444)
    plan.outbound.ended(Attempt(ours, Kind.OUTBOUND), Ending.SELF, was_established=False, is_online=True)
    assert plan.outbound.is_own(ours)
    assert ours not in plan.known
    assert plan.attempts() == []


def test_t2_anchors_come_first() -> None:
    plan = Plan()
    plan.learn(300)
    anchors = [PeerTarget("20.7.1.1", 8444), PeerTarget("20.99.1.1", 8444)]
    plan.known.keep_anchors(anchors)
    plan.outbound.start()
    assert [attempt.target for attempt in plan.attempts()][:2] == anchors


def test_calls_that_are_under_way_count() -> None:
    plan = Plan()
    plan.learn(100)
    first = plan.attempts()
    assert len(first) == SLOTS
    assert plan.attempts() == []
    for attempt in first:
        plan.outbound.ended(attempt, None, was_established=False, is_online=True)
    assert len(plan.attempts()) == SLOTS


def test_a_node_that_does_not_answer_sinks_but_not_while_our_own_line_fails() -> None:
    plan = Plan()
    plan.learn(10)
    first, second, *_ = plan.attempts()
    plan.outbound.ended(first, None, was_established=False, is_online=True)
    plan.outbound.ended(second, None, was_established=False, is_online=False)
    assert plan.known[first.target].rating == -1
    assert plan.known[second.target].rating == 0


def test_p10_a_node_that_does_not_deliver_sinks_further() -> None:
    plan = Plan()
    plan.learn(10)
    attempt = plan.fill()[0]
    plan.close(attempt, Ending.UNHELPFUL)
    assert plan.known[attempt.target].rating == -2


def test_t2_feelers_go_one_at_a_time_to_nodes_nobody_has_reached() -> None:
    plan = Plan()
    plan.learn(300)
    plan.fill()
    felt: list[Attempt] = []
    for second in range(3_600):
        for attempt in plan.attempts(float(second), UNIX_NOW + second):
            assert attempt.kind is Kind.FEELER
            assert not plan.known[attempt.target].tried
            felt.append(attempt)
            assert plan.attempts(float(second), UNIX_NOW + second) == []
            plan.outbound.established(attempt.target, UNIX_NOW + second)
            plan.outbound.ended(attempt, Ending.DONE, was_established=True, is_online=True)
    assert 3_600 / FEELER_SECONDS / 2 < len(felt) < 3_600 / FEELER_SECONDS * 2
    reached = sum(plan.known[attempt.target].tried for attempt in felt)
    assert reached >= len(felt) - 3  # the place of a few is held by another


def test_nobody_is_felt_for_before_we_are_connected_to_anybody() -> None:
    plan = Plan(replace(MAINNET))
    plan.outbound = Outbound(MAINNET, plan.known, Random(1), 0, lambda _: True)
    plan.learn(10)
    assert not any(plan.attempts(float(second)) for second in range(2_000))


def test_t2_an_attacker_who_floods_us_from_one_slash_16_gets_few_of_the_places() -> None:
    """He tells of 20,000 nodes of his in thousands of networks; 100 honest ones are known from ten peers."""
    evil = 0
    for seed in range(10):
        plan, random = Plan(seed=seed), Random(seed)
        for index in range(20_000 if seed == 0 else 4_000):  # his share is full long before
            host = f"{random.randrange(100, 200)}.{random.randrange(256)}.{index % 250}.1"
            plan.known.hear(PeerTarget(host, 8444), "66.66.0.0/16", UNIX_NOW, UNIX_NOW)
        for index in range(100):
            target = PeerTarget(f"20.{index}.1.1", 8444)
            plan.known.hear(target, f"{30 + index % 10}.1.0.0/16", UNIX_NOW, UNIX_NOW)
            if index % 5 == 0:
                plan.known.reached(target, UNIX_NOW)
        evil += sum(int(attempt.target.host.split(".")[0]) >= 100 for attempt in plan.fill())
    assert evil / (10 * SLOTS) < 0.4
