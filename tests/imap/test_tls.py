"""TLS from the first octet, and STARTTLS that nobody can inject into (F1, I11)."""

import ssl
from base64 import b64encode

import pytest
from door_accounts import PASSWORD
from imap.wire import House

LOGIN = b"AUTHENTICATE PLAIN " + b64encode(b"\0alice\0" + PASSWORD.encode())


async def test_implicit_tls_carries_a_whole_session(secure: House, client_tls: ssl.SSLContext) -> None:
    secure.services.mailboxes.fill("INBOX", *[b"Subject: x\r\n\r\n" + b"y" * 50_000] * 100)
    wire = await secure.logged_in(tls=client_tls)
    await wire.ok(b"SELECT INBOX")
    assert sum(map(len, await wire.ok(b"FETCH 1:* BODY.PEEK[]"))) > 5_000_000
    await wire.ok(b"LOGOUT")
    assert await wire.rest() == b""


async def test_login_is_disabled_until_tls(guarded: House, client_tls: ssl.SSLContext) -> None:
    wire = await guarded.connect()
    before = (await wire.ok(b"CAPABILITY"))[0]
    assert b" LOGINDISABLED" in before
    assert b" STARTTLS" in before
    assert b"AUTH=" not in before
    assert (await wire.refused(b'LOGIN alice "x"')).startswith(b"NO [PRIVACYREQUIRED] ")
    assert (await wire.refused(LOGIN)).startswith(b"NO [PRIVACYREQUIRED] ")
    assert guarded.services.accounts.seen == []
    await wire.upgrade(client_tls)
    after = (await wire.ok(b"CAPABILITY"))[0]
    assert b"LOGINDISABLED" not in after
    assert b"STARTTLS" not in after
    assert b" AUTH=PLAIN AUTH=LOGIN" in after
    await wire.ok(LOGIN)
    assert (await wire.refused(b"STARTTLS")).startswith(b"BAD ")


async def test_starttls_without_a_certificate_is_bad(house: House) -> None:
    wire = await house.connect()
    assert b"STARTTLS" not in (await wire.ok(b"CAPABILITY"))[0]
    assert (await wire.refused(b"STARTTLS")).startswith(b"BAD ")


@pytest.mark.parametrize("behind", [b"b " + LOGIN + b"\r\n", b"b NOOP\r\nc NOOP\r\n", b"b", b"b LOGIN {100+}\r\n"])
async def test_i11_octets_behind_starttls_in_one_segment_end_the_connection(guarded: House, behind: bytes) -> None:
    wire = await guarded.connect()
    await wire.send(b"a STARTTLS\r\n" + behind)
    assert await wire.rest() == b"* BYE Octets behind STARTTLS\r\n"
    assert guarded.services.accounts.seen == []


async def test_i11_commands_before_starttls_are_answered_and_those_behind_are_not(guarded: House) -> None:
    wire = await guarded.connect()
    await wire.send(b"x NOOP\r\na STARTTLS\r\nb NOOP\r\n")
    assert await wire.rest() == b"x OK Done\r\n* BYE Octets behind STARTTLS\r\n"


async def test_i11_octets_in_clear_behind_the_answer_never_become_commands(guarded: House) -> None:
    wire = await guarded.connect()
    await wire.ok(b"STARTTLS")
    await wire.send(b"b " + LOGIN + b"\r\n")
    assert b"OK" not in await wire.rest()
    assert guarded.services.accounts.seen == []


async def test_i11_a_literal_begun_before_starttls_is_forgotten(guarded: House, client_tls: ssl.SSLContext) -> None:
    wire = await guarded.connect()
    await wire.send(b"a STARTTLS {3}\r\n")
    assert await wire.line() == b"+ OK\r\n"
    await wire.send(b"abc\r\n")
    assert (await wire.line()).startswith(b"a BAD ")
    await wire.upgrade(client_tls)
    await wire.ok(LOGIN)


async def test_stopping_ends_tls_sessions_too(secure: House, client_tls: ssl.SSLContext) -> None:
    wire = await secure.logged_in(tls=client_tls)
    assert await secure.stop(wire) == [b"* BYE Server shutting down\r\n"]


@pytest.mark.parametrize(
    "noise", [b"GET / HTTP/1.0\r\n\r\n", b"a NOOP\r\n", b"\x16\x03\x01\xff\xff" + b"\0" * 100, b""]
)
async def test_noise_on_the_tls_port_ends_quietly(
    secure: House, noise: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    assert b"OK" not in await secure.answer_to_noise(noise)
    assert "Traceback" not in capfd.readouterr().err
