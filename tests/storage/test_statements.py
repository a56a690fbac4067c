"""Prepared statements do what Core does, on both databases, and fail as Core does."""

import pytest
from sqlalchemy import Connection, bindparam, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from bmgate.storage.database import backend_of
from bmgate.storage.failpoints import NoFailpoints
from bmgate.storage.migrations import migrate
from bmgate.storage.schema import ack, gateway, outbox, peer
from bmgate.storage.statements import Prepared, control

PEER = {
    "host": "127.0.0.1",
    "port": 8444,
    "source": "",
    "tried": True,
    "rating": -3,
    "heard_at": 2**40,
    "seen_at": 0,
    "dialled_at": 0,
    "failures": 0,
    "anchor": False,
}
ADD = Prepared(insert(peer))
ALL = Prepared(select(peer).order_by(peer.c.port))
BY_PORT = Prepared(select(peer.c.host, peer.c.tried, peer.c.rating + 1).where(peer.c.port == bindparam("wanted")))
RATE = Prepared(update(peer).where(peer.c.port == bindparam("wanted")).values(rating=peer.c.rating + bindparam("more")))
COUNT = Prepared(select(func.count()).select_from(peer).where(peer.c.source.in_(["", "dns"]), peer.c.port > 0))


@pytest.fixture
def connection(empty_url: str):  # type: ignore[no-untyped-def]
    backend = backend_of(empty_url)
    backend.create()
    with backend.connect_writer() as connection:
        migrate(connection, backend, NoFailpoints())
        with connection.begin():
            yield connection


def test_what_is_written_is_read_as_core_reads_it(connection: Connection) -> None:
    ADD.run(connection, PEER)
    ADD.run_all(connection, [PEER | {"port": 1, "tried": False}, PEER | {"port": 2, "anchor": True}])
    by_core = connection.execute(select(peer).order_by(peer.c.port)).all()
    assert [tuple(row) for row in ALL.all(connection)] == [tuple(row) for row in by_core]
    row = ALL.first(connection)
    assert row is not None
    assert (row.port, row.tried, row.anchor, row.heard_at) == (1, False, False, 2**40)
    assert isinstance(row.tried, bool)


def test_bytes_stay_bytes(connection: Connection) -> None:
    Prepared(insert(ack)).run(connection, {"sender_tag": b"\x00\xff", "at": 1})
    assert Prepared(select(ack.c.sender_tag)).scalar(connection) == b"\x00\xff"


def test_values_of_the_statement_and_values_given_meet(connection: Connection) -> None:
    ADD.run(connection, PEER)
    assert RATE.run(connection, {"wanted": 8444, "more": 5}) == 1
    assert RATE.run(connection, {"wanted": 1, "more": 5}) == 0
    assert tuple(BY_PORT.first(connection, {"wanted": 8444}) or ()) == ("127.0.0.1", True, 3)
    assert BY_PORT.first(connection, {"wanted": 1}) is None
    assert BY_PORT.scalar(connection, {"wanted": 1}) is None
    assert COUNT.scalar(connection) == 1


def test_other_names_make_another_statement(connection: Connection) -> None:
    ADD.run(connection, PEER)
    change = Prepared(update(peer).where(peer.c.port == bindparam("wanted")))
    change.run(connection, {"wanted": 8444, "failures": 7})
    change.run(connection, {"wanted": 8444, "source": "dns", "tried": False})
    row = ALL.first(connection)
    assert row is not None
    assert (row.failures, row.source, row.tried) == (7, "dns", False)


def test_a_contradiction_is_the_error_it_is_with_core(connection: Connection) -> None:
    add = Prepared(insert(gateway))
    add.run(connection, {"name": "mine", "value": b"1"})
    control(connection, "SAVEPOINT here")
    with pytest.raises(IntegrityError):
        add.run(connection, {"name": "mine", "value": b"2"})
    control(connection, "ROLLBACK TO SAVEPOINT here")
    assert Prepared(select(gateway.c.value)).scalar(connection) == b"1"


def test_a_value_that_is_missing_is_noticed(connection: Connection) -> None:
    with pytest.raises(SQLAlchemyError, match="value is required"):
        BY_PORT.all(connection, {})
    assert Prepared(delete(outbox)).run(connection, {}) == 0
