"""Complete gateways as separate processes, and their users as mail programs see them: SMTP and IMAP over TLS."""

import email.policy
import imaplib
import random
import re
import smtplib
import socket
import ssl
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from email import message_from_bytes
from email.message import EmailMessage, Message
from pathlib import Path
from typing import TypeVar

from bmgate.cli.preparation import Changes
from bmgate.datafolder import DataFolder
from bmgate.localnet import GatewayProcess, Login, prepare_folder

T = TypeVar("T")

PASSWORD = "correct horse battery"
CERTIFIED_NAME = "localhost"  # in every gateway's certificate, whichever address it listens on
CHANGES = {("security", "argon2"): "low_memory"}
SECONDS = 30.0
PAUSE_SECONDS = 0.05

_FETCHED = re.compile(rb"\(FLAGS \((?P<flags>[^)]*)\)")


class VerifiedSmtp(smtplib.SMTP_SSL):
    """Submission over implicit TLS; the certificate must be one for localhost."""

    def _get_socket(self, host: str, port: int, timeout: float) -> ssl.SSLSocket:
        plain = socket.create_connection((host, port), timeout)
        context: ssl.SSLContext = self.context
        return context.wrap_socket(plain, server_hostname=CERTIFIED_NAME)


class VerifiedImap(imaplib.IMAP4_SSL):
    """IMAP over implicit TLS; the certificate must be one for localhost."""

    def _create_socket(self, timeout: float | None) -> ssl.SSLSocket:
        plain = socket.create_connection((self.host, self.port), timeout)
        context: ssl.SSLContext = self.ssl_context
        return context.wrap_socket(plain, server_hostname=CERTIFIED_NAME)


@dataclass(frozen=True, slots=True)
class MailUser:
    """An account at a running gateway."""

    gateway: GatewayProcess
    login: Login

    @property
    def address(self) -> str:
        """As mail programs write it."""
        domain = self.login.user.rpartition("@")[2]
        return f"{self.login.address}@{domain}"

    @property
    def authority(self) -> Path:
        """The certificate of the gateway's own CA."""
        return DataFolder(self.gateway.folder).tls / "ca.pem"

    def tls(self) -> ssl.SSLContext:
        """Trusts that CA and no other."""
        return ssl.create_default_context(cafile=str(self.authority))

    @contextmanager
    def smtp(self, timeout: float = SECONDS) -> Iterator[smtplib.SMTP_SSL]:
        """A connection that is logged in."""
        host, port = self.gateway.listener("smtp")
        with VerifiedSmtp(host, port, timeout=timeout, context=self.tls()) as smtp:
            smtp.login(self.login.user, self.login.password)
            yield smtp

    @contextmanager
    def imap(self, mailbox: str = "INBOX") -> Iterator[imaplib.IMAP4_SSL]:
        """A connection that is logged in and has opened `mailbox`."""
        host, port = self.gateway.listener("imap")
        with VerifiedImap(host, port, ssl_context=self.tls(), timeout=SECONDS) as imap:
            imap.login(self.login.user, self.login.password)
            status, answer = imap.select(mailbox, readonly=True)
            assert status == "OK", answer
            yield imap

    def send(self, raw: bytes, *recipients: "MailUser") -> str:
        """Submit a mail; the text of the 250."""
        with self.smtp() as smtp:
            return submit(smtp, self, raw, recipients)

    def mails(self, mailbox: str = "INBOX") -> list[Message]:
        """Everything in a mailbox, in the order of UIDs."""
        with self.imap(mailbox) as imap:
            return fetch_all(imap)

    def keywords(self, mailbox: str = "Sent") -> list[set[str]]:
        """Flags and keywords of each mail."""
        with self.imap(mailbox) as imap:
            _, answers = imap.fetch("1:*", "(FLAGS)")
            found = (re.search(rb"FLAGS \(([^)]*)\)", answer) for answer in answers if isinstance(answer, bytes))
            return [set(match[1].decode().split()) for match in found if match]

    def wait_for_mails(self, count: int, seconds: float = SECONDS) -> list[Message]:
        """The INBOX once it holds `count` mails."""
        return wait_for(self.mails, lambda mails: len(mails) >= count, f"{count} mails", seconds)


def submit(smtp: smtplib.SMTP, sender: MailUser, raw: bytes, recipients: Collection[MailUser]) -> str:
    """MAIL, RCPT and DATA; the text of the 250, or smtplib's exceptions."""
    for code, text in (smtp.mail(sender.address), *(smtp.rcpt(user.address) for user in recipients)):
        if code != 250:
            smtp.rset()
            raise smtplib.SMTPResponseException(code, text)
    code, text = smtp.data(raw)
    if code != 250:
        raise smtplib.SMTPDataError(code, text)
    return text.decode()


def fetch_all(imap: imaplib.IMAP4) -> list[Message]:
    """The mails of the open mailbox."""
    _, answers = imap.uid("FETCH", "1:*", "(BODY.PEEK[])")
    return [message_from_bytes(answer[1]) for answer in answers if isinstance(answer, tuple)]


def text_of(message: Message) -> str:
    """The decoded text/plain of a mail, with LF and without line ends around it."""
    part = next(part for part in message.walk() if part.get_content_type() == "text/plain")
    payload = part.get_payload(decode=True)
    assert isinstance(payload, bytes)
    return payload.decode(part.get_content_charset("utf-8")).replace("\r\n", "\n").strip("\n")


def subject_of(message: Message) -> str:
    """The decoded subject."""
    parsed = message_from_bytes(message.as_bytes(), policy=email.policy.default)
    return str(parsed["Subject"] or "")


def plain_mail(sender: MailUser, recipient: MailUser, subject: str, body: str, **fields: str) -> bytes:
    """As Python's own library writes it."""
    message = EmailMessage(policy=email.policy.SMTP)
    message["From"], message["To"], message["Subject"] = sender.address, recipient.address, subject
    for name, value in fields.items():
        message[name.replace("_", "-")] = value
    message.set_content(body)
    return message.as_bytes()


def wait_for(look: Callable[[], T], enough: Callable[[T], bool], what: str, seconds: float = SECONDS) -> T:
    """What `look` returns once that is `enough`."""
    deadline = time.monotonic() + seconds
    while not enough(found := look()):
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds:.0f} s in vain for {what}; found {str(found)[:2000]}")
        time.sleep(PAUSE_SECONDS)
    return found


@contextmanager
def two_users(folder: Path, changes: Changes | None = None) -> Iterator[tuple[MailUser, MailUser]]:
    """Alice and Bob, each with a gateway of their own that dials the other: whoever starts anew finds it at once.

    Their addresses are drawn at random: a gateway that was killed must find its own free when it comes back, whatever
    other test runs are on this machine.
    """
    network = f"127.{random.randint(1, 254)}.{random.randint(1, 254)}"
    hosts = [f"{network}.1", f"{network}.2"]
    with ExitStack() as running:
        users = []
        for name, host, peers in (("alice", hosts[0], hosts[1]), ("bob", hosts[1], hosts[0])):
            settings = {**CHANGES, ("node", "peers"): peers, **(changes or {})}
            prepare_folder(folder / name, host, settings, int(time.time()))
            gateway = running.enter_context(GatewayProcess(folder / name))
            gateway.start()
            users.append(MailUser(gateway, gateway.add_account(name, PASSWORD)))
        yield users[0], users[1]
