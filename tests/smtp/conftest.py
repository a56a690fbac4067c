"""A server with fake services, its certificates, and raw clients."""

import ssl
from collections.abc import AsyncIterator

import pytest
import trustme
from smtp.dialogue import Certificates, Connect, Dialogue, Door, OpenDoor
from smtp.fake_services import DOMAIN, House

from bmgate.smtp.limits import SmtpLimits
from bmgate.smtp.server import SmtpServer, server_context
from bmgate.smtp.settings import Plaintext


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    authority = trustme.CA()
    issued = authority.issue_cert("localhost", "127.0.0.1")
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = folder / "server.pem", folder / "server.key"
    issued.private_key_pem.write_to_path(str(key))
    for blob in issued.cert_chain_pems:
        blob.write_to_path(str(certificate), append=True)
    client = ssl.create_default_context()
    authority.configure_trust(client)
    return Certificates(certificate, key, client)


@pytest.fixture
def house() -> House:
    return House()


@pytest.fixture
async def open_door(house: House, certificates: Certificates) -> AsyncIterator[OpenDoor]:
    servers: list[SmtpServer] = []

    async def start(limits: SmtpLimits | None = None) -> Door:
        context = server_context(certificates.certificate, certificates.key)
        server = SmtpServer(house.services, limits or SmtpLimits(), DOMAIN, "mail.bm.internal", context)
        servers.append(server)
        return Door(
            server,
            house,
            await server.start("127.0.0.1", 0, implicit_tls=True),
            await server.start("127.0.0.1", 0, implicit_tls=False),
            await server.start("127.0.0.1", 0, implicit_tls=False, plaintext=Plaintext.LOOPBACK),
        )

    yield start
    house.submissions.gate.set()
    for server in servers:
        await server.close()


@pytest.fixture
async def door(open_door: OpenDoor) -> Door:
    return await open_door()


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    dialogues: list[Dialogue] = []

    async def opened(port: int, tls: ssl.SSLContext | None = None) -> Dialogue:
        dialogue = await Dialogue.open(port, tls)
        dialogues.append(dialogue)
        return dialogue

    yield opened
    for dialogue in dialogues:
        await dialogue.close()
