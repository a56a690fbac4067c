import ssl
from pathlib import Path

import pytest
from smtp.dialogue import Certificates, Connect, Dialogue, Door, plain
from smtp.fake_services import ALICE, DOMAIN

from bmgate.errors import CannotListen
from bmgate.smtp.server import server_context


async def start_tls(client: Dialogue, context: ssl.SSLContext) -> None:
    await client.writer.start_tls(context, server_hostname="localhost")


async def test_465_speaks_tls_from_the_start(door: Door, connect: Connect, certificates: Certificates) -> None:
    client = await connect(door.tls_port, certificates.client)
    assert (await client.reply()).startswith("220 mail.bm.internal")
    offered = await client.say("EHLO x")
    assert "AUTH PLAIN LOGIN" in offered
    assert "STARTTLS" not in offered
    assert (await client.say("STARTTLS")).startswith("503 5.5.1")
    assert (await client.say(f"AUTH PLAIN {plain()}")).startswith("235")
    await client.begin()
    assert (await client.say(b"text\r\n.\r\n")).startswith("250")
    assert door.house.raw == [b"text\r\n"]


async def test_587_speaks_tls_after_starttls_and_forgets_what_was_before(
    door: Door, connect: Connect, certificates: Certificates
) -> None:
    client = await connect(door.starttls_port)
    await client.reply()
    assert "STARTTLS" in await client.say("EHLO x")
    assert (await client.say("STARTTLS")) == "220 2.0.0 ready to start TLS"
    await start_tls(client, certificates.client)
    assert (await client.say(f"AUTH PLAIN {plain()}")).startswith("503 5.5.1")  # no EHLO yet
    offered = await client.say("EHLO x")
    assert "STARTTLS" not in offered
    assert "AUTH PLAIN LOGIN" in offered
    assert (await client.say(f"AUTH PLAIN {plain()}")).startswith("235")
    await client.begin()
    assert (await client.say(b"text\r\n.\r\n")).startswith("250")
    assert (await client.say("QUIT")).startswith("221")


async def test_s3_commands_behind_starttls_in_one_segment_are_not_executed(
    door: Door, connect: Connect, certificates: Certificates
) -> None:
    client = await connect(door.starttls_port)
    await client.reply()
    await client.say("EHLO x")
    client.send(f"STARTTLS\r\nEHLO evil\r\nAUTH PLAIN {plain()}\r\nMAIL FROM:<{ALICE}@{DOMAIN}>")
    assert (await client.reply()).startswith("220 2.0.0")
    await start_tls(client, certificates.client)
    assert (await client.say("NOOP")).startswith("250 2.0.0 ok")  # the first reply inside TLS is ours
    assert (await client.say(f"MAIL FROM:<{ALICE}@{DOMAIN}>")).startswith("530")
    assert door.house.accounts.sources == []


async def test_s3_starttls_comes_once_and_not_behind_a_login(
    door: Door, connect: Connect, certificates: Certificates
) -> None:
    client = await connect(door.starttls_port)
    await client.reply()
    await client.say("STARTTLS")
    await start_tls(client, certificates.client)
    assert (await client.say("STARTTLS")).startswith("503 5.5.1")
    clear = await connect(door.plain_port)
    await clear.log_in()
    assert (await clear.say("STARTTLS")).startswith("503 5.5.1")
    assert (await clear.say("STARTTLS now")).startswith("501 5.5.4")


@pytest.mark.parametrize("nonsense", [b"", b"EHLO x\r\n", b"\x16\x03\x01\x02\x00\x01"])
async def test_s3_a_handshake_that_fails_ends_the_connection(door: Door, connect: Connect, nonsense: bytes) -> None:
    client = await connect(door.starttls_port)
    await client.reply()
    assert (await client.say("STARTTLS")).startswith("220")
    client.send(nonsense)
    client.writer.write_eof()
    assert b"250" not in await client.reader.read()
    other = await connect(door.starttls_port)
    assert (await other.reply()).startswith("220")


def test_tls_before_1_2_is_not_spoken(certificates: Certificates) -> None:
    context = server_context(certificates.certificate, certificates.key)
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2


def test_a_certificate_that_cannot_be_used_is_named(tmp_path: Path, certificates: Certificates) -> None:
    missing = tmp_path / "missing.pem"
    with pytest.raises(CannotListen, match=r"missing\.pem"):
        server_context(missing)
    with pytest.raises(CannotListen, match=r"server\.key"):
        server_context(certificates.key)
