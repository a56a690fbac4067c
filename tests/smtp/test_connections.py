from dataclasses import dataclass

from bmgate.domain.account import AccountId
from bmgate.smtp.connections import TOO_MANY_CONNECTIONS, Connections, Room
from bmgate.smtp.limits import SmtpLimits
from bmgate.smtp.replies import SHUTTING_DOWN


@dataclass
class Somebody:
    """A client as it is counted."""

    source: str
    account: AccountId | None = None

    def leave(self) -> None: ...

    def leave_now(self) -> None: ...

    async def wait_closed(self) -> None: ...


def test_s16_connections_are_counted_by_source_account_and_in_all() -> None:
    connections = Connections(SmtpLimits(connections=4, connections_per_source=2, connections_per_user=1))
    first, second = Somebody("2001:db8::1"), Somebody("2001:db8::2")
    assert connections.admit(first) is None
    assert connections.admit(second) is None
    assert connections.admit(Somebody("2001:db8::3")) is TOO_MANY_CONNECTIONS
    assert connections.admit(Somebody("192.0.2.1")) is None
    assert connections.admit(Somebody("192.0.2.2")) is None
    assert connections.admit(Somebody("192.0.2.3")) is TOO_MANY_CONNECTIONS
    first.account = AccountId(1)
    assert not connections.has_room_for(AccountId(1))
    assert connections.has_room_for(AccountId(2))
    connections.forget(first)
    assert connections.has_room_for(AccountId(1))
    assert connections.admit(Somebody("2001:db8::3")) is None
    connections.close()
    assert connections.admit(first) is SHUTTING_DOWN


def test_the_mta_behind_a_unix_socket_has_all_connections_there_are() -> None:
    connections = Connections(SmtpLimits(connections=3, connections_per_source=1))
    clients = [Somebody("") for _ in range(4)]
    assert [connections.admit(client) for client in clients] == [None, None, None, TOO_MANY_CONNECTIONS]


def test_s8_mail_in_memory_is_counted_over_all_that_is_read_or_stored() -> None:
    room = Room(100)
    assert room.hold("first", 60)
    assert not room.hold("second", 60)
    assert room.hold("second", 40)
    room.release("first")
    room.release("first")
    assert room.hold("second", 100)
