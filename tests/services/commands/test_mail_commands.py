"""Mail commands: what a mail to the gateway does, and the letter that answers it (1.4)."""

import re
from email import message_from_bytes
from email.message import Message

import pytest
from stations import DOMAIN, Station, User
from storage_fixtures import new_identity
from waiting_mail import careful, subjects, write
from writers import Writer

from bmgate.domain.mailbox import MailboxKind
from bmgate.errors import NotAllowed, StorageFull
from bmgate.mail.command_line import usages
from bmgate.services.commands.own import TOKEN_SECONDS
from bmgate.services.outbound.submission import Envelope, Receipt, Recipient

CHAN = "BM-2cW67GEKkHGonXKZLCzouLLxnLym3azS8r"
SOMEBODY = new_identity().address


async def order(
    user: User, subject: str, body: str = "", to: str = f"bmgate@{DOMAIN}", message_id: str = "", sender: str = ""
) -> Receipt:
    """As SMTP does."""
    submissions = user.station.services.submissions
    name = f"Message-ID: {message_id}\r\n" if message_id else ""
    raw = f"From: <{sender or user.mail_address}>\r\nTo: <{to}>\r\n{name}Subject: {subject}\r\n\r\n{body}\r\n"
    recipient = Recipient(await submissions.resolve(user.id, to))
    return await submissions.submit(Envelope(user.id, user.mail_address, (recipient,)), raw.encode())


async def answers(user: User) -> list[Message]:
    return [message_from_bytes(each.header + each.body) for each in await user.messages()]


def text_of(answer: Message) -> str:
    payload = answer.get_payload(decode=True)
    assert isinstance(payload, bytes)
    return payload.decode().replace("\r\n", "\n").strip()


async def answer_to(user: User, subject: str, body: str = "", **parameters: str) -> tuple[str, str]:
    """Subject and text of the letter."""
    await order(user, subject, body, **parameters)
    answer = (await answers(user))[-1]
    return answer["Subject"], text_of(answer)


@pytest.fixture
async def alice(station: Station) -> User:
    return await station.add_user("alice")


async def test_a_command_is_answered_in_inbox_and_leaves_no_trace(alice: User) -> None:
    receipt = await order(alice, "join general", message_id="<order@client>")
    assert receipt.answer == "OK: join"
    (answer,) = await answers(alice)
    assert (answer["From"], answer["To"]) == (f'"Bitmessage gateway" <bmgate@{DOMAIN}>', alice.mail_address)
    assert (answer["Subject"], answer["In-Reply-To"]) == ("OK: join", "<order@client>")
    assert answer["Auto-Submitted"] == "auto-replied"
    assert " ".join(text_of(answer).split()) == (
        f'You joined the chan "general", {CHAN}. Its mailbox is Chans/general.'
    )
    assert await alice.messages(MailboxKind.SENT) == []
    assert await alice.rows() == []
    assert alice.station.announcer.announced == []


async def test_an_unknown_command_is_answered_with_the_help(alice: User) -> None:
    subject, text = await answer_to(alice, "frobnicate now")
    assert subject == "ERR: frobnicate"
    assert text.startswith("There is no command 'frobnicate'.")
    assert all(usage.help in text for usage in usages())


async def test_a_subject_that_would_be_cut_is_no_command(alice: User) -> None:
    await order(alice, "createAddr deterministic " + 490 * "x", "a passphrase")
    (letter,) = await alice.messages()
    assert b"A command has at most 500 bytes" in letter.body
    assert len(await alice.station.database.read(lambda store: store.account(alice.id).identities.all())) == 1


async def test_every_command_of_the_table_has_a_handler(station: Station) -> None:
    assert set(station.services.commands.handlers) == {usage.name for usage in usages()}


@pytest.mark.parametrize("to", [f"cmd@{DOMAIN}", f"BMGATE@{DOMAIN}", "bmgate@bm.addr"])
async def test_the_gateway_has_several_names(alice: User, to: str) -> None:
    assert (await answer_to(alice, "list", to=to))[0] == "OK: list"


async def test_a5_the_command_may_be_the_recipient(alice: User) -> None:
    assert (await answer_to(alice, "Re: chans", to="list@bm.agent"))[1] == "You take part in no chan."
    assert (await answer_to(alice, "", to="help@bm.agent"))[0] == "OK: help"


async def test_only_the_owner_of_an_address_gives_commands(alice: User) -> None:
    bob = await alice.station.add_user("bob")
    with pytest.raises(NotAllowed, match="you cannot send as"):
        await order(alice, "list", sender=bob.mail_address)
    assert await answers(bob) == []


async def test_a_command_is_the_only_recipient(alice: User) -> None:
    submissions = alice.station.services.submissions
    recipients = [Recipient(await submissions.resolve(alice.id, to)) for to in (f"bmgate@{DOMAIN}", str(SOMEBODY))]
    with pytest.raises(NotAllowed, match="only recipient"):
        await submissions.submit(Envelope(alice.id, alice.mail_address, tuple(recipients)), b"Subject: list\r\n\r\n")


async def test_mail_from_the_network_commands_nothing(alice: User) -> None:
    await write(Writer(), alice, "join general")
    assert (await alice.station.services.chans.all(alice.id)) == []


async def test_a_command_that_was_answered_is_not_carried_out_again(alice: User) -> None:
    for _ in range(2):
        await order(alice, "createAddr second", message_id="<once@client>")
    await order(alice, "createAddr second", message_id="<twice@client>")
    assert len(await alice.station.services.identities.all(alice.id)) == 3
    assert len(await answers(alice)) == 2


async def test_what_may_be_better_later_is_left_to_the_client(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: object) -> None:
        raise StorageFull("the disk is full")

    monkeypatch.setattr(alice.station.services.chans, "all", fail)
    with pytest.raises(StorageFull):
        await order(alice, "list chans")
    assert await answers(alice) == []


async def test_addresses_are_made_listed_named_and_switched_off(alice: User) -> None:
    subject, text = await answer_to(alice, "createAddr at work")
    made = re.search(r"BM-\w+", text)
    assert subject == "OK: createAddr"
    assert made
    assert "made at random" in text
    address = made[0]
    assert (await answer_to(alice, f"label {address} shop"))[1] == f'{address} is called "shop" now.'
    assert (await answer_to(alice, f"alias shop {address}@{DOMAIN}"))[0] == "OK: alias"
    assert (await answer_to(alice, "disable shop"))[0] == "OK: disable"
    listed = (await answer_to(alice, "list"))[1]
    assert f"{address}@{DOMAIN}  shop, disabled" in listed
    assert f"shop@{DOMAIN}  {address}" in (await answer_to(alice, "list aliases"))[1]
    assert (await answer_to(alice, f"enable {address}"))[0] == "OK: enable"
    assert (await answer_to(alice, "unalias shop"))[0] == "OK: unalias"


async def test_a_passphrase_comes_from_the_body_and_is_kept_nowhere(alice: User) -> None:
    subject, text = await answer_to(alice, "createAddr deterministic home", "\r\n  a very long passphrase \r\nThanks")
    assert subject == "OK: createAddr"
    assert "from your passphrase" in text
    assert "home" in text
    everything = [
        each.header + each.body for kind in (MailboxKind.INBOX, MailboxKind.SENT) for each in await alice.messages(kind)
    ]
    assert not any(b"long passphrase" in each for each in everything)
    assert await answer_to(alice, "createAddr deterministic home") == (
        "ERR: createAddr",
        "The passphrase is missing: it is the first line of the body.\n\n"
        "It is written: createAddr deterministic [label]",
    )


async def test_delete_asks_first_by_a_token_that_lasts_an_hour(alice: User) -> None:
    second = await alice.station.add_identity(alice.account)
    command = f"delete {second.address}"
    token = (await answer_to(alice, command))[1].split()[-1]
    assert (await answer_to(alice, f"{command} 00000000"))[0] == "ERR: delete"
    alice.station.clock.jump(TOKEN_SECONDS + 1)
    assert "not the token, or it is too old" in (await answer_to(alice, f"{command} {token}"))[1]
    token = (await answer_to(alice, command))[1].split()[-1]
    assert (await answer_to(alice, f"{command} {token.lower()}"))[0] == "OK: delete"
    assert [each.id for each in await alice.station.services.identities.all(alice.id)] == [alice.identity.id]
    assert (await answer_to(alice, f"{command} {token}"))[0] == "ERR: delete"


@pytest.mark.parametrize("command", ["disable", "delete"])
async def test_the_last_address_that_sends_stays(alice: User, command: str) -> None:
    subject, text = await answer_to(alice, f"{command} {alice.identity.address}")
    assert subject == f"ERR: {command}"
    assert "your only address that sends" in text


async def test_subscriptions_by_command_and_by_list_unsubscribe(alice: User) -> None:
    assert (await answer_to(alice, f"subscribe {SOMEBODY} the news"))[0] == "OK: sub"
    assert await answer_to(alice, "list subs") == ("OK: list", f"{SOMEBODY}  the news")
    assert (await answer_to(alice, f"usub {SOMEBODY}"))[0] == "OK: usub"
    assert (await answer_to(alice, f"usub {SOMEBODY}"))[0] == "ERR: usub"


async def test_chans_by_subject_or_body_checked_against_an_address(alice: User) -> None:
    assert (await answer_to(alice, "join", "general"))[0] == "OK: join"
    assert (await answer_to(alice, f"leave {CHAN}@{DOMAIN}"))[0] == "OK: leave"
    assert (await answer_to(alice, f"join general {CHAN}"))[0] == "OK: join"
    assert (await answer_to(alice, f"join other {CHAN}"))[0] == "ERR: join"
    assert (await answer_to(alice, "leave general"))[0] == "OK: leave"
    assert (await answer_to(alice, "join"))[0] == "ERR: join"


async def test_contacts_by_command(alice: User) -> None:
    assert (await answer_to(alice, f"contact {SOMEBODY} Aunt Mary"))[1] == f'{SOMEBODY} is your contact "Aunt Mary".'
    assert (await answer_to(alice, 'reads "Aunt Mary" files'))[1] == f"{SOMEBODY} reads files."
    assert (await answer_to(alice, 'block "aunt mary"'))[0] == "OK: block"
    assert (await answer_to(alice, "list contacts"))[1] == f"{SOMEBODY}  Aunt Mary, blocked"
    assert (await answer_to(alice, f"uncontact {SOMEBODY}"))[0] == "OK: uncontact"
    assert (await answer_to(alice, "list contacts"))[1] == "You have no contact."
    assert (await answer_to(alice, "contact BM-x y"))[0] == "ERR: contact"


async def test_allow_lets_mail_out_of_requests(station: Station) -> None:
    alice, stranger = await careful(station), Writer()
    await write(stranger, alice, "hello")
    assert (await answer_to(alice, f"allow {stranger.pubkey.address}"))[0] == "OK: allow"
    assert "hello" in await subjects(alice, "INBOX")


async def test_outgoing_mail_by_command(alice: User) -> None:
    bob = User(
        alice.station, alice.account, await alice.station.add_identity((await alice.station.add_user("bob")).account)
    )
    await alice.send(bob)
    await alice.station.settle()
    (row,) = await alice.rows()
    assert (await answer_to(alice, "list queue"))[0] == "OK: list"
    assert row.name in (await answer_to(alice, f"status {row.name.lower()}"))[1]
    assert row.name in (await answer_to(alice, f"status {bob.identity.address}"))[1]
    for command in ("retry", "force", "cancel", "cancel"):
        assert (await answer_to(alice, f"{command} {row.name}"))[0].endswith(command)
    assert (await answer_to(alice, f"ttl {row.name} 2d"))[0] == "ERR: ttl"
    subject, text = await answer_to(alice, f"ttl {row.name} 400d")
    assert (subject, "1h to 28d" in text) == ("ERR: ttl", True)
    assert (await answer_to(alice, "cancel NONE00"))[0] == "ERR: cancel"


async def test_status_tells_how_the_gateway_is(alice: User) -> None:
    text = (await answer_to(alice, "status"))[1]
    assert "Peers: 1 connected." in text
    assert "trials per second" in text
    assert "Your queue: 0 messages" in text


async def test_options_by_command(alice: User) -> None:
    assert (await answer_to(alice, "set requests on"))[1] == "requests is on now."
    assert "requests" in (await answer_to(alice, "show"))[1]
    assert (await answer_to(alice, "set colour red"))[0] == "ERR: set"


async def test_help_about_a_command_and_about_attachments(alice: User) -> None:
    assert (await answer_to(alice, "help join"))[1].startswith("join name [BM-...]")
    assert "set attachments extended" in (await answer_to(alice, "help attachments"))[1]
    assert (await answer_to(alice, "help frobnicate"))[0] == "ERR: help"


@pytest.mark.parametrize("word", ["BM-x", "é", "a@b", "x" * 300, '""', f"{SOMEBODY}@{DOMAIN}", "+"])
async def test_whatever_stands_behind_a_command_is_answered(alice: User, word: str) -> None:
    for usage in usages():
        subject, _ = await answer_to(alice, f"{usage.name} {word} {word}"[:480], "é\r\n")
        assert subject in (f"OK: {usage.name}", f"ERR: {usage.name}")
