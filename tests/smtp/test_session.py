import asyncio
import logging

import pytest
from smtp.dialogue import Connect, Dialogue, Door, OpenDoor, plain
from smtp.fake_services import ALICE, BOB, CHAN, DOMAIN

from bmgate.errors import LimitReached, NotOwner, StorageBusy, TooLarge, UnsupportedMedia
from bmgate.services.outbound.submission import Receipt
from bmgate.smtp.limits import SmtpLimits
from bmgate.smtp.settings import Plaintext

MAIL = b"From: alice\r\n\r\ntext\r\n"


@pytest.fixture
async def client(door: Door, connect: Connect) -> Dialogue:
    """Logged in."""
    client = await connect(door.plain_port)
    await client.log_in()
    return client


async def test_a_mail_is_taken_and_the_receipt_told(client: Dialogue, door: Door) -> None:
    assert (await client.begin()) == "354 end with <CRLF>.<CRLF>"
    assert await client.say(MAIL + b".\r\n") == "250 2.0.0 queued as 7KQ2AB, about 20 s of work"
    envelope, raw = door.house.submissions.mails[0]
    assert raw == MAIL
    assert envelope.sender == f"{ALICE}@{DOMAIN}"
    assert [str(recipient.resolved.address) for recipient in envelope.recipients] == [BOB]
    assert await client.say("QUIT") == "221 2.0.0 bye"
    assert await client.rest() == ""


async def test_what_was_left_out_is_told(client: Dialogue, door: Door) -> None:
    door.house.submissions.receipt = Receipt("7KQ2AB", 20.0, ("logo.png 3 kB",), repeated=False)
    await client.begin()
    assert (await client.say(MAIL + b".\r\n")).endswith("about 20 s of work; left out: logo.png 3 kB")


async def test_ehlo_offers_what_there_is_and_no_more(client: Dialogue) -> None:
    offered = (await client.say("EHLO x")).split("\n")
    assert [line[4:] for line in offered] == [
        "mail.bm.internal",
        "SIZE 4194304",
        "8BITMIME",
        "SMTPUTF8",
        "PIPELINING",
        "ENHANCEDSTATUSCODES",
        "DSN",
        "CHUNKING",
        "STARTTLS",
        "AUTH PLAIN LOGIN",
    ]


async def test_no_name_is_looked_up_for_a_connection(
    door: Door, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """V20: `socket.getfqdn` may block the loop for seconds."""
    monkeypatch.setattr("socket.getfqdn", None)
    client = await connect(door.plain_port)
    assert (await client.reply()) == "220 mail.bm.internal ESMTP bmgate"


async def test_s17_nothing_tells_a_version_or_an_address(client: Dialogue, door: Door, connect: Connect) -> None:
    stranger = await connect(door.plain_port)
    texts = [await stranger.reply(), await stranger.say("HELP"), await stranger.say("EHLO x")]
    assert not any(word in text for text in texts for word in ("aiosmtpd", "Python", "1.4"))
    assert (await stranger.say(f"VRFY <{ALICE}>")).startswith("502 5.5.1")
    assert (await client.say(f"VRFY <{ALICE}>")).startswith("252 2.1.5")
    for command in ("EXPN x", "ETRN x", "XCLIENT NAME=x", "PROXY TCP4 127.0.0.1 127.0.0.1 1 2"):
        assert (await client.say(command)).startswith("502 5.5.1")


async def test_parameters_keep_their_case(client: Dialogue, door: Door) -> None:
    await client.say(f"MAIL FROM: <{ALICE}@{DOMAIN}> RET=HDRS ENVID=QqWw+2B BODY=8BITMIME SIZE=30")
    orcpt = f"rfc822;{BOB.lower()}@bm.addr"
    reply = await client.say(f"RCPT TO:<{BOB.lower()}@bm.addr> NOTIFY=success,failure ORCPT={orcpt}")
    assert reply == f"250 2.1.5 <{BOB}@{DOMAIN}> ok, letter case repaired"
    await client.say("DATA")
    await client.say(MAIL + b".\r\n")
    envelope = door.house.submissions.mails[0][0]
    assert (envelope.ret.value, envelope.envelope_id) == ("HDRS", "QqWw+")
    assert envelope.recipients[0].notify == ("SUCCESS", "FAILURE")
    assert envelope.recipients[0].original_recipient == orcpt


async def test_a_pipelined_transaction_works_in_one_segment(client: Dialogue, door: Door) -> None:
    client.send(
        f"MAIL FROM:<{ALICE}@{DOMAIN}>\r\nRCPT TO:<{BOB}@{DOMAIN}>\r\nRCPT TO:<nobody@{DOMAIN}>\r\n"
        f"DATA\r\n{MAIL.decode()}.\r\nNOOP\r\nQUIT".encode()
        + b"\r\n"
    )
    codes = [(await client.reply())[:9] for _ in range(7)]
    assert codes == ["250 2.1.0", "250 2.1.5", "550 5.1.1", "354 end w", "250 2.0.0", "250 2.0.0", "221 2.0.0"]
    assert door.house.raw == [MAIL]


async def test_replies_to_commands_that_came_together_go_together(client: Dialogue) -> None:
    client.send(f"MAIL FROM:<{ALICE}@{DOMAIN}>\r\n" + f"RCPT TO:<{BOB}@{DOMAIN}>\r\n" * 20 + "RSET\r\nNOOP")
    replies = await client.reader.read(1 << 16)
    assert replies.count(b"\r\n") == 23


async def test_a_reply_does_not_wait_for_half_a_command(client: Dialogue) -> None:
    assert (await client.say(b"NOOP\r\nNOO")).startswith("250")
    assert (await client.say(b"P\r\n")).startswith("250")


@pytest.mark.parametrize("end", [b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r\n.\r"])
async def test_s1_a_smuggled_mail_stays_inside_the_first_which_is_refused(
    client: Dialogue, door: Door, end: bytes
) -> None:
    await client.begin()
    smuggled = f"MAIL FROM:<{ALICE}@{DOMAIN}>\r\nRCPT TO:<{CHAN}@{DOMAIN}>\r\nDATA\r\nevil\r\n.\r\n".encode()
    assert (await client.say(b"text" + end + smuggled)).startswith("500 5.5.2")
    assert (await client.say("NOOP")).startswith("250")
    assert door.house.raw == []


async def test_s1_bare_lfs_elsewhere_become_line_ends(client: Dialogue, door: Door) -> None:
    await client.begin()
    assert (await client.say(b"Subject: x\n\ntext\r\n.\r\n")).startswith("250")
    assert door.house.raw == [b"Subject: x\r\n\r\ntext\r\n"]


async def test_s2_bare_lfs_behind_commands_are_refused_and_the_third_ends_the_session(client: Dialogue) -> None:
    for _ in range(2):
        assert (await client.say(b"NOOP\n")).startswith("500 5.5.2")
    assert (await client.say(b"NOOP\rNOOP\r\n")).startswith("421")
    assert await client.rest() == ""


async def test_s4_nothing_is_relayed_without_a_login(door: Door, connect: Connect) -> None:
    client = await connect(door.plain_port)
    await client.reply()
    for greeting in ("NOOP", "HELO x", "EHLO x"):
        await client.say(greeting)
        for command in (f"MAIL FROM:<{ALICE}@{DOMAIN}>", f"RCPT TO:<{BOB}@{DOMAIN}>", "DATA"):
            assert (await client.say(command)).startswith("530 5.7.0")


async def test_s4_a_loopback_port_has_no_tls_and_asks_for_a_login(door: Door, connect: Connect) -> None:
    port = await door.server.start(
        "127.0.0.1", 0, implicit_tls=False, plaintext=Plaintext.ANYBODY, offers_starttls=False
    )
    client = await connect(port)
    await client.reply()
    offered = await client.say("EHLO x")
    assert "STARTTLS" not in offered
    assert "AUTH PLAIN LOGIN" in offered
    assert (await client.say("STARTTLS")).startswith("502 5.5.1")
    assert (await client.say(f"MAIL FROM:<{ALICE}@{DOMAIN}>")).startswith("530 5.7.0")
    assert (await client.say(f"AUTH PLAIN {plain()}")).startswith("235")
    await client.begin()
    assert (await client.say(MAIL + b".\r\n")).startswith("250")


async def test_s4_without_tls_there_is_no_login(door: Door, connect: Connect) -> None:
    client = await connect(door.starttls_port)
    await client.reply()
    assert "AUTH" not in await client.say("EHLO x")
    assert (await client.say(f"AUTH PLAIN {plain()}")).startswith("538 5.7.11")
    assert (await client.say(f"MAIL FROM:<{ALICE}@{DOMAIN}>")).startswith("530 5.7.0")
    assert door.house.accounts.sources == []


@pytest.mark.parametrize(
    ("sender", "code"),
    [(f"{BOB}@{DOMAIN}", "553 5.7.1"), ("x@example.org", "553 5.7.1"), ("", "550 5.7.1"), ("nobody", "553 5.7.1")],
)
async def test_s5_only_own_addresses_send(client: Dialogue, sender: str, code: str) -> None:
    assert (await client.say(f"MAIL FROM:<{sender}>")).startswith(code)
    assert (await client.say(f"MAIL FROM:<{ALICE}@{DOMAIN}>")).startswith("250 2.1.0")


async def test_s5_a_sender_is_checked_anew_when_it_is_another(client: Dialogue) -> None:
    for sender, code in ((ALICE, "250"), (ALICE, "250"), (BOB, "553"), (BOB, "553"), (ALICE, "250"), (BOB, "553")):
        assert (await client.say(f"MAIL FROM:<{sender}@{DOMAIN}>")).startswith(code)
        await client.say("RSET")


async def test_s5_another_from_in_the_mail_is_refused(client: Dialogue, door: Door) -> None:
    door.house.submissions.failure = NotOwner("you cannot send as <bob@bm.internal>; your addresses: none")
    await client.begin()
    assert (await client.say(MAIL + b".\r\n")).startswith("553 5.7.1 you cannot send as")
    assert door.house.raw == []


async def test_s6_bad_recipients_are_refused_one_by_one(client: Dialogue, door: Door) -> None:
    await client.say(f"MAIL FROM:<{ALICE}@{DOMAIN}>")
    replies = {
        f"{BOB[:-1]}x@{DOMAIN}": "550 5.1.1",  # one letter from a known one: did you mean
        f"{CHAN[:-1]}x@{DOMAIN}": "553 5.1.3",
        f"nobody@{DOMAIN}": "550 5.1.1",
        "someone@example.org": "550 5.1.2",
        "köln@bm.internal": "553 5.6.7",
        f"bob+ttl=soon@{DOMAIN}": "550 5.6.0",
        f"bob@{DOMAIN}": f"250 2.1.5 <{BOB}@{DOMAIN}> ok",
    }
    for recipient, expected in replies.items():
        assert (await client.say(f"RCPT TO:<{recipient}>")).startswith(expected), recipient
    assert (await client.say("DATA")).startswith("354")
    assert (await client.say(MAIL + b".\r\n")).startswith("250")
    assert len(door.house.submissions.mails[0][0].recipients) == 1


async def test_s7_the_101st_recipient_is_put_off_and_the_others_get_their_mail(client: Dialogue, door: Door) -> None:
    client.send(f"MAIL FROM:<{ALICE}@{DOMAIN}>\r\n" + f"RCPT TO:<{BOB}@{DOMAIN}>\r\n" * 1000 + "DATA")
    codes = [(await client.reply())[:9] for _ in range(1002)]
    assert codes[1:-1] == ["250 2.1.5"] * 100 + ["452 4.5.3"] * 900
    assert (await client.say(MAIL + b".\r\n")).startswith("250")
    assert len(door.house.submissions.mails[0][0].recipients) == 100


async def test_s8_a_size_beyond_the_limit_is_refused_before_a_byte_is_sent(client: Dialogue) -> None:
    for size in ("4194305", "99999999999999999999"):
        reply = await client.say(f"MAIL FROM:<{ALICE}@{DOMAIN}> SIZE={size}")
        assert reply.startswith("552 5.3.4")
        assert "4194304" in reply
    assert (await client.say(f"MAIL FROM:<{ALICE}@{DOMAIN}> SIZE=4194304")).startswith("250")


async def test_s8_a_mail_beyond_the_limit_is_swallowed_and_refused(open_door: OpenDoor, connect: Connect) -> None:
    door = await open_door(SmtpLimits(submission=100_000))
    client = await connect(door.plain_port)
    await client.log_in()
    await client.begin()
    assert (await client.say((b"x" * 70 + b"\r\n") * 20_000 + b".\r\n")).startswith("552 5.3.4")
    await client.begin()
    large = (b"x" * 70 + b"\r\n") * 1_388
    assert (await client.say(large + b".\r\n")).startswith("250")
    assert door.house.raw == [large]


async def test_s8_refusals_after_data_carry_the_reason(client: Dialogue, door: Door) -> None:
    failures = {
        TooLarge("text is 391 kB, Bitmessage carries 261 kB"): "552 5.3.4 text is 391 kB",
        UnsupportedMedia("not known to accept attachments (plan.pdf)"): "554 5.6.1 not known to accept",
        LimitReached("500 messages wait in your queue already"): "452 4.5.3 500 messages",
    }
    for failure, expected in failures.items():
        door.house.submissions.failure = failure
        await client.begin()
        assert (await client.say(MAIL + b".\r\n")).startswith(expected)


async def test_s8_much_mail_at_once_is_put_off(open_door: OpenDoor, connect: Connect) -> None:
    door = await open_door(SmtpLimits(waiting=100_000))
    client = await connect(door.plain_port)
    await client.log_in()
    await client.begin()
    assert (await client.say((b"x" * 70 + b"\r\n") * 5_000 + b".\r\n")).startswith("452 4.3.1")
    await client.begin()
    assert (await client.say(MAIL + b".\r\n")).startswith("250")


async def test_s9_nul_is_refused_and_long_lines_and_eight_bits_are_taken(client: Dialogue, door: Door) -> None:
    await client.begin()
    assert (await client.say(b"a\0b\r\n.\r\n")).startswith("554 5.6.0")
    odd = b"Subject: K\xf6ln\r\n\r\n" + b"y" * 65_536 + b"\r\n"
    await client.begin()
    assert (await client.say(odd + b".\r\n")).startswith("250")
    assert door.house.raw == [odd]
    assert (await client.say(b"NOOP \0\r\n")).startswith("500 5.5.2")


async def test_s12_trouble_inside_is_451_and_told_to_nobody(
    client: Dialogue, door: Door, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for failure in (StorageBusy("disk full"), ConnectionRefusedError("secret"), KeyError("secret")):
        door.house.submissions.failure = failure
        await client.begin()
        reply = await client.say(b"Subject: secret\r\n\r\nsecret\r\n.\r\n")
        assert reply == "451 4.3.0 trouble here, nothing was taken; try again later"
    assert [record.levelname for record in caplog.records] == ["WARNING", "ERROR", "ERROR"]
    assert "secret" not in caplog.text
    assert "KeyError" in caplog.text
    door.house.submissions.failure = None
    await client.begin()
    assert (await client.say(MAIL + b".\r\n")).startswith("250")


async def test_s13_250_comes_when_the_mail_is_stored_and_not_before(client: Dialogue, door: Door) -> None:
    door.house.submissions.gate.clear()
    await client.begin()
    client.send(MAIL + b".\r\n")
    await door.house.submissions.begun.wait()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await client.reader.readexactly(1)
    door.house.submissions.gate.set()
    assert (await client.reply()).startswith("250 2.0.0")
    assert door.house.raw == [MAIL]


async def test_s14_a_mail_cut_in_its_middle_is_nothing(client: Dialogue, door: Door) -> None:
    await client.begin()
    client.send(MAIL + b"\r\n.\r")
    await client.close()
    other = await Dialogue.open(door.plain_port)
    await other.reply()
    await other.close()
    assert not door.house.submissions.begun.is_set()


async def test_s14_a_client_gone_behind_the_dot_leaves_exactly_one_mail(client: Dialogue, door: Door) -> None:
    door.house.submissions.gate.clear()
    await client.begin()
    client.send(MAIL + b".\r\n")
    await door.house.submissions.begun.wait()
    await client.close()
    door.house.submissions.gate.set()
    async with asyncio.timeout(5):
        await door.house.submissions.stored.wait()
    assert door.house.raw == [MAIL]


async def test_s16_connections_are_bounded_by_source_and_in_all(open_door: OpenDoor, connect: Connect) -> None:
    for limits in (SmtpLimits(connections_per_source=2), SmtpLimits(connections=2)):
        door = await open_door(limits)
        clients = [await connect(door.plain_port) for _ in range(3)]
        replies = [await client.reply() for client in clients]
        assert [reply[:3] for reply in replies] == ["220", "220", "421"]
        await clients[0].say("QUIT")
        await clients[0].close()
        again = await connect(door.plain_port)
        assert (await again.reply()).startswith("220")


async def test_s16_a_silent_client_is_hung_up_on(open_door: OpenDoor, connect: Connect) -> None:
    door = await open_door(SmtpLimits(command_seconds=0.05))
    client = await connect(door.plain_port)
    assert (await client.reply()).startswith("220")
    client.send(b"NOO")
    assert (await client.rest()).startswith("421 4.4.2")


async def test_s16_a_mail_that_keeps_coming_has_its_time(open_door: OpenDoor, connect: Connect) -> None:
    """A timer of aiosmtpd that is not restarted during DATA would cut it off."""
    door = await open_door(SmtpLimits(stall_seconds=0.2, command_seconds=0.2, data_seconds=30))
    client = await connect(door.plain_port)
    await client.log_in()
    await client.begin()
    for octet in MAIL[:8]:
        client.send(bytes([octet]))
        await asyncio.sleep(0.05)
    assert (await client.say(MAIL[8:] + b".\r\n")).startswith("250")
    assert door.house.raw == [MAIL]


@pytest.mark.parametrize("limits", [SmtpLimits(stall_seconds=0.05), SmtpLimits(data_seconds=0.05)])
async def test_s16_a_mail_that_comes_too_slowly_is_hung_up_on(
    open_door: OpenDoor, connect: Connect, limits: SmtpLimits
) -> None:
    door = await open_door(limits)
    client = await connect(door.plain_port)
    await client.log_in()
    await client.begin()
    client.send(b"From: alice\r\n")
    assert (await client.rest()).startswith("421 4.4.2")
    assert door.house.raw == []


async def test_s16_a_mail_that_never_ends_is_hung_up_on(open_door: OpenDoor, connect: Connect) -> None:
    door = await open_door(SmtpLimits(submission=1000, swallow=100_000))
    client = await connect(door.plain_port)
    await client.log_in()
    await client.begin()
    client.send(b"x" * 200_000)
    assert (await client.rest()).startswith("421")


async def test_bad_commands_end_the_session(open_door: OpenDoor, connect: Connect) -> None:
    door = await open_door(SmtpLimits(bad_commands=3))
    client = await connect(door.plain_port)
    await client.reply()
    assert (await client.say("XYZZY")).startswith("500 5.5.1")
    assert (await client.say("EHLO")).startswith("501 5.5.4")
    assert (await client.say("RCPT TO:<x>")).startswith("530")
    assert (await client.say(b"\xff\xfe\r\n")).startswith("421 4.7.0")


async def test_long_command_lines_are_refused_and_endless_ones_end_the_session(client: Dialogue) -> None:
    for length in (2047, 70_000, 300_000):
        assert (await client.say(b"NOOP " + b"x" * length + b"\r\n")).startswith("500 5.5.2")
    assert (await client.say("NOOP")).startswith("250")
    client.send(b"x" * 2_000_000)
    assert (await client.rest()).startswith("421")


async def test_commands_without_a_mail_have_a_limit(open_door: OpenDoor, connect: Connect) -> None:
    door = await open_door(SmtpLimits(commands=8))
    client = await connect(door.plain_port)
    await client.log_in()
    for _ in range(3):
        await client.begin()
        assert (await client.say(MAIL + b".\r\n")).startswith("250")
    for _ in range(8):
        assert (await client.say("NOOP")).startswith("250")
    assert (await client.say("NOOP")).startswith("421")


async def test_the_order_of_commands_is_kept(client: Dialogue) -> None:
    assert (await client.say(f"RCPT TO:<{BOB}>")).startswith("503 5.5.1")
    assert (await client.say("DATA")).startswith("503 5.5.1")
    assert (await client.say(f"MAIL FROM:<{ALICE}>")).startswith("250")
    assert (await client.say(f"MAIL FROM:<{ALICE}>")).startswith("503 5.5.1")
    assert (await client.say("DATA")).startswith("554 5.5.1")
    assert (await client.say("RSET")).startswith("250")
    assert (await client.say(f"MAIL FROM:<{ALICE}> XFOO=1")).startswith("555 5.5.4")
    assert (await client.say(f"MAIL FROM:<{ALICE}>")).startswith("250")
    assert (await client.say("EHLO again")).startswith("250-")
    assert (await client.say(f"RCPT TO:<{BOB}>")).startswith("503 5.5.1")
