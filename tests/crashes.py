"""What the crash tests share: a ledger of promises outside the gateway, and the look at what became of them."""

import json
import os
import smtplib
import ssl
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from click.testing import CliRunner
from gateways import MailUser, plain_mail, submit, text_of, wait_for

from bmgate.cli.main import cli
from bmgate.errors import GatewayError

ACKED_SECONDS = 60.0
NO_ANSWER = (smtplib.SMTPException, OSError, ssl.SSLError, GatewayError)


@dataclass(slots=True)
class Ledger:
    """Every mail a gateway answered 250 to, one line each, on disk before the next is sent."""

    path: Path
    promised: list[str] = field(default_factory=list)

    def note(self, text: str) -> None:
        """A 250 was read."""
        with self.path.open("a", encoding="ascii") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())
        self.promised.append(text)


@dataclass(slots=True)
class Writer:
    """A mail program that sends one mail after the other, and sends again what got no answer."""

    name: str
    sender: MailUser
    recipient: MailUser
    ledger: Ledger
    sent: int = 0

    def send_until_it_breaks(self, limit: int) -> None:
        """Send up to `limit` mails over one connection; returns when the gateway is gone."""
        try:
            with self.sender.smtp(timeout=10) as smtp:
                for _ in range(limit):
                    self._send_one(smtp)
        except NO_ANSWER:
            return

    def _send_one(self, smtp: smtplib.SMTP) -> None:
        text = f"{self.name}-{self.sent}"
        raw = plain_mail(self.sender, self.recipient, text, text, Message_ID=f"<{text}@crash.test>")
        submit(smtp, self.sender, raw, [self.recipient])
        self.ledger.note(text)
        self.sent += 1


def assert_clean(user: MailUser) -> None:
    """`bmgate fsck` finds nothing; the gateway must not run."""
    with ThreadPoolExecutor(1) as thread:  # where no loop is
        done = thread.submit(CliRunner().invoke, cli, ["--data", str(user.gateway.folder), "fsck", "--json"]).result()
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout) == []


def assert_kept(ledger: Ledger, sender: MailUser, recipient: MailUser) -> None:
    """All that was promised has arrived once every row is confirmed, and nothing arrived twice."""
    promised = set(ledger.promised)
    assert len(promised) == len(ledger.promised)
    wait_for(
        lambda: sender.gateway.status()["outbox"], lambda states: set(states) == {"ACKED"}, "all acks", ACKED_SECONDS
    )
    arrived = Counter(text_of(mail) for mail in recipient.mails())
    assert sorted(promised - set(arrived)) == []
    assert [text for text, times in arrived.items() if times > 1] == []
