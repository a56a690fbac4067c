"""curl, as scripts use it: imaps and smtps with the gateway's own CA."""

import shutil
import subprocess
from pathlib import Path

import pytest
from gateways import CERTIFIED_NAME, MailUser, plain_mail, text_of, wait_for

pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed"),
]


def curl(user: MailUser, scheme: str, path: str, *arguments: str) -> bytes:
    host, port = user.gateway.listener(scheme.removesuffix("s"))
    command = [
        "curl",
        "--silent",
        "--show-error",
        "--max-time",
        "20",
        "--cacert",
        str(user.authority),
        "--resolve",
        f"{CERTIFIED_NAME}:{port}:{host}",
        "--user",
        f"{user.login.user}:{user.login.password}",
        f"{scheme}://{CERTIFIED_NAME}:{port}{path}",
        *arguments,
    ]
    done = subprocess.run(command, capture_output=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def test_curl_sends_a_mail_and_reads_it_there(pair: tuple[MailUser, MailUser], tmp_path: Path) -> None:
    alice, bob = pair
    letter = tmp_path / "letter.eml"
    letter.write_bytes(plain_mail(alice, bob, "By curl", "sent by curl"))
    envelope = ("--mail-from", alice.address, "--mail-rcpt", bob.address, "--upload-file", str(letter))
    curl(alice, "smtps", "/", *envelope)
    texts = wait_for(
        lambda: [text_of(mail) for mail in bob.mails()], lambda found: "sent by curl" in found, "the mail sent by curl"
    )
    number = texts.index("sent by curl") + 1
    assert b"sent by curl" in curl(bob, "imaps", f"/INBOX;MAILINDEX={number}")
    assert b"SEARCH" in curl(bob, "imaps", "/INBOX", "--request", 'SEARCH SUBJECT "By curl"')
    listing = curl(bob, "imaps", "/")
    assert b'"INBOX"' in listing or b" INBOX" in listing
