"""TLS from the first octet, and STLS that nobody can inject into (F1, I11, I19)."""

import asyncio
import ssl
from base64 import b64encode
from collections.abc import Callable

import pytest
from pop3.fake_services import PASSWORD
from pop3.wire import House, Wire
from twisted.internet.ssl import CertificateOptions
from wires import mail

LOGIN = b"AUTH PLAIN " + b64encode(b"\0alice\0" + PASSWORD.encode())


@pytest.fixture
def guarded(make_house: Callable[..., House], server_tls: CertificateOptions) -> House:
    """A listener with STLS that takes no password in clear."""
    return make_house(starttls=server_tls, allow_plaintext=False)


async def upgrade(wire: Wire, context: ssl.SSLContext) -> None:
    await wire.ok(b"STLS")
    await wire.writer.start_tls(context, server_hostname="localhost")


async def test_implicit_tls_carries_a_whole_session(
    make_house: Callable[..., House], server_tls: CertificateOptions, client_tls: ssl.SSLContext
) -> None:
    house = make_house(tls=server_tls, allow_plaintext=False)
    raw = mail(body="y" * 998 + "\r\n" + ".\r\n" * 3_000)
    house.services.maildrops.fill(*[raw] * 5)
    wire = await house.logged_in(tls=client_tls)
    for number in range(1, 6):
        assert b"".join(await wire.lines(b"RETR %d" % number)) == raw
    assert b"STLS\r\n" not in await wire.lines(b"CAPA")
    await wire.ok(b"QUIT")
    assert await wire.rest() == b""


async def test_i19_no_password_before_tls(guarded: House, client_tls: ssl.SSLContext) -> None:
    wire = await guarded.connect()
    before = await wire.lines(b"CAPA")
    assert b"STLS\r\n" in before
    assert not {b"USER\r\n", b"SASL PLAIN LOGIN\r\n"} & set(before)
    for command in (b"USER alice", b"PASS x", LOGIN, b"AUTH LOGIN"):
        assert await wire.refused(command) == b"-ERR Passwords only after STLS\r\n"
    assert guarded.services.accounts.seen == []
    await upgrade(wire, client_tls)
    after = await wire.lines(b"CAPA")
    assert {b"USER\r\n", b"SASL PLAIN LOGIN\r\n"} < set(after)
    assert b"STLS\r\n" not in after
    await wire.refused(b"STLS")
    await wire.ok(LOGIN)


async def test_stls_without_a_certificate_is_refused(house: House) -> None:
    wire = await house.connect()
    assert b"STLS\r\n" not in await wire.lines(b"CAPA")
    await wire.refused(b"STLS")


@pytest.mark.parametrize("behind", [LOGIN + b"\r\n", b"NOOP\r\nNOOP\r\n", b"x", b"\x16\x03\x01"])
async def test_i11_octets_behind_stls_in_one_segment_end_the_connection(guarded: House, behind: bytes) -> None:
    wire = await guarded.connect()
    await wire.send(b"STLS\r\n" + behind)
    assert await wire.rest() == b"-ERR Octets behind STLS\r\n"
    assert guarded.services.accounts.seen == []


async def test_i11_octets_in_clear_behind_the_answer_never_become_commands(guarded: House) -> None:
    wire = await guarded.connect()
    await wire.ok(b"STLS")
    await wire.send(LOGIN + b"\r\n")
    assert b"+OK" not in await wire.rest()
    assert guarded.services.accounts.seen == []


async def test_f1_a_name_given_in_clear_is_forgotten(
    make_house: Callable[..., House], server_tls: CertificateOptions, client_tls: ssl.SSLContext
) -> None:
    house = make_house(starttls=server_tls)
    wire = await house.connect()
    await wire.ok(b"USER mallory")
    await upgrade(wire, client_tls)
    assert await wire.refused(b"PASS " + PASSWORD.encode()) == b"-ERR USER first\r\n"
    await wire.ok(LOGIN)


async def test_stopping_ends_tls_sessions_too(
    make_house: Callable[..., House], server_tls: CertificateOptions, client_tls: ssl.SSLContext
) -> None:
    house = make_house(tls=server_tls)
    wire = await house.logged_in(tls=client_tls)
    stopping = asyncio.create_task(house.factory.stop())
    assert await wire.rest() == b"-ERR [SYS/TEMP] Server shutting down\r\n"
    await wire.close()
    await stopping


@pytest.mark.parametrize("noise", [b"GET / HTTP/1.0\r\n\r\n", b"\x16\x03\x01\xff\xff" + b"\0" * 100, b""])
async def test_noise_on_the_tls_port_ends_quietly(
    make_house: Callable[..., House], server_tls: CertificateOptions, noise: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    house = make_house(tls=server_tls)
    wire = await house.dial()
    await wire.send(noise)
    wire.writer.write_eof()
    assert b"OK" not in await wire.rest()
    assert "Traceback" not in capfd.readouterr().err
