"""Mail commands: what a mail to the gateway does, and the letter that answers it (1.4)."""

import re
from dataclasses import replace
from email import message_from_bytes
from email.message import Message
from random import Random

import pytest
from stations import DOMAIN, Station, User
from storage_fixtures import new_identity
from waiting_mail import careful, subjects, write
from writers import Writer

from bmgate.bm.addresses import parse_address
from bmgate.domain.mailbox import MailboxKind
from bmgate.domain.ports.database import Store
from bmgate.errors import NotAllowed, StorageFull
from bmgate.mail.command_line import usages
from bmgate.services.commands.own import TOKEN_SECONDS
from bmgate.services.outbound.submission import Envelope, Receipt, Recipient

CHAN = "BM-2cW67GEKkHGonXKZLCzouLLxnLym3azS8r"
SOMEBODY = new_identity(entropy=Random("somebody").randbytes).address


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
    subject, text = await answer_to(alice, "createAddr deterministic home", "\r\n\r\na very long passphrase\r\nThanks")
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


async def test_the_passphrase_of_a_chan_that_stands_in_the_body_is_told_nowhere(alice: User) -> None:
    for told in (
        f"You joined {CHAN}. Its mailbox is Chans/{CHAN}; rename it as you like.",
        f"You take part in this chan already, as {CHAN}.",
    ):
        subject, text = await answer_to(alice, "join", "general")
        assert (subject, " ".join(text.split())) == ("OK: join", told)
    (chan,) = await alice.station.services.chans.all(alice.id)

    def note(store: Store) -> bytes:
        mine = store.account(alice.id)
        (letter,) = mine.messages.messages(chan.membership.mailbox, [1])
        return letter.header + letter.body

    assert b"general" not in await alice.station.database.read(note)


async def test_join_tells_which_of_the_two_addresses_of_a_chan_one_has(alice: User) -> None:
    old = replace(parse_address(CHAN), version=3)
    await answer_to(alice, f"join general {old}")
    for subject in ("join general", f"join general {CHAN}"):
        answer, text = await answer_to(alice, subject)
        assert (answer, f"already, as {old}." in " ".join(text.split())) == ("OK: join", True)
    assert f"{CHAN} has the same keys" in " ".join(text.split())
    assert "You left the chan" in (await answer_to(alice, f"leave {CHAN}"))[1]


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


async def test_m4_no_other_chan_is_left_than_the_one_that_is_written(alice: User) -> None:
    chans = alice.station.services.chans
    for name in ("a b", "a  b", "foo", f"foo@{DOMAIN}", "ab"):
        await chans.join(alice.id, name)
    for subject, told in (
        ("leave a  b", "quotes"),
        ("leave =?utf-8?q?a=E2=80=AEb?=", "nobody sees"),
        ("leave =?utf-8?q?a=00b?=", "nobody sees"),
        ("join =?utf-8?b?YeKAqGI=?=", "nobody sees"),
        (f"leave bar@{DOMAIN}", "no chan"),
    ):
        answer, text = await answer_to(alice, subject)
        assert answer.startswith("ERR: "), subject
        assert told in text, subject
    assert len(await chans.all(alice.id)) == 5
    assert (await answer_to(alice, 'leave "a  b"'))[0] == "OK: leave"
    assert (await answer_to(alice, f"leave foo@{DOMAIN}"))[0] == "OK: leave"
    assert {chan.label for chan in await chans.all(alice.id)} == {"a b", "foo", "ab"}
    assert (await answer_to(alice, "join =?utf-8?q?=22x?= =?utf-8?q?__y=22?="))[0] == "OK: join"
    assert "x  y" in {chan.label for chan in await chans.all(alice.id)}


@pytest.mark.parametrize("letter", ["\u2028", "\x85", "\x0c", "\x0b", "\x07", "\ufeff"])
@pytest.mark.parametrize("command", ["createAddr deterministic", "join"])
async def test_a_passphrase_is_taken_whole_or_not_at_all(alice: User, command: str, letter: str) -> None:
    body = f"a long and{letter} winding passphrase"
    submissions = alice.station.services.submissions
    recipient = Recipient(await submissions.resolve(alice.id, f"bmgate@{DOMAIN}"))
    head = f"From: <{alice.mail_address}>\r\nSubject: {command}\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
    receipt = await submissions.submit(Envelope(alice.id, alice.mail_address, (recipient,)), (head + body).encode())
    assert receipt.answer == f"ERR: {command.split()[0]}"
    assert "passphrase" not in text_of((await answers(alice))[-1])


@pytest.mark.parametrize(
    ("subject", "media", "body", "told"),
    [
        ("join", "text/plain; charset=utf-8; format=flowed", "one long \r\npassphrase\r\nThanks\r\n", "plain text"),
        ("join", "text/html; charset=utf-8", '<p>my <a href="https://tea.club/">tea.club</a></p>', "plain text"),
        ("join", "text/plain; charset=x-unknown", "passphrase\r\n", "charset"),
        ("createAddr =?x-unknown?q?Anna?=", "text/plain", "", "charset of the subject"),
    ],
)
async def test_what_may_be_something_else_than_was_written_is_refused(
    alice: User, subject: str, media: str, body: str, told: str
) -> None:
    submissions = alice.station.services.submissions
    recipient = Recipient(await submissions.resolve(alice.id, f"bmgate@{DOMAIN}"))
    raw = f"From: <{alice.mail_address}>\r\nSubject: {subject}\r\nContent-Type: {media}\r\n\r\n{body}".encode()
    receipt = await submissions.submit(Envelope(alice.id, alice.mail_address, (recipient,)), raw)
    assert receipt.answer == f"ERR: {subject.split()[0]}"
    assert told in " ".join(text_of((await answers(alice))[-1]).split())


async def test_links_are_taken_as_addresses_with_their_labels(alice: User) -> None:
    link = f"bitmessage:{SOMEBODY}?label=Aunt%20Mary"
    assert "Subscriptions/Aunt Mary." in (await answer_to(alice, f"sub {link}"))[1]
    assert (await answer_to(alice, f"contact {link}"))[1] == f'{SOMEBODY} is your contact "Aunt Mary".'
    assert (await answer_to(alice, f"contact {link} Mary"))[1] == f'{SOMEBODY} is your contact "Mary".'
    assert (await answer_to(alice, f"block {link}"))[0] == "OK: block"
    assert (await answer_to(alice, f"usub {link}"))[0] == "OK: usub"
    assert "Chans/a_b." in (await answer_to(alice, f"join general bitmessage:{CHAN}?label=a/b"))[1]
    assert (await answer_to(alice, f"leave bitmessage:{CHAN}"))[0] == "OK: leave"
    subject, text = await answer_to(alice, "sub bitmessage:BM-nothing")
    assert (subject, "checksum" in text) == ("ERR: sub", True)


async def test_addresses_chans_and_subscriptions_get_other_labels(alice: User) -> None:
    await answer_to(alice, "join general")
    await answer_to(alice, f"sub {SOMEBODY} News")
    assert (await answer_to(alice, "label alice at home"))[1] == f'{alice.identity.address} is called "at home" now.'
    assert 'called "the room" now' in (await answer_to(alice, "label general the room"))[1]
    assert " ".join((await answer_to(alice, f"label {SOMEBODY} Letters"))[1].split()) == (
        f'The subscription to {SOMEBODY} is called "Letters" now. Its mailbox is Subscriptions/Letters.'
    )
    names = {mailbox.name for mailbox in await alice.station.services.mailboxes.all(alice.id)}
    assert {"Chans/the room", "Subscriptions/Letters"} <= names
    subject, text = await answer_to(alice, "label nothing x")
    assert (subject, text.splitlines()[0]) == (
        "ERR: label",
        "Nothing is none of your addresses, chans or subscriptions.",
    )


async def test_an_end_of_a_subscription_names_its_mailbox(alice: User) -> None:
    await answer_to(alice, f"sub {SOMEBODY} News")
    assert "The mailbox Subscriptions/News is gone." in " ".join((await answer_to(alice, "usub News"))[1].split())


@pytest.mark.parametrize(
    ("subject", "advice"),
    [("status 7KQ2AB", "see: list queue"), ("cancel 7KQ2AB", "see: list queue"), ("enable nobody", "see: list.")],
)
async def test_what_is_advised_by_mail_is_done_by_mail(alice: User, subject: str, advice: str) -> None:
    text = (await answer_to(alice, subject))[1]
    assert advice in text.replace("\n", " ")
    assert "bmgate queue" not in text


async def test_an_option_is_given_up_by_mail(alice: User) -> None:
    assert (await answer_to(alice, "set ttl 2d"))[1] == "ttl is 2d now."
    assert (await answer_to(alice, "set ttl default"))[1] == "ttl is 4d now, as for all of this gateway."
    assert "(set here)" not in (await answer_to(alice, "show"))[1]


async def test_the_queue_is_told_in_the_words_of_the_outbox(alice: User) -> None:
    bob = await alice.station.add_user("bob")
    await alice.send(bob)
    (row,) = await alice.rows()
    for subject in ("list queue", f"status {bob.identity.address}", f"status {row.name}"):
        text = (await answer_to(alice, subject))[1]
        assert re.search(r"queued|waiting for the recipient's key|computing proof of work|held|sent", text), text
        assert not re.search("ACCEPTED|READY|need pubkey", text)
