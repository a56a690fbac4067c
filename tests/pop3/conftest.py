"""A POP3 server on loopback over in-memory services, and a client that speaks raw bytes."""

from collections.abc import AsyncIterator, Callable

import pytest
from door_fixtures import authority, client_tls, guarded, secure, server_tls  # noqa: F401
from pop3.fake_services import FakeServices
from pop3.wire import House, Wire
from twisted.internet.ssl import CertificateOptions
from wires import mail

from bmgate.pop3.limits import Pop3Limits
from bmgate.pop3.server import Pop3Factory
from bmgate.reactor import guest_reactor
from bmgate.tcp.listening import listen


@pytest.fixture
async def make_house() -> AsyncIterator[Callable[..., House]]:
    """Servers, each with the limits and TLS a test asks for."""
    reactor, houses = guest_reactor(), list[House]()

    def make(
        limits: Pop3Limits | None = None,
        *,
        starttls: CertificateOptions | None = None,
        tls: CertificateOptions | None = None,
        allow_plaintext: bool = True,
    ) -> House:
        services = FakeServices()
        factory = Pop3Factory(services.ports, limits or Pop3Limits(), starttls, allow_plaintext)
        port = listen(reactor, "pop3", "127.0.0.1", 0, factory, tls)
        houses.append(House(services, factory, port))
        return houses[-1]

    yield make
    for house in houses:
        await house.close()
        assert not house.services.maildrops.held


@pytest.fixture
def house(make_house: Callable[..., House]) -> House:
    return make_house()


@pytest.fixture
async def wire(house: House) -> Wire:
    """Logged in as alice, with three mails."""
    house.services.maildrops.fill(mail("one"), mail("two", ".\r\n..dots\r\n"), mail("three", "no end"))
    return await house.logged_in()
