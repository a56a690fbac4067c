"""LMTP on a Unix socket (RFC 2033): an MTA in front has authenticated the sender."""

import asyncio
import grp
import os
import smtplib
import socket
import stat
from collections.abc import AsyncIterator
from email.message import EmailMessage
from pathlib import Path

import pytest
from smtp.dialogue import Dialogue, Door, OpenDoor
from smtp.fake_services import ALICE, BOB, CHAN, DOMAIN

from bmgate.domain.account import AccountId
from bmgate.errors import BadMail, CannotListen, OverQuota, ShuttingDown, StorageBusy
from bmgate.smtp.limits import SmtpLimits
from bmgate.smtp.sockets import bind_for_group

MAIL = b"Received: from mta\r\nFrom: alice\r\n\r\ntext\r\n"
REPORT = b"Subject: Undelivered\r\nContent-Type: multipart/report; boundary=b\r\n\r\n--b\r\n\r\nyour mail\r\n--b--\r\n"
REPORT_FIELDS = b"Return-Path: <>\r\nAuthentication-Results: bm.internal; x-bitmessage=none\r\n"


@pytest.fixture
async def path(door: Door, tmp_path: Path) -> Path:
    """Of a socket on which the door listens."""
    await door.server.start_lmtp(tmp_path / "lmtp", "")
    return tmp_path / "lmtp"


@pytest.fixture
async def mta(path: Path) -> AsyncIterator[Dialogue]:
    """Greeted."""
    mta = await Dialogue.open_unix(path)
    assert (await mta.reply()).startswith("220 mail.bm.internal LMTP bmgate")
    assert (await mta.say("LHLO mta")).startswith("250-")
    yield mta
    await mta.close()


async def begin(mta: Dialogue, *recipients: str) -> None:
    assert (await mta.say(f"MAIL FROM:<{ALICE}@{DOMAIN}>")).startswith("250 2.1.0")
    for recipient in recipients:
        assert (await mta.say(f"RCPT TO:<{recipient}@{DOMAIN}>")).startswith("250 2.1.5")


async def test_lhlo_offers_what_there_is_and_neither_tls_nor_logins(mta: Dialogue) -> None:
    offered = [line[4:] for line in (await mta.say("LHLO x")).split("\n")]
    assert offered[1:] == [
        "SIZE 4194304",
        "8BITMIME",
        "SMTPUTF8",
        "PIPELINING",
        "ENHANCEDSTATUSCODES",
        "DSN",
        "CHUNKING",
    ]
    for command in ("EHLO x", "HELO x", "STARTTLS", "AUTH PLAIN"):
        assert (await mta.say(command)).startswith("500 5.5.1")
    assert (await mta.say("HELP")).startswith("214 2.0.0 BDAT DATA HELP LHLO MAIL")


async def test_the_reverse_path_names_the_account_and_each_recipient_gets_a_reply(mta: Dialogue, door: Door) -> None:
    await begin(mta, BOB, CHAN, BOB)
    assert (await mta.say("DATA")).startswith("354")
    mta.send(MAIL + b".\r\n")
    assert [(await mta.reply())[:9] for _ in range(3)] == ["250 2.0.0"] * 3
    assert (await mta.say("NOOP")).startswith("250 2.0.0 ok")
    envelope, raw = door.house.submissions.mails[0]
    assert (envelope.account, raw) == (1, MAIL)
    assert [str(recipient.resolved.address) for recipient in envelope.recipients] == [BOB, CHAN, BOB]


async def test_refusals_are_told_for_each_accepted_recipient(mta: Dialogue, door: Door) -> None:
    for failure, code in ((BadMail("too deep"), "554 5.6.0"), (StorageBusy("disk"), "451 4.3.0")):
        door.house.submissions.failure = failure
        await begin(mta, BOB, CHAN)
        assert (await mta.say("RCPT TO:<nobody@bm.internal>")).startswith("550 5.1.1")
        await mta.say("DATA")
        mta.send(MAIL + b".\r\n")
        assert [(await mta.reply())[:9] for _ in range(2)] == [code] * 2
    await begin(mta, BOB, CHAN)
    await mta.say("DATA")
    mta.send(b"a\0b\r\n.\r\n")
    assert [(await mta.reply())[:9] for _ in range(2)] == ["554 5.6.0"] * 2


async def test_the_last_chunk_gets_a_reply_for_each_recipient_and_others_one(mta: Dialogue, door: Door) -> None:
    await begin(mta, BOB, CHAN)
    assert (await mta.say(b"BDAT 5\r\na\r\n\r\n")) == "250 2.0.0 5 octets"
    mta.send(b"BDAT 3 LAST\r\nb\r\n")
    assert [(await mta.reply())[:9] for _ in range(2)] == ["250 2.0.0"] * 2
    assert door.house.raw == [b"a\r\n\r\nb\r\n"]


async def test_data_without_recipients_is_a_bad_sequence(mta: Dialogue) -> None:
    await begin(mta)
    assert (await mta.say("DATA")).startswith("503 5.5.1")


async def test_s5_who_has_no_account_sends_nothing(mta: Dialogue, door: Door) -> None:
    for sender in (f"{BOB}@{DOMAIN}", "x@example.org", "nobody"):
        assert (await mta.say(f"MAIL FROM:<{sender}>")).startswith("553 5.7.1")
        assert (await mta.say(f"RCPT TO:<{BOB}@{DOMAIN}>")).startswith("503 5.5.1")
        assert (await mta.say("DATA")).startswith("503 5.5.1")
    assert door.house.raw == []


async def test_a_report_of_the_mta_goes_to_the_account_it_is_for_and_not_over_the_network(
    mta: Dialogue, door: Door
) -> None:
    assert (await mta.say("MAIL FROM:<>")).startswith("250 2.1.0")
    assert (await mta.say("DATA")).startswith("503 5.5.1")
    assert (await mta.say(f"RCPT TO:<{BOB}@{DOMAIN}>")).startswith("553 5.7.1")
    for _ in range(2):
        assert (await mta.say(f"RCPT TO:<{ALICE}@{DOMAIN}>")).startswith("250 2.1.5")
    await mta.say("DATA")
    mta.send(REPORT + b".\r\n")
    assert [(await mta.reply())[:9] for _ in range(2)] == ["250 2.0.0"] * 2
    assert door.house.mailboxes.mails == [(1, "INBOX", REPORT_FIELDS + REPORT)]
    assert door.house.raw == []


async def test_what_is_no_report_is_not_taken_from_the_null_reverse_path(mta: Dialogue, door: Door) -> None:
    for forged in (MAIL, b"Authentication-Results: bm.internal; x-bitmessage=pass\r\n" + MAIL):
        await mta.say("MAIL FROM:<>")
        for _ in range(2):
            await mta.say(f"RCPT TO:<{ALICE}@{DOMAIN}>")
        await mta.say("DATA")
        mta.send(forged + b".\r\n")
        assert [(await mta.reply())[:9] for _ in range(2)] == ["550 5.7.1"] * 2
    assert door.house.mailboxes.mails == []


async def test_a_report_says_nothing_in_our_name(mta: Dialogue, door: Door) -> None:
    forged = b"X-Bitmessage-Key: verified BM-x\r\nAuthentication-Results: bm.internal; x-bitmessage=pass\r\n"
    await mta.say("MAIL FROM:<>")
    await mta.say(f"RCPT TO:<{ALICE}@{DOMAIN}>")
    await mta.say("DATA")
    assert (await mta.say(forged + REPORT + b".\r\n")).startswith("250 2.0.0 delivered")
    assert door.house.mailboxes.mails == [(1, "INBOX", REPORT_FIELDS + REPORT)]


async def test_a_report_for_a_full_account_is_put_off(mta: Dialogue, door: Door) -> None:
    door.house.mailboxes.failures[AccountId(1)] = OverQuota("the mailbox is full")
    await mta.say("MAIL FROM:<>")
    await mta.say(f"RCPT TO:<{ALICE}@{DOMAIN}>")
    await mta.say("DATA")
    assert (await mta.say(REPORT + b".\r\n")).startswith("452 4.2.2")


@pytest.mark.parametrize(
    ("failure", "code"), [(OverQuota("the mailbox is full"), "452 4.2.2"), (ShuttingDown("soon"), "451 4.3.0")]
)
async def test_a_report_for_several_is_told_for_each_and_stored_once_for_those_who_took_it(
    mta: Dialogue, door: Door, failure: Exception, code: str
) -> None:
    door.house.accounts.others[CHAN], door.house.accounts.others[BOB] = AccountId(2), AccountId(3)
    door.house.mailboxes.failures[AccountId(2)] = failure
    await mta.say("MAIL FROM:<>")
    for recipient in (ALICE, CHAN, BOB, ALICE):
        assert (await mta.say(f"RCPT TO:<{recipient}@{DOMAIN}>")).startswith("250 2.1.5")
    await mta.say("DATA")
    mta.send(REPORT + b".\r\n")
    assert [(await mta.reply())[:9] for _ in range(4)] == ["250 2.0.0", code, "250 2.0.0", "250 2.0.0"]
    assert (await mta.say("NOOP")).startswith("250 2.0.0 ok")
    assert [account for account, _, _ in door.house.mailboxes.mails] == [1, 3]


async def test_nothing_goes_before_lhlo(path: Path) -> None:
    mta = await Dialogue.open_unix(path)
    await mta.reply()
    for command in (f"MAIL FROM:<{ALICE}@{DOMAIN}>", f"RCPT TO:<{BOB}@{DOMAIN}>", "DATA", b"BDAT 0 LAST\r\n"):
        assert (await mta.say(command)).startswith("503 5.5.1")
    await mta.close()


async def test_dsn_parameters_arrive_with_their_case(mta: Dialogue, door: Door) -> None:
    await mta.say(f"MAIL FROM:<{ALICE}@{DOMAIN}> RET=HDRS ENVID=QqWw SIZE=10 BODY=8BITMIME")
    await mta.say(f"RCPT TO:<{BOB}@{DOMAIN}> NOTIFY=SUCCESS ORCPT=rfc822;Bob@Example.org")
    await mta.say("DATA")
    assert (await mta.say(MAIL + b".\r\n")).startswith("250")
    envelope, _ = door.house.submissions.mails[0]
    assert (envelope.ret.value, envelope.envelope_id) == ("HDRS", "QqWw")
    assert envelope.recipients[0].original_recipient == "rfc822;Bob@Example.org"


async def test_pythons_own_client_is_served(door: Door, path: Path) -> None:
    mail = EmailMessage()
    mail["From"], mail["To"] = f"{ALICE}@{DOMAIN}", f"{BOB}@{DOMAIN}"
    mail.set_content("text\n")

    def send() -> None:
        with smtplib.LMTP(str(path)) as client:
            assert client.send_message(mail) == {}

    await asyncio.to_thread(send)
    assert len(door.house.raw) == 1


async def test_an_mta_may_have_more_connections_than_a_mail_program(open_door: OpenDoor, tmp_path: Path) -> None:
    door = await open_door(SmtpLimits(connections_per_source=1, connections_per_user=1, connections=3))
    await door.server.start_lmtp(tmp_path / "lmtp", "")
    clients = [await Dialogue.open_unix(tmp_path / "lmtp") for _ in range(4)]
    assert [(await client.reply())[:3] for client in clients] == ["220", "220", "220", "421"]
    for client in clients:
        await client.close()


async def test_shutting_down_is_told_once_and_the_socket_goes(door: Door, path: Path, mta: Dialogue) -> None:
    await begin(mta, BOB, CHAN)
    door.house.submissions.gate.clear()
    await mta.say("DATA")
    mta.send(MAIL + b".\r\n")
    await door.house.submissions.begun.wait()
    closing = asyncio.create_task(door.server.close())
    await asyncio.sleep(0)
    door.house.submissions.gate.set()
    replies = [reply[:9] for reply in (await mta.rest()).split("\r\n")]
    assert replies == ["250 2.0.0", "250 2.0.0", "421 4.3.2", ""]
    await mta.close()
    await closing
    with pytest.raises(FileNotFoundError):
        await Dialogue.open_unix(path)


def test_the_socket_is_for_its_group_alone(tmp_path: Path) -> None:
    path = tmp_path / "lmtp"
    group = grp.getgrgid(os.getgid()).gr_name
    with bind_for_group(path, group):
        status = path.stat()
        assert (stat.S_IMODE(status.st_mode), status.st_gid) == (0o660, os.getgid())
        with pytest.raises(ConnectionRefusedError), socket.socket(socket.AF_UNIX) as early:
            early.connect(str(path))  # nobody listens before the mode is set


def test_a_dead_socket_is_replaced_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "lmtp"
    bind_for_group(path, "").close()
    with bind_for_group(path, "") as living:
        living.listen(0)
        for _ in range(3):  # the first fills its queue
            with pytest.raises(CannotListen, match="another program listens on"):
                bind_for_group(path, "")
    path.unlink()
    path.write_text("precious")
    with pytest.raises(CannotListen, match="no socket"):
        bind_for_group(path, "")
    assert path.read_text() == "precious"


@pytest.mark.parametrize(
    ("place", "group", "told"),
    [("missing/lmtp", "", "No such file"), ("lmtp", "no-such-group", "no group 'no-such-group'")],
)
def test_what_cannot_be_bound_is_told_and_leaves_nothing(tmp_path: Path, place: str, group: str, told: str) -> None:
    with pytest.raises(CannotListen, match=told):
        bind_for_group(tmp_path / place, group)
    assert list(tmp_path.iterdir()) == []
