"""A mailing list and one-off senders, by SMTP and IMAP between two gateways as separate processes."""

import os
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import parseaddr

from gateways import MailUser, text_of, wait_for

Pair = tuple[MailUser, MailUser]


def send(user: MailUser, sender: str, recipient: str, subject: str, text: str) -> None:
    message = EmailMessage(policy=SMTP)
    message["From"], message["To"], message["Subject"] = sender, recipient, subject
    message["Message-ID"] = f"<{os.urandom(6).hex()}@here>"
    message.set_content(text)
    with user.smtp() as smtp:
        smtp.sendmail(sender, [recipient], message.as_bytes())


def subjects(user: MailUser, mailbox: str) -> list[str]:
    return [str(mail["Subject"]) for mail in user.mails(mailbox)]


def test_a_moderated_list_passes_on_what_its_owner_moves_to_inbox(pair: Pair) -> None:
    owner, reader = pair
    new = owner.gateway.call("address.new", account=owner.login.user.partition("@")[0], label="tea")
    tea, label = new["address"], os.urandom(4).hex()
    for option, value in (("list", "tea"), ("moderate", "on")):
        owner.gateway.call("address.set", address=tea, option=option, value=value)
    with reader.imap() as imap:
        assert imap.create(f'"Subscriptions/{tea} {label}"')[0] == "OK"
    send(reader, reader.address, f"{tea}@{owner.address.partition('@')[2]}", "Kettles", "Which one?")

    def waiting() -> list[bytes]:
        with owner.imap() as imap:
            return [] if imap.select("Requests")[0] != "OK" else imap.uid("SEARCH", "SUBJECT", "Kettles")[1][0].split()

    (uid,) = wait_for(waiting, bool, "the mail in Requests")
    with owner.imap() as imap:
        imap.select("Requests")
        assert imap.uid("MOVE", uid.decode(), "INBOX")[0] == "OK"
    (mail,) = wait_for(lambda: reader.mails(f'"Subscriptions/{label}"'), bool, "the broadcast of the list")
    assert (mail["Subject"], text_of(mail)) == ("[tea] Kettles", "Which one?")
    assert mail["X-Bitmessage-Kind"] == "list"
    assert parseaddr(str(mail["From"]))[1].startswith(tea)
    assert mail["X-Bitmessage-Claimed-From"] == reader.login.address


def test_a_one_off_sender_is_answered(pair: Pair) -> None:
    alice, bob = pair
    domain = alice.address.partition("@")[2]
    send(alice, f"random@{domain}", bob.address, "Guess who", "It is me.")
    found = wait_for(bob.mails, lambda mails: "Guess who" in [str(mail["Subject"]) for mail in mails], "the mail")
    (mail,) = [each for each in found if each["Subject"] == "Guess who"]
    sender = parseaddr(str(mail["From"]))[1]
    assert sender != alice.address
    send(bob, bob.address, sender, "Re: Guess who", "Alice!")
    wait_for(lambda: subjects(alice, "INBOX"), lambda told: "Re: Guess who" in told, "the answer")
