"""What a peer gets, and what it does not."""

import pytest

from bmgate.bm.hashes import InventoryVector
from bmgate.bm.node.upload import UploadLimits, Uploads, anti_intersection_seconds

A, B, C = (InventoryVector(letter * 32) for letter in (b"a", b"b", b"c"))
DELAY = 5.0


def uploads(limits: UploadLimits = UploadLimits()) -> Uploads:  # noqa: B008 - a frozen value
    return Uploads(0.0, DELAY, limits)


def everything(_: InventoryVector) -> bool:
    return True


def test_p11_each_object_is_sent_once_however_often_it_is_named() -> None:
    queue = uploads()
    queue.request([A] * 50_000 + [B], 1.0, everything)
    queue.request([B, C], 2.0, everything)
    assert queue.take(10, DELAY) == [A, B, C]
    assert len(queue) == 0


def test_the_first_answers_wait() -> None:
    queue = uploads()
    queue.request([A], 1.0, everything)
    assert queue.take(10, 4.9) == []
    assert queue.wait(4.0) == 1.0
    assert queue.take(10, 5.0) == [A]


def test_p11_a_request_for_an_unknown_object_is_ignored_whole_and_the_peer_for_a_while() -> None:
    queue = uploads()
    queue.request([A, B], 10.0, lambda vector: vector == A)
    queue.request([A], 14.9, everything)
    assert len(queue) == 0
    queue.request([A], 15.0, everything)
    assert queue.take(10, 15.0) == [A]


def test_what_was_asked_for_before_an_unknown_object_is_still_sent() -> None:
    queue = uploads()
    queue.request([A], 10.0, everything)
    queue.request([B], 11.0, lambda _: False)
    assert queue.take(10, 11.0) == [A]


def test_p11_a_queue_has_an_end() -> None:
    queue = uploads(UploadLimits(queue=2))
    queue.request([A, B, C], 10.0, everything)
    assert queue.take(10, 10.0) == [A, B]


def test_p11_the_whole_inventory_in_a_loop_is_served_at_the_rate_of_the_bucket() -> None:
    queue = uploads(UploadLimits(burst_octets=1_000, octets_per_second=500))
    queue.request([A, B, C], 10.0, everything)
    assert queue.take(2, 10.0) == [A, B]
    queue.spend(2_000)
    assert queue.take(10, 11.0) == []
    assert queue.wait(11.0) == pytest.approx(501 / 500)
    assert queue.take(10, 12.1) == [C]


def test_p11_nobody_saves_up_more_than_the_bucket_holds() -> None:
    queue = uploads(UploadLimits(burst_octets=1_000, octets_per_second=500))
    queue.request([A, B], 10.0, everything)
    assert queue.take(1, 1_000_000.0) == [A]
    queue.spend(1_001)
    assert queue.take(1, 1_000_000.0) == []


@pytest.mark.parametrize(
    ("known_nodes", "seconds"), [(0, 5.2), (10, 5.2), (18, 5.2), (1_000, 15.6), (5_000, 15.6), (20_000, 20.8)]
)
def test_the_anti_intersection_delay_grows_with_the_network_as_pybitmessage_has_it(
    known_nodes: int, seconds: float
) -> None:
    assert anti_intersection_seconds(known_nodes) == pytest.approx(seconds)
