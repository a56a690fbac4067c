"""A POP3 server on loopback over in-memory services, and a client that speaks raw bytes."""

import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import trustme
from pop3.fake_services import FakeServices
from pop3.wire import House, Wire, mail
from twisted.internet.ssl import CertificateOptions

from bmgate.pop3.limits import Pop3Limits
from bmgate.pop3.server import Pop3Factory
from bmgate.reactor import guest_reactor
from bmgate.tcp import close, listen, tls_options


@pytest.fixture(scope="session")
async def reactor() -> object:
    """The reactor on the loop of this test run."""
    return guest_reactor()


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="session")
def server_tls(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> CertificateOptions:
    folder = tmp_path_factory.mktemp("tls")
    issued = authority.issue_cert("localhost", "127.0.0.1")
    key, chain = folder / "key.pem", folder / "chain.pem"
    issued.private_key_pem.write_to_path(str(key))
    for blob in issued.cert_chain_pems:
        blob.write_to_path(str(chain), append=True)
    return tls_options(Path(key), Path(chain))


@pytest.fixture(scope="session")
def client_tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


@pytest.fixture
async def make_house(reactor: object) -> AsyncIterator[Callable[..., House]]:
    """Servers, each with the limits and TLS a test asks for."""
    houses: list[House] = []

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
        await house.hang_up()
        await close(house.port)
        await house.factory.stop()
        assert not house.services.maildrops.held


@pytest.fixture
def house(make_house: Callable[..., House]) -> House:
    return make_house()


@pytest.fixture
async def wire(house: House) -> Wire:
    """Logged in as alice, with three mails."""
    house.services.maildrops.fill(mail("one"), mail("two", ".\r\n..dots\r\n"), mail("three", "no end"))
    return await house.logged_in()
