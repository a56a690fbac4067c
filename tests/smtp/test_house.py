"""The S-rows that the door and the services keep together."""

from collections.abc import AsyncIterator
from dataclasses import replace
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import pytest
from smtp.dialogue import Dialogue
from smtp.real_house import RealHouse, idle_house, send
from stations import Settings, User, mail
from storage_fixtures import NOW, new_identity

from bmgate.bm.addresses import Address, parse_address
from bmgate.bm.plaintext.pubkeys import Behavior, Pubkey
from bmgate.domain.mailbox import MailboxKind
from bmgate.services.outbound.submission import SubmissionOptions

QUEUE_LIMIT = 3


@pytest.fixture
async def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[RealHouse]:
    """No work is done, so that what is queued waits."""
    settings = Settings(submission=SubmissionOptions(max_queued=QUEUE_LIMIT))
    async with idle_house(tmp_path, monkeypatch, settings) as made:
        yield made


@pytest.fixture
async def alice(house: RealHouse) -> User:
    return await house.user("alice")


@pytest.fixture
async def bob(house: RealHouse) -> User:
    return await house.user("bob")


@pytest.fixture
async def client(house: RealHouse, alice: User, bob: User) -> AsyncIterator[Dialogue]:
    """Of alice."""
    client = await house.log_in("alice")
    yield client
    await client.close()


async def reader_of_text(house: RealHouse) -> Address:
    """A stranger whose key is known, and says nothing of reading files."""
    keys = new_identity().keys.public
    pubkey = Pubkey(4, 1, Behavior.DOES_ACK, keys, 1, 1000)
    await house.station.database.transact(lambda store: store.pubkeys.save(pubkey, NOW))
    return keys.address()


def stranger() -> Address:
    """An address that nobody here knows."""
    return new_identity().keys.public.address()


@pytest.mark.parametrize(
    "form",
    ["{bob}@bm.internal", "bob@bm.internal", "BOB+tag@BM.INTERNAL", "{lower}@bm.internal", "{stranger}@bm.internal"],
)
async def test_s5_other_tenants_and_contacts_cannot_be_sent_as_at_mail(
    house: RealHouse, client: Dialogue, alice: User, bob: User, form: str
) -> None:
    address = str(bob.identity.address)
    sender = form.format(bob=address, lower=address.lower(), stranger=stranger())
    reply = await client.say(f"MAIL FROM:<{sender}>")
    assert reply.startswith("553 5.7.1 you cannot send as"), reply
    assert alice.mail_address in reply
    assert "bob" not in reply.replace(sender, "").lower()


@pytest.mark.parametrize(
    ("field", "code"),
    [
        ("From: <{bob}>", "553 5.7.1"),
        ("From: <bob+x@bm.internal>", "553 5.7.1"),
        ("From: <bob@BM.internal.>", "553 5.7.1"),
        ('From: "{alice}" <{bob}>', "553 5.7.1"),
        ("From: {alice} <{bob}>", "55"),
        ("From: <{alice}>, <{bob}>", "55"),
        ("From: <{alice}>\r\nFrom: <{bob}>", "55"),
        ("From: <{alice}>\r\nSender: <{bob}>", "553 5.7.1"),
        ("from : <{bob}>", "55"),
        ("From: =?utf-8?q?<{bob}>?=", "55"),
        ("From: team:<{bob}>;", "55"),
    ],
)
async def test_s5_no_trick_with_from_sends_as_another_tenant(
    house: RealHouse, client: Dialogue, alice: User, bob: User, field: str, code: str
) -> None:
    header = field.format(alice=alice.mail_address, bob=bob.mail_address).encode()
    reply = await send(client, alice.mail_address, [bob.mail_address], header + b"\r\nSubject: s\r\n\r\nx\r\n")
    assert reply.startswith(code), reply
    assert await house.station.rows() == []
    assert await alice.messages(MailboxKind.SENT) == []


async def test_s6_the_refused_recipients_leave_the_others_their_mail(
    house: RealHouse, client: Dialogue, alice: User, bob: User
) -> None:
    assert (await client.say(f"MAIL FROM:<{alice.mail_address}>")).startswith("250")
    other = stranger()
    other_version = str(replace(other, version=5))
    replies = {
        f"{str(other)[:-1]}{'1' if str(other)[-1] != '1' else '2'}@bm.internal": "553 5.1.3",
        "bob@example.org": "550 5.1.2",
        "nobody@bm.internal": "550 5.1.1",
        "noreply@bm.internal": "550 5.1.1",
        f"{other_version}@bm.internal": "550 5.1.1",
        f"{other}@example.org": f"250 2.1.5 <{other}@bm.internal> ok",
        bob.mail_address: "250 2.1.5",
    }
    for recipient, expected in replies.items():
        assert (await client.say(f"RCPT TO:<{recipient}>")).startswith(expected), recipient
    assert (await client.say("DATA")).startswith("354")
    assert (await client.say(mail(alice, bob) + b".\r\n")).startswith("250 2.0.0 queued as")
    assert [row.recipient for row in await alice.rows()] == [other, parse_address(str(bob.identity.address))]


async def test_s8_a_text_beyond_what_bitmessage_carries_is_refused_with_the_real_limit(
    client: Dialogue, alice: User, bob: User
) -> None:
    text = "\r\n".join(f"{number:070x}" for number in range(4_000))
    raw = mail(alice, bob, body=text)
    reply = await send(client, alice.mail_address, [f"{stranger()}@bm.internal"], raw)
    assert reply.startswith("552 5.3.4")
    assert "261 kB" in reply


@pytest.mark.parametrize(
    ("header", "body", "shown"),
    [
        ("", b"K\xc3\xb6ln", "K\u00f6ln"),
        ("", b"K\xf6ln", "K\u00f6ln"),
        ("Content-Type: text/plain; charset=utf-8\r\n", b"K\xf6ln", "K\u00f6ln"),
        ("Content-Type: text/plain; charset=x-unheard-of\r\n", b"K\xf6ln", "K\u00f6ln"),
        ("", b"y" * 2_000, "y" * 2_000),
    ],
)
async def test_s9_odd_texts_are_read_with_a_fallback_and_nothing_is_lost(
    house: RealHouse, client: Dialogue, alice: User, header: str, body: bytes, shown: str
) -> None:
    raw = f"From: <{alice.mail_address}>\r\n{header}Subject: ".encode() + body[:8] + b"\r\n\r\n" + body + b"\r\n"
    assert (await send(client, alice.mail_address, [alice.mail_address], raw)).startswith("250")
    await house.station.settle()
    (arrived,) = await alice.messages()
    read = message_from_bytes(arrived.header + arrived.body, _class=EmailMessage, policy=policy.default)
    assert read.get_content().rstrip("\r\n") == shown
    assert read["Subject"] == shown[: len(read["Subject"])]


async def test_s9_utf_7_is_refused(client: Dialogue, alice: User, bob: User) -> None:
    raw = b"Content-Type: text/plain; charset=utf-7\r\n\r\n+AGE-\r\n"
    assert (await send(client, alice.mail_address, [bob.mail_address], raw)).startswith("554 5.6.1")


ALTERNATIVE = (
    b"Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nplain\r\n"
    b"--b\r\nContent-Type: text/html\r\n\r\n<p>html</p>\r\n--b--\r\n"
)
SIGNED = (
    b"Content-Type: multipart/signed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nsigned\r\n"
    b'--b\r\nContent-Type: application/pgp-signature; name="signature.asc"\r\n\r\nxyz\r\n--b--\r\n'
)
PICTURE = (
    b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nlook\r\n"
    b'--b\r\nContent-Type: image/png\r\nContent-Disposition: attachment; filename="plan.png"\r\n\r\nPNG\r\n--b--\r\n'
)


@pytest.mark.parametrize(
    ("rest", "reply"),
    [
        (ALTERNATIVE, "250 2.0.0 queued as"),
        (b"Content-Type: text/html\r\n\r\n<p>only html</p>\r\n", "250 2.0.0 queued as"),
        (SIGNED, "signature.asc"),
        (PICTURE, "554 5.6.1"),
        (PICTURE, "plan.png"),
        (b"Content-Type: multipart/encrypted; boundary=b\r\n\r\n--b\r\n\r\nx\r\n--b--\r\n", "554 5.6.1"),
        (b"Content-Type: application/pkcs7-mime; smime-type=enveloped-data\r\n\r\nx\r\n", "554 5.6.1"),
        (b"Content-Type: application/ms-tnef\r\n\r\nx\r\n", "554 5.6.1"),
        (b"Disposition-Notification-To: <x@y>\r\nReturn-Receipt-To: <x@y>\r\n\r\nread?\r\n", "250 2.0.0 queued as"),
    ],
)
async def test_s11_what_cannot_be_read_there_is_refused_or_named_and_never_dropped_silently(
    client: Dialogue, alice: User, house: RealHouse, rest: bytes, reply: str
) -> None:
    raw = f"From: <{alice.mail_address}>\r\nSubject: s\r\nMIME-Version: 1.0\r\n".encode() + rest
    told = await send(client, alice.mail_address, [f"{await reader_of_text(house)}@bm.internal"], raw)
    assert reply in told
    assert len(await house.station.rows()) == told.startswith("250")


async def test_s14_the_same_mail_again_is_the_same_submission(client: Dialogue, alice: User, bob: User) -> None:
    raw = mail(alice, bob, message_id="<x@y>")
    first = await send(client, alice.mail_address, [bob.mail_address], raw)
    again = await send(client, alice.mail_address, [bob.mail_address], raw)
    assert first.split(",")[0] == again.split(",")[0]
    assert "as when it was given before" in again
    assert len(await alice.rows()) == 1


async def test_s18_a_full_queue_puts_off_its_owner_and_nobody_else(
    house: RealHouse, client: Dialogue, alice: User, bob: User
) -> None:
    for _ in range(QUEUE_LIMIT):
        assert (await send(client, alice.mail_address, [bob.mail_address], mail(alice, bob))).startswith("250")
    full = await send(client, alice.mail_address, [bob.mail_address], mail(alice, bob))
    assert full.startswith("452")
    assert str(QUEUE_LIMIT) in full
    other = await house.log_in("bob")
    assert (await send(other, bob.mail_address, [alice.mail_address], mail(bob, alice))).startswith("250")
    await other.close()
    assert len(await alice.rows()) == QUEUE_LIMIT
