"""The live queue and the echo address as mail programs meet them, between two processes."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from typing import Any

import pytest
from gateways import MailUser, plain_mail, subject_of, text_of, wait_for
from imapclient import IMAPClient
from imapclient.exceptions import IMAPClientError

from bmgate.bm.keys import random_keys

Pair = tuple[MailUser, MailUser]


@contextmanager
def client_of(user: MailUser, folder: str) -> Iterator[IMAPClient]:
    host, port = user.gateway.listener("imap starttls")
    with IMAPClient(host, port, ssl=False, timeout=20) as client:
        context = user.tls()
        context.check_hostname = False  # IMAPClient cannot be told another name; the CA is checked
        client.starttls(context)
        client.login(user.login.user, user.login.password)
        client.select_folder(folder)
        yield client


def send_to_nobody(alice: MailUser, subject: str) -> str:
    """To an address whose key nobody has; the queue id."""
    nobody = f"{random_keys(os.urandom).public.address()}@bm.internal"
    with alice.smtp() as smtp:
        smtp.sendmail(alice.address, [nobody], f"From: <{alice.address}>\r\nSubject: {subject}\r\n\r\ntext\r\n")
    (row,) = [row for row in alice.gateway.call("queue.list") if nobody.startswith(row["recipient"])]
    return str(row["id"])


def asked_for(client: IMAPClient, name: str) -> int:
    """The UID of the message once the network was asked for the key."""

    def look() -> list[int]:
        client.noop()
        found: list[int] = client.search(["HEADER", "X-Bitmessage-Queue-Id", name, "TEXT", "asked"])
        return found

    return wait_for(look, bool, "the question")[0]


def told_of(client: IMAPClient, word: bytes) -> None:
    told: list[Any] = []
    begun = time.monotonic()
    while not any(isinstance(each, tuple) and each[1] == word for each in told):
        assert time.monotonic() - begun < 15, told
        told += client.idle_check(timeout=1)


def test_the_outbox_is_pushed_read_searched_and_emptied(pair: Pair) -> None:
    alice, _ = pair
    with client_of(alice, "Outbox") as client:
        client.idle()
        name = send_to_nobody(alice, "Waiting")
        told_of(client, b"EXISTS")
        client.idle_done()
        uid = asked_for(client, name)
        assert client.search(["SUBJECT", "Waiting"]) == [uid]
        raw = client.fetch([uid], ["BODY.PEEK[]", "RFC822.SIZE", "ENVELOPE"])[uid]
        assert len(raw[b"BODY[]"]) == raw[b"RFC822.SIZE"]
        mail = message_from_bytes(raw[b"BODY[]"])
        assert "waiting for the recipient's key" in " ".join(str(mail["X-Bitmessage-Status"]).split())
        with pytest.raises(IMAPClientError, match="CANNOT"):
            client.append("Outbox", b"Subject: s\r\n\r\nx\r\n")
        with pytest.raises(IMAPClientError, match="CANNOT"):
            client.move([uid], "Archive")
        client.idle()
        alice.gateway.call("queue.cancel", id=name)
        told_of(client, b"EXPUNGE")
        client.idle_done()
        assert client.search(["ALL"]) == []


@pytest.mark.parametrize("way", ["expunge", "Trash", "Drafts"])
def test_taking_a_mail_out_of_the_outbox_cancels_it(pair: Pair, way: str) -> None:
    alice, _ = pair
    name = send_to_nobody(alice, f"Out by {way}")
    with client_of(alice, "Outbox") as client:
        uid = asked_for(client, name)
        if way == "expunge":
            client.delete_messages([uid])
            client.uid_expunge([uid])
        else:
            client.move([uid], way)
        assert client.search(["ALL"]) == []
    (row,) = alice.gateway.call("queue.show", id=name)
    assert row["state"] == "CANCELLED"
    if way == "Drafts":
        draft = alice.mails("Drafts")[-1]
        assert (subject_of(draft), draft["X-Bitmessage-TTL"]) == ("Out by Drafts", "345600s")


def test_a_newcomer_writes_to_an_echo_address_and_gets_it_back(pair: Pair) -> None:
    alice, bob = pair
    bob.gateway.call("address.set", address=bob.login.address, option="autoreply", value="echo")
    alice.send(plain_mail(alice, bob, "Does it work?", "Grüße in die Runde"), bob)
    mails = wait_for(alice.mails, lambda mails: any(subject_of(mail).startswith("Echo") for mail in mails), "the echo")
    (echo,) = [mail for mail in mails if subject_of(mail).startswith("Echo")]
    assert subject_of(echo) == "Echo: Does it work?"
    assert "Grüße in die Runde" in text_of(echo)
    bob.gateway.call("address.set", address=bob.login.address, option="autoreply", value="off")
