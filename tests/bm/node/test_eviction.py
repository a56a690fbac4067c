"""Who gives way when all places are taken."""

from hypothesis import given
from hypothesis import strategies as st

from bmgate.bm.node.download import PeerId
from bmgate.bm.node.eviction import Candidate, choose_victim

KEY = b"secret"


def crowd(number: int, first: int = 1_000, block: int = 66, since: float = 5_000.0) -> list[Candidate]:
    """An attacker's: eight from each of his networks, all new, slow and of no use."""
    return [
        Candidate(PeerId(first + index), f"{block}.{index // 8}.1.{index % 8}", since + index, 3.0)
        for index in range(number)
    ]


def evict(candidates: list[Candidate], times: int) -> list[Candidate]:
    """What is left when so many newcomers have knocked."""
    for _ in range(times):
        victim = choose_victim(candidates, KEY)
        candidates = [each for each in candidates if each.id != victim]
    return candidates


def test_p4_honest_peers_stay_while_a_crowd_floods_all_places() -> None:
    """28 honest ones, of which each is old, near or useful; the attacker knocks 2,000 times."""
    honest = [
        Candidate(
            PeerId(number), f"{20 + number}.1.1.1", 100.0 + number, 0.01 if number < 8 else 1.0, 50.0 * (number < 4)
        )
        for number in range(28)
    ]
    candidates = honest + crowd(100)
    for newcomer in range(2_000):
        victim = choose_victim(candidates, KEY)
        assert victim is not None
        candidates = [each for each in candidates if each.id != victim]
        candidates.append(Candidate(PeerId(10_000 + newcomer), f"67.{newcomer % 250}.1.1", 9_000.0 + newcomer, 0.5))
    assert all(each in candidates for each in honest)


def test_p4_the_youngest_of_the_largest_network_goes() -> None:
    mixed = [Candidate(PeerId(number), f"{number}.1.1.1", 1_000.0, None) for number in range(1, 40)]
    many = [Candidate(PeerId(100 + number), f"90.1.{number}.1", 2_000.0 + number, None) for number in range(8)]
    assert choose_victim(mixed + many, KEY) == PeerId(107)


def test_p4_those_who_bring_new_objects_stay() -> None:
    useful = Candidate(PeerId(1), "66.0.1.99", 99_999.0, None, useful_at=123.0)
    assert useful in evict([*crowd(60), useful], 30)


def test_p4_those_who_are_near_stay() -> None:
    near = [Candidate(PeerId(number), f"66.0.1.{100 + number}", 99_999.0, 0.001) for number in range(8)]
    left = evict(crowd(60) + near, 30)
    assert all(each in left for each in near)


def test_p4_which_networks_are_protected_depends_on_a_secret() -> None:
    candidates = [Candidate(PeerId(number), f"{number}.1.1.1", float(number), None) for number in range(1, 100)]
    survivors = {key: frozenset(each.id for each in _evict_with(candidates, bytes([key]))) for key in range(1, 16)}
    assert len(set(survivors.values())) > 8


def _evict_with(candidates: list[Candidate], key: bytes) -> list[Candidate]:
    while (victim := choose_victim(candidates, key)) is not None:
        candidates = [each for each in candidates if each.id != victim]
    return candidates


def test_p4_a_few_are_all_worth_keeping() -> None:
    assert choose_victim([], KEY) is None
    assert choose_victim(crowd(4), KEY) is None


@given(
    st.lists(
        st.builds(
            Candidate,
            st.integers(0, 10**9).map(PeerId),
            st.ip_addresses(v=4).map(str),
            st.floats(0, 1e6),
            st.none() | st.floats(0, 60),
            st.floats(0, 1e6),
        ),
        max_size=150,
        unique_by=lambda each: each.id,
    )
)
def test_the_victim_is_one_of_them_and_never_the_oldest(candidates: list[Candidate]) -> None:
    victim = choose_victim(candidates, KEY)
    if victim is None:
        assert len(candidates) <= 17
        return
    chosen = next(each for each in candidates if each.id == victim)
    assert sum(each.since <= chosen.since for each in candidates) > 1
