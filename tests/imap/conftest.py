"""An IMAP server on loopback over in-memory services, and a client that speaks raw bytes."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from pathlib import Path

import pytest
from door_accounts import FakeAccounts
from door_fixtures import authority, client_tls, guarded, secure, server_tls  # noqa: F401
from fakes import Failpoints, FakeClock
from imap.fake_services import FakeServices
from imap.wire import House, Wire
from storage_fixtures import NOW, add_account, make_database, make_passwords, make_spools, make_vault
from twisted.internet.ssl import CertificateOptions

from bmgate.domain.ports.spool import Spools
from bmgate.imap.capabilities import EXTENSIONS
from bmgate.imap.extension import Extension
from bmgate.imap.limits import ImapLimits
from bmgate.imap.ports import ImapServices
from bmgate.imap.server import ImapFactory
from bmgate.reactor import guest_reactor
from bmgate.services.events import MailboxEvents
from bmgate.services.mailboxes.mailboxes import Mailboxes
from bmgate.tcp.listening import listen


@pytest.fixture
async def make_house(tmp_path: Path) -> AsyncIterator[Callable[..., House]]:
    """Servers, each with the limits and TLS a test asks for."""
    reactor, houses = guest_reactor(), list[House]()

    def make(
        limits: ImapLimits | None = None,
        *,
        starttls: CertificateOptions | None = None,
        tls: CertificateOptions | None = None,
        allow_plaintext: bool = True,
        spools: Spools | None = None,
        extensions: Iterable[Extension] = EXTENSIONS,
    ) -> House:
        services = FakeServices(spools=make_spools(tmp_path) if spools is None else spools)
        factory = ImapFactory(services.ports, limits or ImapLimits(), starttls, allow_plaintext, extensions)
        port = listen(reactor, "imap", "127.0.0.1", 0, factory, tls)
        houses.append(House(services, factory, port))
        return houses[-1]

    yield make
    for house in houses:
        await house.close()


@pytest.fixture
def house(make_house: Callable[..., House]) -> House:
    return make_house()


@pytest.fixture
async def wire(house: House) -> Wire:
    """Logged in as alice."""
    return await house.logged_in()


@pytest.fixture
async def connect(tmp_path: Path) -> AsyncIterator[Callable[[], Awaitable[Wire]]]:
    """Clients of a server on SQLite, logged in."""
    reactor, vault = guest_reactor(), make_vault()
    database = make_database(tmp_path, vault)
    account = await database.transact(lambda store: add_account(store, make_passwords(vault), "alice"))
    accounts = FakeAccounts()
    accounts.names["alice"] = account.id
    mailboxes = Mailboxes(database, MailboxEvents(), FakeClock(NOW), Failpoints())
    factory = ImapFactory(ImapServices(accounts, mailboxes, make_spools(tmp_path)), ImapLimits(), allow_plaintext=True)
    house = House(FakeServices(), factory, listen(reactor, "imap", "127.0.0.1", 0, factory, None))
    yield house.logged_in
    await house.close()
    assert await database.close()
