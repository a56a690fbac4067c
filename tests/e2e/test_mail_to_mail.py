"""Two gateways as separate processes: mail both ways with acks, by smtplib and imaplib over verified TLS."""

import smtplib
import time

import pytest
from gateways import MailUser, plain_mail, subject_of, text_of, wait_for
from imapclient import IMAPClient

Pair = tuple[MailUser, MailUser]


def wait_for_text(user: MailUser, text: str) -> None:
    wait_for(lambda: [text_of(mail) for mail in user.mails()], lambda texts: text in texts, repr(text))


def test_mail_goes_both_ways_and_the_acks_come_back(pair: Pair) -> None:
    alice, bob = pair
    for sender, recipient in ((alice, bob), (bob, alice)):
        body = f"Grüße von {sender.login.name}"
        reply = sender.send(plain_mail(sender, recipient, "Erstes Licht ✨", body), recipient)
        assert reply.startswith("2.0.0")
        wait_for_text(recipient, body)
        arrived = next(mail for mail in recipient.mails() if text_of(mail) == body)
        assert subject_of(arrived) == "Erstes Licht ✨"
        assert sender.address in str(arrived["From"])
        wait_for(sender.keywords, lambda mails: any("bm-acked" in flags for flags in mails), "the ack")


def test_the_same_submission_again_gets_the_first_queue_id(pair: Pair) -> None:
    alice, bob = pair
    raw = plain_mail(alice, bob, "Again", "given twice", Message_ID="<again@here.test>")
    first, second = alice.send(raw, bob), alice.send(raw, bob)
    assert second.split(",")[0] == first.split(",")[0]
    wait_for_text(bob, "given twice")
    alice.send(plain_mail(alice, bob, "After", "the one after"), bob)
    wait_for_text(bob, "the one after")
    assert [text_of(mail) for mail in bob.mails()].count("given twice") == 1


def test_new_mail_is_pushed_to_an_idle_client_within_a_second(pair: Pair) -> None:
    alice, bob = pair
    alice.send(plain_mail(alice, bob, "Key", "so that the key is known"), bob)
    wait_for_text(bob, "so that the key is known")
    host, port = bob.gateway.listener("imap starttls")
    with IMAPClient(host, port, ssl=False, timeout=20) as client:
        assert b"STARTTLS" in client.capabilities()
        context = bob.tls()
        context.check_hostname = False  # IMAPClient cannot be told another name; the CA is checked
        client.starttls(context)
        client.login(bob.login.user, bob.login.password)
        client.select_folder("INBOX")
        client.idle()
        begun = time.monotonic()
        alice.send(plain_mail(alice, bob, "Ping", "are you there"), bob)
        told: list[object] = []
        while not any(isinstance(each, tuple) and each[1] == b"EXISTS" for each in told):
            assert time.monotonic() - begun < 15
            told += client.idle_check(timeout=1)
        client.idle_done()
        newest = client.search()[-1]
        envelope = client.fetch([newest], ["ENVELOPE"])[newest][b"ENVELOPE"]
        assert envelope.subject == b"Ping"


@pytest.mark.parametrize(
    ("recipient", "code"),
    [
        ("BM-2cUQDtsUrv3WTKcFedRDit6n75w1WtsKuX@bm.internal", 553),
        ("somebody@example.com", 550),
        ("nobody@bm.internal", 550),
    ],
)
def test_recipients_that_cannot_be_are_refused_at_rcpt(pair: Pair, recipient: str, code: int) -> None:
    alice, bob = pair
    with alice.smtp() as smtp:
        assert smtp.mail(alice.address)[0] == 250
        assert smtp.rcpt(recipient)[0] == code
        assert smtp.rcpt(bob.address)[0] == 250


def test_nobody_sends_in_another_name(pair: Pair) -> None:
    alice, bob = pair
    with alice.smtp() as smtp:
        assert smtp.mail(bob.address)[0] == 553
        with pytest.raises(smtplib.SMTPDataError) as refused:
            smtp.sendmail(alice.address, [bob.address], plain_mail(bob, alice, "Forged", "not me"))
        assert refused.value.smtp_code == 553


def test_a_wrong_password_opens_nothing(pair: Pair) -> None:
    alice, _ = pair
    host, port = alice.gateway.listener("smtp starttls")
    with smtplib.SMTP(host, port, timeout=20) as smtp:
        context = alice.tls()
        context.check_hostname = False  # smtplib cannot be told another name; the CA is checked
        smtp.starttls(context=context)
        with pytest.raises(smtplib.SMTPAuthenticationError):
            smtp.login(alice.login.user, "wrong password")


def test_a_gateway_stops_within_five_seconds_and_its_queue_survives(pair: Pair) -> None:
    """Bob is away when Alice writes; what was sent meanwhile arrives when he is back."""
    alice, bob = pair
    begun = time.monotonic()
    assert bob.gateway.stop() == 0
    assert time.monotonic() - begun < 5
    alice.send(plain_mail(alice, bob, "While you were away", "sent to a closed door"), bob)
    bob.gateway.start()
    wait_for_text(bob, "sent to a closed door")
    assert bob.gateway.status()["running"]
