"""An IMAP server on loopback over in-memory services, and a client that speaks raw bytes."""

import ssl
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import trustme
from imap.fake_services import FakeServices
from imap.wire import House, Wire
from twisted.internet.ssl import CertificateOptions

from bmgate.imap.limits import ImapLimits
from bmgate.imap.server import ImapFactory
from bmgate.reactor import guest_reactor
from bmgate.tcp import close, listen, tls_options


@pytest.fixture(scope="session")
async def reactor() -> object:
    """The reactor on the loop of this test run."""
    if "twisted.internet.reactor" not in sys.modules:
        guest_reactor()
    from twisted.internet import reactor as installed

    return installed


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
        limits: ImapLimits | None = None,
        *,
        starttls: CertificateOptions | None = None,
        tls: CertificateOptions | None = None,
        allow_plaintext: bool = True,
    ) -> House:
        services = FakeServices()
        factory = ImapFactory(services.ports, limits or ImapLimits(), starttls, allow_plaintext)
        port = listen(reactor, "imap", "127.0.0.1", 0, factory, tls)
        houses.append(House(services, factory, port))
        return houses[-1]

    yield make
    for house in houses:
        await house.hang_up()
        await close(house.port)
        await house.factory.stop()


@pytest.fixture
def house(make_house: Callable[..., House]) -> House:
    return make_house()


@pytest.fixture
async def wire(house: House) -> Wire:
    """Logged in as alice."""
    return await house.logged_in()
