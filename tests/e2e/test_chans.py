"""Chans and subscriptions by IMAP alone, between two gateways as separate processes."""

import asyncio
import os
import random
import time
from email.message import EmailMessage, Message
from email.policy import SMTP
from email.utils import parseaddr
from typing import Any

import pytest
from gateways import MailUser, text_of, wait_for
from hostile import HostilePeer
from imapclient import IMAPClient
from writers import worked

from bmgate.bm.commands import ObjectCommand, Ping, Pong
from bmgate.bm.encodings import SIMPLE, encode_message
from bmgate.bm.keys import deterministic_keys, random_keys
from bmgate.bm.plaintext import Pubkey, build_broadcast, build_msg

Pair = tuple[MailUser, MailUser]
HOUR = 3_600


def publish(user: MailUser, *encoded: bytes) -> None:
    """Objects that a peer of this gateway brings."""

    async def tell() -> None:
        host, port = user.gateway.listener("bitmessage")
        reader, writer = await asyncio.open_connection(host, port)
        peer = HostilePeer(reader, writer, random.Random(0))
        await peer.shake_hands()
        for each in encoded:
            await peer.say(ObjectCommand(each))
        await peer.say(Ping())
        while not isinstance(await peer.hear(), Pong):
            pass
        writer.close()

    asyncio.run(tell())


def post(passphrase: str, text: str) -> bytes:
    """Signed with the key of all."""
    now, keys = int(time.time()), next(deterministic_keys(passphrase.encode()))
    chan = Pubkey(4, 1, 0, keys.public, 1, 1000)
    message = encode_message(text, text)
    return worked(build_msg(chan, keys, chan, SIMPLE, message, b"", now + HOUR, os.urandom), now)


def ok(answer: tuple[str, Any]) -> Any:
    status, data = answer
    assert status == "OK", data
    return data


def texts(mails: list[Message]) -> list[str]:
    """Without the note of the gateway."""
    return [text_of(mail) for mail in mails if not str(mail["Subject"]).startswith("You joined")]


def create(user: MailUser, name: str) -> None:
    with user.imap() as imap:
        ok(imap.create(f'"{name}"'))


def wait_for_texts(user: MailUser, mailbox: str, wanted: list[str]) -> None:
    wait_for(lambda: texts(user.mails(f'"{mailbox}"')), lambda found: found == wanted, f"{wanted} in {mailbox}")


@pytest.fixture
def name() -> str:
    """Of a chan that no other test knows."""
    return f"a chan of this test {os.urandom(4).hex()}"


def test_m4_members_by_imap_alone_read_what_one_of_them_posts(pair: Pair, name: str) -> None:
    alice, bob = pair
    for user in pair:
        create(user, f"Chans/{name}")
    host, port = bob.gateway.listener("imap starttls")
    with IMAPClient(host, port, ssl=False, timeout=20) as client:
        context = bob.tls()
        context.check_hostname = False  # IMAPClient cannot be told another name; the CA is checked
        client.starttls(context)
        client.login(bob.login.user, bob.login.password)
        client.select_folder(f"Chans/{name}")
        client.idle()
        publish(alice, post(name, "to all of us"))
        begun, told = time.monotonic(), list[object]()
        while not any(isinstance(each, tuple) and each[1] == b"EXISTS" for each in told):
            assert time.monotonic() - begun < 15
            told += client.idle_check(timeout=1)
        client.idle_done()
    for user in pair:
        wait_for_texts(user, f"Chans/{name}", ["to all of us"])
        assert "to all of us" not in texts(user.mails())


def test_m11_what_a_member_posts_reaches_the_others_and_is_read_already_for_him(pair: Pair, name: str) -> None:
    alice, bob = pair
    for user in pair:
        create(user, f"Chans/{name}")
    (note,) = alice.mails(f'"Chans/{name}"')
    chan = parseaddr(str(note["To"]))[1]
    message = EmailMessage(policy=SMTP)
    message["From"], message["To"], message["Subject"] = alice.address, chan, "Hello all"
    message.set_content("from one of us")
    with alice.smtp() as smtp:
        smtp.sendmail(alice.address, [chan], message.as_bytes())
    for user in pair:
        wait_for_texts(user, f"Chans/{name}", ["from one of us"])
        posted = user.mails(f'"Chans/{name}"')[1]
        assert parseaddr(str(posted["From"]))[1] == chan, "nobody sees whose it is (M11)"
    assert "\\Seen" in alice.keywords(f'"Chans/{name}"')[1]
    assert "\\Seen" not in bob.keywords(f'"Chans/{name}"')[1]


def test_m4_the_mailbox_tells_of_itself_and_its_parent_holds_no_mail(pair: Pair, name: str) -> None:
    alice, _ = pair
    create(alice, f"Chans/{name}")
    (note,) = alice.mails(f'"Chans/{name}"')
    chan = str(note["To"]).rpartition("<")[2].partition("@")[0]
    assert str(note["Subject"]) == f"You joined {chan}"
    with alice.imap() as imap:
        listed = ok(imap.list('""', "Chans"))
        assert listed == [b'(\\Noselect \\HasChildren) "/" "Chans"']
        assert imap.select("Chans")[0] == "NO"
        assert imap.status("Chans", "(MESSAGES)")[0] == "NO"
        assert imap.create('"Chans/a/b"')[0] == "NO"


def test_m4_deleting_leaves_and_joining_again_brings_the_posts_back(pair: Pair, name: str) -> None:
    alice, bob = pair
    create(alice, f"Chans/{name}")
    publish(bob, post(name, "one"))
    wait_for_texts(alice, f"Chans/{name}", ["one"])
    publish(bob, post(name, "two"))
    wait_for_texts(alice, f"Chans/{name}", ["one", "two"])
    with alice.imap() as imap:
        ok(imap.delete(f'"Chans/{name}"'))
    create(alice, f"Chans/{name}")
    wait_for_texts(alice, f"Chans/{name}", ["one", "two"])


def test_m5_subscribing_by_imap_brings_what_is_there_and_what_comes(pair: Pair) -> None:
    alice, bob = pair
    keys, now = random_keys(os.urandom), int(time.time())
    sender = Pubkey(4, 1, 1, keys.public, 1, 1000)

    def broadcast(text: str) -> bytes:
        message = encode_message(text, text)
        return worked(build_broadcast(sender, keys, SIMPLE, message, now + HOUR, os.urandom), now)

    publish(bob, broadcast("before"))
    label = os.urandom(4).hex()
    create(bob, f"Subscriptions/{sender.address} {label}")
    wait_for_texts(bob, f"Subscriptions/{label}", ["before"])
    publish(alice, broadcast("after"))
    wait_for_texts(bob, f"Subscriptions/{label}", ["before", "after"])
    assert bob.mails(f"Subscriptions/{label}")[0]["X-Bitmessage-Kind"] == "broadcast"


def test_a_broadcast_of_one_user_reaches_another_who_subscribed(pair: Pair) -> None:
    alice, bob = pair
    label = os.urandom(4).hex()
    create(bob, f"Subscriptions/{alice.login.address} {label}")
    everybody = f"broadcast@{alice.address.rpartition('@')[2]}"
    message = EmailMessage(policy=SMTP)
    message["From"], message["To"], message["Subject"] = alice.address, everybody, "News"
    message.set_content("what is new")
    with alice.smtp() as smtp:
        smtp.sendmail(alice.address, [everybody], message.as_bytes())
    wait_for_texts(bob, f"Subscriptions/{label}", ["what is new"])
    (news,) = bob.mails(f"Subscriptions/{label}")
    assert parseaddr(str(news["From"]))[1] == alice.address
    assert "x-bitmessage=pass" in str(news["Authentication-Results"])
    with bob.imap() as imap:
        ok(imap.delete(f"Subscriptions/{label}"))
