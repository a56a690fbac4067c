"""Real-life mails go in by SMTP here and come out by IMAP there, with the text and the files that are expected."""

import imaplib
import re
import smtplib
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from gateways import MailUser, plain_mail, submit, wait_for
from mail_corpus import OWN, Case, Shown, as_told, read_corpus, shown

CONNECTIONS = 4
SECONDS = 90.0
Comparable = tuple[str, str, str, str]


def as_sent_by(sender: MailUser, case: Case) -> bytes:
    raw = case.raw.replace(OWN, sender.address.encode())
    return re.sub(rb"(?<!\r)\n", b"\r\n", raw)


def submit_each(sender: MailUser, recipient: MailUser, cases: list[Case]) -> tuple[list[Case], list[str]]:
    """The cases that were accepted, and what went otherwise than expected."""
    accepted: list[Case] = []
    wrong: list[str] = []
    with sender.smtp() as smtp:
        for case in cases:
            try:
                submit(smtp, sender, as_sent_by(sender, case), [recipient])
            except smtplib.SMTPResponseException as refusal:
                if not 500 <= refusal.smtp_code < 600 or (case.can_be_sent and not case.refused):
                    wrong.append(f"{case.name}: {refusal}")
            else:
                accepted.append(case)
                if case.refused:
                    wrong.append(f"{case.name}: accepted")
    return accepted, wrong


def mails_in(imap: imaplib.IMAP4) -> int:
    """How many mails there are in the INBOX."""
    answer = imap.status("INBOX", "(MESSAGES)")[1][0]
    found = re.search(rb"MESSAGES (\d+)", answer)
    assert found is not None, answer
    return int(found[1])


def comparable(mail: Shown) -> Comparable:
    files = [sorted(file.items()) for file in mail.files]
    return mail.subject, str(as_told(mail.text.strip("\n"))), str(files), mail.rules


def expected(case: Case) -> Comparable:
    seen = case.shown
    text = seen.text.strip("\n") if isinstance(seen.text, str) else seen.text
    return seen.subject, str(text), str([sorted(file.items()) for file in seen.files]), seen.rules


def test_the_corpus_goes_in_by_smtp_and_comes_out_by_imap(pair: tuple[MailUser, MailUser]) -> None:
    """Everybody's key is known, as it is between two gateways that have heard from each other."""
    alice, bob = pair
    before = len(bob.mails())
    alice.send(plain_mail(alice, bob, "first", "so that keys are known"), bob)
    before = len(bob.wait_for_mails(before + 1))
    cases = read_corpus()
    with ThreadPoolExecutor(CONNECTIONS) as threads:
        shares = [cases[n::CONNECTIONS] for n in range(CONNECTIONS)]
        results = list(threads.map(lambda share: submit_each(alice, bob, share), shares))
    accepted = [case for share, _ in results for case in share]
    assert [text for _, wrong in results for text in wrong] == []
    assert len(accepted) >= 250
    total = before + len(accepted)
    with bob.imap() as imap:
        wait_for(lambda: mails_in(imap), lambda found: found >= total, f"{total} mails", SECONDS)
    mails = bob.mails()[before:]
    arrived = Counter(comparable(shown(mail)) for mail in mails)
    awaited = Counter(expected(case) for case in accepted)
    assert sorted((arrived - awaited).elements()) == sorted((awaited - arrived).elements())
