"""When the well-known nodes are asked."""

from bmgate.bm.node.bootstrap import AGAIN_SECONDS, NAMES, NODES, PATIENCE_SECONDS, Need
from bmgate.bm.node.targets import is_public


def test_who_knows_nobody_asks_at_once_and_then_once_an_hour() -> None:
    need = Need()
    asked = [second for second in range(8_000) if need.is_due(False, False, float(second))]
    assert asked == [0, int(AGAIN_SECONDS), int(2 * AGAIN_SECONDS)]


def test_who_knows_some_waits_for_them_first() -> None:
    need = Need()
    assert [second for second in range(100) if need.is_due(True, False, float(second))] == [int(PATIENCE_SECONDS)]


def test_who_is_connected_asks_nobody() -> None:
    need = Need()
    assert not any(need.is_due(True, second > 30, float(second)) for second in range(2_000))


def test_losing_everybody_begins_the_wait_anew() -> None:
    need = Need()
    assert not need.is_due(True, True, 0.0)
    assert not need.is_due(True, False, 1_000.0)
    assert not need.is_due(True, False, 1_059.0)
    assert need.is_due(True, False, 1_060.0)


def test_the_well_known_nodes_can_be_dialled() -> None:
    assert len(set(NODES)) == len(NODES) == 24
    assert all(is_public(node) for node in NODES)
    assert {name.port for name in NAMES} == {8080, 8444}
