"""Real-life mails go in by SMTP here and come out by IMAP there, with the text that is expected."""

import json
import re
import smtplib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from gateways import MailUser, subject_of, submit, text_of

from bmgate.errors import TooLarge, UnsupportedMedia
from bmgate.mail.outgoing import convert

CORPUS = Path(__file__).parents[1] / "corpus"
OWN = b"sender@gateway.test"


@dataclass(frozen=True, slots=True)
class Case:
    """A mail, and what becomes of it: `refused`, or its text."""

    name: str
    raw: bytes
    refused: bool
    subject: str
    body: str

    @property
    def can_be_sent(self) -> bool:
        """Whether SMTP carries these bytes (S1, S9)."""
        return b"\0" not in self.raw and not re.search(rb"\r(?!\n)", self.raw)


def read_corpus(sender: MailUser) -> list[Case]:
    cases = []
    for path in sorted(CORPUS.glob("*.eml")):
        expected = json.loads(path.with_suffix(".json").read_text("utf-8"))
        raw = path.read_bytes().replace(OWN, sender.address.encode())
        raw = re.sub(rb"(?<!\r)\n", b"\r\n", raw)
        subject, body, refused = expected.get("subject", ""), expected.get("body", ""), "refused" in expected
        if expected.get("refused") in ("UnsupportedMedia", "TooLarge"):  # to those who do not read encoding 3
            subject, body, refused = _extended(raw)
        cases.append(Case(path.stem, raw, refused, subject, body))
    return cases


def _extended(raw: bytes) -> tuple[str, str, bool]:
    """What another gateway gets of a mail that only it can read, and whether it is refused for another reason."""
    try:
        mail = convert(raw)
    except (UnsupportedMedia, TooLarge):
        return "", "", True
    return mail.subject, mail.body, False


def test_the_corpus_goes_in_by_smtp_and_comes_out_by_imap(pair: tuple[MailUser, MailUser]) -> None:
    alice, bob = pair
    cases = read_corpus(alice)
    before = len(bob.mails())
    accepted: list[Case] = []
    wrong: list[str] = []
    with alice.smtp() as smtp:
        for case in cases:
            try:
                submit(smtp, alice, case.raw, [bob])
            except smtplib.SMTPResponseException as refusal:
                if not 500 <= refusal.smtp_code < 600 or (case.can_be_sent and not case.refused):
                    wrong.append(f"{case.name}: {refusal}")
            else:
                accepted.append(case)
                if case.refused:
                    wrong.append(f"{case.name}: accepted")
    assert not wrong
    assert len(accepted) >= 40
    mails = bob.wait_for_mails(before + len(accepted), 60)[before:]
    arrived = Counter((subject_of(mail), text_of(mail)) for mail in mails)
    expected = Counter((case.subject, case.body.strip("\n")) for case in accepted)
    assert sorted((arrived - expected).elements()) == sorted((expected - arrived).elements())
