"""What tests of mail programs share: running one, and seeing what the gateway holds meanwhile."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from gateways import CERTIFIED_NAME, MailUser, plain_mail, subject_of, wait_for
from imapclient import IMAPClient

SECONDS = 60.0

Holdings = dict[str, dict[int, tuple[frozenset[bytes], bytes]]]  # mailbox: UID: flags, mail


def needs(program: str) -> list[pytest.MarkDecorator]:
    """Marks of a module that drives `program`."""
    missing = shutil.which(program) is None
    return [pytest.mark.interop, pytest.mark.skipif(missing, reason=f"{program} is not installed")]


def port(user: MailUser, door: str) -> int:
    """Of `imap`, `imap starttls`, or the same of `smtp` and `pop3`."""
    return user.gateway.listener(door)[1]


def run(*command: str, given: str = "", expected: int = 0, environ: Mapping[str, str] | None = None) -> str:
    """Run a program with `given` as its input; its output. Fails the test when its exit code is not `expected`."""
    done = subprocess.run(
        command,
        input=given,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        timeout=SECONDS,
        check=False,
        env={**os.environ, **(environ or {})},
    )
    assert done.returncode == expected, f"{command[0]} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def write_private(path: Path, text: str) -> Path:
    """A settings file with a password in it, as programs demand: readable by its owner alone."""
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    return path


@contextmanager
def imap_client(user: MailUser, mailbox: str = "INBOX") -> Iterator[IMAPClient]:
    """A second client of the account, to look and to change things behind the program's back."""
    with IMAPClient(CERTIFIED_NAME, port=port(user, "imap"), ssl_context=user.tls(), timeout=SECONDS) as client:
        client.login(user.login.user, user.login.password)
        client.select_folder(mailbox)
        yield client


def holdings(user: MailUser) -> Holdings:
    """Everything an account holds."""
    found: Holdings = {}
    with imap_client(user) as client:
        for _, _, name in client.list_folders():
            client.select_folder(name, readonly=True)
            mails = client.fetch(client.search(), ["FLAGS", "BODY.PEEK[]"])
            found[name] = {uid: (frozenset(mail[b"FLAGS"]), mail[b"BODY[]"]) for uid, mail in mails.items()}
    return found


def deliver(sender: MailUser, recipient: MailUser, *subjects: str) -> None:
    """Send a mail for each subject and wait until the recipient has them."""
    for subject in subjects:
        sender.send(plain_mail(sender, recipient, subject, f"text of {subject}"), recipient)
    wait_for_subjects(recipient, *subjects)


def wait_for_subjects(user: MailUser, *subjects: str, mailbox: str = "INBOX") -> None:
    """Return once a mailbox holds mails of these subjects."""
    wait_for(
        lambda: {subject_of(mail) for mail in user.mails(mailbox)}, lambda found: found >= set(subjects), str(subjects)
    )
