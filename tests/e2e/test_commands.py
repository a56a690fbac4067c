"""Mail commands and Requests as mail programs meet them, between two processes."""

import re
import smtplib
from collections.abc import Iterator

import pytest
from gateways import MailUser, subject_of, text_of, wait_for
from imapclient import IMAPClient
from imapclient.exceptions import IMAPClientError
from stopwatch import Stopwatch

Pair = tuple[MailUser, MailUser]


def client_of(user: MailUser) -> IMAPClient:
    host, port = user.gateway.listener("imap starttls")
    client = IMAPClient(host, port, ssl=False, timeout=20)
    context = user.tls()
    context.check_hostname = False  # IMAPClient cannot be told another name; the CA is checked
    client.starttls(context)
    client.login(user.login.user, user.login.password)
    return client


def command(user: MailUser, line: str, body: str = "") -> str:
    """The text of the answer, which is there when SMTP says 250."""
    raw = f"From: <{user.address}>\r\nTo: <bmgate@bm.internal>\r\nSubject: {line}\r\n\r\n{body}\r\n"
    with user.smtp() as smtp:
        watch = Stopwatch(user.gateway.pid)
        smtp.sendmail(user.address, ["bmgate@bm.internal"], raw)
        answer = user.mails()[-1]
        assert watch.seconds < 5, "a second, where nobody counts them"
    assert subject_of(answer) == f"OK: {line.split()[0]}"
    return text_of(answer)


@pytest.fixture
def careful(pair: Pair) -> Iterator[Pair]:
    """Bob takes mail of strangers as requests."""
    alice, bob = pair
    command(bob, "set requests on")
    yield alice, bob
    command(bob, "set requests off")


def test_a_command_is_answered_at_once_and_stands_alone(pair: Pair) -> None:
    alice, _ = pair
    sent = len(alice.mails("Sent"))
    assert "Your queue:" in command(alice, "status")
    assert len(alice.mails("Sent")) == sent
    with alice.smtp() as smtp:
        smtp.mail(alice.address)
        assert smtp.rcpt("help@bm.agent")[0] == 250
        code, text = smtp.rcpt(alice.address)
        assert (code, text[:5]) == (550, b"5.7.1")


def test_m3_a_stranger_is_confirmed_when_his_mail_is_moved_to_inbox(careful: Pair) -> None:
    alice, bob = careful
    made = re.search(r"BM-\w+", command(alice, "createAddr unknown to Bob"))
    assert made
    unknown = made[0]
    with alice.smtp() as smtp:
        smtp.sendmail(
            f"{unknown}@bm.internal", [bob.address], f"From: {unknown}@bm.internal\r\nSubject: Hi\r\n\r\nx\r\n"
        )
    with client_of(bob) as client:

        def waiting() -> list[int]:
            try:
                client.select_folder("Requests")
            except IMAPClientError:
                return []
            found: list[int] = client.search(["FROM", unknown])
            return found

        (uid,) = wait_for(waiting, bool, "the request")
        (row,) = [row for row in alice.gateway.call("queue.list") if row["recipient"] == bob.login.address]
        assert row["state"] == "PUBLISHED"
        client.move([uid], "INBOX")
        client.select_folder("INBOX")
        assert client.search(["FROM", unknown])
    wait_for(
        lambda: alice.gateway.call("queue.show", id=row["id"])[0]["state"], lambda state: state == "ACKED", "the ack"
    )
    (entry,) = [each for each in bob.gateway.call("contact.list") if each["address"] == unknown]
    assert entry["standing"] == "allowed"


def test_contacts_on_the_command_line_of_a_running_gateway(pair: Pair) -> None:
    alice, bob = pair
    alice.gateway.call("contact.add", address=bob.login.address, label="Bob", if_missing=True)
    with alice.smtp() as smtp:
        smtp.mail(alice.address)
        code, text = smtp.rcpt("bob@bm.internal")
        assert (code, bob.login.address in text.decode()) == (250, True)
        smtp.rset()
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            smtp.sendmail(alice.address, ["x=example.org@relay.bm.internal"], "Subject: x\r\n\r\nx\r\n")
    alice.gateway.call("contact.remove", contact="bob")
