"""TLS from the first octet, and STLS that nobody can inject into (F1, I11, I19)."""

import ssl
from base64 import b64encode
from collections.abc import Callable

import pytest
from door_accounts import PASSWORD
from pop3.wire import House
from twisted.internet.ssl import CertificateOptions
from wires import mail

LOGIN = b"AUTH PLAIN " + b64encode(b"\0alice\0" + PASSWORD.encode())


async def test_implicit_tls_carries_a_whole_session(secure: House, client_tls: ssl.SSLContext) -> None:
    raw = mail(body="y" * 998 + "\r\n" + ".\r\n" * 3_000)
    secure.services.maildrops.fill(*[raw] * 5)
    wire = await secure.logged_in(tls=client_tls)
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
    await wire.upgrade(client_tls)
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
    await wire.upgrade(client_tls)
    assert await wire.refused(b"PASS " + PASSWORD.encode()) == b"-ERR USER first\r\n"
    await wire.ok(LOGIN)


async def test_stopping_ends_tls_sessions_too(secure: House, client_tls: ssl.SSLContext) -> None:
    wire = await secure.logged_in(tls=client_tls)
    assert await secure.stop(wire) == [b"-ERR [SYS/TEMP] Server shutting down\r\n"]


@pytest.mark.parametrize("noise", [b"GET / HTTP/1.0\r\n\r\n", b"\x16\x03\x01\xff\xff" + b"\0" * 100, b""])
async def test_noise_on_the_tls_port_ends_quietly(
    secure: House, noise: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    assert b"OK" not in await secure.answer_to_noise(noise)
    assert "Traceback" not in capfd.readouterr().err
